"""Which attractor each start reaches: decided by what a piecewise-linear map proves, not after a fixed transient."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import schur, solve_discrete_lyapunov, solve_sylvester
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..basics.checks import as_integer, as_number, renamed, warn
from ..basics.records import record
from ..models.base import Hinge, Latent
from .cycle import Cycle, make_cycle, smallest_rotation
from .hinge import as_hinge, as_states, linear_map, maps_of, orbit, patterns_of
from .lyapunov import lyapunov_spectrum
from .regions import numbered

DIVERGED, UNSETTLED = -1, -2

_NEUTRAL = (
    1e-9  # a multiplier this near to the unit circle neither attracts nor repels, as far as rounding can tell
)
_DEFECTIVE = 1e7  # condition of eigenvectors beyond which neutral directions are taken to shear
_FIRST_CHUNK, _CHUNK = 64, 1024  # steps between two looks at an orbit, at first and at most
_REPEATED = 100  # symbols that a period must explain, at least
_APART = 3.0  # two sets are two where their points lie further apart than so many times each set's own
_PARTS = 8  # of a stretch, over which an orbit that is said to converge must do so from each to the next
_RESOLUTION = 1e-6  # of their extent, below which two sets are not told apart
_MOST_SETS = 30  # aperiodic sets that are told apart; where there are more, there is one for each start
_GROWTH = 10.0  # an orbit whose tangent vectors grew by e to this power is chaotic


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Basins:
    """Which attractor each start reaches.

    Parameters
    ----------
    labels : ndarray of int, (n_starts,)
        The number of the attractor, by the share of the starts that reach it, the largest first; -1: diverged; -2: not
        settled, within the steps that were allowed.
    attractors : list of ndarray, (n, M)
        Points of each: of a fixed point or a cycle each of its points, of a continuum where each orbit ended, else a
        stretch of an orbit.
    periods : list of int
        Of each; 0 where no period was found.
    kinds : list of str
        'fixed point', 'cycle', 'chaotic', 'quasi-periodic', 'long cycle' (beyond `max_period`), or 'continuum': a family
        of which every start reaches another member, as of a line attractor.
    cycles : list of Cycle or None
        The exact fixed point or cycle that each is; its `key()` is that of the same one in `cycles(latent, ...)`. It is
        unstable where starts lie on it, to the last bit.
    steps : ndarray of int, (n_starts,)
        After how many steps it was known where the orbit belongs.
    """

    labels: np.ndarray
    attractors: list[np.ndarray]
    periods: list[int]
    kinds: list[str] = dataclasses.field(default_factory=list)
    cycles: list[Cycle | None] = dataclasses.field(default_factory=list)
    steps: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))

    def __repr__(self) -> str:
        lines = [f"<Basins: {len(self.attractors)} attractors from {len(self.labels)} starts>"]
        for kind, period, n, share, error in list(
            zip(self.kinds, self.periods, self.counts, self.shares, self.errors)
        )[:20]:
            of = f" of period {period}" if period > 1 else ""
            lines.append(f"{share:8.4f}({error:.4f})  {n:>6} starts  {kind}{of}")
        if len(self.attractors) > 20:
            lines.append(f"and {len(self.attractors) - 20} more")
        for n, name in ((self.n_diverged, "diverged"), (self.n_unsettled, "not settled")):
            if n:
                lines.append(f"{n / len(self.labels):8.4f}          {n:>6} starts  {name}")
        return "\n".join(lines)

    @property
    def counts(self) -> np.ndarray:
        """How many starts reach each attractor."""
        return np.array([(self.labels == i).sum() for i in range(len(self.attractors))], int)

    @property
    def shares(self) -> np.ndarray:
        """The part of all starts that reaches each attractor."""
        return self.counts / len(self.labels)

    @property
    def errors(self) -> np.ndarray:
        """Standard errors of the shares, for starts that were drawn at random: ``sqrt(p (1 - p) / n_starts)``."""
        return np.sqrt(self.shares * (1 - self.shares) / len(self.labels))

    @property
    def n_diverged(self) -> int:
        """How many starts lead out of the finite numbers."""
        return int((self.labels == DIVERGED).sum())

    @property
    def n_unsettled(self) -> int:
        """Of how many starts it is not known where they lead."""
        return int((self.labels == UNSETTLED).sum())


# --- what a cycle's linear map proves --------------------------------------------------------------


class _Trap(NamedTuple):
    """The map over one period of an itinerary, in coordinates y in which it does not lengthen: ``e = to_state y``.

    y falls into the neutral directions, in which the map multiplies by `factors` of modulus 1 (and adds `shift`), and the
    contracting ones. An orbit that is nearer to the cycle, in the norm of y, than the nearest border, never crosses one.
    """

    maps: list[tuple[np.ndarray, np.ndarray]]
    itinerary: np.ndarray
    factors: np.ndarray
    shift: np.ndarray
    rounding: np.ndarray  # what of `shift` rounding can be, per unit of state
    contracting: np.ndarray  # where the contracting coordinates come to
    to_y: np.ndarray
    to_state: np.ndarray
    reach: np.ndarray  # (period, n_hinges) the most a hinge's input changes for |y| = 1

    @property
    def is_neutral(self) -> bool:
        return len(self.factors) > 0

    def cycle_near(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The cycle that an orbit through z belongs to, and where the orbit itself comes to, both (M,); None where it drifts away."""
        y, n = self.to_y @ z, len(self.factors)
        still = np.abs(self.factors - 1) < _NEUTRAL
        size = self.rounding @ np.maximum(np.abs(z), np.abs(self.maps[0][1]))
        if (np.abs(self.shift[still]) > 1e-9 * size[still]).any():
            return None
        centre = y.copy()
        centre[n:] = self.contracting
        centre[:n] = np.where(still, y[:n], self.shift / np.where(still, 1, 1 - self.factors))
        end = np.r_[y[:n], self.contracting]
        return (self.to_state @ centre).real, (self.to_state @ end).real

    def holds(self, hinge: Hinge, z: np.ndarray) -> np.ndarray | None:
        """Where the orbit through z comes to, if it is proven that it keeps the itinerary for ever; else None."""
        found = self.cycle_near(z)
        if found is None:
            return None
        centre, end = found
        y = self.to_y @ (z - centre)
        largest = float(np.abs(y).max()) or 1.0
        length = largest * float(np.linalg.norm(y / largest))
        point = centre
        for (J, v), pattern, reach in zip(self.maps, self.itinerary, self.reach):
            u = hinge.C @ point + hinge.d
            # The border is in reach where the room up to it is less than what the deviation can take.
            if ((u > 0) != pattern).any() or (length * reach > np.abs(u)).any():
                return None
            point = J @ point + v
        return end

    def borders(self, hinge: Hinge, z: np.ndarray) -> np.ndarray:
        """Where a line of cycles through z ends, at a border of its regions: (0 to 2 period, M); none of a wider family."""
        still = np.flatnonzero(np.abs(self.factors - 1) < _NEUTRAL)
        if len(still) != 1 or len(self.factors) != 1:
            return np.zeros((0, len(z)))
        along = self.to_state[:, still[0]]
        along = (along / along[np.argmax(np.abs(along))]).real
        points, directions = [z], [along]
        for J, v in self.maps[:-1]:
            points.append(J @ points[-1] + v)
            directions.append(J @ directions[-1])
        u, change = np.array(points) @ hinge.C.T + hinge.d, np.array(directions) @ hinge.C.T
        with np.errstate(all="ignore"):
            crossings = np.where(change != 0, -u / change, np.nan)
        ends = [crossings[crossings > 0].min(initial=np.inf), crossings[crossings < 0].max(initial=-np.inf)]
        return np.array(
            [p + c * direction for c in ends if np.isfinite(c) for p, direction in zip(points, directions)]
        ).reshape(-1, len(z))


def _trap_of(hinge: Hinge, itinerary: np.ndarray) -> _Trap | None:
    """The trap of an itinerary; None where its map repels, or shears."""
    linear = {pattern.tobytes(): linear_map(hinge, pattern) for pattern in itinerary}
    maps = [linear[pattern.tobytes()] for pattern in itinerary]
    M = len(hinge.h)
    P, q, partial = np.eye(M), np.zeros(M), []
    for J, v in maps:
        partial.append(P)
        P, q = J @ P, J @ q + v
    if not (np.isfinite(P).all() and np.isfinite(q).all()):
        return None
    if (np.abs(np.linalg.eigvals(P)) > 1 + _NEUTRAL).any():
        return None
    # P = basis diag(A, D) basis^-1: A with the neutral multipliers, D with the contracting ones.
    T, Z, n = schur(P, output="complex", sort=lambda x: abs(x) > 1 - _NEUTRAL)
    A, B, D = T[:n, :n], T[:n, n:], T[n:, n:]
    basis = Z.copy()
    if 0 < n < M:
        basis[:, n:] += Z[:, :n] @ solve_sylvester(A, -D, -B)
    factors, V = np.linalg.eig(A) if n else (np.zeros(0), np.zeros((0, 0)))
    if n and np.linalg.cond(V) > _DEFECTIVE:
        return None
    # |R w| does not grow under D: R^H R = 1 + D^H D + D^2H D^2 + ...
    R = np.zeros((0, 0))
    try:
        if n < M:
            R = np.linalg.cholesky(solve_discrete_lyapunov(D.conj().T, np.eye(M - n))).conj().T
        to_state = np.hstack([basis[:, :n] @ V, basis[:, n:] @ np.linalg.inv(R)])
        to_y = np.linalg.inv(to_state)
    except np.linalg.LinAlgError:
        return None
    if np.linalg.norm(to_y @ P @ to_state, 2) > 1 + 1e-7:
        return None  # rounding has the last word
    shift = to_y @ q
    contracting = np.linalg.solve(np.eye(M - n) - R @ D @ np.linalg.inv(R), shift[n:])
    reach = np.array([np.linalg.norm(hinge.C @ G @ to_state, axis=1) for G in partial])
    return _Trap(
        maps, itinerary, factors, shift[:n], np.abs(to_y[:n]), contracting, to_y, to_state, reach * (1 + 1e-9)
    )


# --- one orbit -------------------------------------------------------------------------------------


class _End(NamedTuple):
    """Where an orbit settled: the itinerary of its cycle, where there is one, and points."""

    kind: str  # 'cycle', 'continuum', 'points', 'set', 'diverged' or 'unsettled'
    key: bytes | int | None
    points: np.ndarray
    cycle: Cycle | None
    step: int


class _Settling:
    """Follows orbits one after the other, and remembers what it has learned of the map."""

    def __init__(
        self, hinge: Hinge, transient: int, n_steps: int, max_steps: int, max_period: int, tolerance: float
    ):
        self.hinge, self.maps = hinge, maps_of(hinge)
        self.transient, self.n_steps, self.max_period = transient, n_steps, max_period
        self.max_steps = max(max_steps, transient + 2 * n_steps)
        self.tolerance, self.size = tolerance, 0.0
        self.sets: list[np.ndarray] = []  # of each aperiodic attractor, a stretch of an orbit
        self.left: list[np.ndarray] = []  # stretches of orbits that wandered, and settled in the end
        self._traps: dict[bytes | int | None, tuple[_Trap | None, Cycle | None]] = {}

    def follow(self, start: np.ndarray, compare: bool = True) -> _End:
        """Let an orbit run until it is known where it belongs; or to the end, if it is not to be compared with others before."""
        early, late = self.transient, self.max_steps - self.n_steps
        looked = not compare
        stretches = [_Stretch(t, self.n_steps) for t in (early, (early + late) // 2, late)]
        t, z, n = 0, start, _FIRST_CHUNK
        size = 0.0  # of the orbit: how far it has come from its start
        while t < self.max_steps:
            states = orbit(self.hinge, z, min(n, self.max_steps - t) + 1)
            if not np.isfinite(states[-1]).all():
                lost = int(np.argmin(np.isfinite(states).all(axis=1)))
                return _End("diverged", None, states[:0], None, t + lost)
            for stretch in stretches:
                stretch.take(t, states[:-1])
            t, z, n = t + len(states) - 1, states[-1], min(2 * n, max(_CHUNK, 2 * self.max_period))
            size = max(size, float(np.abs(states - start).max()))
            self.size = max(self.size, size)
            found = self._periodic(states, t, size)
            if found is not None:
                if t > early + self.n_steps and len(self.left) < 20:
                    self.left.append(stretches[0].states)
                return found
            if not looked and t >= early + self.n_steps:
                looked = True
                known = self._known_set(stretches[0].states)
                if known is not None:
                    return _End("set", known, self.sets[known], None, t)
        middle, last = stretches[1].states, stretches[2].states
        if not _is_same_set(middle, last):
            return _End("unsettled", None, last[:0], None, t)
        known = self._known_set(last)
        if known is None and len(self.sets) == _MOST_SETS:
            return _End("rest", None, last[-1:], None, t)
        if known is None:
            known = len(self.sets)
            self.sets.append(last)
        return _End("set", known, self.sets[known], None, t)

    def period_of(self, end: _End) -> int:
        """The period of the members of a neutral family; 0 where they are no cycles."""
        trap, _ = self._traps[end.key]
        if trap is None:
            return 0
        turns = range(1, self.max_period // len(trap.itinerary) + 1)
        turn = next((n for n in turns if (np.abs(trap.factors**n - 1) < n * _NEUTRAL).all()), 0)
        return turn * len(trap.itinerary)

    def borders_of(self, end: _End) -> np.ndarray:
        """Where the family of a neutral end meets borders."""
        trap, _ = self._traps[end.key]
        return np.zeros((0, len(self.hinge.h))) if trap is None else trap.borders(self.hinge, end.points[0])

    def was_left(self, end: _End) -> bool:
        """Whether it is a set that some orbit has wandered in, and left: no attractor."""
        return end.kind == "set" and any(_is_same_set(end.points, states) for states in self.left)

    def _known_set(self, states: np.ndarray) -> int | None:
        return next((i for i, known in enumerate(self.sets) if _is_same_set(known, states)), None)

    def _periodic(self, states: np.ndarray, t: int, size: float) -> _End | None:
        """Whether the end of a stretch of an orbit is proven to stay at, or repeats, a cycle."""
        patterns = patterns_of(self.hinge, states)
        repeats = np.flatnonzero((states[-2 : -2 - self.max_period : -1] == states[-1]).all(axis=1))
        if len(repeats):
            period = int(repeats[0]) + 1
        else:
            period = _period_of(numbered(patterns)[1], self.max_period)
        attracts = True
        if period:
            itinerary = smallest_rotation(patterns[-period:])
            period = len(itinerary)
            first = next(
                r for r in range(period) if np.array_equal(np.roll(patterns[-period:], -r, axis=0), itinerary)
            )
            key = _key(itinerary)
            if key not in self._traps:
                trap = _trap_of(self.hinge, itinerary)
                cycle = None if trap is None or trap.is_neutral else make_cycle(self.maps, itinerary)
                self._traps[key] = trap, cycle
            trap, cycle = self._traps[key]
            end = None if trap is None else trap.holds(self.hinge, states[first - period])
            if trap is not None and end is not None:
                points = end[None] if cycle is None else cycle.points
                return _End("continuum" if trap.is_neutral else "cycle", key, points, cycle, t)
            attracts = trap is not None
        return self._repeated(states, patterns, t, size, attracts)

    def _repeated(
        self, states: np.ndarray, patterns: np.ndarray, t: int, size: float, attracts: bool
    ) -> _End | None:
        """An orbit that repeats itself to the last bit, or that comes to a border, where nothing can be proven."""
        back = np.abs(states[-2 : -2 - self.max_period : -1] - states[-1]).max(axis=1)
        near = np.flatnonzero(back <= (0 if back.min() == 0 else self.tolerance * size))
        if not len(near):
            return None
        period = int(near[0]) + 1
        points = states[-period:]
        room = 10 * self.tolerance * size * np.abs(self.hinge.C).sum(axis=1)
        inputs = points @ self.hinge.C.T + self.hinge.d
        if back[near[0]] > 0:
            no_border = (np.abs(inputs) > room).all()  # then the orbit's own itinerary tells, in time
            if no_border or not attracts or not self._converges(states, period, size):
                return None
        for pattern in (patterns[-period:], inputs > room):
            cycle = make_cycle(self.maps, pattern)
            same = cycle is not None and cycle.period == period
            if cycle is not None and same and _gap(cycle.points, points) <= 10 * self.tolerance * size:
                return _End("cycle", _key(cycle.itinerary), cycle.points, cycle, t)
        return _End("points", None, points, None, t)

    def _converges(self, states: np.ndarray, period: int, size: float) -> bool:
        """Whether the way made in a period shrinks, throughout a stretch of many, so that little is left of it."""
        ways = np.abs(states[period:] - states[:-period]).max(axis=1)
        length = len(ways) // _PARTS
        if length < 2 * period:
            return False
        parts = ways[-_PARTS * length :].reshape(_PARTS, length).max(axis=1)
        rate = (parts[-1] / parts[0]) ** (period / ((_PARTS - 1) * length))
        left = parts[-1] / (1 - rate) if rate < 1 else math.inf
        return bool((np.diff(parts) < 0).all() and left <= self.tolerance * size)


def _gap(points: np.ndarray, others: np.ndarray) -> float:
    """How far the points of one set lie from the nearest of another, at most."""
    return float(cKDTree(others).query(points)[0].max())


class _Stretch:
    """The states of an orbit from one step on, as far as they have come."""

    def __init__(self, first: int, n: int):
        self._first, self._n = first, n
        self._parts: list[np.ndarray] = []

    def take(self, t: int, states: np.ndarray) -> None:
        low, high = max(self._first - t, 0), min(self._first + self._n - t, len(states))
        if low < high:
            self._parts.append(states[low:high].copy())

    @property
    def states(self) -> np.ndarray:
        return np.concatenate(self._parts)


def _key(itinerary: np.ndarray) -> bytes:
    return len(itinerary).to_bytes(4, "big") + np.packbits(itinerary).tobytes()


def _period_of(symbols: np.ndarray, longest: int) -> int:
    """The period that the end of a sequence has kept for two turns, and for a hundred symbols; 0 where there is none."""
    for p in range(1, min(longest, len(symbols) // 2) + 1):
        if symbols[-1] == symbols[-1 - p]:
            window = symbols[-min(max(2 * p, _REPEATED), len(symbols)) :]
            if np.array_equal(window[p:], window[:-p]):
                return p
    return 0


def _is_same_set(A: np.ndarray, B: np.ndarray) -> bool:
    """Whether two stretches of orbits fill one set: to each, the other is about as near as its own second half.

    There is no scale in it: of two circles that a gap of a hundredth parts, points of one lie as near to the other as
    the gap, and much nearer to their own.
    """
    extent = float(np.ptp(np.concatenate([A, B]), axis=0).max()) or 1.0
    A, B = (A - A[0]) / extent, (B - A[0]) / extent
    half = len(A) // 2, len(B) // 2
    trees = cKDTree(A[: half[0]]), cKDTree(B[: half[1]])
    for tree, own, other in ((trees[0], A[half[0] :], B[half[1] :]), (trees[1], B[half[1] :], A[half[0] :])):
        if np.median(tree.query(other)[0]) > max(_APART * np.median(tree.query(own)[0]), _RESOLUTION):
            return False
    return True


# --- all of them -----------------------------------------------------------------------------------


@renamed(system="latent")
def basins(
    latent: Latent,
    starts: ArrayLike,
    *,
    transient: int = 10_000,
    n_steps: int = 5000,
    max_period: int = 500,
    tolerance: float = 1e-6,
    max_steps: int = 200_000,
) -> Basins:
    """Let orbits run from many starts, and sort them by the attractor that they reach.

    An orbit is followed until it is proven to belong to a fixed point or a cycle: its itinerary repeats, the exact cycle
    of that itinerary attracts, or is neutral, and the orbit is so near that it cannot cross a border any more. How slowly it
    then approaches does not matter. On a border, where that cannot be proven, convergence to `tolerance` counts. What
    still wanders after `max_steps` belongs to an aperiodic attractor if a late stretch of it fills the same set as one
    at half time, and has not settled if not; other orbits belong there too as soon as a stretch of theirs fills that set.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The map, without inputs.
    starts : array_like, (n_starts, M) or (M,)
        Latent states; a single one is a batch of one. Their order does not matter.
    transient : int, optional
        Steps after which a wandering orbit is compared with the aperiodic attractors that are known, for the first time.
    n_steps : int, optional
        Points of an aperiodic set: two sets are told apart where a gap between them is some times wider than the distance
        of neighbouring points in half as many.
    max_period : int, optional
        The longest period that is looked for.
    tolerance : float, optional
        How near an orbit must come to a point of a border, in units of the way that it has come.
    max_steps : int, optional
        After so many steps at most an orbit is settled or not; no less than ``transient + 2 n_steps`` are taken.

    Returns
    -------
    Basins
        With counts, shares and their standard errors, and the exact cycle that each attractor is.

    Raises
    ------
    ValueError
        Where the shape of `starts` does not fit, there is none, or one is not finite.

    Warns
    -----
    RuntimeWarning
        Where orbits have not settled, or all diverged.

    References
    ----------
    Datseris and Wagemakers (2022) [datseris2022], for the same question by other means.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> latent = pl.ALRNN(A=[1.5], W=[[-1.0]], h=[0.5], C=np.zeros((1, 0)), num_relus=1)
    >>> found = pl.analysis.basins(latent, [[-2.0], [-0.5], [1.5]])
    >>> found.labels.tolist(), found.attractors[0].round(6).tolist()
    ([-1, 0, 0], [[1.0]])
    """
    hinge = as_hinge(latent)
    transient, n_steps = as_integer("transient", transient, 0), as_integer("n_steps", n_steps, 2)
    max_period, max_steps = as_integer("max_period", max_period), as_integer("max_steps", max_steps)
    tolerance = as_number("tolerance", tolerance, above=0)
    states = as_states("starts", starts, hinge)
    if not len(states) or not np.isfinite(states).all():
        raise ValueError("starts: got NaN, inf or nothing, expected finite states")
    settling = _Settling(hinge, transient, max(n_steps, 4), max_steps, max_period, tolerance)
    # In an order of their own, so that what is found is the same in whatever order they were given.
    order = np.lexsort(states.T[::-1])
    with np.errstate(all="ignore"):
        ends = [settling.follow(states[i]) for i in order]
        for n, i in enumerate(order):  # taken to stay in a set that others have left since
            if settling.was_left(ends[n]) and ends[n].step < settling.max_steps:
                ends[n] = settling.follow(states[i], compare=False)
    groups = _grouped(settling, ends)
    labels, steps = np.full(len(states), UNSETTLED), np.zeros(len(states), int)
    steps[order] = [end.step for end in ends]
    labels[order] = [DIVERGED if end.kind == "diverged" else UNSETTLED for end in ends]
    for label, group in enumerate(groups):
        labels[order[group.members]] = label
    found = Basins(
        labels,
        [group.points for group in groups],
        [group.period for group in groups],
        [group.kind for group in groups],
        [group.cycle for group in groups],
        steps,
    )
    if found.n_diverged == len(states):
        warn("basins: every orbit diverged")
    if found.n_unsettled:
        warn(
            f"basins: {found.n_unsettled} of {len(states)} orbits have not settled after {settling.max_steps} steps "
            "(label -2): more max_steps may tell"
        )
    return found


class _Group(NamedTuple):
    """An attractor, and which orbits end there, by their place in the order that they were followed in."""

    members: list[int]
    kind: str
    period: int
    points: np.ndarray
    cycle: Cycle | None


def _grouped(settling: _Settling, ends: list[_End]) -> list[_Group]:
    """One group an attractor, the largest first; orbits that belong to none are in no group."""
    by_key: dict[tuple[str, bytes | int | None], list[int]] = {}
    near = 10 * settling.tolerance * settling.size
    for i, end in enumerate(ends):
        key = end.key
        if end.kind == "points":  # the first orbit that has the same points
            key = next(
                n
                for n, other in enumerate(ends)
                if other.kind == "points"
                and len(other.points) == len(end.points)
                and _gap(other.points, end.points) <= near
            )
        by_key.setdefault((end.kind, key), []).append(i)
    groups: list[_Group] = []
    circles: list[_Group] = []
    for (kind, _), members in by_key.items():
        end = ends[members[0]]
        if kind in ("cycle", "points"):
            name = "fixed point" if len(end.points) == 1 else "cycle"
            groups.append(_Group(members, name, len(end.points), end.points, end.cycle))
        if kind == "set" and not settling.was_left(end):
            group = _Group(members, _kind_of_set(settling, end.points), 0, end.points, None)
            (circles if group.kind == "quasi-periodic" else groups).append(group)
    rest = by_key.get(("rest", None), [])
    if rest or (len(circles) > 2 and all(len(group.members) == 1 for group in circles)):
        # Each start has a circle of its own.
        members = sorted([*rest, *(i for group in circles for i in group.members)])
        points = np.concatenate([ends[i].points[-1:] for i in members])
        circles = [_Group(members, "continuum", 0, points, None)]
    families = [members for (kind, _), members in by_key.items() if kind == "continuum"]
    for members in _joined(settling, ends, families):
        points = np.concatenate([ends[i].points for i in members])
        circles.append(_Group(members, "continuum", settling.period_of(ends[members[0]]), points, None))
    return sorted(groups + circles, key=lambda g: (-len(g.members), g.members[0]))


def _kind_of_set(settling: _Settling, points: np.ndarray) -> str:
    n = 4 * settling.n_steps
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        largest = lyapunov_spectrum(settling.hinge, points[-1], n, k=1, transient=min(1000, n))
    growth, error = n * float(largest.exponents[0]), n * float(largest.errors[0])
    if growth > max(_GROWTH, 2 * error):
        return "chaotic"
    return "long cycle" if growth < -_GROWTH else "quasi-periodic"


def _joined(settling: _Settling, ends: list[_End], families: list[list[int]]) -> list[list[int]]:
    """Neutral families of one region each, those that touch taken together."""
    borders = [settling.borders_of(ends[members[0]]) for members in families]
    near = 10 * settling.tolerance * settling.size
    graph = np.zeros((len(families), len(families)), bool)
    for a in range(len(families)):
        for b in range(a):
            some = len(borders[a]) and len(borders[b])
            graph[a, b] = bool(some and cKDTree(borders[a]).query(borders[b])[0].min() <= near)
    numbers = connected_components(graph, directed=False)[1]
    return [sorted(i for m, n in zip(families, numbers) if n == number for i in m) for number in set(numbers)]
