"""Slow points: where a map moves a state least, though it be no fixed point.

In each region ``F(z) - z`` is affine, so that its length is convex there: one region, one minimum, by quadratic
programming. It is one of the speed altogether where no adjoining region has a lower one.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import overload

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize, nnls

from ..basics.checks import as_integer, as_number
from ..basics.records import check_shapes, record
from ..models.base import Hinge, Latent
from .continuum import eigenvalues_of, inner_point
from .hinge import as_hinge, as_states, hold_inputs, linear_map, map_length, orbit, patterns_of
from .regions import numbered, regions

_MOST_REGIONS = 256  # all of which are gone through; where there are more, it starts from states
_MOST_BORDERS = 6  # that meet in a point, of which all sides are looked at
_MOST_MOVES = 50  # from region to region
_ROWS = 10


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SlowPoint:
    """A state at which the speed ``|F(z) - z|`` has a local minimum.

    Parameters
    ----------
    point : ndarray, (M,)
        The state. Where the minimum is a whole set, one of it.
    speed : float
        ``|F(z) - z|``, in units of the state per step.
    relative : float
        The speed as a part of `SlowPoints.extent`: its inverse is how many steps that way would take.
    is_fixed_point : bool
        Whether the speed is zero, to rounding.
    pattern : ndarray of bool, (n_hinges,)
        Which hinges are open in the region.
    multipliers : ndarray of complex, (M,)
        Eigenvalues of the Jacobian of the region, the largest first.
    direction : ndarray, (M,)
        In which the speed changes least, of length 1.
    reach : ndarray, (2,)
        How far the point can be moved against and along the direction within its region, while the relative speed is at
        most the tolerance; inf where that has no end, 0 where the point itself is faster. One on a border is told with the
        region in which that is furthest.
    """

    point: np.ndarray
    speed: float
    relative: float
    is_fixed_point: bool
    pattern: np.ndarray
    multipliers: np.ndarray
    direction: np.ndarray
    reach: np.ndarray

    def __post_init__(self) -> None:
        check_shapes(self, point=("M",), multipliers=("M",), direction=("M",), reach=(2,))

    def __repr__(self) -> str:
        kind = "fixed point" if self.is_fixed_point else "slow point"
        low, high = self.reach
        return (
            f"<{kind}: speed {self.speed:.4g}, {self.relative:.3g} of the extent; still slow from {-low:.4g} to {high:.4g} "
            f"along its slowest direction; largest multiplier {abs(self.multipliers[0]):.6g}>"
        )


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SlowPoints:
    """What `slow_points` returns.

    Parameters
    ----------
    found : tuple of SlowPoint
        The slowest first.
    exhaustive : bool
        Whether every region was gone through, so that no local minimum is missing; else they are those that the starts lead to.
    extent : float
        The length that speeds are compared with, in units of the state.
    tolerance : float
        The largest relative speed.
    """

    found: tuple[SlowPoint, ...]
    exhaustive: bool
    extent: float
    tolerance: float

    def __repr__(self) -> str:
        return "\n".join([f"<SlowPoints: {self.summary()}>", *(repr(p)[1:-1] for p in self.found[:_ROWS])])

    def summary(self) -> str:
        """How many, of what, in one line."""
        moving = sum(not p.is_fixed_point for p in self.found)
        rest = len(self.found) - moving
        how = "every region was gone through" if self.exhaustive else "searched, not exhausted"
        return (
            f"{moving}, and {rest} fixed point{'' if rest == 1 else 's'}, slower than {self.tolerance:g} of the extent "
            f"{self.extent:.4g} a step; {how}"
        )

    def __iter__(self) -> Iterator[SlowPoint]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    @overload
    def __getitem__(self, i: int) -> SlowPoint: ...

    @overload
    def __getitem__(self, i: slice) -> tuple[SlowPoint, ...]: ...

    def __getitem__(self, i: int | slice) -> SlowPoint | tuple[SlowPoint, ...]:
        return self.found[i]


class _Speeds:
    """The least speed of each region, found once; in the map's own unit of length."""

    def __init__(self, hinge: Hinge):
        self.unit = map_length(hinge)
        lengths = np.linalg.norm(hinge.C, axis=1)
        self._moving = lengths > 0
        self._lengths = np.where(self._moving, lengths, 1.0)
        self.hinge = hinge
        self._known: dict[bytes, np.ndarray | None] = {}

    def affine(self, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A (M, M) and b (M,), in units, with ``F(z) - z = A z + b``."""
        J, v = linear_map(self.hinge, pattern)
        return J - np.eye(len(v)), v / self.unit

    def distances(self, z: np.ndarray) -> np.ndarray:
        """Of a state from each border, in units, with a sign; infinite for a hinge that has none."""
        u = (self.hinge.C @ z + self.hinge.d / self.unit) / self._lengths
        return np.where(self._moving, u, np.where(self.hinge.d > 0, np.inf, -np.inf))

    def faces(self, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """G and o with ``G z + o >= 0`` in a region, rows of length 1."""
        signs = np.where(pattern, 1.0, -1.0) / self._lengths
        G, o = signs[:, None] * self.hinge.C, signs * self.hinge.d / self.unit
        return G[self._moving], o[self._moving]

    def speed(self, z: np.ndarray) -> float:
        A, b = self.affine(self.distances(z) > 0)
        return float(np.linalg.norm(A @ z + b))

    def slowest(self, pattern: np.ndarray) -> np.ndarray | None:
        """The state of a closed region at which the speed is least; None where the region is empty."""
        key = np.packbits(pattern).tobytes()
        if key not in self._known:
            fixed = ~self._moving & ((self.hinge.d > 0) != pattern)
            self._known[key] = None if fixed.any() else self._solve(pattern)
        return self._known[key]

    def _solve(self, pattern: np.ndarray) -> np.ndarray | None:
        A, b = self.affine(pattern)
        G, o = self.faces(pattern)
        free = np.linalg.lstsq(A, -b, rcond=1e-12)[0]
        if (G @ free + o >= 0).all():
            return free
        found = _nearest(A, b, G, o)
        if found is None:
            inner = inner_point(G, o)
            if inner is None:
                return None
            found = minimize(
                lambda z: 0.5 * float(np.sum((A @ z + b) ** 2)),
                inner[0],
                jac=lambda z: A.T @ (A @ z + b),
                constraints={"type": "ineq", "fun": lambda z: G @ z + o, "jac": lambda z: G},
                method="SLSQP",
                options={"ftol": 1e-16, "maxiter": 200},
            ).x
        # To the last digits: the faces that it lies on as equations.
        size = max(1.0, float(np.abs(found).max()))
        on = np.abs(G @ found + o) <= 1e-6 * size
        if on.any():
            _, values, rows = np.linalg.svd(G[on])
            along = rows[int((values > 1e-9 * values[0]).sum()) :].T
            start = found - np.linalg.lstsq(G[on], G[on] @ found + o[on], rcond=1e-9)[0]
            step = (
                np.linalg.lstsq(A @ along, -(A @ start + b), rcond=1e-12)[0]
                if along.shape[1]
                else np.zeros(0)
            )
            polished = start + along @ step
            if (G @ polished + o >= -1e-9 * size).all():
                found = polished
        return found

    def are_one(self, z: np.ndarray, w: np.ndarray) -> bool:
        """Whether two minima are one, or on a straight line of minima."""
        size = max(1.0, float(np.abs(z).max()))
        if np.abs(z - w).max() <= 1e-7 * size:
            return True
        least = self.speed(z)
        between = (self.speed(z + part * (w - z)) for part in (1.0, 0.5, 0.1, 0.9))
        return all(abs(speed - least) <= 1e-10 * size for speed in between)

    def slower_side(self, z: np.ndarray, pattern: np.ndarray) -> np.ndarray | None:
        """A pattern that meets this one in its slowest state z, and is slower from there on; None where none is.

        Of more than six borders only one is crossed at a time.
        """
        near = np.flatnonzero(np.abs(self.distances(z)) <= 1e-9 * max(1.0, float(np.abs(z).max())))
        if len(near) > _MOST_BORDERS:
            sides = np.array([pattern[near] ^ (near == j) for j in near])
        else:
            sides = np.array(list(itertools.product((False, True), repeat=len(near))), bool)
        for side in sides:
            other = pattern.copy()
            other[near] = side
            A, b = self.affine(other)
            downhill = -A.T @ (A @ z + b)
            walls = (np.where(side, 1.0, -1.0) / self._lengths[near])[:, None] * self.hinge.C[near]
            # The part of it that no wall stops; what stops it is a sum of walls' normals.
            free = nnls(-walls.T, downhill)[1] if len(near) else 0.0
            if free <= 1e-7 * max(float(np.linalg.norm(A)), 1.0) * float(np.linalg.norm(A @ z + b)):
                continue
            w = self.slowest(other)
            if w is not None and self.speed(w) < self.speed(z) * (1 - 1e-9) - 1e-12:
                return other
        return None

    def descend(self, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """A local minimum and its pattern, from region to region; None where the region is empty, or the way does not end."""
        for _ in range(_MOST_MOVES):
            z = self.slowest(pattern)
            if z is None:
                return None
            other = self.slower_side(z, pattern)
            if other is None:
                return z, pattern
            pattern = other
        return None


def _nearest(A: np.ndarray, b: np.ndarray, G: np.ndarray, o: np.ndarray) -> np.ndarray | None:
    """The z with the least ``|A z + b|`` where ``G z + o >= 0``; None where A is singular, or it is not certain that there is one.

    A problem of least distance in ``y = A z + b``, by its dual: Lawson and Hanson's.
    """
    values = np.linalg.svd(A, compute_uv=False)
    if not values[-1] > 1e-8 * values[0]:
        return None
    walls = np.linalg.solve(A.T, G.T)  # G A^-1, transposed
    heights = b @ walls - o
    E = np.vstack([walls, heights])
    f = np.r_[np.zeros(len(b)), 1.0]
    try:
        rest = E @ nnls(E, f)[0] - f
    except RuntimeError:  # it did not converge
        return None
    if not -rest[-1] > 1e-10:
        return None
    return np.linalg.solve(A, rest[:-1] / -rest[-1] - b)


def slow_points(
    latent: Latent,
    *,
    tolerance: float = 0.01,
    extent: float | None = None,
    starts: ArrayLike | None = None,
    n_starts: int = 50,
    seed: int = 0,
    inputs: ArrayLike | None = None,
) -> SlowPoints:
    """States at which the map is slow: local minima of ``|F(z) - z|``, fixed points among them.

    What nearly is a continuum of fixed points, a line attractor of a trained model, is a few slow points: the direction
    and the reach of each say along what line, and how far.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The map; computed in float64.
    tolerance : float, optional
        The largest speed, as a part of the extent a step; ``math.inf`` for every local minimum.
    extent : float, optional
        The length that speeds are compared with, in units of the state, as the standard deviation of an orbit. Where none is given, the
        map's own: the largest component of its bias, or the largest distance of a border from the origin.
    starts : array_like, (n, M), optional
        States in whose regions to begin, beside others, where there are too many regions (above 256) to go through all.
    n_starts, seed : int, optional
        How many others, of orbits and normally distributed states, and of which seed.
    inputs : array_like, (K,), optional
        Values that are held constant; none means zero.

    Returns
    -------
    SlowPoints

    Raises
    ------
    ValueError
        Where a shape or a number does not fit.

    References
    ----------
    Sussillo and Barak (2013) [sussillo2013].

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> drift = pl.ShPLRNN(A=[1.0], W1=[[1.0, 1.0]], W2=[[1.0], [-1.0]], h1=[0.001], h2=[0.0, -1.0], C=np.zeros((1, 0)))
    >>> found = pl.analysis.slow_points(drift)  # z + 0.001 from -1 to 0, faster outside, and nowhere at rest
    >>> [(round(p.speed, 6), p.is_fixed_point, p.reach.round(6).tolist()) for p in found]
    [(0.001, False, [1.0, 0.0])]
    """
    hinge, held = hold_inputs(as_hinge(latent), inputs)
    if len(held) > 1:
        raise ValueError(
            f"inputs: got a period of {len(held)} steps, expected values (K,) that are held constant"
        )
    seed, n_starts = as_integer("seed", seed, 0), as_integer("n_starts", n_starts, 0)
    tolerance = math.inf if tolerance == math.inf else as_number("tolerance", tolerance, above=0)
    speeds = _Speeds(hinge)
    unit = speeds.unit
    extent = unit if extent is None else as_number("extent", extent, above=0)
    given = np.zeros((0, len(hinge.L))) if starts is None else as_states("starts", starts, hinge)
    listed = regions(hinge, limit=_MOST_REGIONS)
    begin = _first_patterns(hinge, unit, given, n_starts, seed) if listed is None else listed
    kept: list[SlowPoint] = []
    for pattern in begin:
        found = speeds.descend(pattern)
        if found is None or speeds.speed(found[0]) * unit > tolerance * extent:
            continue
        point = _slow_point(speeds, *found, tolerance, extent)
        same = [i for i, other in enumerate(kept) if speeds.are_one(point.point / unit, other.point / unit)]
        if not same:
            kept.append(point)
        elif point.reach.sum() > kept[same[0]].reach.sum():
            kept[same[0]] = point
    kept.sort(key=lambda point: point.speed)
    return SlowPoints(tuple(kept), listed is not None, extent, tolerance)


def _first_patterns(hinge: Hinge, unit: float, given: np.ndarray, n_starts: int, seed: int) -> np.ndarray:
    """Of the states that are given, of others, and of where these lead."""
    rng = np.random.default_rng([seed, 1])
    states = unit * rng.standard_normal((n_starts, len(hinge.L))) * 10.0 ** rng.uniform(-1, 1, (n_starts, 1))
    ends = []
    with np.errstate(all="ignore"):
        for z in states[: (n_starts + 1) // 2]:
            ends.append(orbit(hinge, z, 200)[-1])
    every = np.concatenate([given, states[len(ends) :], np.array(ends).reshape(-1, len(hinge.L))])
    return numbered(patterns_of(hinge, every[np.isfinite(every).all(axis=1)]))[0]


def _slow_point(
    speeds: _Speeds, z: np.ndarray, pattern: np.ndarray, tolerance: float, extent: float
) -> SlowPoint:
    A, b = speeds.affine(pattern)
    G, o = speeds.faces(pattern)
    unit, rest = speeds.unit, A @ z + b
    speed = float(np.linalg.norm(rest))
    direction = np.linalg.svd(A)[2][-1]
    direction = direction * np.sign(direction[np.abs(direction).argmax()])
    return SlowPoint(
        point=z * unit,
        speed=speed * unit,
        relative=speed * unit / extent,
        is_fixed_point=speed <= 1e-10 * max(1.0, float(np.abs(z).max())),
        pattern=pattern,
        multipliers=eigenvalues_of(A + np.eye(len(z))),
        direction=direction,
        reach=unit
        * np.array(
            [
                _reach(A @ (s * direction), rest, G @ (s * direction), G @ z + o, tolerance * extent / unit)
                for s in (-1.0, 1.0)
            ]
        ),
    )


def _reach(change: np.ndarray, rest: np.ndarray, slopes: np.ndarray, room: np.ndarray, most: float) -> float:
    """The largest t with ``|rest + t change| <= most`` and ``room + t slopes >= 0``."""
    closing = slopes < -1e-12
    end = float((np.maximum(room[closing], 0) / -slopes[closing]).min(initial=math.inf))
    a, b, c = float(change @ change), float(rest @ change), float(rest @ rest) - most**2
    if c > 0:
        return 0.0
    if a <= 1e-24 or most == math.inf:
        return end
    return min(end, (-b + math.sqrt(max(b * b - a * c, 0.0))) / a)
