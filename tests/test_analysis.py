"""Analysis against what is known exactly, and against enumerations in plain NumPy."""

import itertools
import warnings

import numpy as np
import pytest
from families import ROWS, latents
from hypothesis import given, settings
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba import analysis
from plrnn_numba.analysis.exhaustive import certify
from plrnn_numba.analysis.hinge import as_hinge, orbit

NONE = np.zeros((1, 0))


def hinge_of(L, B, C, d, h):
    L = np.asarray(L, float)
    return pl.Hinge(
        L,
        np.asarray(B, float),
        np.asarray(C, float),
        np.asarray(d, float),
        np.asarray(h, float),
        np.zeros((len(L), 0)),
    )


def F(hinge, z):
    return hinge.L @ z + hinge.B @ np.maximum(hinge.C @ z + hinge.d, 0) + hinge.h


def random_clipped(rng, M, H, scale=1.5):
    parts = [rng.uniform(-0.9, 0.9, M), *(scale * rng.standard_normal(s) for s in ((M, H), (H, M), M, H))]
    return pl.ClippedShPLRNN(*parts, np.zeros((M, 0)))


# --- the hinge form --------------------------------------------------------------------------------


@given(latents())
def test_the_kernels_of_the_hinge_form_are_the_model(drawn):
    latent, rng = drawn
    z = rng.standard_normal(len(latent.A))
    hinge = as_hinge(latent)
    states = orbit(hinge, z, 4)
    for t in range(3):
        np.testing.assert_allclose(states[t + 1], pl.step(latent, states[t]), rtol=1e-10, atol=1e-10)
        pattern = analysis.symbols(hinge, states[t : t + 1]).patterns[0]
        J = hinge.L + hinge.B[:, pattern] @ hinge.C[pattern]
        np.testing.assert_allclose(J, pl.jacobian(latent, states[t]), rtol=1e-10, atol=1e-10)


# --- Lyapunov exponents ----------------------------------------------------------------------------


def skew_tents(*c):
    """x -> x/c below c, (1-x)/(1-c) above: on [0, 1], one for each coordinate, uncoupled."""
    c = np.array(c)
    M = len(c)
    return hinge_of(np.diag(1 / c), -np.diag(1 / c + 1 / (1 - c)), np.eye(M), -c, np.zeros(M))


@pytest.mark.needs_speed
def test_exponents_of_skew_tents():
    found = analysis.lyapunov_spectrum(skew_tents(0.3, 0.4), [0.123, 0.456], 400_000)
    exact = [-c * np.log(c) - (1 - c) * np.log(1 - c) for c in (0.4, 0.3)]
    np.testing.assert_allclose(found.exponents, exact, atol=1e-3)
    assert (np.abs(found.exponents - exact) < 4 * found.errors).all()
    assert (found.errors < 1e-3).all()


LOZI = hinge_of(
    [[0, 1], [0.5, 0]], [[-1.7, -1.7], [0, 0]], [[1, 0], [-1, 0]], [0, 0], [1, 0]
)  # x' = 1 - 1.7|x| + y, y' = x/2


def test_the_sum_of_lozi_s_exponents_is_the_logarithm_of_its_determinant():
    found = analysis.lyapunov_spectrum(LOZI, [0.1, 0.1], 20_000)
    assert found.exponents.sum() == pytest.approx(np.log(0.5), abs=1e-12)
    assert found.exponents[0] == pytest.approx(0.470, abs=0.01)
    assert found.dimension == pytest.approx(1 + found.exponents[0] / -found.exponents[1])


@pytest.mark.parametrize("k", [1, 2, 4])
def test_exponents_of_a_linear_map_are_the_logarithms_of_its_eigenvalues(k):
    rng = np.random.default_rng(0)
    moduli = np.array([0.9, 0.6, 0.5, 0.2])
    V = rng.standard_normal((4, 4)) + 3 * np.eye(4)
    L = V @ np.diag(moduli) @ np.linalg.inv(V)
    linear = hinge_of(L, np.zeros((4, 1)), np.zeros((1, 4)), [0], np.zeros(4))
    found = analysis.lyapunov_spectrum(linear, np.ones(4), 2000, k=k, transient=500)
    np.testing.assert_allclose(found.exponents, np.log(moduli[:k]), atol=1e-10)
    # The same from its Jacobians.
    again = analysis.lyapunov_of_jacobians(np.broadcast_to(L, (2500, 4, 4)), k=k)
    np.testing.assert_allclose(again.exponents, np.log(moduli[:k]), atol=2e-3)


@settings(max_examples=30)
@given(latents(max_dim=4), st.integers(1, 4))
def test_the_sum_of_all_exponents_is_the_mean_logarithm_of_the_determinant(drawn, interval):
    latent, rng = drawn
    hinge = as_hinge(latent)
    M, n = len(hinge.L), 60
    hinge = hinge._replace(L=hinge.L * 0.5 + 0.1 * np.eye(M), B=hinge.B * 0.3)
    z = rng.standard_normal(M)
    states = orbit(hinge, z, n)
    patterns = (states @ hinge.C.T + hinge.d) > 0
    values = [np.linalg.svd(hinge.L + hinge.B[:, p] @ hinge.C[p])[1] for p in patterns]
    if min(v[-1] / v[0] for v in values) < 1e-3 or not np.isfinite(states).all():
        return  # too near to singular for an identity to the last digits
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = analysis.lyapunov_spectrum(hinge, z, n, transient=0, interval=interval, blocks=7)
    expected = np.mean([np.log(v).sum() for v in values])
    assert found.exponents.sum() == pytest.approx(expected, abs=1e-12 if interval == 1 else 1e-8)


def test_a_singular_jacobian_gives_minus_infinity():
    flat = hinge_of([[0.5, 0.0], [0.5, 0.0]], np.zeros((2, 1)), np.zeros((1, 2)), [0], [0, 0])
    found = analysis.lyapunov_spectrum(flat, [1.0, 1.0], 100)
    assert found.exponents[0] == pytest.approx(np.log(0.5))
    assert found.exponents[1] == -np.inf
    assert found.dimension == 0


def test_exponents_of_a_driven_system_use_its_inputs():
    """x' = 0.5 x below 0 and 0.25 x above, and an input decides on which side."""
    hinge = hinge_of([[0.5]], [[-0.25]], [[1.0]], [0.0], [0.0])._replace(input_matrix=np.ones((1, 1)))
    for sign, slope in ((1.0, 0.25), (-1.0, 0.5)):
        found = analysis.lyapunov_spectrum(hinge, [sign], 300, transient=100, inputs=np.full((400, 1), sign))
        assert found.exponents[0] == pytest.approx(np.log(slope))


def test_a_long_interval_is_warned_of_and_a_diverging_orbit_is_nan():
    stiff = hinge_of(np.diag([1.0, 1e-4]), np.zeros((2, 1)), np.zeros((1, 2)), [0], [0, 0])
    with pytest.warns(RuntimeWarning, match="interval: 5 steps are too many .* take 1"):
        analysis.lyapunov_spectrum(stiff, [1.0, 1.0], 100, interval=5)
    growing = hinge_of([[2.0]], [[0.0]], [[0.0]], [0], [1])
    with pytest.warns(pl.DivergenceWarning, match="the orbit diverged"):
        found = analysis.lyapunov_spectrum(growing, [1.0], 5000)
    assert np.isnan(found.exponents).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"k": 3}, "k: got 3, expected an integer from 1 to 2"),
        ({"n_steps": 0}, "n_steps: got 0, expected an integer at least 1"),
        ({"interval": 0}, "interval: got 0"),
        ({"z0": [1.0]}, r"z0: got shape \(1,\), expected \(2,\)"),
        ({"inputs": np.zeros((3, 0))}, r"inputs: got shape \(3, 0\)"),
    ],
)
def test_a_mistake_is_named(change, message):
    arguments = {"latent": LOZI, "z0": [0.1, 0.1], "n_steps": 10, **change}
    with pytest.raises(ValueError, match=message):
        analysis.lyapunov_spectrum(**arguments)


@pytest.mark.parametrize(
    "exponents, M, expected",
    [
        ([0.9056, 0.0, -14.5723], None, 2.0621),
        ([-0.1, -0.2], None, 0.0),
        ([0.5, 0.1], None, 2.0),
        ([0.5, 0.1], 3, np.nan),
        ([0.2, -np.inf], None, 1.0),
        ([0.641853886, -1.203972804], None, 1.53311),  # tent of slope 1.9 beside a contraction by 0.3
    ],
)
def test_kaplan_yorke_dimension(exponents, M, expected):
    assert analysis.kaplan_yorke_dimension(exponents, M=M) == pytest.approx(expected, abs=1e-4, nan_ok=True)


@pytest.mark.needs_speed
def test_exponents_of_lorenz_63_from_its_own_jacobians():
    J = pl.systems.flow_jacobians("lorenz63", 60_000)
    found = analysis.lyapunov_of_jacobians(J).exponents / 0.01
    np.testing.assert_allclose(found, [0.906, 0.0, -14.57], atol=0.03)
    assert found.sum() == pytest.approx(-(10 + 1 + 8 / 3), abs=1e-5)


# --- fixed points and cycles -----------------------------------------------------------------------


def enumerated(hinge, n):
    """Itineraries of all cycles of period n: every sequence of patterns, solved and checked, in plain NumPy."""
    K, M = len(hinge.d), len(hinge.L)
    patterns = [np.array(p, bool) for p in itertools.product((False, True), repeat=K)]
    maps = [(hinge.L + hinge.B[:, p] @ hinge.C[p], hinge.h + hinge.B[:, p] @ hinge.d[p]) for p in patterns]
    found = set()
    for word in itertools.product(range(len(patterns)), repeat=n):
        if word != min(word[i:] + word[:i] for i in range(n)):
            continue
        if any(n % p == 0 and word == word[:p] * (n // p) for p in range(1, n)):
            continue
        P, q = np.eye(M), np.zeros(M)
        for w in word:
            P, q = maps[w][0] @ P, maps[w][0] @ q + maps[w][1]
        if abs(np.linalg.det(np.eye(M) - P)) < 1e-9:
            continue
        z = np.linalg.solve(np.eye(M) - P, q)
        for w in word:
            if ((hinge.C @ z + hinge.d > 0) != patterns[w]).any():
                break
            z = maps[w][0] @ z + maps[w][1]
        else:
            rows = [patterns[w] for w in word]
            found.add(min(tuple(map(tuple, rows[i:] + rows[:i])) for i in range(n)))
    return found


def itineraries(found, n):
    out = set()
    for cycle in found.of_period(n):
        rows = [tuple(bool(x) for x in row) for row in cycle.itinerary]
        out.add(min(tuple(rows[i:] + rows[:i]) for i in range(n)))
    return out


# (hinges at most, longest period): what can be enumerated in plain NumPy within seconds.
SIZES = [(10, 1), (4, 2), (3, 3), (2, 5), (1, 5)]


def small_map(row, rng, K_max):
    M = int(rng.integers(1, 5))
    H = max(1, K_max // 2 if row.name == "clipped_shPLRNN" else K_max)
    if row.name == "PLRNN":
        M = min(M, K_max)
    latent = row.latent(M, int(rng.integers(1, H + 1)), min(int(rng.integers(0, K_max + 1)), M), 0, rng)
    hinge = as_hinge(latent)
    # Wild enough to have cycles.
    return hinge._replace(
        L=1.2 * hinge.L, B=2.5 * hinge.B, d=hinge.d + 0.1 * rng.standard_normal(len(hinge.d))
    )


def check_against_enumeration(row, seed, counts):
    rng = np.random.default_rng(seed)
    K_max, n_max = SIZES[seed % len(SIZES)]
    hinge = small_map(row, rng, K_max)
    if len(hinge.d) > K_max:
        return
    found = analysis.cycles(hinge, n_max)
    searched = analysis.cycles(hinge, n_max, exhaustive=False, tries=200, patience=100, orbit_steps=2000)
    for n in range(1, n_max + 1):
        assert n in found.exhausted
        expected = enumerated(hinge, n)
        assert itineraries(found, n) == expected
        assert itineraries(searched, n) <= expected
        counts["all"] += len(expected)
        counts["searched"] += len(itineraries(searched, n))
        assert found.certificates[n] == "complete"
        if searched.certificates[n] == "incomplete":
            assert any(
                itineraries(searched, d) != enumerated(hinge, d) for d in range(1, n + 1) if n % d == 0
            )
    for cycle in found:
        z = cycle.points[0]
        size = 1 + np.abs(cycle.points).max()
        for t in range(cycle.period):
            assert np.abs(z - cycle.points[t]).max() < 1e-6 * size
            z = F(hinge, z)
        assert cycle.residual <= 1e-6 * size
        P = np.eye(len(z))
        for pattern in cycle.itinerary:
            P = (hinge.L + hinge.B[:, pattern] @ hinge.C[pattern]) @ P
        moduli = np.sort(np.abs(np.linalg.eigvals(P)))[::-1]
        np.testing.assert_allclose(np.abs(cycle.multipliers), moduli, rtol=1e-6, atol=1e-9)


@pytest.mark.needs_speed
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_cycles_are_those_of_an_enumeration(row):
    """Nothing is missed and nothing invented; and a search alone finds nearly all. (benchmarks/analysis.py does 500.)"""
    counts = {"all": 0, "searched": 0}
    for seed in range(25):
        check_against_enumeration(row, seed, counts)
    assert counts["all"] >= 15
    assert counts["searched"] >= 0.9 * counts["all"]


def test_regions_of_a_shallow_model_are_those_that_states_lie_in():
    rng = np.random.default_rng(1)
    for _ in range(5):
        M, H = 2, 12
        hinge = as_hinge(random_clipped(rng, M, H))
        found = analysis.regions(hinge)
        listed = {row.tobytes() for row in found}
        states = rng.standard_normal((40_000, M)) * 10.0 ** rng.uniform(-2, 3, (40_000, 1))
        seen = {row.tobytes() for row in (states @ hinge.C.T + hinge.d) > 0}
        assert seen <= listed
        assert len(found) <= 2**M * (1 + 2 * H + H * (2 * H - 1))  # far from 2**24


def test_more_regions_than_can_be_listed_are_not():
    rng = np.random.default_rng(0)
    assert analysis.regions(random_clipped(rng, 20, 200)) is None
    assert len(analysis.regions(random_clipped(rng, 3, 2))) <= 2**4
    linear = hinge_of([[0.5]], np.zeros((1, 0)), np.zeros((0, 1)), np.zeros(0), [1.0])
    assert analysis.regions(linear).shape == (1, 0)
    assert analysis.fixed_points(linear)[0].points[0, 0] == pytest.approx(2.0)


@pytest.mark.needs_speed
def test_all_fixed_points_of_a_clipped_model_of_fifty_units():
    """More patterns than atoms in a house, but only a few ten thousand cells."""
    rng = np.random.default_rng(3)
    latent = random_clipped(rng, 3, 50, 0.6)
    found = analysis.fixed_points(latent)
    assert found.exhausted == {1}
    assert found.certificates == {1: "complete"}
    hinge = as_hinge(latent)
    # Newton from many states finds none that is not there.
    there = np.array([c.points[0] for c in found])
    for start in rng.standard_normal((400, 3)) * 20:
        z = start
        for _ in range(50):
            pattern = hinge.C @ z + hinge.d > 0
            J = hinge.L + hinge.B[:, pattern] @ hinge.C[pattern]
            z = np.linalg.solve(np.eye(3) - J, hinge.h + hinge.B[:, pattern] @ hinge.d[pattern])
        if np.abs(F(hinge, z) - z).max() < 1e-9:
            assert np.abs(there - z).max(axis=1).min() < 1e-7


def test_the_certificate_is_never_wrong():
    rng = np.random.default_rng(7)
    seen = {"complete": 0, "incomplete": 0, "unknown": 0}
    for _ in range(40):
        hinge = as_hinge(random_clipped(rng, 2, 2, 2.0))
        found = analysis.cycles(hinge, 3)
        assert found.certificates == {1: "complete", 2: "complete", 3: "complete"}
        assert sum(c.index() for c in found.of_period(1)) == 1
        for n in (1, 2, 3):
            parts = [c for c in found if n % c.period == 0]
            for missing in parts:  # one cycle less is seen, as every index is odd
                rest = [c for c in found if c is not missing]
                answer, _ = certify(hinge, n, rest, {1, 2, 3})
                seen[answer] += 1
                assert answer == "incomplete"
        seen[certify(hinge, 2, found, {2})[0]] += 1
    assert seen["incomplete"] > 60
    assert seen["unknown"] == 40
    alrnn = pl.ALRNN([0.5], [[0.1]], [1.0], NONE, 1)
    assert analysis.fixed_points(alrnn).certificates == {1: "complete"}  # by trying every itinerary


def test_a_search_is_the_same_for_any_number_of_threads_and_goes_on_where_it_ended():
    rng = np.random.default_rng(5)
    hinge = as_hinge(random_clipped(rng, 3, 6, 1.5))
    options = {"exhaustive": False, "orbit_steps": 3000, "seed": 3}
    one = analysis.cycles(hinge, 6, tries=100, patience=1000, **options)
    two = analysis.cycles(hinge, 6, tries=100, patience=1000, n_threads=2, **options)
    assert [c.key() for c in one] == [c.key() for c in two]
    assert one.tries == dict.fromkeys(range(1, 7), 100)
    less = analysis.cycles(hinge, 6, tries=50, patience=1000, **options)
    more = analysis.cycles(hinge, 6, tries=50, patience=1000, resume=less, **options)
    assert more.tries == one.tries
    assert {c.key() for c in less} <= {c.key() for c in more}
    stopped = analysis.cycles(hinge, 6, progress=lambda followed, n: True, **options)
    assert set(stopped.tries.values()) == {25}
    assert len(analysis.cycles(hinge, 6, seconds=0.0, **options)) == 0


def test_stability_is_told_from_the_multipliers():
    kinds = {0.5: "stable", 1.5: "repelling"}
    for slope, kind in kinds.items():
        (cycle,) = analysis.fixed_points(
            hinge_of(np.diag([slope, slope]), np.zeros((2, 1)), np.zeros((1, 2)), [1.0], [1, 1])
        )
        assert cycle.stability == kind
        assert cycle.margin == 1.0
    (saddle,) = analysis.fixed_points(
        hinge_of(np.diag([0.5, 1.5]), np.zeros((2, 1)), np.zeros((1, 2)), [1.0], [1, 1])
    )
    assert (saddle.stability, saddle.n_unstable, saddle.index(), saddle.index(2)) == ("saddle", 1, -1, -1)
    turn = 0.9 * np.array([[0.0, -1.0], [1.0, 0.0]])
    (focus,) = analysis.fixed_points(hinge_of(turn, np.zeros((2, 1)), np.zeros((1, 2)), [1.0], [1, 1]))
    assert focus.is_focus
    assert (focus.stability, focus.index()) == ("stable", 1)
    (neutral,) = analysis.fixed_points(hinge_of([[-1.0]], [[0.0]], [[0.0]], [1.0], [1.0]))
    assert neutral.stability == "non-hyperbolic"
    flip = hinge_of([[-1.5]], [[0.0]], [[0.0]], [1.0], [1.0])
    assert (analysis.fixed_points(flip)[0].index(), analysis.fixed_points(flip)[0].index(2)) == (1, -1)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=14), st.integers(0, 20))
def test_thesmallest_rotation_is_the_same_from_every_rotation(word, shift):
    rows = (np.array(word)[:, None] >> np.arange(2)) & 1
    first = analysis.smallest_rotation(rows.astype(bool))
    again = analysis.smallest_rotation(np.roll(rows, shift, axis=0).astype(bool))
    np.testing.assert_array_equal(first, again)
    repeated = analysis.smallest_rotation(np.tile(rows.astype(bool), (3, 1)))
    np.testing.assert_array_equal(first, repeated)
    numbers = [int.from_bytes(np.packbits(row).tobytes(), "big") for row in first]
    assert numbers == min(numbers[i:] + numbers[:i] for i in range(len(numbers)))


# --- symbols ---------------------------------------------------------------------------------------


def test_symbols_are_numbered_by_their_visits_and_runs_are_told():
    hinge = hinge_of(np.eye(1), np.zeros((1, 2)), [[1.0], [1.0]], [0.0, -1.0], [0.0])
    states = np.array([-1, 0.5, 0.5, 2, 0.5, 0.5, 0.5, -1, -1])[:, None]
    found = analysis.symbols(hinge, states)
    assert found.sequence.tolist() == [1, 0, 0, 2, 0, 0, 0, 1, 1]
    assert found.patterns.tolist() == [[True, False], [False, False], [True, True]]
    assert found.counts.tolist() == [5, 3, 1]
    runs, lengths = found.runs()
    assert runs.tolist() == [1, 0, 2, 0, 1]
    assert lengths.tolist() == [1, 2, 1, 3, 2]
    assert [d.tolist() for d in found.dwell_times()] == [[2, 3], [], [1]]
    step, run, notebook = (
        analysis.transition_graph(found, kind=k) for k in ("step", "run", "alrnn-notebook")
    )
    assert step.counts.tolist() == [[3, 1, 1], [1, 1, 0], [1, 0, 0]]
    assert run.counts.tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert notebook.counts.tolist() == [[2, 1, 1], [1, 2, 0], [1, 0, 1]]
    np.testing.assert_allclose(step.probabilities.sum(axis=1), 1)
    assert step.joint.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="kind: got 'steps', allowed is one of 'step', 'run'"):
        analysis.transition_graph(found, kind="steps")
    with pytest.raises(ValueError, match="orbit: got NaN, inf or nothing"):
        analysis.symbols(hinge, [[np.nan]])


def test_entropies_of_the_golden_mean_shift():
    """No two ones in a row, each 1 or 0 with equal chance after a 0: everything is known."""
    rng = np.random.default_rng(0)
    sequence = np.zeros(200_000, int)
    for t, coin in enumerate(rng.random(len(sequence) - 1) < 0.5):
        sequence[t + 1] = coin and not sequence[t]
    found = analysis.block_entropies(sequence, 8)
    assert found.words.tolist() == [2, 3, 5, 8, 13, 21, 34, 55]
    golden = np.log((1 + np.sqrt(5)) / 2)
    np.testing.assert_allclose(found.topological[1:], golden, atol=1e-9)
    assert found.topological[0] == pytest.approx(golden)  # of the graph of pairs
    assert (np.diff(found.topological) < 1e-9).all()
    np.testing.assert_allclose(found.growth[-1], golden, atol=0.01)
    np.testing.assert_allclose(found.rates[1:], 2 / 3 * np.log(2), atol=0.003)
    assert (np.diff(found.rates) < 1e-3).all()


def test_words_that_are_too_many_are_left_out():
    coin = np.random.default_rng(0).integers(0, 2, 1000)
    with pytest.warns(RuntimeWarning, match="128 words of 7 symbols in a sequence of 1000: too many"):
        found = analysis.block_entropies(coin, 10)
    assert len(found.H) == 6


# --- boundedness and basins ------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_absorbing_box_and_ball_take_themselves_in_and_are_reached(M, H, seed):
    rng = np.random.default_rng(seed)
    latent = random_clipped(rng, M, H)
    box, radius = analysis.absorbing_box(latent), analysis.absorbing_radius(latent)
    A, W1, h1, h2 = latent.A, latent.W1, latent.h1, latent.h2
    np.testing.assert_allclose(box.centre, (h1 + W1 @ h2 / 2) / (1 - A), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(box.half_width, np.abs(W1) @ np.abs(h2) / 2 / (1 - np.abs(A)), rtol=1e-9)
    formula = (np.linalg.norm(h1) + np.linalg.norm(W1, 2) * np.linalg.norm(h2)) / (1 - np.abs(A).max())
    assert radius <= formula * (1 + 1e-12)
    inside = box.centre + box.half_width * rng.uniform(-1, 1, (50, M))
    assert box.contains(pl.step(latent, inside)).all()
    ball = rng.standard_normal((50, M))
    ball *= radius / np.linalg.norm(ball, axis=1, keepdims=True)
    assert (np.linalg.norm(pl.step(latent, ball), axis=1) <= radius * (1 + 1e-9)).all()
    far = orbit(latent, 1e6 * rng.standard_normal(M), 2000)[-1]
    assert box.contains(far, slack=1e-6)
    assert analysis.is_bounded(latent).answer == "yes"


def test_the_box_is_attained():
    latent = pl.ClippedShPLRNN([0.5], [[1.0]], [[1.0]], [0.0], [2.0], NONE)
    box = analysis.absorbing_box(latent)
    upper = float(box.centre[0] + box.half_width[0])
    assert F(as_hinge(latent), np.array([upper]))[0] == upper


def test_boundedness_of_models_that_promise_nothing():
    growing = pl.ALRNN([1.1], [[0.0]], [0.1], NONE, 1)
    answer, reason = analysis.is_bounded(growing, n_starts=5)
    assert answer == "no"
    assert "left the finite numbers at step" in reason
    tame = pl.ALRNN([0.5], [[0.1]], [0.1], NONE, 1)
    assert analysis.is_bounded(tame, n_starts=5, n_steps=500).answer == "unknown"
    assert analysis.absorbing_box(tame) is None
    assert analysis.absorbing_radius(tame) is None
    expanding = pl.ClippedShPLRNN([1.1], [[1.0]], [[1.0]], [0.0], [2.0], NONE)
    assert analysis.absorbing_box(expanding) is None
    assert analysis.is_bounded(expanding, n_starts=20).answer == "no"


def test_basins_of_two_wells_and_of_infinity():
    # x' = x/2 + 1 above 1, x/2 - 1 below -1, 1.5 x between: wells at 2 and -2; and a plane that grows beyond 20.
    hinge = hinge_of([[0.5]], [[1.0, -1.0, 2.0]], [[1.0], [1.0], [1.0]], [1.0, -1.0, -20.0], [-1.0])
    starts = np.array([[-15.0], [-0.1], [0.2], [0.3], [3.0], [60.0]])
    found = analysis.basins(hinge, starts, transient=2000, n_steps=200)
    assert found.labels.tolist() == [1, 1, 0, 0, 0, -1]
    assert found.periods == [1, 1]
    np.testing.assert_allclose(found.attractors[0], [[2.0]], atol=1e-9)
    np.testing.assert_allclose(found.shares, [3 / 6, 2 / 6])
    assert found.n_diverged == 1


def test_a_chaotic_attractor_is_one():
    found = analysis.basins(
        LOZI, np.random.default_rng(0).uniform(-0.3, 0.3, (6, 2)), transient=500, n_steps=3000
    )
    assert found.labels.tolist() == [0] * 6
    assert found.periods == [0]


# --- bifurcations ----------------------------------------------------------------------------------


def test_the_border_collision_of_a_tent_is_followed():
    """1 - a|x| has one fixed point below a = 1 and two above, and a 2-cycle appears with the second."""
    line = analysis.interpolate(*(pl.ALRNN([a], [[-2 * a]], [1.0], NONE, 1) for a in (0.505, 1.505)), 11)
    found = analysis.follow(line, max_period=2)
    assert [(e.kind, e.period, e.detail) for e in found.events] == [
        ("appears", 1, "repelling"),
        ("appears", 2, "repelling"),
        ("changes stability", 1, "stable to repelling"),
    ]
    assert {e.after for e in found.events} == {4}
    assert [(b.first, b.last, b.period) for b in found.branches] == [(0, 10, 1), (5, 10, 1), (5, 10, 2)]
    backwards = analysis.follow(line[::-1], max_period=2)
    assert sorted(e.kind for e in backwards.events) == ["changes stability", "vanishes", "vanishes"]


def test_models_that_cannot_be_interpolated_or_followed_are_named():
    one = pl.ALRNN([0.5], [[0.1]], [1.0], NONE, 1)
    with pytest.raises(ValueError, match="last: got PLRNN, expected ALRNN"):
        analysis.interpolate(one, pl.PLRNN([0.5], [[0.0]], [1.0], NONE), 3)
    with pytest.raises(ValueError, match="last.num_relus: got 0, expected 1"):
        analysis.interpolate(one, one._replace(num_relus=0), 3)
    with pytest.raises(ValueError, match="n_models: got 1, expected"):
        analysis.interpolate(one, one, 1)
    with pytest.raises(ValueError, match="models: got none"):
        analysis.follow([])
    with pytest.raises(ValueError, match="models: got latent dimensions 1 and 2"):
        analysis.follow([one, LOZI])
