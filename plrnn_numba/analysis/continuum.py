"""Continua: affine families of fixed points and cycles, where an itinerary's linear system is singular and consistent.

The points of a cycle of n steps solve ``z_(t+1) - J_t z_t = v_t``, t modulo n: one system of n M equations, whose singular
values are those of the steps, and not of their product. Where it is singular it has no solution, which proves that the
itinerary has no cycle, or an affine family; what the closed regions leave of that is a polyhedron.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from ..basics.records import check_shapes, record
from ..engine import as_floats
from ..models.base import Hinge
from .hinge import length_scale, linear_map

_NEUTRAL = 1e-6  # a multiplier this near to the unit circle is neither stable nor unstable
_ZERO = 1e-12  # a singular value, or what a consistent system leaves over, below this part of the largest counts as zero
_THIN = 1e-8  # a polyhedron whose inner radius is below this part of the map's length has a lower dimension
MOST_EQUATIONS = 600  # n M, up to which the whole system is decomposed
_SHORT = 1e-11  # the same for an interval, which needs no linear program
_MOST_CORNERS = 20_000


def stability_of(multipliers: np.ndarray) -> str:
    """'stable', 'saddle' or 'repelling'; 'non-hyperbolic' where a multiplier is within 1e-6 of the unit circle."""
    moduli = np.abs(multipliers)
    if (np.abs(moduli - 1) < _NEUTRAL).any():
        return "non-hyperbolic"
    return "stable" if (moduli < 1).all() else "repelling" if (moduli > 1).all() else "saddle"


def eigenvalues_of(P: np.ndarray) -> np.ndarray:
    """Eigenvalues, complex, the largest first."""
    values = np.linalg.eigvals(P).astype(complex)
    return values[np.argsort(-np.abs(values), kind="stable")]


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Continuum:
    """An affine family of fixed points, or of cycles, in one closed region, or along one itinerary.

    Its members start at ``points[0] + directions @ t`` for all t (dimension,) with ``normals @ t + offsets >= 0``. One that
    goes on beyond a border is several: one for each region.

    Parameters
    ----------
    points : ndarray, (period, M)
        One member, from within; in the order of time.
    directions : ndarray, (M, dimension)
        Orthonormal: along them the first point can be moved.
    itinerary : ndarray of bool, (period, n_hinges)
        Which hinges are open at each of the points; one that is zero on all members counts as closed.
    multipliers : ndarray of complex, (M - dimension,)
        Eigenvalues of the Jacobian over one period across the family, the largest first; along it they are 1.
    normals, offsets : ndarray, (n_faces, dimension) and (n_faces,)
        The half-spaces that bound the family, normals of length 1, offsets in units of the state; none where it is all of its affine space.
    vertices : ndarray, (n_vertices, M)
        Its corners, as first points; told up to dimension 3.
    bounded : bool
        Whether it ends in every direction.
    on_border : bool
        Whether every member lies on a border between regions; multipliers are then those with that hinge closed.
    residual : float
        The largest difference between a step of the map and the next point.
    """

    points: np.ndarray
    directions: np.ndarray
    itinerary: np.ndarray
    multipliers: np.ndarray
    normals: np.ndarray
    offsets: np.ndarray
    vertices: np.ndarray
    bounded: bool
    on_border: bool
    residual: float

    def __post_init__(self) -> None:
        check_shapes(
            self,
            points=("period", "M"),
            directions=("M", "dimension"),
            itinerary=("period", "n_hinges"),
            normals=("n_faces", "dimension"),
            offsets=("n_faces",),
            vertices=("n_vertices", "M"),
        )

    def __repr__(self) -> str:
        kind = "fixed points" if self.period == 1 else f"cycles of period {self.period}"
        return f"<continuum of {kind}: dimension {self.dimension}, {self.extent}, {self.stability} across>"

    @property
    def period(self) -> int:
        return len(self.points)

    @property
    def dimension(self) -> int:
        return self.directions.shape[1]

    @property
    def stability(self) -> str:
        """Across the family, as of a `Cycle`; 'neutral' where there is nothing across, 'non-smooth' on a border."""
        if self.on_border:
            return "non-smooth"
        return stability_of(self.multipliers) if len(self.multipliers) else "neutral"

    @property
    def ends(self) -> np.ndarray:
        """Of a family of dimension 1, its two ends (2, M); infinite where it does not end."""
        if self.dimension != 1:
            raise ValueError(
                f"ends: this family has dimension {self.dimension}: look at `vertices`, `normals`"
            )
        along = self.directions[:, 0]
        out = np.empty((2, len(along)))
        for row, sign in zip(out, (-1.0, 1.0)):
            faces = sign * self.normals[:, 0] < 0
            if faces.any():
                row[:] = _rounded(
                    self.points[0] + sign * float(self.offsets[faces].min()) * along, self.points
                )
            else:
                row[:] = np.where(along != 0, sign * np.copysign(math.inf, along), self.points[0])
        return out

    @property
    def extent(self) -> str:
        """Where it ends, in words."""
        if self.dimension == 1:
            low, high = ("(" + ", ".join(f"{x:.6g}" for x in end) + ")" for end in self.ends)
            return f"from {low} to {high}"
        corners = f"{len(self.vertices)} corners" if self.dimension <= 3 else "corners not listed"
        return f"{'bounded' if self.bounded else 'unbounded'}, {len(self.normals)} faces, {corners}"

    def contains(self, z: ArrayLike, slack: float = 1e-8) -> bool:
        """Whether a state (M,) is a member's first point, but for rounding."""
        z = as_floats("z", z, np.float64, (len(self.directions),))
        shift = z - self.points[0]
        t = self.directions.T @ shift
        room = slack * float(max(np.abs(z).max(), np.abs(self.points[0]).max(), np.abs(shift).max()))
        off = float(np.abs(shift - self.directions @ t).max())
        return off <= room and bool((self.normals @ t + self.offsets >= -room).all())

    def key(self) -> tuple[int, bytes]:
        """What identifies it: period and itinerary."""
        return self.period, np.packbits(self.itinerary).tobytes()


def _rounded(z: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A state without what is zero but for rounding."""
    return np.where(np.abs(z) <= 1e-14 * max(np.abs(z).max(), np.abs(points).max()), 0.0, z)


class Solution(NamedTuple):
    """All cycles of an itinerary, regions closed: one, of which are the points, or a continuum."""

    points: np.ndarray  # (n, M)
    continuum: Continuum | None
    period: int  # of nearly every one of them


# --- linear programs -------------------------------------------------------------------------------


def _program(cost: np.ndarray, G: np.ndarray, o: np.ndarray, most: float = 1.0) -> np.ndarray | None:
    """x with the smallest ``cost x`` of all with ``G x + o >= 0`` and the last component at most `most`; or None."""
    n = len(cost)
    bounds = [(None, None)] * (n - 1) + [(None, most)]
    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    found = linprog(
        cost, A_ub=-G if len(G) else None, b_ub=o if len(G) else None, bounds=bounds, options=options
    )
    return found.x if found.status == 0 else None


def inner_point(G: np.ndarray, o: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The point of ``G x + o >= 0`` (rows of length 1) furthest from its faces, and its distance, at most 1; None where there is none."""
    k = G.shape[1]
    if not len(G):
        return np.zeros(k), 1.0
    found = _program(np.r_[np.zeros(k), -1.0], np.column_stack([G, -np.ones(len(G))]), o)
    return None if found is None or found[-1] < -_THIN else (found[:-1], float(found[-1]))


def _slack(G: np.ndarray, o: np.ndarray, i: int, sign: float) -> float:
    """The largest (sign 1, at most 1), or smallest (-1), value of ``G[i] x + o[i]`` where the others are at least 0."""
    others = np.arange(len(G)) != i
    k = G.shape[1]
    # The value is a variable of its own, the last: bounded, so that the program is.
    rows = np.column_stack([G[others], np.zeros(others.sum())])
    link = np.r_[G[i], -1.0]
    if sign > 0:
        rows, offsets = np.vstack([rows, link]), np.r_[o[others], o[i]]
        found = _program(np.r_[np.zeros(k), -1.0], rows, offsets)
    else:
        floor = np.r_[np.zeros(k), 1.0]
        rows, offsets = np.vstack([rows, -link, floor]), np.r_[o[others], -o[i], 1.0]
        found = _program(np.r_[np.zeros(k), 1.0], rows, offsets, math.inf)
    return sign if found is None else float(found[-1])


class _Polyhedron(NamedTuple):
    """``G t + o >= 0`` for ``x = start + basis t``; of full dimension in t, about an inner point at t = 0, none redundant."""

    start: np.ndarray  # (k,)
    basis: np.ndarray  # (k, d), orthonormal
    G: np.ndarray  # (n_faces, d)
    o: np.ndarray
    radius: float


def _polyhedron(G: np.ndarray, o: np.ndarray) -> _Polyhedron | None:
    """What ``G x + o >= 0`` is, in the dimension that it has; None where it is empty."""
    k = G.shape[1]
    start, basis = np.zeros(k), np.eye(k)
    while True:
        lengths = np.linalg.norm(G, axis=1)
        flat = lengths <= 1e-9
        if (o[flat] < -_THIN).any():
            return None
        G, o = G[~flat] / lengths[~flat, None], o[~flat] / lengths[~flat]
        d, thin = G.shape[1], _THIN
        if d == 0:
            return _Polyhedron(start, basis, np.zeros((0, 0)), np.zeros(0), 0.0)
        if d == 1:
            G, o = _interval(G, o)
            middle, radius = _middle(G, o)
            thin = _SHORT
            if radius < -thin:
                return None
            inner = np.array([middle])
        else:
            found = inner_point(G, o)
            if found is None:
                return None
            inner, radius = found
        start, o = start + basis @ inner, o + G @ inner
        if radius > thin:
            if d > 1:
                needed = _needed(G, o)
                G, o = G[needed], o[needed]
            return _Polyhedron(start, basis, G, o, radius)
        # Thin: the faces between which there is no room are equations.
        if d == 1:
            equations = np.ones(len(G), bool)
        else:
            near = np.flatnonzero(o <= 100 * _THIN)
            equations = np.zeros(len(G), bool)
            equations[[i for i in near if _slack(G, o, int(i), 1.0) <= 10 * _THIN]] = True
        if not equations.any():
            return None
        _, values, rows = np.linalg.svd(G[equations])
        rank = int((values > 1e-6 * values[0]).sum())
        move = np.linalg.lstsq(G[equations], -o[equations], rcond=1e-6)[0]
        start, o = start + basis @ move, o + G @ move
        inside = rows[rank:].T
        basis = basis @ inside
        G, o = G[~equations] @ inside, o[~equations]


def _interval(G: np.ndarray, o: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two faces, at most, that bound an interval."""
    kept = [
        int(np.flatnonzero(side)[np.argmin(o[side])]) for side in (G[:, 0] > 0, G[:, 0] < 0) if side.any()
    ]
    return G[kept], o[kept]


def _middle(G: np.ndarray, o: np.ndarray) -> tuple[float, float]:
    """A point within an interval of unit rows, and its distance from the ends."""
    if not len(G):
        return 0.0, 1.0
    if len(G) == 1:
        room = 1 + abs(float(o[0]))
        return (0.0, 1.0) if o[0] > 1 else (float(G[0, 0]) * (room - float(o[0])), 1.0)
    low, high = -float(o[0]), float(o[1])
    return (low + high) / 2, (high - low) / 2


def _needed(G: np.ndarray, o: np.ndarray) -> np.ndarray:
    """Which rows bound the polyhedron of the others."""
    _, first = np.unique(np.round(np.column_stack([G, o]), 10), axis=0, return_index=True)
    kept = sorted(int(i) for i in first)
    for i in list(kept):
        if len(kept) > 1 and _slack(G[kept], o[kept], kept.index(i), -1.0) >= -_THIN:
            kept.remove(i)
    return np.array(kept, int)


def _is_bounded(G: np.ndarray) -> bool:
    """Whether no direction stays within ``G t >= 0``."""
    d = G.shape[1]
    for i, sign in itertools.product(range(d), (-1.0, 1.0)):
        cost = np.zeros(d)
        cost[i] = -sign
        found = linprog(
            cost, A_ub=-G if len(G) else None, b_ub=np.zeros(len(G)) if len(G) else None, bounds=[(-1, 1)] * d
        )
        if found.status != 0 or -found.fun > 1e-7:
            return False
    return True


def _corners(G: np.ndarray, o: np.ndarray) -> np.ndarray:
    """The vertices (V, d) of a polyhedron of up to three dimensions; none above, or where there are very many."""
    d = G.shape[1]
    found: list[np.ndarray] = []
    if d > 3 or math.comb(len(G), d) > _MOST_CORNERS:
        return np.zeros((0, d))
    for chosen in itertools.combinations(range(len(G)), d):
        rows = G[list(chosen)]
        if abs(np.linalg.det(rows)) < 1e-9:
            continue
        t = np.linalg.solve(rows, -o[list(chosen)])
        room = 1e-7 * max(1.0, float(np.abs(t).max()))
        if (G @ t + o >= -room).all() and not any(np.abs(t - s).max() <= room for s in found):
            found.append(t)
    return np.array(found).reshape(-1, d)


# --- from an itinerary to all its cycles -----------------------------------------------------------


def kinks(hinge: Hinge) -> np.ndarray:
    """Which hinges the map feels: the others are constant, or go nowhere."""
    return np.any(hinge.B != 0, axis=0) & np.any(hinge.C != 0, axis=1)


def _step(hinge: Hinge, drive: np.ndarray, z: np.ndarray) -> np.ndarray:
    return hinge.L @ z + hinge.B @ np.maximum(hinge.C @ z + hinge.d, 0) + hinge.h + drive


def _least_period(series: np.ndarray, multiple_of: int) -> int:
    """The shortest period of a periodic series (n, ...), among the multiples of a number."""
    n = len(series)
    room = 1e-9 * max(1.0, float(np.abs(series).max()))
    for p in range(multiple_of, n, multiple_of):
        if n % p == 0 and np.abs(series - np.roll(series, -p, axis=0)).max() <= room:
            return p
    return n


def _system(
    hinge: Hinge, drive: np.ndarray, itinerary: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K (nM, nM) and v (nM,) with ``K z = v`` for the points of a cycle, and J (n, M, M)."""
    n, M = len(itinerary), len(hinge.h)
    K, v, J = np.zeros((n * M, n * M)), np.zeros(n * M), np.zeros((n, M, M))
    for t, pattern in enumerate(itinerary):
        J[t], offset = linear_map(hinge, pattern)
        rows, after = slice(t * M, (t + 1) * M), (t + 1) % n
        K[rows, after * M : (after + 1) * M] += np.eye(M)
        K[rows, rows] -= J[t]
        v[rows] = offset + drive[t % len(drive)]
    return K, v, J


def solve_itinerary(hinge: Hinge, drive: np.ndarray, itinerary: np.ndarray) -> Solution | None:
    """All cycles of an itinerary (n, n_hinges), its regions closed, though their system be singular; None where there are none.

    `drive` (p, M) is what is added at each step, in turn; n is a multiple of p.
    """
    n, M = len(itinerary), len(hinge.h)
    if n * M > MOST_EQUATIONS:
        return None
    unit = length_scale(hinge, drive)
    rows = np.linalg.norm(hinge.C, axis=1) * unit
    rows = np.where(rows > 0, rows, np.maximum(np.abs(hinge.d), 1e-300))
    # In units of the map's own length, and hinges whose inputs are distances: so that every tolerance is relative.
    scaled = hinge._replace(
        B=hinge.B * (rows / unit), C=hinge.C * unit / rows[:, None], d=hinge.d / rows, h=hinge.h / unit
    )
    K, v, J = _system(scaled, drive / unit, itinerary)
    left, values, right = np.linalg.svd(K)
    rank = int((values > _ZERO * values[0]).sum())
    over = np.abs(left[:, rank:].T @ v).max(initial=0)
    terms = np.abs(scaled.h).max() + (np.abs(scaled.B) @ np.abs(scaled.d)).max() + np.abs(drive).max() / unit
    if over > _ZERO * len(v) * terms:
        return None
    points = (right[:rank].T @ ((left[:, :rank].T @ v) / values[:rank])).reshape(n, M)
    along = right[rank:].T.reshape(n, M, -1)
    if not along.shape[2]:
        return Solution(points * unit, None, n)
    Q, R = np.linalg.qr(along[0])
    along = along @ np.linalg.inv(R)
    along[0] = Q
    inside = np.where(itinerary, 1.0, -1.0)
    slopes = np.einsum("jm,tmk->tjk", scaled.C, along) * inside[:, :, None]
    values_there = (points @ scaled.C.T + scaled.d) * inside
    k = along.shape[2]
    size = max(1.0, float(np.abs(points).max()))
    room = _polyhedron(slopes.reshape(-1, k), values_there.reshape(-1) / size)
    if room is None:
        return None
    points, along = points + size * (along @ room.start), along @ room.basis
    # Each direction points where its largest component grows.
    signs = np.sign(np.take_along_axis(along[0], np.abs(along[0]).argmax(axis=0)[None], axis=0))[0]
    along, room = along * signs, room._replace(G=room.G * signs)
    if not along.shape[2]:
        return Solution(points * unit, None, n)
    period = _least_period(np.concatenate([points[:, :, None], along], axis=2), len(drive))
    if period < n:
        return Solution(points * unit, None, period)
    if _least_period(points[:, :, None], len(drive)) < n:  # the one that was taken stands for no other
        step = size * room.radius / 2 * np.linspace(1.0, 0.5, along.shape[2])
        step /= math.sqrt(along.shape[2])
        points = points + along @ step
        room = room._replace(o=room.o + room.G @ step / size)
    inputs = points @ scaled.C.T + scaled.d
    border = np.abs(inputs) <= 1e-11 * (np.abs(scaled.d) + np.abs(points).max())
    P = np.eye(M)
    for t in range(n):
        P = J[t] @ P
    across = np.linalg.svd(along[0])[0][:, along.shape[2] :]
    corners = _corners(room.G, room.o)
    member = points * unit
    steps = np.array([_step(hinge, drive[t % len(drive)], z) for t, z in enumerate(member)])
    continuum = Continuum(
        points=member,
        directions=along[0],
        itinerary=(inputs > 0) & ~border,
        multipliers=eigenvalues_of(across.T @ P @ across),
        normals=room.G,
        offsets=room.o * size * unit,
        vertices=member[0] + size * unit * corners @ along[0].T,
        bounded=_is_bounded(room.G),
        on_border=bool((border & kinks(hinge)).any()),
        residual=float(np.abs(steps - np.roll(member, -1, axis=0)).max()),
    )
    return Solution(member, continuum, n)
