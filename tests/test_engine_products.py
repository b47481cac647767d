"""The micro-kernels against NumPy, for every remainder that a tile can leave."""

import numpy as np
import pytest

from plrnn_numba import PLRNN
from plrnn_numba.engine import (
    LANES,
    add_dot,
    add_matvec,
    add_outer,
    add_sum,
    as_lanes,
    borrowed,
    by_columns,
    by_roomy_columns,
    columns_with_room,
    copy_state,
    each,
    jit,
    map_arrays,
    put,
    with_room,
    zeros,
    zeros_with_room,
)
from plrnn_numba.engine.memory import ROOM

SIZES = [1, 2, 3, 4, 5, 7, 8, 11, 16, 19, 35, 66]
TOLERANCE = {"f4": 2e-5, "f8": 1e-13}


@jit
def matvec_of_lanes(W, x, out, transpose):
    if transpose:
        add_matvec(borrowed(W).T, as_lanes(x), as_lanes(out))
    else:
        add_matvec(borrowed(W), as_lanes(x), as_lanes(out))


@jit
def matvec_by_columns(params, copies, x, out):
    add_matvec(by_columns(borrowed(params), borrowed(copies)).W, borrowed(x), borrowed(out))


@jit
def matvec_with_room(params, columns, x, state, out):
    copy_state(borrowed(out), with_room(state))
    add_matvec(by_roomy_columns(borrowed(params), columns).W, borrowed(x), with_room(state))
    copy_state(with_room(state), borrowed(out))


@jit
def matvec_by_rows(W, x, out):
    add_matvec(borrowed(W), borrowed(x), borrowed(out))


@jit
def gradients_of_lanes(W, h, A, G, F, Z):
    add_outer(borrowed(W), as_lanes(G), as_lanes(F))
    add_sum(borrowed(h), as_lanes(G))
    add_dot(borrowed(A), as_lanes(G), as_lanes(Z))


@jit
def gradients_of_units(W, h, A, G, F, Z):
    add_outer(borrowed(W), borrowed(G), borrowed(F))
    add_sum(borrowed(h), borrowed(G))
    add_dot(borrowed(A), borrowed(G), borrowed(Z))


def filled(rng, shape, dtype, lanes):
    array = zeros(shape, dtype, lanes)
    array[...] = rng.standard_normal(array.shape)
    return array


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("m", SIZES)
def test_a_matrix_times_a_state(m, dtype):
    rng = np.random.default_rng(m)
    for n in SIZES:
        W = rng.standard_normal((m, n)).astype(dtype)
        x, start = filled(rng, (n,), dtype, LANES), filled(rng, (m,), dtype, LANES)
        expected = start + np.einsum("mn,nl->ml", W, x)
        scale = TOLERANCE[dtype] * n
        for matrix, transpose in ((W, False), (np.ascontiguousarray(W.T), True)):
            out = zeros((m,), dtype)
            out[...] = start
            matvec_of_lanes(matrix, x, out, transpose)
            np.testing.assert_allclose(out, expected, atol=scale)

        one, first = x[:, 0].copy(), start[:, 0].copy()
        out = first.copy()
        matvec_by_rows(W, one, out)
        np.testing.assert_allclose(out, expected[:, 0], atol=scale)
        h = np.zeros(m, dtype)
        params = PLRNN(h, W, h, W)
        out = first.copy()
        matvec_by_columns(params, params._replace(W=W.T.copy(), C=W.T.copy()), one, out)
        np.testing.assert_allclose(out, expected[:, 0], atol=scale)

        memory = np.full(m + 2 * ROOM, 7.0, dtype)
        out, state = memory[ROOM:-ROOM], zeros_with_room(m, dtype)
        out[...] = first
        matvec_with_room(params, map_arrays(columns_with_room, params), one, state, out)
        np.testing.assert_allclose(out, expected[:, 0], atol=scale)
        assert (memory[:ROOM] == 7).all()
        assert (memory[-ROOM:] == 7).all()


@pytest.mark.parametrize("lanes", [LANES, 1])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("m", SIZES)
def test_gradients_of_weights(m, dtype, lanes):
    rng = np.random.default_rng(m)
    T = 13
    kernel = gradients_of_lanes if lanes > 1 else gradients_of_units
    for n in SIZES:
        G, Z = (filled(rng, (T, m), dtype, lanes) for _ in range(2))
        F = filled(rng, (T, n), dtype, lanes)
        W, h, A = (rng.standard_normal(shape).astype(dtype) for shape in ((m, n), m, m))
        g, f, z = (a.reshape(T, -1, lanes).astype("f8") for a in (G, F, Z))
        expected = (
            W + np.einsum("tml,tnl->mn", g, f),
            h + g.sum(axis=(0, 2)),
            A + (g * z).sum(axis=(0, 2)),
        )
        kernel(W, h, A, G, F, Z)
        for found, right in zip((W, h, A), expected):
            np.testing.assert_allclose(found, right, atol=TOLERANCE[dtype] * T * lanes)


def test_a_tile_writes_nowhere_else():
    rng = np.random.default_rng(0)
    for m in range(1, 10):
        for n in range(1, 20):
            memory = np.full(m * n + 64, 7.0)
            grad = memory[32 : 32 + m * n].reshape(m, n)
            for lanes, kernel in ((LANES, gradients_of_lanes), (1, gradients_of_units)):
                G, F = filled(rng, (3, m), "f8", lanes), filled(rng, (3, n), "f8", lanes)
                kernel(grad, np.zeros(m), np.zeros(m), G, F, G)
            assert (memory[:32] == 7).all()
            assert (memory[32 + grad.size :] == 7).all()


@jit
def set_ones(context, i, like):
    put(context[0], i, like + 1)


@jit
def ones_into_a_slice(state, n):
    view = with_room(state)[:n]
    each(view, set_ones, (view,))


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 11, 16])
def test_a_slice_of_what_has_room_has_none(n):
    """Behind its end lie the numbers that were left out, not room."""
    state = zeros_with_room(20, "f8")
    ones_into_a_slice(state, n)
    np.testing.assert_array_equal(state, np.arange(20) < n)
