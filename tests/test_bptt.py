"""loss_and_grad against forward mode and central differences, and what is true of every gradient."""

import os

import naive
import numpy as np
import pytest
from families import ROWS, Row, problems, seeds
from hypothesis import assume, given
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba import bptt
from plrnn_numba.engine import from_vector, to_vector
from plrnn_numba.forcings.base import forcing_weights, n_forced_units
from plrnn_numba.observations.base import n_reached

CLIPPED = st.just(Row("clipped_shPLRNN", {}))

# The largest relative errors seen, printed at the end of the module for whoever wants to know.
seen = {"forward mode": 0.0, "central differences": 0.0}


def teardown_module():
    if os.environ.get("PLRNN_NUMBA_SHOW_ERRORS"):
        print(*(f"\nlargest relative gradient error, {k}: {v:.2e}" for k, v in seen.items()))


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Blocks of a step or three, so that short sequences have several, and one that is not full."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bptt, "_BLOCK_STEPS", (1, 3))
        patch.setattr(bptt, "_BLOCK_BYTES", 4096)
        yield


def vector(model):
    return to_vector((model.latent, model.observation))


def relative_error(got, expected):
    return np.abs(got - expected).max(initial=0) / (np.abs(expected).max(initial=0) + 1e-300)


def parts(model, X, forcing):
    """Weights of each unit that the data reach, and pinv(B)."""
    a = forcing_weights(forcing, X.shape[1] - 1)
    affine = isinstance(model.observation, pl.Affine)
    n = n_reached(model.observation)
    a = np.outer(a, np.arange(n) < n_forced_units(forcing, n))
    return a, np.linalg.pinv(model.observation.B) if affine else None


def free(model):
    """1 for each parameter that may change, 0 for those that the model keeps fixed."""
    mask = np.ones(len(vector(model)))
    latent, _ = from_vector((model.latent, model.observation), mask)
    keeps_diagonal = isinstance(model.latent, pl.PLRNN) or getattr(model.latent, "off_diagonal_W", False)
    if keeps_diagonal:
        np.fill_diagonal(latent.W, 0)
    if not model.latent.learnable_C:
        latent.C[...] = 0
    return mask


@given(problems())
def test_gradient_is_that_of_forward_mode(problem):
    model, X, U, forcing = problem
    a, inverse = parts(model, X, forcing)
    loss, gradient = pl.loss_and_grad(model, X, U, forcing)
    expected_loss, expected = naive.gradient(model, X, U, a, inverse)
    assert abs(loss - expected_loss) <= 1e-12 * abs(expected_loss)
    error = relative_error(vector(gradient), expected * free(model))
    seen["forward mode"] = max(seen["forward mode"], error)
    assert error <= 1e-10
    assert type(gradient.latent) is type(model.latent)
    assert gradient.latent[-1] == model.latent[-1]


@given(problems())
def test_gradient_is_that_of_central_differences_away_from_kinks(problem):
    model, X, U, forcing = problem
    a, inverse = parts(model, X, forcing)
    # A parameter's shift of h moves a state by some multiple of h: the kinks must be further away.
    assume(naive.margin(model, X, U, a, inverse) > 2e-3)
    theta, h = vector(model), 1e-5

    def loss(point):
        latent, observation = from_vector((model.latent, model.observation), point)
        return naive.loss(pl.Model(latent, observation), X, U, a, inverse)

    numeric = np.zeros_like(theta)
    for i in range(len(theta)):
        shift = np.zeros_like(theta)
        shift[i] = h
        numeric[i] = (loss(theta + shift) - loss(theta - shift)) / (2 * h)
    got = vector(pl.loss_and_grad(model, X, U, forcing)[1])
    # Differences of a loss near 1 cannot resolve a gradient below rounding: 2e-16 / h.
    assume(np.abs(numeric * free(model)).max(initial=0) > 1e-3)
    error = relative_error(got, numeric * free(model))
    seen["central differences"] = max(seen["central differences"], error)
    assert error <= 1e-7


@given(problems())
def test_constrained_entries_have_no_gradient(problem):
    model, X, U, forcing = problem
    gradient = vector(pl.loss_and_grad(model, X, U, forcing)[1])
    assert (gradient[free(model) == 0] == 0).all()


@given(problems(), st.integers(1, 40))
def test_a_batch_is_the_mean_of_its_sequences(problem, S):
    model, X, U, forcing = problem
    rng = np.random.default_rng(S)
    X, U = rng.standard_normal((S, *X.shape[1:])), rng.standard_normal((S, *U.shape[1:]))
    loss, gradient = pl.loss_and_grad(model, X, U, forcing)
    alone = [pl.loss_and_grad(model, X[s : s + 1], U[s : s + 1], forcing) for s in range(S)]
    assert abs(loss - np.mean([l for l, _ in alone])) <= 1e-12 * (1 + loss)
    assert relative_error(vector(gradient), np.mean([vector(g) for _, g in alone], axis=0)) <= 1e-11


@given(problems(), st.integers(2, 40), seeds)
def test_the_order_of_sequences_changes_nothing_beyond_rounding(problem, S, seed):
    model, X, U, forcing = problem
    rng = np.random.default_rng(seed)
    X, U = rng.standard_normal((S, *X.shape[1:])), rng.standard_normal((S, *U.shape[1:]))
    order = rng.permutation(S)
    loss, gradient = pl.loss_and_grad(model, X, U, forcing)
    permuted_loss, permuted = pl.loss_and_grad(model, X[order], U[order], forcing)
    assert abs(loss - permuted_loss) <= 1e-13 * loss
    assert relative_error(vector(permuted), vector(gradient)) <= 1e-12


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
@pytest.mark.parametrize("name", ["identity", "affine"])
@pytest.mark.parametrize("forcing", [pl.GTF(1.0), pl.STF(1)], ids=["GTF", "STF"])
def test_full_forcing_makes_one_step_problems(row, name, forcing):
    rng = np.random.default_rng(3)
    M, S, T = 3, 4, 6
    observation = (
        pl.Identity(np.zeros((0, M)))
        if name == "identity"
        else pl.Affine(rng.standard_normal((M, M)), rng.standard_normal(M))
    )
    model = pl.Model(row.latent(M, 5, 2, 1, rng), observation)
    X, U = rng.standard_normal((S, T + 1, M)), rng.standard_normal((S, T + 1, 1))
    loss, gradient = pl.loss_and_grad(model, X, U, forcing)
    pairs, drives = (np.stack([A[:, t : t + 2] for t in range(T)]).reshape(S * T, 2, -1) for A in (X, U))
    one_step_loss, one_step = pl.loss_and_grad(model, pairs, drives, None)
    assert abs(loss - one_step_loss) <= 1e-13 * loss
    assert relative_error(vector(gradient), vector(one_step)) <= 1e-12


@given(problems())
def test_an_interval_that_is_never_reached_forces_nothing(problem):
    model, X, U, _ = problem
    T = X.shape[1] - 1
    loss, gradient = pl.loss_and_grad(model, X, U, None)
    for forcing in (pl.STF(T), pl.STF(T + 5), pl.GTF(0.0)):
        same_loss, same = pl.loss_and_grad(model, X, U, forcing)
        assert same_loss == loss
        np.testing.assert_array_equal(vector(same), vector(gradient))


@given(problems(CLIPPED))
def test_the_clipped_gradient_is_that_of_its_shplrnn_through_the_conversion(problem):
    model, X, U, forcing = problem
    wide = model._replace(latent=pl.to_shplrnn(model.latent))
    H = len(model.latent.h2)
    loss, got = pl.loss_and_grad(model, X, U, forcing)
    wide_loss, there = pl.loss_and_grad(wide, X, U, forcing)
    assert abs(loss - wide_loss) <= 1e-12 * (1 + loss)
    g = there.latent
    expected = {
        "A": g.A,
        "W1": g.W1[:, :H] - g.W1[:, H:],
        "W2": g.W2[:H] + g.W2[H:],
        "h1": g.h1,
        "h2": g.h2[:H],
        "C": g.C,
    }
    scale = np.abs(vector(got)).max()
    for field, array in expected.items():
        assert np.abs(getattr(got.latent, field) - array).max(initial=0) <= 1e-11 * scale
    for a, b in zip(got.observation, there.observation):
        assert np.abs(a - b).max(initial=0) <= 1e-11 * scale


@given(problems())
def test_float32_agrees_with_float64(problem):
    """To rounding, unless a ReLU so near its kink flips."""
    model, X, U, forcing = problem
    a, inverse = parts(model, X, forcing)
    assume(naive.margin(model, X, U, a, inverse) > 1e-3)
    assume(inverse is None or np.linalg.cond(model.observation.B) < 30)
    loss, gradient = pl.loss_and_grad(model, X, U, forcing)
    narrow = pl.Model(*from_vector(model[:2], vector(model).astype(np.float32)))
    narrow_loss, narrow_gradient = pl.loss_and_grad(narrow, X, U, forcing)
    got = vector(narrow_gradient)
    assert got.dtype == np.float32
    assert abs(loss - narrow_loss) <= 1e-4 * loss
    assert relative_error(got, vector(gradient)) <= 1e-3


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_at_a_kink_the_gradient_takes_the_side_below(row):
    """With zero states and biases every ReLU is on its kink, and passes nothing back."""
    latent = row.latent(2, 3, 2, 0, np.random.default_rng(0))
    zeros = {k: np.zeros_like(v) for k, v in latent._asdict().items() if k in ("h", "h1", "h2")}
    model = pl.Model(latent._replace(**zeros), pl.Identity(np.zeros((0, 2))))
    X = np.array([[[0.0, 0.0], [0.0, 0.0], [1.0, -1.0]]])  # z = 0 throughout; the last target is missed
    loss, gradient = pl.loss_and_grad(model, X)
    assert loss == pytest.approx(0.5)
    delta = 2 * (0 - X[0, 2]) / 4
    bias = getattr(gradient.latent, "h1" if hasattr(latent, "h1") else "h")
    np.testing.assert_allclose(bias, delta + pl.jacobian(model.latent, np.zeros(2)).T @ delta)
    for field in ("A", "W", "W1", "W2", "h2"):
        if hasattr(latent, field):
            assert (getattr(gradient.latent, field) == 0).all()


MODEL = pl.init_model({"latent_dim": 3, "latent_step": {"name": "PLRNN"}}, 2, 1)
GOOD = np.zeros((2, 5, 2))


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((MODEL, np.zeros((5, 2)), GOOD), ValueError, r"X: got shape \(5, 2\), expected \(S, T\+1, 2\)"),
        ((MODEL, np.zeros((2, 5, 3)), GOOD), ValueError, r"X: got shape \(2, 5, 3\)"),
        ((MODEL, np.zeros((2, 1, 2)), GOOD), ValueError, "at least 1 sequence of 2 observations"),
        ((MODEL, np.full((1, 5, 2), np.nan), GOOD), ValueError, r"X: got NaN or inf at \(0, 0, 0\)"),
        ((MODEL, GOOD), ValueError, r"inputs: got none, but the model has 1; expected shape \(2, 5, 1\)"),
        (
            (MODEL, GOOD, np.zeros((2, 4, 1))),
            ValueError,
            r"inputs: got shape \(2, 4, 1\), expected \(2, 5, 1\)",
        ),
        (
            (MODEL, GOOD, np.zeros((2, 5, 1)), 0.3),
            TypeError,
            "forcing: got float, allowed are GTF, STF, None",
        ),
        ((MODEL.latent, GOOD), TypeError, "model: got PLRNN, expected Model"),
        (
            (MODEL._replace(observation=pl.Identity(np.zeros((2, 2)))), GOOD),
            ValueError,
            r"Identity.L: got shape \(2, 2\), expected \(1, 2\)",
        ),
        (
            (MODEL._replace(observation=pl.Affine(np.zeros((2, 4)), np.zeros(2))), GOOD),
            ValueError,
            r"Affine.B: got shape \(2, 4\), expected \(N, 3\)",
        ),
        ((MODEL._replace(observation=None), GOOD), TypeError, "observation: got NoneType"),
    ],
)
def test_errors_name_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        pl.loss_and_grad(*arguments)


@given(problems(), st.integers(1, 4))
def test_checkpoints_change_no_bit(problem, segments):
    model, X, U, forcing = problem
    loss, gradient = pl.loss_and_grad(model, X, U, forcing)
    same_loss, same = pl.loss_and_grad(model, X, U, forcing, checkpoint_segments=segments)
    assert loss == same_loss
    np.testing.assert_array_equal(vector(gradient), vector(same))


def test_checkpoints_save_memory():
    model = pl.init_model(Row("ALRNN", {}).config(20), 3, seed=0)
    size = lambda n: sum(a.nbytes for a in bptt.new_workspace(model, 20_000, segments=n).tape)  # noqa: E731
    assert size(20) < size(1) / 5


@pytest.mark.parametrize("segments", [0, 1.5, -1])
def test_checkpoint_segments_are_counted(segments):
    model = pl.init_model(Row("ALRNN", {}).config(2), 1, seed=0)
    with pytest.raises(ValueError, match="checkpoint_segments: got"):
        pl.loss_and_grad(model, np.zeros((1, 3, 1)), checkpoint_segments=segments)
