"""Step, orbit, Jacobian and conversions of every model, against the loops of `naive`."""

import warnings

import naive
import numpy as np
import pytest
from families import ROWS, Row, latents, seeds
from hypothesis import assume, given
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba.models.base import MODELS, as_latent

CLIPPED = Row("clipped_shPLRNN", {})
any_dtype = st.sampled_from(["float32", "float64"])


def close(a, b, tolerance=1e-12):
    a, b = np.asarray(a, float), np.asarray(b, float)
    assert a.shape == b.shape
    assert np.abs(a - b).max(initial=0) <= tolerance * (1 + np.abs(b).max(initial=0))


def cast(latent, dtype):
    return latent._replace(
        **{k: v.astype(dtype) for k, v in latent._asdict().items() if isinstance(v, np.ndarray)}
    )


def test_every_registered_model_is_in_the_table():
    assert {row.name for row in ROWS} == set(MODELS)


@given(latents(), st.integers(1, 40), any_dtype)
def test_step_is_the_formula(drawn, S, dtype):
    latent, rng = drawn
    M, K = latent.C.shape
    z, s = rng.standard_normal((S, M)), rng.standard_normal((S, K))
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    got = pl.step(cast(latent, dtype), z, s)
    assert got.dtype == dtype
    close(got, [naive.step(latent, z[i], s[i]) for i in range(S)], tolerance)
    single = pl.step(cast(latent, dtype), z[0], s[0])
    assert single.shape == (M,)
    assert single.dtype == dtype
    close(single, got[0], tolerance)
    close(pl.step(latent, z[0]), naive.step(latent, z[0]))


@given(latents(), st.integers(1, 35), st.integers(1, 12), any_dtype)
def test_generate_iterates_step(drawn, S, n_steps, dtype):
    latent, rng = drawn
    M, K = latent.C.shape
    z0, u = rng.standard_normal((S, M)), rng.standard_normal((S, n_steps, K))
    tolerance = 1e-11 if dtype == "float64" else 1e-4
    got = pl.generate(cast(latent, dtype), z0, n_steps, u)
    assert got.dtype == dtype
    close(got, [naive.generate(latent, z0[i], n_steps, u[i]) for i in range(S)], tolerance)
    one = pl.generate(cast(latent, dtype), z0[0], n_steps, u[0, : n_steps - 1])
    close(one, got[0], tolerance)


@given(latents(), st.integers(1, 5), any_dtype)
def test_jacobian_is_the_tangent_of_the_formula(drawn, S, dtype):
    latent, rng = drawn
    z = rng.standard_normal((S, len(latent.A)))
    if dtype == "float32":  # the loops must see the same pre-activations
        latent = cast(cast(latent, dtype), "float64")
        z = z.astype(dtype).astype(float)
    assume(min((abs(u) for row in z for u in naive.pre_activations(latent, row)), default=1) > 1e-4)
    got = pl.jacobian(cast(latent, dtype), z)
    assert got.dtype == dtype
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    close(got, [naive.jacobian(latent, row) for row in z], tolerance)
    close(pl.jacobian(cast(latent, dtype), z[0]), got[0], tolerance)


@given(latents())
def test_hinge_form_and_shallow_form_are_exact(drawn):
    latent, rng = drawn
    M, K = latent.C.shape
    z, s = rng.standard_normal((7, M)), rng.standard_normal((7, K))
    expected = pl.step(latent, z, s)
    hinge, shallow = pl.to_hinge(latent), pl.to_shplrnn(latent)
    relu = np.maximum(z @ hinge.C.T + hinge.d, 0)
    close(z @ hinge.L.T + relu @ hinge.B.T + hinge.h + s @ hinge.input_matrix.T, expected)
    close(pl.step(shallow, z, s), expected)
    orbit = pl.generate(latent, z[0], 10, np.tile(s[0], (10, 1)))
    close(pl.generate(shallow, z[0], 10, np.tile(s[0], (10, 1))), orbit, 1e-11)
    if np.abs(z @ hinge.C.T + hinge.d).min(initial=1) > 1e-6:
        close(pl.jacobian(shallow, z), pl.jacobian(latent, z))


@given(latents())
def test_hinge_form_has_the_promised_number_of_hinges(drawn):
    latent, _ = drawn
    M = len(latent.A)
    K = len(pl.to_hinge(latent).d)
    H = len(pl.to_shplrnn(latent).h2)
    match latent:
        case pl.PLRNN():
            assert (K, H) == (M, M)
        case pl.ALRNN():
            P = latent.num_relus
            assert K == P
            assert H <= 2 * (M - P) + P
        case pl.ShPLRNN():
            assert K == H == len(latent.h2)
        case pl.ClippedShPLRNN():
            assert K == H == 2 * len(latent.h2)


@given(latents(st.just(CLIPPED)))
def test_clipped_is_a_shplrnn_of_twice_the_width(drawn):
    latent, rng = drawn
    wide = pl.to_shplrnn(latent)
    np.testing.assert_array_equal(wide.W1, np.hstack([latent.W1, -latent.W1]))
    np.testing.assert_array_equal(wide.W2, np.vstack([latent.W2, latent.W2]))
    np.testing.assert_array_equal(wide.h2, np.concatenate([latent.h2, np.zeros_like(latent.h2)]))
    z = rng.standard_normal((5, len(latent.A)))
    close(pl.step(wide, z), pl.step(latent, z), 1e-13)
    close(pl.generate(wide, z, 20), pl.generate(latent, z, 20), 1e-11)
    close(pl.jacobian(wide, z), pl.jacobian(latent, z), 1e-13)


@given(latents(st.just(Row("ALRNN", {"off_diagonal_W": True}))))
def test_an_alrnn_of_relus_alone_is_a_plrnn(drawn):
    latent, rng = drawn
    latent = latent._replace(num_relus=len(latent.A))
    plrnn = pl.PLRNN(latent.A, latent.W, latent.h, latent.C, mean_centering=False)
    z = rng.standard_normal((5, len(latent.A)))
    close(pl.step(latent, z), pl.step(plrnn, z), 1e-14)
    close(pl.jacobian(latent, z), pl.jacobian(plrnn, z), 1e-14)


@given(latents(st.just(CLIPPED)), st.booleans())
def test_clipped_is_affine_where_no_hidden_unit_is_between_its_kinks(drawn, above):
    """Above max(0, -h2) a unit gives h2, below min(0, -h2) it gives 0, whatever z is."""
    latent, rng = drawn
    M, H = latent.W1.shape
    v = rng.standard_normal(M)
    W2 = np.outer(np.abs(rng.standard_normal(H)) + 0.1, v)  # every unit sees the same side of v
    latent = latent._replace(W2=W2)
    far = 100 * v / (v @ v) * (1 if above else -1)
    z = far * (1 + rng.random((6, 1)))
    u = z @ W2.T
    bound = np.maximum(0, -latent.h2) if above else np.minimum(0, -latent.h2)
    assume((u > bound).all() if above else (u < bound).all())
    constant = latent.h1 + (latent.W1 @ latent.h2 if above else 0)
    close(pl.step(latent, z), latent.A * z + constant, 1e-12)
    close(pl.jacobian(latent, z), np.tile(np.diag(latent.A), (6, 1, 1)), 1e-12)


@given(latents(st.just(CLIPPED)), st.floats(0, 0.99))
def test_clipped_orbits_stay_in_their_box(drawn, largest):
    """measures.md, section 5: c = (I-A)^-1 (h1 + W1 h2 / 2), half-widths (|W1||h2|)_i / 2 / (1-|a_i|)."""
    latent, rng = drawn
    latent = latent._replace(A=latent.A / np.abs(latent.A).max() * largest)
    center = (latent.h1 + latent.W1 @ latent.h2 / 2) / (1 - latent.A)
    width = np.abs(latent.W1) @ np.abs(latent.h2) / 2 / (1 - np.abs(latent.A))
    z0 = center + rng.uniform(-1, 1, (20, len(center))) * width
    orbits = pl.generate(latent, z0, 50)
    assert (np.abs(orbits - center) <= width * (1 + 1e-9) + 1e-9).all()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_derivative_at_a_kink_is_that_of_the_side_below(row):
    """phi'(0) = 0: at z = 0 with zero biases every ReLU sits on its kink."""
    latent = row.latent(3, 4, 2, 0, np.random.default_rng(0))
    zeros = {k: np.zeros_like(v) for k, v in latent._asdict().items() if k in ("h", "h1", "h2")}
    latent = latent._replace(**zeros)
    np.testing.assert_array_equal(
        pl.jacobian(latent, np.zeros(3)), pl.to_hinge(latent).L
    )  # every hinge closed
    np.testing.assert_array_equal(pl.step(latent, np.zeros(3)), np.zeros(3))


@given(latents(), seeds)
def test_the_order_of_orbits_changes_nothing(drawn, seed):
    latent, rng = drawn
    z0 = rng.standard_normal((20, len(latent.A)))
    order = np.random.default_rng(seed).permutation(20)
    np.testing.assert_array_equal(pl.generate(latent, z0[order], 8), pl.generate(latent, z0, 8)[order])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_diverging_orbit_is_nan_from_its_step_on_with_one_warning(row):
    latent = row.latent(3, 4, 2, 0, np.random.default_rng(1), dtype="float32")
    latent = latent._replace(A=np.full(3, 30.0, np.float32))
    with pytest.warns(pl.DivergenceWarning, match="the orbit diverged; the first at step") as caught:
        orbit = pl.generate(latent, np.ones(3), 100)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert orbit.shape == (100, 3)
    finite = np.isfinite(orbit).all(axis=1)
    first = finite.argmin()
    assert f"step {first}" in str(caught[0].message)
    assert 20 < first < 40
    assert np.isnan(orbit[first:]).all()
    stable = latent._replace(A=np.full(3, 0.1, np.float32))
    for field in ("W", "W1"):
        if hasattr(latent, field):
            stable = stable._replace(**{field: 0.1 * getattr(latent, field)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pl.generate(stable, np.ones(3), 100)


def test_of_many_orbits_only_the_diverging_are_nan():
    latent = pl.ALRNN([2.0, 0.5], np.zeros((2, 2)), np.zeros(2), np.zeros((2, 0)), 0)
    z0 = np.zeros((40, 2))
    z0[7] = [1e300, 1]
    with pytest.warns(pl.DivergenceWarning, match=r"1 of 40 orbits diverged.*\(orbit 7\)"):
        orbits = pl.generate(latent, z0, 60)
    assert np.isnan(orbits[7, -1]).all()
    assert np.isfinite(np.delete(orbits, 7, axis=0)).all()


ALRNN = pl.ALRNN([0.5, 0.5], np.zeros((2, 2)), np.zeros(2), np.zeros((2, 1)), 1)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: pl.step(ALRNN, np.zeros(3)),
            ValueError,
            r"z: got shape \(3,\), expected \(2,\) or \(S, 2\)",
        ),
        (
            lambda: pl.step(ALRNN, np.zeros(2), np.zeros(3)),
            ValueError,
            r"s: got shape \(3,\), expected \(1,\)",
        ),
        (lambda: pl.step(ALRNN, "ab"), TypeError, "z: got str, expected an array of real numbers"),
        (lambda: pl.step(ALRNN, [1j, 0]), TypeError, "z: got list, expected an array of real numbers"),
        (lambda: pl.step(3, [0]), TypeError, "latent: got int, allowed are .*ClippedShPLRNN"),
        (
            lambda: pl.generate(ALRNN, np.zeros(2), 0),
            ValueError,
            "n_steps: got 0, expected an integer at least 1",
        ),
        (
            lambda: pl.generate(ALRNN, np.zeros(2), 5, np.zeros((3, 1))),
            ValueError,
            r"inputs: got shape \(3, 1\)",
        ),
        (
            lambda: pl.generate(ALRNN, np.zeros(2), 5, np.zeros((5, 2))),
            ValueError,
            r"inputs: got shape \(5, 2\)",
        ),
        (lambda: pl.step(ALRNN._replace(num_relus=3), np.zeros(2)), ValueError, "ALRNN.num_relus: got 3"),
        (
            lambda: pl.step(ALRNN._replace(h=np.zeros(3)), np.zeros(2)),
            ValueError,
            r"ALRNN.h: got shape \(3,\)",
        ),
        (lambda: pl.step(ALRNN._replace(A=np.zeros((2, 2))), np.zeros(2)), ValueError, "ALRNN.A: got shape"),
        (
            lambda: pl.step(ALRNN._replace(h=np.zeros(2, "f4"), W=np.zeros((2, 2))), np.zeros(2)),
            ValueError,
            r"ALRNN: got arrays of several dtypes \(W float64, h float32, C float64\), expected one",
        ),
        (lambda: pl.to_hinge((1, 2)), TypeError, "latent: got tuple"),
    ],
)
def test_errors_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_flags_of_any_type_and_lists_are_taken():
    fit = as_latent(ALRNN._replace(num_relus=np.int32(1), off_diagonal_W=np.bool_(False)))
    assert type(fit.num_relus) is int
    assert type(fit.off_diagonal_W) is bool
    assert fit.A.dtype == np.float64
