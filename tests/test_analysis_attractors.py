"""Exponents, bifurcations and basins of maps whose answer is known."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba import analysis


def hinge_of(L, B=None, C=None, d=None, h=None):
    """L z + B phi(C z + d) + h; without hinges, a linear map."""
    L = np.atleast_2d(np.asarray(L, float))
    M = len(L)
    B = np.zeros((M, 0)) if B is None else np.asarray(B, float)
    n_hinges = B.shape[1]
    C = np.zeros((n_hinges, M)) if C is None else np.asarray(C, float)
    d = np.zeros(n_hinges) if d is None else np.asarray(d, float)
    h = np.zeros(M) if h is None else np.asarray(h, float)
    return pl.Hinge(L, B, C, d, h, np.zeros((M, 0)))


def rotation(angle):
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]])


def turned(*moduli, seed=0):
    """A symmetric matrix of these eigenvalues."""
    V = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(moduli), len(moduli))))[0]
    return V @ np.diag(moduli) @ V.T


# --- Lyapunov exponents ----------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [1, 7, 40, 600, 5000])
@pytest.mark.parametrize(
    "moduli", [(0.9, 0.1), (0.9, 0.5, 0.1), (1.0, 1e-5), (0.3, 0.2), (1e-3, 1e-4), (0.999, 1e-9, 1e-13)]
)
def test_a_long_interval_loses_no_exponent(moduli, interval):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = analysis.lyapunov_spectrum(
            hinge_of(np.diag(moduli) if min(moduli) < 1e-6 else turned(*moduli)),
            np.ones(len(moduli)),
            700,
            interval=interval,
            transient=300,
        )
    np.testing.assert_allclose(found.exponents, np.log(moduli), rtol=1e-9, atol=1e-9)
    if interval == 1:
        assert not caught  # there is nothing shorter to take
    if interval >= 600:
        assert "interval: " in str(caught[0].message)


def test_the_interval_that_a_warning_names_is_taken_without_one():
    hinge = hinge_of(turned(0.9, 0.1))
    with pytest.warns(RuntimeWarning, match="interval: 40 steps are too many") as caught:
        analysis.lyapunov_spectrum(hinge, [1.0, 1.0], 400, interval=40)
    right = int(str(caught[0].message).rsplit("take ", 1)[1])
    found = analysis.lyapunov_spectrum(hinge, [1.0, 1.0], 400, interval=right)
    np.testing.assert_allclose(found.exponents, np.log([0.9, 0.1]), atol=1e-9)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("interval", [1, 13, 600, 3000])
def test_the_products_of_an_expanding_map_leave_the_numbers_and_its_exponents_do_not(interval, k):
    """1.9^600 has a square beyond the numbers, 30^600 is itself; each tent beside a contraction."""
    for slope in (1.9, 30.0):
        # A saw tooth of this slope on [0, 1): every coordinate stays there.
        n = math.ceil(slope)
        hinge = hinge_of(
            np.diag([slope, 0.3]),
            np.array([[(-1.0) ** (j + 1) * 2 * slope for j in range(n)], [0.0] * n]),
            [[1.0, 0.0]] * n,
            [-(j + 1) / slope for j in range(n)],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            found = analysis.lyapunov_spectrum(
                hinge, [0.1234, 1.0], 6000 // 2, interval=interval, transient=100, k=k
            )
        np.testing.assert_allclose(found.exponents, np.log([slope, 0.3])[:k], atol=1e-10)


@pytest.mark.parametrize(
    "moduli",
    [(1e200, 1e-200), (1e-200, 1e-210), (1e307, 1e300, 1e-300), (1e160, 1.0), (1.0, 1e-20), (3e-300, 1e-305)],
)
def test_jacobians_of_any_size(moduli):
    """A diagonal map, from a random frame: no row may drown in another that is 1e400 times as long."""
    found = analysis.lyapunov_of_jacobians([np.diag(moduli)] * 40)
    # The first step turns the frame: 1/40 of the logarithm of its cosines is left in the larger ones.
    np.testing.assert_allclose(found.exponents, np.log(moduli), atol=0.1)
    np.testing.assert_allclose(found.exponents.sum(), np.log(moduli).sum(), rtol=1e-12)
    if max(moduli) < 1e100:
        map_ = analysis.lyapunov_spectrum(hinge_of(np.diag(moduli)), np.zeros(len(moduli)), 40, transient=2)
        np.testing.assert_allclose(map_.exponents, np.log(moduli), rtol=1e-12)


@settings(max_examples=25)
@given(st.integers(1, 4), st.floats(-250, 250), st.integers(0, 2**32 - 1))
def test_scaled_jacobians_have_shifted_exponents(M, power, seed):
    rng = np.random.default_rng(seed)
    J = rng.standard_normal((30, M, M))
    plain, scaled = (analysis.lyapunov_of_jacobians(A, blocks=3) for A in (J, J * 10.0**power))
    np.testing.assert_allclose(
        scaled.exponents, plain.exponents + math.log(10.0**power), rtol=1e-9, atol=1e-7
    )
    np.testing.assert_allclose(plain.exponents.sum(), np.log(np.abs(np.linalg.det(J))).mean(), atol=1e-9)


@settings(max_examples=25)
@given(st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_graded_rows_keep_the_sum_of_the_exponents(M, seed):
    """Rows of sizes from 1e-150 to 1e150: the sum is the mean logarithm of the determinant."""
    rng = np.random.default_rng(seed)
    J, sizes = rng.standard_normal((12, M, M)), rng.uniform(-150, 150, (12, M))
    found = analysis.lyapunov_of_jacobians(J * 10.0 ** sizes[:, :, None], blocks=1)
    expected = np.log(np.abs(np.linalg.det(J))).mean() + math.log(10) * sizes.sum(axis=1).mean()
    np.testing.assert_allclose(found.exponents.sum(), expected, rtol=1e-8, atol=1e-6)


@pytest.mark.parametrize("interval", [1, 5, 1000])
def test_a_singular_map_has_minus_infinity_at_any_interval(interval):
    flat = np.array([[0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.25]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = analysis.lyapunov_spectrum(hinge_of(flat), np.ones(3), 500, interval=interval, transient=200)
    np.testing.assert_allclose(found.exponents, [math.log(0.5), math.log(0.25), -np.inf])
    assert found.dimension == 0
    assert analysis.lyapunov_of_jacobians(np.zeros((5, 2, 2))).exponents.tolist() == [-np.inf, -np.inf]


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_exponents_of_a_rotation_are_its_scale(scale):
    found = analysis.lyapunov_spectrum(
        hinge_of(scale * rotation(0.3)), np.zeros(2), 999, interval=70, transient=0
    )
    np.testing.assert_allclose(found.exponents, [math.log(scale)] * 2, atol=1e-12)


@pytest.mark.parametrize("n_steps, interval", [(3, 10), (101, 5), (7, 7), (1, 40)])
def test_steps_beside_the_interval_are_counted(n_steps, interval):
    """No step enters the denominator alone, whatever the interval: the bias of implementations that do is 1 in 1000."""
    found = analysis.lyapunov_spectrum(hinge_of(0.5 * rotation(1.0)), [1.0, 0.0], n_steps, interval=interval)
    np.testing.assert_allclose(found.exponents, [math.log(0.5)] * 2, atol=1e-12)


def test_float32_parameters_are_computed_in_float64():
    latent = pl.ALRNN(
        *(np.asarray(a, np.float32) for a in ([0.9, 0.1], np.zeros((2, 2)), [0, 0])),
        np.zeros((2, 0), np.float32),
        1,
    )
    with pytest.warns(RuntimeWarning, match="take"):
        found = analysis.lyapunov_spectrum(latent, [1.0, 1.0], 2000, interval=60)
    np.testing.assert_allclose(found.exponents, np.log(np.float32([0.9, 0.1]).astype(float)), atol=1e-9)


@pytest.mark.parametrize("transient", [0, 1000, 2000])
def test_exponents_of_a_diverging_orbit_are_nan_and_the_step_is_told(transient):
    with pytest.warns(
        pl.DivergenceWarning, match="the orbit diverged at step 10[0-9][0-9]; its exponents are NaN"
    ):
        found = analysis.lyapunov_spectrum(
            hinge_of(np.diag([2.0, 0.5])), [1.0, 1.0], 3000, transient=transient
        )
    assert np.isnan(found.exponents).all()
    assert np.isnan(found.errors).all()
    assert math.isnan(found.dimension)


@pytest.mark.parametrize(
    "exponents, expected",
    [
        ([np.nan, -1.0], np.nan),
        ([np.inf, -np.inf], np.nan),
        ([-np.inf], 0.0),
        ([0.0, -np.inf], 1.0),
        ([0.3, -np.inf, -np.inf], 1.0),
    ],
)
def test_kaplan_yorke_dimension_of_spectra_that_are_not_finite(exponents, expected):
    assert analysis.kaplan_yorke_dimension(exponents) == pytest.approx(expected, nan_ok=True)


def test_exponents_are_in_falling_order():
    found = analysis.lyapunov_spectrum(hinge_of(np.diag([0.5, 0.9, 0.7])), np.zeros(3), 3, transient=0)
    assert (np.diff(found.exponents) <= 0).all()


# --- basins ----------------------------------------------------------------------------------------


def conjugated(hinge, a, b):
    """The same map in the coordinates a z + b."""
    b = np.broadcast_to(np.asarray(b, float), hinge.h.shape)
    return hinge._replace(
        B=a * hinge.B, C=hinge.C / a, d=hinge.d - hinge.C @ b / a, h=a * hinge.h + b - hinge.L @ b
    )


def piecewise_linear(kinks, slopes, value):
    """A continuous map of the line: these slopes between these kinks, and this value at the first kink."""
    kinks, slopes = np.asarray(kinks, float), np.asarray(slopes, float)
    changes = np.diff(slopes)[None]
    ones = np.ones((len(kinks), 1))
    return hinge_of([[slopes[0]]], changes, ones, -kinks, [value - slopes[0] * kinks[0]])


def spiral(modulus, border, angle=0.7):
    """A spiral about (1, 1); beyond `border` from there, to the right, another slope pushes back."""
    P, centre = modulus * rotation(angle), np.ones(2)
    return hinge_of(P, [[-0.3], [0.0]], [[1.0, 0.0]], [-1.0 - border], centre - P @ centre)


@pytest.mark.parametrize("modulus, border", [(0.99, 0.01), (0.9999, 3.0), (0.9999, 0.5), (0.999999, 5.0)])
def test_a_slow_spiral_is_one_attractor(modulus, border):
    starts = np.random.default_rng(0).standard_normal((10, 2))
    found = analysis.basins(spiral(modulus, border), starts, transient=100, n_steps=100)
    assert found.labels.tolist() == [0] * 10
    assert (found.kinds, found.periods) == (["fixed point"], [1])
    np.testing.assert_allclose(found.attractors[0], [[1.0, 1.0]], atol=1e-9)
    assert abs(found.cycles[0].multipliers[0]) == pytest.approx(modulus)


@pytest.mark.needs_speed
def test_a_slow_spiral_beside_a_near_border_is_one_attractor():
    """For tens of thousands of steps the orbits cross the border, beyond which hardly anything is different."""
    starts = np.random.default_rng(0).standard_normal((6, 2))
    hinge = spiral(0.9999, 0.01)
    found = analysis.basins(hinge._replace(B=1e-4 * hinge.B), starts)
    assert found.labels.tolist() == [0] * 6
    assert found.steps.max() > 15_000


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("gap", [0.03, 1e-3, 1e-6])
def test_two_points_a_gap_apart_are_two(gap, scale):
    """Plateaus at -gap/2 and gap/2, far from -1 and 1; the starts reach from -1 to 1."""
    hinge = piecewise_linear([-gap / 4, gap / 4], [0.1, 2.0, 0.1], -gap / 2)
    starts = np.linspace(-1, 1, 8)[:, None]
    found = analysis.basins(conjugated(hinge, scale, 0.0), scale * starts, transient=100, n_steps=100)
    assert found.counts.tolist() == [4, 4]
    assert found.labels.tolist() == [0] * 4 + [1] * 4
    np.testing.assert_allclose(found.shares, 0.5)
    np.testing.assert_allclose(found.errors, math.sqrt(0.25 / 8))


@pytest.mark.parametrize("gap", [0.3, 0.03, 0.01])
def test_two_chaotic_bands_a_gap_apart_are_two(gap):
    """A tent of slope 1.9 on [0, 1], and the same again beyond the gap, each taken into itself."""

    def tent(at):  # from (at, at + 0.1) up to (at + 0.5, at + 1), down to (at + 1, at + 0.1)
        return [at, at + 0.5, at + 1.0]

    kinks = tent(0.0) + tent(1.0 + gap)
    slopes = [1.8, 1.8, -1.8, (gap + 1.0) / gap, 1.8, -1.8, -1.8]
    hinge = piecewise_linear(kinks, slopes, 0.1)
    starts = np.array([[0.2], [0.37], [0.81], [1.2 + gap], [1.93 + gap]])
    found = analysis.basins(hinge, starts, transient=100, n_steps=2000, max_steps=5000)
    assert found.labels.tolist() == [0, 0, 0, 1, 1]
    assert found.kinds == ["chaotic"] * 2
    assert found.periods == [0, 0]
    assert found.attractors[0].max() < 1.0 < 1.0 + gap < found.attractors[1].min()


@pytest.mark.needs_speed
def test_an_orbit_that_wanders_long_and_falls_into_a_point_is_no_chaotic_attractor():
    """A tent with a hole: orbits wander for tens of thousands of steps, then fall to -5."""
    a = 2 + 1e-4
    left = -1 / (a - 1)
    hinge = piecewise_linear([-2.0, 0.0], [0.5, a, -a], 1 - 2 * a)
    assert 1 + a * left == pytest.approx(left)
    starts = np.random.default_rng(1).uniform(-0.9, 0.9, (12, 1))
    found = analysis.basins(hinge, starts, max_steps=1_000_000)
    assert set(found.kinds) == {"fixed point"}
    assert found.labels.tolist() == [0] * 12
    assert found.steps.max() > 15_000  # beyond what was thrown away and looked at
    # Where some have fallen and one has not, it is said, and is no attractor.
    longest = int(np.sort(found.steps)[-2]) + 3000
    with pytest.warns(RuntimeWarning, match="basins: 1 of 12 orbits have not settled"):
        some = analysis.basins(hinge, starts, max_steps=longest)
    assert some.kinds == ["fixed point"]
    assert (some.counts.tolist(), some.n_unsettled) == ([11], 1)


LINES = {
    "a line": hinge_of(np.diag([1.0, 0.5])),
    "a bent line": pl.PLRNN([1.0, 0.5], [[0, 0], [0.3, 0]], [0, 0.1], np.zeros((2, 0)), False),
    "half turns": hinge_of(-np.eye(2), h=[1.0, 0.0]),
    "quarter turns": hinge_of(rotation(math.pi / 2)),
    "turns without a period": hinge_of(rotation(1.0)),
    "the identity": hinge_of(np.eye(2)),
    "a clipped identity": pl.ClippedShPLRNN(
        [0.0, 0.5], [[-1.0], [0]], [[1.0, 0]], [0.0, 0.0], [-1.5], np.zeros((2, 0))
    ),
}


@pytest.mark.parametrize("name", list(LINES))
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_a_continuum_is_one_and_is_said_to_be_one(name, scale):
    hinge = conjugated(
        pl.to_hinge(LINES[name]) if name in ("a bent line", "a clipped identity") else LINES[name], scale, 0.0
    )
    starts = (
        scale
        * np.random.default_rng(2).uniform(0.1, 1.4, (30, 2))
        * ([1.0, -1.0] if name == "a line" else 1.0)
    )
    found = analysis.basins(hinge, starts, transient=100, n_steps=100, max_steps=1000)
    assert found.labels.tolist() == [0] * 30
    assert found.kinds == ["continuum"]
    assert found.periods == [{"half turns": 2, "quarter turns": 4, "turns without a period": 0}.get(name, 1)]
    assert len(found.attractors[0]) == 30
    assert found.cycles == [None]
    assert "continuum" in repr(found)


@pytest.mark.parametrize("angle", [None, 0.5])
def test_a_fixed_point_where_borders_meet_is_one(angle):
    """Without a bias the origin lies on every border, and no neighbourhood of it in one region."""
    L = np.diag([0.9, 0.6]) if angle is None else 0.9 * rotation(angle)
    hinge = hinge_of(L, [[0.05, -0.1], [0.1, 0.05]], np.eye(2))
    starts = np.random.default_rng(0).standard_normal((12, 2))
    found = analysis.basins(hinge, starts, transient=100, n_steps=100)
    assert found.labels.tolist() == [0] * 12
    assert (found.kinds, found.periods) == (["fixed point"], [1])
    np.testing.assert_allclose(found.attractors[0], 0, atol=1e-5)
    shifted = analysis.basins(
        conjugated(hinge, 10.0, [3.0, -7.0]), 10 * starts + [3.0, -7.0], transient=100, n_steps=100
    )
    assert shifted.labels.tolist() == [0] * 12
    np.testing.assert_allclose(shifted.attractors[0], [[3.0, -7.0]], atol=1e-4)


def test_cycles_that_are_mirror_images_are_two_and_are_those_that_the_search_finds():
    # x' = -f(x) for two wells: each start goes to and fro.
    hinge = piecewise_linear([-1.0, 1.0], [0.5, -1.5, 0.5], 1.5)
    starts = np.linspace(-3, 3, 7)[:, None] + 0.01
    found = analysis.basins(hinge, starts, transient=10, n_steps=10)
    known = {c.key() for c in analysis.cycles(hinge, 2)}
    assert all(c.key() in known for c in found.cycles)
    assert found.counts.sum() == 7
    odd = hinge_of([[0.0]], [[-1.2, 1.2]], [[1.0], [1.0]], [1.0, -1.0], [1.2])  # -1.2 x between -1 and 1
    found = analysis.basins(odd, [[0.5], [-0.5], [0.9]], transient=10, n_steps=10)
    assert found.labels.tolist() == [0, 0, 0]
    assert (found.kinds, found.periods) == (["cycle"], [2])
    np.testing.assert_allclose(np.sort(found.attractors[0][:, 0]), [-1.2, 1.2])


def test_a_start_on_an_unstable_point_stays_there_and_is_told():
    found = analysis.basins(piecewise_linear([-1.0, 1.0], [0.5, 1.5, 0.5], -1.5), [[0.0], [0.1], [-0.1]])
    assert sorted(found.labels) == [0, 1, 2]
    assert found.cycles[found.labels[0]].stability == "repelling"
    assert found.cycles[found.labels[1]].stability == "stable"


def test_an_orbit_that_drifts_has_not_settled():
    drift = hinge_of(np.diag([1.0, 0.5]), h=[0.001, 0.0])
    with pytest.warns(
        RuntimeWarning, match=r"basins: 2 of 2 orbits have not settled after 2000 steps \(label -2\)"
    ):
        found = analysis.basins(drift, [[0.0, 1.0], [1.0, 0.0]], transient=100, n_steps=100, max_steps=2000)
    assert found.labels.tolist() == [-2, -2]
    assert found.attractors == []
    assert found.n_unsettled == 2
    assert len(found.shares) == len(found.errors) == 0


@pytest.mark.parametrize(
    "n_steps, max_period, transient", [(2, 500, 0), (5, 500, 3), (10, 1, 0), (1000, 3, 1)]
)
def test_stretches_shorter_than_the_longest_period_are_no_trouble(n_steps, max_period, transient):
    hinge = piecewise_linear([-1.0, 1.0], [0.5, 1.5, 0.5], -1.5)
    found = analysis.basins(hinge, [0.3], transient=transient, n_steps=n_steps, max_period=max_period)
    assert found.labels.tolist() == [0]
    np.testing.assert_allclose(found.attractors[0], [[2.0]])


def test_starts_that_are_none_are_refused():
    hinge = piecewise_linear([0.0], [0.5, 0.5], 0.0)
    for starts in (np.zeros((0, 1)), [[np.nan]], [[np.inf], [1.0]]):
        with pytest.raises(ValueError, match="starts: got NaN, inf or nothing"):
            analysis.basins(hinge, starts)


def random_clipped(rng, M, H, scale=1.5):
    parts = [rng.uniform(-0.9, 0.9, M), *(scale * rng.standard_normal(s) for s in ((M, H), (H, M), M, H))]
    return pl.ClippedShPLRNN(*parts, np.zeros((M, 0)))


@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1), st.integers(-8, 8), st.floats(-3, 3))
def test_basins_do_not_depend_on_the_order_of_the_starts_nor_on_units(seed, power, offset):
    rng = np.random.default_rng(seed)
    hinge = pl.to_hinge(random_clipped(rng, 2, 3))
    starts = 3 * rng.standard_normal((6, 2))
    options = {"transient": 200, "n_steps": 400, "max_steps": 3000}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = analysis.basins(hinge, starts, **options)
        order = rng.permutation(6)
        shuffled = analysis.basins(hinge, starts[order], **options)
        a = 10.0**power
        other = analysis.basins(conjugated(hinge, a, offset * a), a * starts + offset * a, **options)
    assert shuffled == type(found)(
        found.labels[order], found.attractors, found.periods, found.kinds, found.cycles, found.steps[order]
    )
    exact = [i for i, kind in enumerate(found.kinds) if kind in ("fixed point", "cycle")]
    for i in exact:  # chaos goes other ways where numbers are rounded otherwise; what is proven does not
        label = other.labels[np.flatnonzero(found.labels == i)[0]]
        assert ((other.labels == label) == (found.labels == i)).all()
        assert (other.kinds[label], other.periods[label]) == (found.kinds[i], found.periods[i])
        np.testing.assert_allclose(
            np.sort(other.attractors[label], axis=0),
            np.sort(a * found.attractors[i] + offset * a, axis=0),
            rtol=1e-6,
            atol=1e-6 * a,
        )


@pytest.mark.needs_speed
def test_basins_of_random_maps_are_where_long_orbits_end():
    """Against brute force: after 300,000 steps each orbit lies on the cycle that was told."""
    rng = np.random.default_rng(11)
    n_exact = 0
    for _ in range(25):
        latent = random_clipped(rng, 3, 5)
        starts = 2 * rng.standard_normal((6, 3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            found = analysis.basins(latent, starts, max_steps=50_000)
        ends = pl.generate(latent, starts, 300_000)[:, -1]
        for label, end in zip(found.labels, ends):
            if label >= 0 and found.periods[label]:
                points = found.attractors[label]
                assert np.abs(points - end).max(axis=1).min() < 1e-6 * (1 + np.abs(points).max())
                n_exact += 1
    assert n_exact > 60


# --- bifurcations ----------------------------------------------------------------------------------


def skew_tent(a, b, mu):
    """mu + a z below 0, mu + b z above."""
    return piecewise_linear([0.0], [a, b], mu)


def told(found):
    return sorted((e.kind, e.period, e.bifurcation) for e in found.events)


GRIDS = {
    "8": np.linspace(-1, 1, 8),
    "21, on the border": np.arange(-10, 11) / 10.0,
    "2": np.array([-0.3, 1.0]),
    "uneven": np.array([-1.0, -0.5, 0.001, 0.9]),
}

# (a, b): what happens to fixed points and 2-cycles of the skew tent as mu goes through 0, by the theory of Feigin.
COLLISIONS = {
    (0.5, -0.5): [("crosses a border", 1, "border collision (persistence)")],
    (0.5, 0.9): [("crosses a border", 1, "border collision (persistence)")],
    (2.0, 3.0): [("crosses a border", 1, "border collision (persistence)")],
    (0.5, 1.5): [("vanishes", 1, "border collision (non-smooth fold)")] * 2,
    (2.0, -0.5): [("appears", 1, "border collision (non-smooth fold)")] * 2,
    (0.5, -1.5): [
        ("appears", 2, "border collision (with period 1)"),
        ("changes stability", 1, "border collision (change of stability)"),
    ],
    (-0.5, -3.0): [
        ("changes stability", 1, "border collision (change of stability)"),
        ("vanishes", 2, "border collision (with period 1)"),
    ],
    (2.0, -3.0): [
        ("appears", 1, "border collision (non-smooth fold)"),
        ("appears", 1, "border collision (non-smooth fold)"),
        ("appears", 2, "border collision (with period 1)"),
    ],
}


@pytest.mark.parametrize("slopes", list(COLLISIONS), ids=str)
@pytest.mark.parametrize("grid", list(GRIDS))
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_the_border_collisions_of_a_skew_tent_have_their_names_and_their_place(slopes, grid, scale):
    mu = scale * GRIDS[grid]
    found = analysis.follow([skew_tent(*slopes, m) for m in mu], parameters=mu, max_period=2)
    assert told(found) == COLLISIONS[slopes]
    np.testing.assert_allclose([e.parameter for e in found.events], 0.0, atol=1e-12 * scale)
    # And by a function of the parameter, and backwards.
    again = analysis.follow(lambda m: skew_tent(*slopes, m), parameters=mu, max_period=2)
    assert told(again) == told(found)
    back = analysis.follow([skew_tent(*slopes, m) for m in mu[::-1]], parameters=mu[::-1], max_period=2)
    swapped = {"appears": "vanishes", "vanishes": "appears"}
    assert told(back) == sorted((swapped.get(kind, kind), *rest) for kind, *rest in told(found))
    np.testing.assert_allclose([e.parameter for e in back.events], 0.0, atol=1e-12 * scale)


@pytest.mark.parametrize("n", [2, 7, 11])
@pytest.mark.parametrize(
    "family, ends, where, name",
    [
        (lambda p: hinge_of(np.diag([p, 0.5])), (0.5, 1.5), 1.0, "fold (multiplier +1)"),
        (
            lambda p: hinge_of(np.diag([p, 0.5]), h=[1.0, 0.0]),
            (0.5, 1.5),
            1.0,
            "fold (multiplier +1) at infinity",
        ),
        (lambda p: hinge_of(np.diag([-p, 0.5]), h=[1.0, 1.0]), (0.5, 1.5), 1.0, "flip (multiplier -1)"),
        (lambda p: hinge_of(p * rotation(0.4), h=[1.0, 1.0]), (0.8, 1.2), 1.0, "centre (complex pair)"),
        (lambda p: hinge_of(p * p * rotation(0.4), h=[1.0, 1.0]), (0.8, 2.8), 1.0, "centre (complex pair)"),
        (
            lambda p: hinge_of(np.diag([1e-8 * p, 0.5]) - np.eye(2), h=[1.0, 1.0]),
            (-1e6, 1e6),
            0.0,
            "flip (multiplier -1)",
        ),
        (
            lambda p: hinge_of(np.diag([-1e8 * p, 0.5]), h=[1.0, 1.0]),
            (0.0, 3e-8),
            1e-8,
            "flip (multiplier -1)",
        ),
    ],
)
def test_multipliers_of_a_linear_map_that_cross_the_unit_circle(family, ends, where, name, n):
    values = np.linspace(*ends, n)
    found = analysis.follow(family, parameters=values)
    assert {e.bifurcation for e in found.events} == {name}
    span = ends[1] - ends[0]
    np.testing.assert_allclose([e.parameter for e in found.events], where, atol=1e-9 * span)
    if "infinity" not in name:
        assert len(found.branches) == 1
        assert len(found.branches[0].cycles) == n
        assert len(found.events) == 1
        assert found.events[0].kind == "changes stability"
        assert found.events[0].detail.startswith("stable to ") or ends == (-1e6, 1e6)


def border_normal_form(left, right, mu):
    """The normal form of a border collision in the plane: (trace, determinant) on each side of x = 0."""
    (tl, dl), (tr, dr) = left, right
    return hinge_of([[tl, 1.0], [-dl, 0.0]], [[tr - tl], [dl - dr]], [[1.0, 0.0]], [0.0], [mu, 0.0])


@pytest.mark.parametrize(
    "left, right, expected",
    [
        ((0.5, 0.3), (-0.5, 0.4), [("crosses a border", 1, "border collision (persistence)")]),
        ((0.5, 0.3), (0.5, 1.4), [("changes stability", 1, "border collision (change of stability)")]),
        ((0.5, 0.3), (2.5, 0.4), [("vanishes", 1, "border collision (non-smooth fold)")] * 2),
        ((2.5, 0.4), (0.5, 0.3), [("appears", 1, "border collision (non-smooth fold)")] * 2),
    ],
)
def test_the_border_collision_normal_form_of_the_plane(left, right, expected):
    """1 - trace + determinant has one sign on both sides where the fixed point persists."""
    for values in (np.linspace(-0.7, 1.0, 6), 1e-8 * np.linspace(-0.7, 1.0, 6), np.array([-1e8, 2e8])):
        found = analysis.follow(lambda mu: border_normal_form(left, right, mu), parameters=values)
        assert told(found) == expected
        np.testing.assert_allclose([e.parameter for e in found.events], 0, atol=1e-12 * np.abs(values).max())


def test_a_spiral_loses_its_stability_as_its_determinant_passes_one():
    values = np.linspace(0.5, 1.4, 5)
    found = analysis.follow(lambda d: border_normal_form((0.5, 0.3), (0.5, d), 1.0), parameters=values)
    assert told(found) == [("changes stability", 1, "centre (complex pair)")]
    assert found.events[0].parameter == pytest.approx(1.0, abs=1e-11)
    assert found.events[0].detail == "stable to repelling"


@pytest.mark.parametrize("n", [2, 5, 10, 24])
def test_a_cycle_that_crosses_a_border_on_its_way_is_one_branch(n):
    """The upper point of a cycle of period 2 crosses a second kink, at 1."""
    values = np.linspace(0.2, 1.7, n)

    def family(mu):
        return piecewise_linear([0.0, 1.0], [0.4, -1.6, -0.2], mu)

    found = analysis.follow(family, parameters=values, max_period=2)
    # y = mu + 0.4 x > 0 and x = mu - 1.6 y < 0 give y = 1.4 mu / 1.64, which reaches 1; x reaches 0 at mu = 1.75.
    crossing = [e for e in found.events if e.period == 2]
    assert [(e.kind, e.bifurcation, e.detail) for e in crossing] == [
        ("crosses a border", "border collision (persistence)", "stable to stable")
    ]
    assert crossing[0].parameter == pytest.approx(1.64 / 1.4, abs=1e-12)
    assert [len(b.cycles) for b in found.branches] == [n, n]


def test_a_flip_of_a_cycle_of_period_two():
    """Of mu + a z, mu + b z the 2-cycle has the multiplier a b: -1 where a = 1 / 3, b = -3."""
    values = np.linspace(0.2, 0.5, 8)
    found = analysis.follow(lambda a: skew_tent(a, -3.0, 1.0), parameters=values, max_period=2)
    assert [(e.kind, e.bifurcation) for e in found.events if e.period == 2] == [
        ("changes stability", "flip (multiplier -1)")
    ]
    assert next(e for e in found.events if e.period == 2).parameter == pytest.approx(1 / 3, abs=1e-12)


def test_two_hinges_in_one_plane_are_one_border():
    """|z| as phi(z) + phi(-z): both hinges are 0 at once."""
    values = np.linspace(-1, 1, 6)
    found = analysis.follow(
        lambda mu: hinge_of([[0.0]], [[0.5, -0.3]], [[1.0], [-1.0]], [0.0, 0.0], [mu]), parameters=values
    )
    assert told(found) == [("crosses a border", 1, "border collision (persistence)")]


def test_many_borders_between_two_models_are_each_told():
    kinks = np.arange(10.0)
    slopes = np.where(np.arange(11) % 2 == 0, 0.5, 0.3)
    found = analysis.follow(lambda mu: piecewise_linear(kinks, slopes, mu), parameters=[-1.0, 8.0])
    assert told(found) == [("crosses a border", 1, "border collision (persistence)")] * 10
    # z = F(z) at kink k: mu is k less what the slopes have added.
    expected = [k - slopes[1 : int(k) + 1].sum() for k in kinks]
    np.testing.assert_allclose(sorted(e.parameter for e in found.events), expected, atol=1e-12)


def test_a_cycle_that_one_search_has_missed_does_not_vanish():
    models = [skew_tent(0.5, -1.5, mu) for mu in (0.5, 1.0, 2.0)]
    search = analysis.bifurcations.cycles
    for missed in range(3):
        numbers = iter(range(3))

        def forgetful(hinge, max_period, numbers=numbers, missed=missed, **options):
            found = search(hinge, max_period, **options)
            return found if next(numbers) != missed else type(found)(found.found[:1], frozenset(), {}, {})

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(analysis.bifurcations, "cycles", forgetful)
            found = analysis.follow(models, max_period=2)
        assert found.events == ()
        assert [len(b.cycles) for b in found.branches] == [3, 3]


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_between_two_models_the_cycles_change_where_and_as_it_is_told(seed):
    """Against brute force: all cycles just before, and just after each event, which are found anew."""
    rng = np.random.default_rng(seed)
    one, two = (pl.to_hinge(random_clipped(rng, 2, 2)) for _ in range(2))
    line = [pl.Hinge(*((1 - s) * a + s * b for a, b in zip(one, two))) for s in np.linspace(0, 1, 4)]
    found = analysis.follow(line, parameters=np.linspace(0, 1, 4), max_period=2)
    counts = [len(s) for s in found.sets]
    for i in range(3):
        born = sum(e.kind == "appears" for e in found.events if e.after == i)
        gone = sum(e.kind == "vanishes" for e in found.events if e.after == i)
        assert counts[i + 1] == counts[i] + born - gone
    places = sorted(e.parameter for e in found.events)
    assert np.isfinite(places).all()
    for e in found.events:
        assert e.bifurcation
        if min((abs(e.parameter - p) for p in places if abs(e.parameter - p) > 1e-9), default=1.0) < 1e-4:
            continue
        around = [
            analysis.cycles(pl.Hinge(*((1 - s) * a + s * b for a, b in zip(one, two))), 2)
            for s in (e.parameter - 1e-6, e.parameter + 1e-6)
        ]
        before, after = ({c.key(): c.n_unstable for c in s if c.period == e.period} for s in around)
        assert before != after
        if "fold" in e.bifurcation:
            assert abs(len(before) - len(after)) == 2
        if "persistence" in e.bifurcation or "change of stability" in e.bifurcation:
            assert len(before) == len(after)
            assert before.keys() != after.keys()


def test_models_of_different_hinges_are_paired_by_distance():
    one = piecewise_linear([0.0], [0.5, 0.5], 1.0)
    two = piecewise_linear([0.0, 1.0], [-1.5, -1.5, 0.4], 1.0)
    found = analysis.follow([one, two, one])
    assert len(found.branches) == 1 or {e.kind for e in found.events} == {"appears", "vanishes"}
    assert all(math.isnan(e.parameter) and e.bifurcation == "" for e in found.events)


def test_parameters_that_do_not_fit_are_named():
    one = skew_tent(0.5, 0.5, 1.0)
    with pytest.raises(ValueError, match="parameters: got 3, expected 2 finite numbers, one for each model"):
        analysis.follow([one, one], parameters=[0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="parameters: got 2, expected 2 finite numbers"):
        analysis.follow([one, one], parameters=[0.0, np.nan])
    with pytest.raises(ValueError, match="parameters: got None, expected those of the models"):
        analysis.follow(lambda p: one)
