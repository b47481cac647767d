"""Maps whose answer is known: continua, points on borders, certificates, slow points, driven maps."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba import analysis
from plrnn_numba.runs.commands import common
from plrnn_numba.runs.commands.main import main

GOLDEN = (1 + np.sqrt(5)) / 2


def none(M):
    return np.zeros((M, 0))


def hinge_of(L, B, C, d, h):
    L = np.array(L, float)
    M = len(L)
    B, C = np.array(B, float).reshape(M, -1), np.array(C, float).reshape(-1, M)
    return pl.Hinge(L, B, C, np.array(d, float), np.array(h, float), none(M))


def linear(L, h):
    M = len(h)
    return hinge_of(L, np.zeros((M, 0)), np.zeros((0, M)), np.zeros(0), h)


def rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def F(hinge, z):
    return hinge.L @ z + hinge.B @ np.maximum(hinge.C @ z + hinge.d, 0) + hinge.h


def after(hinge, z, n):
    for _ in range(n):
        z = F(hinge, z)
    return z


def scaled(hinge, a, b=0.0):
    """The map ``z -> a F((z - b) / a) + b``."""
    shift = np.full(len(hinge.h), float(b))
    h = a * hinge.h + shift - hinge.L @ shift
    return hinge._replace(d=a * hinge.d - hinge.C @ shift, h=h)


IDENTITY_ON_A_SEGMENT = pl.ClippedShPLRNN([0.0], [[1.0]], [[1.0]], [-2.0], [2.0], none(1))
LINE_ATTRACTOR = pl.PLRNN([1, 0.5], [[0, 0], [0.3, 0]], [0, 0.1], none(2), mean_centering=False)
GOLDEN_TENT = pl.ALRNN([GOLDEN], [[-2 * GOLDEN]], [1.0], none(1), 1)
ONE_MINUS = pl.ALRNN([-1.0], [[0.0]], [1.0], none(1), 0)
TENT = pl.ALRNN([2.0], [[-4.0]], [1.0], none(1), 1)


# --- continua --------------------------------------------------------------------------------------


@pytest.mark.parametrize("exhaustive", [True, False])
def test_a_segment_of_fixed_points_is_told_with_its_ends(exhaustive):
    found = analysis.cycles(IDENTITY_ON_A_SEGMENT, 3, exhaustive=exhaustive, tries=60)
    assert len(found) == 0  # the ends belong to it
    (segment,) = found.continua
    assert (segment.period, segment.dimension, segment.bounded) == (1, 1, True)
    np.testing.assert_allclose(segment.ends, [[-2.0], [0.0]], atol=1e-12)
    np.testing.assert_allclose(np.sort(segment.vertices[:, 0]), [-2, 0], atol=1e-12)
    assert segment.stability == "neutral"
    assert [segment.contains([z]) for z in (-2.1, -2.0, -0.7, 0.0, 0.1)] == [False, True, True, True, False]
    assert found.exhausted == frozenset()
    assert set(found.certificates.values()) == {"continuum" if exhaustive else "unknown"}
    assert all("infinitely many" in reason for reason in found.reasons.values())
    assert "1 continuum of infinitely many" in repr(found)
    assert "every one of" not in repr(found)


@pytest.mark.parametrize("exhaustive", [True, False])
def test_a_line_attractor_is_a_line_in_each_region(exhaustive):
    """z2 comes to 0.2 + 0.6 phi(z1), for every z1."""
    found = analysis.cycles(LINE_ATTRACTOR, 3, exhaustive=exhaustive, tries=60)
    assert len(found) == 0
    left, right = sorted(found.continua, key=lambda c: c.points[0, 0])
    np.testing.assert_allclose(left.directions[:, 0], [1, 0], atol=1e-12)
    np.testing.assert_allclose(right.directions[:, 0], np.array([1, 0.6]) / np.hypot(1, 0.6))
    np.testing.assert_allclose(left.ends, [[-np.inf, 0.2], [0, 0.2]], atol=1e-12)
    np.testing.assert_allclose(right.ends, [[0, 0.2], [np.inf, np.inf]], atol=1e-12)
    for part in (left, right):
        assert (part.stability, part.bounded) == ("stable", False)
        np.testing.assert_allclose(part.multipliers, [0.5])
        assert part.residual < 1e-12


def test_a_reflection_has_one_fixed_point_and_nothing_but_two_cycles():
    found = analysis.cycles(ONE_MINUS, 4)
    assert [(c.period, c.points.tolist()) for c in found] == [(1, [[0.5]])]
    (line,) = found.continua
    assert (line.period, line.dimension, line.bounded) == (2, 1, False)
    assert line.points[1, 0] == pytest.approx(1 - line.points[0, 0])
    assert line.points[0, 0] != pytest.approx(0.5)  # a member that has the period of nearly all
    assert found.certificates == {1: "complete", 2: "continuum", 3: "complete", 4: "continuum"}
    assert found.exhausted == {1, 3}


@pytest.mark.parametrize("period", [2, 3, 4, 5, 7])
def test_every_point_of_a_rotation_has_its_period(period):
    turn = linear(rotation(2 * np.pi / period), [1.0, -0.5])
    found = analysis.cycles(turn, 8)
    (centre,) = found
    assert centre.n_unstable == 0
    np.testing.assert_allclose(F(turn, centre.points[0]), centre.points[0], atol=1e-12)
    (plane,) = found.continua
    assert (plane.period, plane.dimension, plane.stability) == (period, 2, "neutral")
    for n in range(1, 9):
        assert found.certificates[n] == ("complete" if n % period else "continuum")


def test_two_rotations_have_the_cycles_of_each_and_of_both():
    L = np.block([[rotation(np.pi / 2), np.zeros((2, 2))], [np.zeros((2, 2)), rotation(2 * np.pi / 3)]])
    found = analysis.cycles(linear(L, [1, 0, 0, 1]), 12)
    assert [(c.period, c.dimension) for c in found.continua] == [(3, 2), (4, 2), (12, 4)]
    assert len(found) == 1


@pytest.mark.parametrize("M", [1, 2, 3])
def test_the_identity_is_all_fixed_points_and_a_translation_has_none(M):
    found = analysis.cycles(linear(np.eye(M), np.zeros(M)), 3)
    (everything,) = found.continua
    assert (everything.period, everything.dimension, everything.bounded) == (1, M, False)
    np.testing.assert_allclose(everything.directions.T @ everything.directions, np.eye(M), atol=1e-12)
    moved = analysis.cycles(linear(np.eye(M), np.r_[np.zeros(M - 1), 1e-3]), 3)
    assert len(moved) == len(moved.continua) == 0
    assert moved.exhausted == {1, 2, 3}  # which is proven: the systems have no solution
    assert "every one of period 1-3" in repr(moved)


def test_a_plane_of_fixed_points_ends_in_a_triangle():
    """The identity where z1 <= 1, z2 <= 1 and z1 + z2 >= -1; pushed away elsewhere, and z3 halved."""
    L = np.diag([1.0, 1.0, 0.5])
    B = [[-0.5, 0, 0.5], [0, -0.5, 0.5], [0, 0, 0]]
    found = analysis.fixed_points(
        hinge_of(L, B, [[1, 0, 0], [0, 1, 0], [-1, -1, 0]], [-1, -1, -1], [0, 0, 1])
    )
    assert len(found) == 0
    (triangle,) = found.continua
    assert (triangle.dimension, triangle.bounded, triangle.stability) == (2, True, "stable")
    assert len(triangle.normals) == 3
    corners = sorted(map(tuple, triangle.vertices.round(9)))
    assert corners == [(-2, 1, 2), (1, -2, 2), (1, 1, 2)]
    assert triangle.contains([0.9, 0.9, 2])
    assert not triangle.contains([1.1, 0, 2])
    assert not triangle.contains([0, 0, 2.1])


def test_a_line_of_fixed_points_on_a_border_is_found_once():
    """z1 / 2 + |z1| beside the identity: fixed where z1 = 0, which no region holds inside."""
    found = analysis.cycles(
        hinge_of(np.diag([0.5, 1]), [[1, 1], [0, 0]], [[1, 0], [-1, 0]], [0, 0], [0, 0]), 2
    )
    (line,) = found.continua
    assert line.on_border
    assert line.stability == "non-smooth"
    np.testing.assert_allclose(line.directions[:, 0], [0, 1], atol=1e-12)
    assert len(found) == 0


def test_an_alrnn_with_an_eigenvalue_of_one_in_a_region():
    """z1' = z1 - phi(z2), z2' = z2 / 2: at rest where z2 = 0, from both sides."""
    latent = pl.ALRNN([1.0, 0.5], [[0, -1.0], [0, 0]], [0.0, 0.0], none(2), 1)
    found = analysis.cycles(latent, 2)
    (line,) = found.continua
    np.testing.assert_allclose(line.directions[:, 0], [1, 0], atol=1e-12)
    half = pl.ALRNN([0.5], [[0.5]], [0.0], none(1), 1)  # z / 2 below 0, z above
    (ray,) = analysis.cycles(half, 2).continua
    assert ray.ends.tolist() == [[0.0], [np.inf]]


MAPS = {
    "segment": pl.to_hinge(IDENTITY_ON_A_SEGMENT),
    "line": pl.to_hinge(LINE_ATTRACTOR),
    "golden": pl.to_hinge(GOLDEN_TENT),
    "reflection": pl.to_hinge(ONE_MINUS),
    "tent of slope 1": pl.to_hinge(pl.ALRNN([1.0], [[-2.0]], [1.0], none(1), 1)),
    "absolute value": hinge_of([[0.5]], [[1, 1]], [[1], [-1]], [0, 0], [0]),
}


def answers(found, a, b):
    """What does not depend on units, and the places, in the units of the first map."""
    cycles = [(c.period, c.stability, np.sort(((c.points - b) / a).ravel()).round(6).tolist()) for c in found]
    continua = sorted(
        (c.period, c.dimension, c.stability, c.bounded, sorted(((c.vertices - b) / a).ravel().round(6) + 0.0))
        for c in found.continua
    )
    return sorted(cycles), continua, found.certificates


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(sorted(MAPS)),
    st.sampled_from([1e-150, 1e-13, 1e-8, 0.3, 7.0, 1e8, 1e150]),
    st.sampled_from([0.0, 1.0, -3.7]),
)
def test_units_and_origin_change_nothing(name, a, b):
    plain = analysis.cycles(MAPS[name], 3)
    moved = analysis.cycles(scaled(MAPS[name], a, a * b), 3)
    assert answers(moved, a, a * b) == answers(plain, 1.0, 0.0)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-4, 4), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]), min_size=4, max_size=4),
    st.integers(-4, 4),
    st.sampled_from([1e-8, 1.0, 1e8]),
)
def test_maps_of_the_line_against_their_values_on_a_grid(kinks, slopes, h, scale):
    """Slopes of 1 and -1, kinks on fixed points: every point of a period on a fine grid is found, and what is found is one."""
    kinks = np.sort(kinks) / 2
    K = len(kinks)
    slopes = np.array(slopes[: K + 1])
    hinge = hinge_of([[slopes[0]]], np.diff(slopes)[None], np.ones((K, 1)), -kinks * scale, [h / 2 * scale])
    found = analysis.cycles(hinge, 3)
    grid = np.arange(-5 * 84, 5 * 84 + 1) / 84 * scale
    for n in (1, 2, 3):
        still = np.abs(
            after(hinge._replace(d=hinge.d[:, None], h=hinge.h[:, None]), grid[None], n)[0] - grid
        ) < (1e-12 * scale)
        for z in grid[still]:
            orbit = [after(hinge, np.array([z]), t) for t in range(n)]
            assert any(n % c.period == 0 and np.abs(c.points - z).min() < 1e-9 * scale for c in found) or any(
                n % c.period == 0 and any(c.contains(x) for x in orbit) for c in found.continua
            )
        continuum = any(n % c.period == 0 for c in found.continua)
        assert found.certificates[n] == ("continuum" if continuum else "complete")
    places = np.concatenate([c.points[:, 0] for c in found]) if len(found) else np.zeros(0)
    assert len(np.unique((places / scale).round(9))) == len(places)
    for c in found:
        size = 1e-9 * max(scale, np.abs(c.points).max())
        assert np.abs(after(hinge, c.points[0], c.period) - c.points[0]).max() <= size
        assert all(np.abs(c.points[p] - c.points[0]).max() > size for p in range(1, c.period))
    for c in found.continua:
        for z in (c.points[0], *c.vertices):
            assert np.abs(after(hinge, z, c.period) - z).max() <= 1e-9 * max(scale, np.abs(z).max())


def test_a_random_map_of_the_plane_with_ones_among_its_eigenvalues():
    kinds = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        L = rng.choice([-1, 0, 0, 0.5, 1, 1], (2, 2)) * (rng.random((2, 2)) < 0.5)
        np.fill_diagonal(L, rng.choice([1, 1, -1, 0.5], 2))
        B = rng.choice([-1, -0.5, 0.5, 1, 2], (2, 1)) * (rng.random((2, 1)) < 0.6)
        hinge = hinge_of(
            L, B, rng.choice([-1, 0, 1], (1, 2)), rng.choice([-1, 0, 1], 1), rng.choice([0, 0, 0.5], 2)
        )
        found = analysis.cycles(hinge, 2)
        grid = np.stack(np.meshgrid(*[np.arange(-6, 7) / 2] * 2), -1).reshape(-1, 2)
        for n in (1, 2):
            for z in grid:
                if np.abs(after(hinge, z, n) - z).max() > 1e-12:
                    continue
                orbit = [after(hinge, z, t) for t in range(n)]
                isolated = any(
                    n % c.period == 0 and np.abs(c.points - z).max(axis=1).min() < 1e-9 for c in found
                )
                assert isolated or any(
                    n % c.period == 0 and any(map(c.contains, orbit)) for c in found.continua
                )
        for c in found.continua:
            kinds.add((c.period, c.dimension, c.bounded))
            for _ in range(5):
                z = c.points[0] + c.directions @ rng.standard_normal(c.dimension) * rng.choice([0.01, 1, 5])
                if c.contains(z):
                    assert np.abs(after(hinge, z, c.period) - z).max() < 1e-8 * max(1, np.abs(z).max())
    assert len(kinds) >= 4


# --- borders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("exhaustive", [True, False])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_a_fixed_point_on_a_border_is_found_once_and_its_sides_are_told(exhaustive, scale):
    latent = pl.ShPLRNN([0.5], [[1, 1]], [[1], [-1]], [0], [0, 0], none(1))
    found = analysis.cycles(latent, 3, exhaustive=exhaustive, tries=60)
    (zero,) = found
    assert (zero.period, zero.points.tolist(), zero.margin) == (1, [[0.0]], 0.0)
    assert zero.on_border
    assert zero.stability == "non-smooth"
    np.testing.assert_allclose(np.sort(zero.adjoining[:, 0].real), [-0.5, 1.5])
    # The same beside a coordinate that gives it a scale, and a place to round.
    beside = hinge_of(
        np.diag([0.5, 0.3]),
        [[1, 1], [0, 0]],
        [[1, 0.1], [-1, -0.1]],
        [-0.1 * scale, 0.1 * scale],
        [0, 0.7 * scale],
    )
    (point,) = analysis.cycles(beside, 2, exhaustive=exhaustive, tries=60)
    np.testing.assert_allclose(point.points[0], [0, scale], atol=1e-12 * scale)
    assert (point.margin, len(point.adjoining)) == (0, 2)


def test_the_corner_of_four_regions_has_four_sides():
    corner = hinge_of(
        np.diag([0.5, 0.5]), [[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [-1, 0], [0, 1], [0, -1]], [0] * 4, [0, 0]
    )
    (point,) = analysis.fixed_points(corner)
    sides = {tuple(sorted(side.real.round(9))) for side in point.adjoining}
    assert sides == {(1.5, 1.5), (-0.5, 1.5), (-0.5, -0.5)}
    assert len(point.adjoining) == 4


@pytest.mark.parametrize("exhaustive", [True, False])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_the_border_cycle_of_the_golden_mean_tent(exhaustive, scale):
    """1 - g |z|: the critical orbit is 0, 1, 1 - g, 0."""
    tent = GOLDEN_TENT._replace(h=np.array([scale]))
    found = analysis.cycles(tent, 3, exhaustive=exhaustive, tries=60)
    (border,) = found.of_period(3)
    np.testing.assert_allclose(np.sort(border.points[:, 0]) / scale, [1 - GOLDEN, 0, 1], atol=1e-12)
    assert border.margin == 0
    np.testing.assert_allclose(np.sort(border.adjoining[:, 0].real), [-(GOLDEN**3), GOLDEN**3])
    assert [len(found.of_period(n)) for n in (1, 2)] == [2, 1]


def test_a_hinge_that_the_map_does_not_feel_is_no_border():
    idle = hinge_of([[0.5]], [[0.0, 1.0, -1.0]], [[1], [1], [1]], [0, 0, 0], [0])
    (zero,) = analysis.fixed_points(idle)
    assert not zero.on_border
    assert (zero.stability, zero.margin) == ("stable", 0)


@pytest.mark.parametrize("width", [1e-3, 1e-6, 1e-10])
def test_a_region_that_is_thin_beside_others_is_one(width):
    """Of five kinks two lie `width` apart, and between them a repelling fixed point."""
    kinks = np.array([-1, -width, 0, -0.5, 0.25])
    hinge = hinge_of([[0]], [[0.1, 3, -3, 0.1, -0.2]], np.ones((5, 1)), -kinks, [-1.5 * width - 0.15])
    found = analysis.fixed_points(hinge)
    assert sorted(c.stability for c in found) == ["repelling", "stable", "stable"]
    (between,) = [c for c in found if c.stability == "repelling"]
    assert -width < between.points[0, 0] < 0
    assert analysis.fixed_points(scaled(hinge, 1e8)).certificates == {1: "complete"}
    latent = pl.ClippedShPLRNN([0.0, 0.5], np.eye(2), np.eye(2), [-width, 0.3], [width, 1.0], none(2))
    (segment,) = analysis.fixed_points(latent).continua
    np.testing.assert_allclose(segment.ends, [[-width, 2.6], [0, 2.6]], rtol=1e-6, atol=1e-15)


def test_a_line_attractor_of_many_units_is_a_chain_of_segments():
    rng = np.random.default_rng(0)
    A, W = np.full(6, 0.5), 0.3 * rng.standard_normal((6, 6))
    A[0], W[0] = 1, 0
    latent = pl.ALRNN(A, W, np.r_[0, rng.standard_normal(5)], none(6), 3)
    found = analysis.cycles(latent, 2)
    ends = np.concatenate([c.ends for c in found.continua])
    ends = ends[np.isfinite(ends).all(axis=1)]
    assert len(found.continua) == 5
    assert len(ends) == 2 * 4  # each inner end is that of two
    assert all((np.abs(ends - end).max(axis=1) < 1e-9 * np.abs(ends).max()).sum() == 2 for end in ends)
    assert found.certificates == {1: "continuum", 2: "continuum"}


# --- certificates, and resume ----------------------------------------------------------------------


def test_what_is_enumerated_is_complete_for_every_model():
    latent = pl.ALRNN([0.5, 0.3], [[0.1, 0.2], [0.3, -0.4]], [0.1, 0.2], none(2), 1)
    found = analysis.cycles(latent, 3)
    assert found.certificates == {1: "complete", 2: "complete", 3: "complete"}
    assert found.exhausted == {1, 2, 3}
    assert found.reasons == dict.fromkeys((1, 2, 3), "every itinerary was tried")
    report = analysis.analyze(latent, [0.1, 0.1], n_steps=100, max_period=2)
    assert "unknown" not in "\n".join(line for line in str(report).splitlines() if "bounded" not in line)
    assert "every one of period 1-2" in str(report)
    plain = report.to_dict()
    assert plain["certificates"] == {"1": "complete", "2": "complete"}
    assert plain["exhausted_periods"] == [1, 2]
    searched = analysis.cycles(latent, 2, exhaustive=False, tries=20)
    assert set(searched.certificates.values()) == {"unknown"}
    assert searched.exhausted == frozenset()
    assert set(searched.reasons.values()) == {"searched, not exhausted"}


def test_a_period_is_exhausted_with_its_divisors():
    found = analysis.cycles(TENT, 4, periods=[4])
    assert found.certificates == {4: "complete"}
    assert found.exhausted == {1, 2, 4}
    assert [len(found.of_period(n)) for n in (1, 2, 4)] == [2, 1, 3]


def test_the_report_names_continua_and_borders():
    report = analysis.analyze(LINE_ATTRACTOR, [0.5, 0.5], n_steps=100, max_period=2)
    assert "2 continua of infinitely many" in str(report)
    assert "from (-inf, 0.2) to (0, 0.2)" in str(report)
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["exhausted_periods"] == []
    assert plain["certificates"] == {"1": "continuum", "2": "continuum"}
    assert [c["dimension"] for c in plain["continua"]] == [1, 1]
    assert [c["ends"][0] for c in plain["continua"]].count(None) == 1
    golden = analysis.analyze(GOLDEN_TENT, [0.3], n_steps=100, max_period=3)
    assert "non-smooth" in str(golden)
    assert sum(c["on_border"] for c in golden.to_dict()["cycles"]) == 1


@pytest.mark.parametrize(
    "other",
    [
        TENT._replace(h=np.array([2.0])),
        TENT._replace(A=np.array([1.9]), W=np.array([[-3.9]])),
        pl.ALRNN([0.5], [[0.0]], [0.0], none(1), 0),
        pl.ShPLRNN([2.0], [[-4.0]], [[1.0]], [1.1], [0.0], none(1)),
        pl.ALRNN([2.0, 0.5], [[0, 0], [0, -4.0]], [1.0, 0.0], none(2), 1),
        pl.ALRNN(*(np.array(a, np.float32) for a in ([1.9], [[-3.7]], [1.0], none(1))), 1),
    ],
)
def test_the_result_of_another_map_is_not_gone_on_with(other):
    """Also where nothing was found, or where both have the same fixed points."""
    for theirs in (analysis.cycles(other, 2), analysis.cycles(linear(np.eye(1), [1.0]), 2)):
        with pytest.raises(ValueError, match="^resume: got cycles of another map") as error:
            analysis.cycles(TENT, 2, resume=theirs)
        assert "\n" not in str(error.value)
    one, two = pl.ALRNN([0.5], [[0.0]], [0.0], none(1), 0), pl.ALRNN([0.3], [[0.0]], [0.0], none(1), 0)
    with pytest.raises(ValueError, match="^resume: "):
        analysis.fixed_points(one) and analysis.cycles(one, 1, resume=analysis.cycles(two, 1))


def test_a_result_goes_on_with_its_own_map_and_inputs():
    driven = pl.ALRNN([2.0], [[-4.0]], [1.0], [[1.0]], 1)
    first = analysis.cycles(driven, 2, inputs=[0.1])
    again = analysis.cycles(driven, 3, inputs=[0.1], resume=first)
    assert [c.key() for c in again if c.period < 3] == [c.key() for c in first]
    assert again.exhausted == {1, 2, 3}
    with pytest.raises(ValueError, match="with the same inputs"):
        analysis.cycles(driven, 3, inputs=[0.2], resume=first)
    line = analysis.cycles(LINE_ATTRACTOR, 1)
    more = analysis.cycles(LINE_ATTRACTOR, 2, resume=line)
    assert [c.key() for c in more.continua] == [c.key() for c in line.continua]
    # One that was put together by hand has its cycles looked at, and nothing else believed.
    by_hand = analysis.CycleSet(analysis.cycles(TENT, 1).found, frozenset({1, 2}), {}, {})
    assert len(analysis.cycles(TENT, 2, resume=by_hand).of_period(2)) == 1


# --- slow points -----------------------------------------------------------------------------------


def brute_slowest(hinge, low, high, n=400_001):
    grid = np.linspace(low, high, n)
    speed = np.abs(F(hinge._replace(d=hinge.d[:, None], h=hinge.h[:, None]), grid[None])[0] - grid)
    return grid, speed


@pytest.mark.parametrize("scale", [1e-8, 1.0, 3.3, 1e8])
def test_slow_points_are_the_local_minima_of_the_speed(scale):
    """z' - z falls to 0.01 at -1, rises to 1 at 0, falls to 0.02 at 2, and rises."""
    hinge = hinge_of([[0.5]], [[1.49, -1.48, 0.99]], [[1], [1], [1]], [1, 0, -2], [-0.49])
    hinge = scaled(hinge, scale)
    grid, speed = brute_slowest(hinge, -4 * scale, 6 * scale)
    inner = np.flatnonzero((speed[1:-1] < speed[:-2]) & (speed[1:-1] <= speed[2:])) + 1
    found = analysis.slow_points(hinge, tolerance=np.inf)
    assert found.exhaustive
    places = np.sort([p.point[0] for p in found])
    np.testing.assert_allclose(places, grid[inner], atol=1e-4 * scale)
    np.testing.assert_allclose(sorted(p.speed for p in found), np.sort(speed[inner]), atol=1e-4 * scale)
    slow = analysis.slow_points(hinge, tolerance=0.011, extent=scale)
    assert [round(p.relative, 6) for p in slow] == [
        round(s / scale, 6) for s in sorted(speed[inner]) if s <= 0.011 * scale
    ]


def test_a_nearly_line_attractor_is_slow_along_its_line():
    latent = LINE_ATTRACTOR._replace(A=np.array([0.999, 0.5]))
    (point,) = analysis.slow_points(latent, extent=1.0)
    assert point.is_fixed_point
    # It lies on a border, and is told with the side on which more is slow: |F(z) - z| = 0.001 |z1| is 0.01 at z1 = 10.
    length = np.hypot(1, 0.6)
    np.testing.assert_allclose(point.direction, np.array([1, 0.6]) / length, atol=2e-3)
    np.testing.assert_allclose(point.reach, [0, 10 * length], rtol=1e-2, atol=1e-9)


def test_slow_points_of_a_plane_against_a_grid():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        hinge = hinge_of(
            0.6 * rng.standard_normal((2, 2)), rng.standard_normal((2, 3)), rng.standard_normal((3, 2)),
            rng.standard_normal(3), rng.standard_normal(2),
        )  # fmt: skip
        found = analysis.slow_points(hinge, tolerance=np.inf)
        assert found.exhaustive
        grid = np.stack(np.meshgrid(*[np.linspace(-8, 8, 161)] * 2), -1).reshape(-1, 2)
        moved = F(hinge._replace(d=hinge.d[:, None], h=hinge.h[:, None]), grid.T).T
        speed = np.linalg.norm(moved - grid, axis=1)
        assert found[0].speed <= speed.min() + 1e-12
        for p in found:  # nothing near is slower
            near = p.point + 1e-4 * rng.standard_normal((200, 2))
            moved = F(hinge._replace(d=hinge.d[:, None], h=hinge.h[:, None]), near.T).T
            assert np.linalg.norm(moved - near, axis=1).min() >= p.speed - 1e-9
            assert np.linalg.norm(F(hinge, p.point) - p.point) == pytest.approx(p.speed, abs=1e-12)
        fixed = [p for p in found if p.is_fixed_point]
        assert len(fixed) == len(analysis.fixed_points(hinge))


def test_many_regions_are_searched_from_states():
    rng = np.random.default_rng(0)
    latent = pl.ShPLRNN(
        rng.uniform(-0.5, 0.5, 3), rng.standard_normal((3, 12)) / 6, rng.standard_normal((12, 3)),
        rng.standard_normal(3), rng.standard_normal(12), none(3),
    )  # fmt: skip
    found = analysis.slow_points(latent, starts=[[0.0, 0.0, 0.0]], n_starts=4, tolerance=np.inf)
    assert not found.exhaustive
    assert len(found) > 0
    assert "not exhausted" in repr(found)
    with pytest.raises(ValueError, match="^tolerance: got -1"):
        analysis.slow_points(latent, tolerance=-1)
    with pytest.raises(ValueError, match=r"^starts: got shape \(1, 2\)"):
        analysis.slow_points(latent, starts=[[0.0, 0.0]])


# --- driven maps -----------------------------------------------------------------------------------

DRIVEN = pl.ALRNN([0.9, 0.4], [[0, -1.3], [0.2, -1.2]], [1.0, 0.3], [[1.0, 0.5], [-0.3, 2.0]], 2)


def test_a_constant_input_is_a_bias():
    s = np.array([0.4, -0.2])
    folded = DRIVEN._replace(h=DRIVEN.h + np.array(DRIVEN.C) @ s, C=none(2))
    expected = analysis.cycles(folded, 3)
    for found in (
        analysis.cycles(DRIVEN, 3, inputs=s),
        analysis.cycles(DRIVEN, 3, inputs=[s, s]),
        analysis.cycles(analysis.with_constant_input(DRIVEN, s), 3),
    ):
        assert [c.key() for c in found] == [c.key() for c in expected]
        for one, other in zip(found, expected):
            np.testing.assert_allclose(one.points, other.points)
    assert analysis.is_bounded(DRIVEN, n_starts=2, n_steps=10, inputs=s).answer == "unknown"


def test_what_was_assumed_of_the_inputs_is_said():
    assert "the 2 inputs held at zero" in repr(analysis.cycles(DRIVEN, 1))
    assert "the 2 inputs held at 0.4, -0.2" in repr(analysis.cycles(DRIVEN, 1, inputs=[0.4, -0.2]))
    assert "input" not in repr(analysis.cycles(TENT, 1))
    report = analysis.analyze(DRIVEN, [0.1, 0.1], n_steps=60, max_period=1)
    assert str(report).splitlines()[0] == "assumed       the 2 inputs held at zero"
    assert report.to_dict()["inputs"] == {"number": 2, "assumed": "zero", "period": 1, "values": [[0.0, 0.0]]}
    periodic = analysis.analyze(
        DRIVEN, [0.1, 0.1], n_steps=60, max_period=1, inputs=[[0.4, 0], [0, 0.1], [1, 1]]
    )
    assert "repeated with a period of 3 steps" in str(periodic)
    assert periodic.to_dict()["inputs"]["assumed"] == "periodic"
    assert periodic.to_dict()["inputs"]["values"] == [[0.4, 0], [0, 0.1], [1, 1]]


def brute_stroboscopic(latent, S, n):
    """Fixed points of n periods, by solving for every sequence of regions."""
    import itertools

    hinge = pl.to_hinge(latent)
    M, K, N = len(hinge.h), len(hinge.d), n * len(S)
    patterns = [np.array(p, bool) for p in itertools.product((False, True), repeat=K)]
    found = []
    for word in itertools.product(patterns, repeat=N):
        P, q = np.eye(M), np.zeros(M)
        for t, p in enumerate(word):
            J = hinge.L + hinge.B[:, p] @ hinge.C[p]
            P, q = J @ P, J @ q + hinge.h + hinge.B[:, p] @ hinge.d[p] + hinge.input_matrix @ S[t % len(S)]
        z = np.linalg.solve(np.eye(M) - P, q)
        x = z
        for t, p in enumerate(word):
            if ((hinge.C @ x + hinge.d > 0) != p).any():
                break
            x = F(hinge, x) + hinge.input_matrix @ S[t % len(S)]
        else:
            found.append(z)
    return found


@pytest.mark.parametrize("exhaustive", [True, False])
def test_a_periodic_input_gives_the_cycles_of_the_stroboscopic_map(exhaustive):
    latent = pl.ALRNN([1.6], [[-3.1]], [1.0], [[1.0]], 1)  # a tent that is moved
    total = 0
    for S in ([[0.1], [-0.2]], [[0.3], [0.0], [-0.1]]):
        S = np.array(S)
        p = len(S)
        found = analysis.cycles(latent, 2, inputs=S, exhaustive=exhaustive, tries=150)
        for n in (1, 2):
            expected = sorted(z[0] for z in brute_stroboscopic(latent, S, n))
            ours = sorted(z for c in found if (n * p) % c.period == 0 for z in c.points[::p, 0])
            np.testing.assert_allclose(ours, expected, atol=1e-9)
            total += len(ours)
        for c in found:
            assert c.period % p == 0
            run = pl.generate(latent, c.points[0], c.period + 1, np.resize(S, (c.period + 1, 1)))
            np.testing.assert_allclose(run[:-1], c.points, atol=1e-6)
        if exhaustive:
            assert found.certificates == {1: "complete", 2: "complete"}
    assert total > 6


def test_exponents_and_orbit_of_a_periodic_input_are_those_of_the_driven_map():
    S = np.array([[0.4, 0], [0, 0.1], [1, 1]])
    report = analysis.analyze(DRIVEN, [0.1, 0.1], n_steps=300, max_period=1, inputs=S)
    (cycle,) = [c for c in report.cycles if c.stability == "stable"]
    np.testing.assert_allclose(
        report.spectrum.exponents, np.sort(np.log(np.abs(cycle.multipliers)) / 3)[::-1], atol=1e-6
    )
    assert np.abs(cycle.points[:, None] - report.orbit[-3:]).max(axis=2).min(axis=0).max() < 1e-9


def test_a_continuum_of_a_periodic_input():
    """z' = -z + s is 3 - z after s = 1, 2, 4, so that all come back after two periods; z' = z + s stays over s = 1, -1."""
    turned = analysis.cycles(pl.ALRNN([-1.0], [[0.0]], [0.0], [[1.0]], 0), 2, inputs=[[1.0], [2.0], [4.0]])
    assert [c.points.tolist() for c in turned] == [[[1.5], [-0.5], [2.5]]]
    assert [(c.period, c.dimension) for c in turned.continua] == [(6, 1)]
    assert turned.certificates == {1: "complete", 2: "continuum"}
    shifted = analysis.cycles(pl.ALRNN([1.0], [[0.0]], [0.0], [[1.0]], 0), 2, inputs=[[1.0], [-1.0]])
    (line,) = shifted.continua
    assert line.period == 2
    assert line.points[1, 0] - line.points[0, 0] == pytest.approx(1)
    assert shifted.certificates == {1: "continuum", 2: "continuum"}


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: analysis.cycles(DRIVEN, 1, inputs=[1.0]), r"inputs: got shape \(1,\), expected \(2,\)"),
        (lambda: analysis.cycles(DRIVEN, 1, inputs=np.zeros((0, 2))), r"inputs: got shape \(0, 2\)"),
        (lambda: analysis.cycles(DRIVEN, 1, inputs=[np.nan, 1]), r"inputs: got NaN or inf"),
        (lambda: analysis.cycles(DRIVEN, 1, inputs=1.0), r"inputs: got shape \(\)"),
        (lambda: analysis.cycles(TENT, 1, inputs=[1.0]), r"inputs: got shape \(1,\), but the model has no"),
        (
            lambda: analysis.with_constant_input(TENT, [1.0]),
            r"inputs: got shape \(1,\), but the model has no",
        ),
        (
            lambda: analysis.with_constant_input(DRIVEN, [[1.0, 2.0]]),
            r"inputs: got shape \(1, 2\), expected \(K,\)",
        ),
        (lambda: analysis.slow_points(DRIVEN, inputs=[[1, 2], [3, 4]]), r"inputs: got a period of 2 steps"),
        (
            lambda: analysis.cycles(DRIVEN, 300, inputs=np.random.default_rng(0).random((100, 2))),
            r"inputs: got a period of 100 steps, allowed is 66",
        ),
    ],
)
def test_a_mistake_about_inputs_is_named(call, message):
    with pytest.raises(ValueError, match="^" + message) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def driven_run(tmp_path_factory):
    """A folder that `analyze` takes for a run, with a driven model."""
    run = tmp_path_factory.mktemp("run")
    config = pl.Config.from_dict(
        {"latent_dim": 2, "latent_step": {"name": "ALRNN", "hyperparameters": {"num_relus": 2}}}
    )
    (run / "config.json").write_text(json.dumps(config.to_dict()))
    model = pl.Model(
        pl.ALRNN(*(np.array(a) for a in DRIVEN[:4]), 2),
        pl.init_model(config.to_dict() | {"dtype": "float64"}, 2, 2).observation,
    )
    pl.save_model(run / "model.npz", model, config)
    np.save(run / "test.npy", np.full((5, 2), 0.1))
    return run


def test_analyze_takes_inputs_at_the_shell(driven_run, capsys, tmp_path):
    command = ["analyze", str(driven_run), "--steps", "100", "--max-period", "1", "--seconds", "2"]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["inputs"]["assumed"] == "zero"
    assert main([*command, "--json", "--input=-0.5,1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["inputs"] == {"number": 2, "assumed": "constant", "period": 1, "values": [[-0.5, 1.0]]}
    expected = analysis.fixed_points(DRIVEN, inputs=[-0.5, 1])
    np.testing.assert_allclose([c["points"][0] for c in found["cycles"]], [c.points[0] for c in expected])
    np.save(tmp_path / "S.npy", [[0.4, 0], [0, 0.1], [1, 1]])
    assert main([*command, "--inputs", str(tmp_path / "S.npy")]) == 0
    assert "repeated with a period of 3 steps" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(common, "join_negative"), reason="of the command line itself")
def test_a_negative_input_is_no_option(driven_run, capsys):
    command = [
        "analyze",
        str(driven_run),
        "--steps",
        "100",
        "--max-period",
        "1",
        "--input",
        "-0.5,1",
        "--json",
    ]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["inputs"]["values"] == [[-0.5, 1.0]]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--input", "0.5"], "--input: got shape (1,), expected (2,)"),
        (["--input", "0.5,a"], "--input: got '0.5,a', expected numbers with commas between"),
        (["--input", "nan,1"], "--input: got NaN or inf"),
        (["--input", ""], "--input: got '', expected numbers"),
        (["--input", "1,2", "--inputs", "S.npy"], "--input, --inputs: got both"),
        (["--inputs", "nowhere.npy"], "nowhere.npy: no such file"),
    ],
)
def test_a_mistake_about_inputs_at_the_shell_is_one_line(driven_run, options, message, capsys):
    assert main(["analyze", str(driven_run), "--steps", "100", *options]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


# --- found by readers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "A, W, h, z",
    [
        ([0.5, 0.8], [[0, -1.3], [-0.6, 0]], [0.3, 0.36], [0.6, 0]),
        ([0.4, 0.1], [[1.7, 1.3], [-2, 1.4]], [2.09, -3.8], [-1.9, 0]),
    ],
)
def test_a_fixed_point_on_a_border_is_found_though_its_hinge_input_is_only_zero_to_rounding(A, W, h, z):
    latent = pl.ALRNN(np.array(A), np.array(W, float), np.array(h), np.zeros((2, 0)), 1)
    for found in (analysis.fixed_points(latent), analysis.cycles(latent, 1)):
        assert np.abs(np.array([c.points[0] for c in found]) - z).max(axis=1).min() < 1e-12


def test_a_linear_part_that_is_one_to_rounding_is_no_proof_of_a_bound():
    for A, W, h in (([2.0, 0], [[0, 1], [-1, 0]], [1.0, 0]), ([0.3, 0.4], [[0, 0.7], [0.6, 0]], [1.0, 1])):
        latent = pl.ALRNN(np.array(A), np.array(W, float), np.array(h), np.zeros((2, 0)), 0)
        assert analysis.is_bounded(latent, n_starts=3, n_steps=100).answer != "yes"
        assert analysis.absorbing_box(latent) is None


def test_a_defective_eigenvalue_of_one_requires_no_index():
    latent = pl.ALRNN(
        np.zeros(2), np.array([[1.5, 0.5], [-0.5, 0.5]]), np.array([0.0, 1]), np.zeros((2, 0)), 0
    )
    assert analysis.fixed_points(latent).certificates[1] == "complete"


def test_the_corner_of_all_regions_is_looked_at_once():
    P = 7
    W = 0.1 * np.random.default_rng(0).normal(size=(P, P))
    latent = pl.ALRNN(np.full(P, 0.5), W, np.zeros(P), np.zeros((P, 0)), P)
    assert len(analysis.fixed_points(latent)) == 1
