"""Fixed points and cycles followed over a list of models, and the bifurcations between one model and the next.

A cycle's itinerary w fixes it: ``(I - P_w) z = q_w``, which can be solved at any point of the line between two models. It is
followed along that line, until it collides with a border, where the itinerary changes, or a multiplier reaches the unit
circle; both places are found by bisection.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from ..basics.checks import as_integer, renamed
from ..basics.records import record
from ..engine import as_floats, map_arrays
from ..models.base import Hinge, Latent, as_latent, latent_of
from .cycle import Cycle, CycleSet, make_cycle, smallest_rotation
from .hinge import as_hinge, linear_map, maps_of, orbit
from .search import cycles

Key = tuple[int, bytes]

_HALVINGS = 60
_ON_CIRCLE = 1e-6  # how near to 1 the modulus of a multiplier is, where it was found to cross
_OUTSIDE = 1e-12  # a multiplier counts as unstable beyond this: one that stays at modulus 1 never does
_COLLIDES = 1e-7  # of a hinge input's size along the line, below which it is 0 at a border collision
_INFINITE = 1e6  # of its size before, beyond which a cycle has gone to infinity
_STEPS = (1e-12, 1e-9, 1e-6, 1e-3)  # how far from a collision, along the line, an itinerary is tried
_LOOKS, _MORE_LOOKS = (
    16,
    2048,
)  # places between two models where a cycle is looked at; and where two seem to become one
_MOST_CROSSINGS = 1000  # of borders, by one cycle between two models
_MOST_COLLIDING = 4  # hinge inputs that are 0 at once, of which all subsets are tried


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Branch:
    """One fixed point or cycle, from model to model: `cycles[i]` is that of model ``first + i``."""

    first: int
    cycles: tuple[Cycle, ...]

    @property
    def last(self) -> int:
        """The last model that has it."""
        return self.first + len(self.cycles) - 1

    @property
    def period(self) -> int:
        return self.cycles[0].period


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Event:
    """What happens to a branch between model `after` and the next.

    Parameters
    ----------
    after : int
        The model before.
    kind : str
        'appears', 'vanishes', 'changes stability', or 'crosses a border' without a change of stability.
    branch, period : int
        Which of the branches, and its period.
    detail : str
        The stability, or that before and after.
    parameter : float
        Where, in units of the parameters that were given to `follow`, or of the models' numbers; NaN where it was not found.
    bifurcation : str
        'fold (multiplier +1)', 'flip (multiplier -1)', 'centre (complex pair)', or 'border collision' with its outcome:
        '(persistence)', '(change of stability)', '(non-smooth fold)', or '(with period m)' where all points of a cycle
        come to lie on one of period m. 'at infinity' is added where the points go there. Empty where it was not found.
    """

    after: int
    kind: str
    branch: int
    period: int
    detail: str
    parameter: float = math.nan
    bifurcation: str = ""


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Following:
    """What `follow` returns: branches, the events between the models, and the cycles that were found of each model.

    Branches also hold cycles that the search of one model has missed, and that follow from the next one's.
    """

    branches: tuple[Branch, ...]
    events: tuple[Event, ...]
    sets: tuple[CycleSet, ...]

    def __repr__(self) -> str:
        lines = [
            f"<Following: {len(self.branches)} branches over {len(self.sets)} models, {len(self.events)} events>"
        ]
        for e in self.events[:20]:
            lines.append(
                f"{e.parameter:>12.6g}  period {e.period}  branch {e.branch} {e.kind}: {e.detail}; {e.bifurcation}"
            )
        if len(self.events) > 20:
            lines.append(f"and {len(self.events) - 20} more")
        return "\n".join(lines)


@renamed(n="n_models")
def interpolate(first: Latent, last: Latent, n_models: int) -> list[Latent]:
    """Models on a straight line between two of one kind, both ends included.

    Parameters
    ----------
    first, last : NamedTuple
        Latent step models of the same type, shapes and flags, or two `Hinge`.
    n_models : int
        How many, at least 2.

    Returns
    -------
    list
        Of the same type, in float64.

    Raises
    ------
    ValueError
        Where types, shapes or flags differ, or n_models is below 2.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> one, two = (pl.ALRNN([a], [[0.0]], [0.0], np.zeros((1, 0)), 1) for a in (0.0, 1.0))
    >>> [float(model.A[0]) for model in pl.analysis.interpolate(one, two, 3)]
    [0.0, 0.5, 1.0]
    """
    n_models = as_integer("n_models", n_models, 2)
    first, last = latent_of(first), latent_of(last)
    if type(first) is not type(last):
        raise ValueError(f"last: got {type(last).__name__}, expected {type(first).__name__}")
    a, b = ((as_hinge if isinstance(m, Hinge) else as_latent)(m) for m in (first, last))
    for name, x, y in zip(a._fields, a, b):
        same = x.shape == y.shape if isinstance(x, np.ndarray) else x == y
        if not same:
            raise ValueError(f"last.{name}: got {getattr(y, 'shape', y)}, expected {getattr(x, 'shape', x)}")
    double_a, double_b = (map_arrays(lambda array: array.astype(np.float64), m) for m in (a, b))
    return [
        type(a)(
            *((1 - w) * x + w * y if isinstance(x, np.ndarray) else x for x, y in zip(double_a, double_b))
        )
        for w in np.linspace(0, 1, n_models)
    ]


def follow(
    models: Iterable[Latent] | Callable[[float], Latent],
    *,
    parameters: ArrayLike | None = None,
    max_period: int = 1,
    **options: Any,
) -> Following:
    """Find the cycles of each model, and follow each to the next model: where it bifurcates, and how.

    Between two models lies a straight line of hinge forms, or, where a function is given, the models that it makes. Along it a cycle
    is continued exactly. One that crosses a border of its region goes on with another itinerary; it vanishes, or appears,
    where none continues it. Two bifurcations of one cycle between two models that undo each other are not seen, nor is
    what appears and vanishes in between.

    Parameters
    ----------
    models : iterable or callable
        Models, or their latent parts, of one latent dimension: checkpoints of a training, or of `interpolate`. Or a
        function that makes the model of a parameter.
    parameters : array_like, (n_models,), optional
        What the models belong to, of any scale; their numbers 0, 1, 2, ... where none is given. Needed for a function.
    max_period : int, optional
        Of `cycles`.
    **options
        Of `cycles`; the same for each model.

    Returns
    -------
    Following

    Raises
    ------
    ValueError
        Where there is no model, their latent dimensions differ, or the parameters do not fit.

    References
    ----------
    Eisenmann et al. (2023) [eisenmann2023], for the bifurcations in the course of a training; di Bernardo et al. (2008)
    [bernardo2008], for border collisions and their outcomes.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> slopes = (0.5, 0.9, 1.5)
    >>> line = [pl.ALRNN([a], [[-2.0 * a]], [1.0], np.zeros((1, 0)), 1) for a in slopes]  # 1 - a |z|
    >>> found = pl.analysis.follow(line, parameters=slopes)
    >>> [(e.after, e.kind, e.detail) for e in found.events]
    [(1, 'appears', 'repelling'), (1, 'changes stability', 'stable to repelling')]
    >>> [(round(e.parameter, 9), e.bifurcation) for e in found.events]
    [(1.0, 'fold (multiplier +1) at infinity'), (1.0, 'flip (multiplier -1)')]
    """
    hinges, values, make = _family(models, parameters)
    sets = tuple(cycles(hinge, max_period, **options) for hinge in hinges)
    pairs = zip(itertools.pairwise(hinges), itertools.pairwise(values))
    steps = [_Line.between(a, b, p, q, make) for (a, b), (p, q) in pairs]
    known = [{cycle.key(): cycle for cycle in found} for found in sets]
    paths: list[dict[Key, _Path]] = [{} for _ in steps]  # of each model's cycles, up to the next model
    births: list[dict[Key, _Path]] = [{} for _ in steps]  # of those that none leads to, from where they begin
    for i, line in enumerate(steps):
        paths[i] = _paths(line, known[i], known[i + 1])
    for i, line in reversed(list(enumerate(steps))):
        reached = {path.end.key() for path in paths[i].values() if path.end is not None}
        for key, cycle in known[i + 1].items():
            if key in reached:
                continue
            path = _Path([], None)
            if line is not None:
                path = _trace(line.reversed(), cycle).reversed(cycle)
            if line is not None and path.start is not None and path.start.key() in known[i]:
                path = _trace(line.reversed(), cycle, _MORE_LOOKS).reversed(cycle)
                if path.start is not None and path.start.key() in known[i]:
                    name = _ending(line.reversed(), cycle.itinerary, 0.0, 1.0)[0]
                    path = _Path([], None, cycle, 0.0, name)
            if path.start is None or path.start.key() in known[i]:
                births[i][key] = path
            else:  # the search has missed it
                known[i][path.start.key()] = path.start
                paths[i][path.start.key()] = path
    return Following(*_branches_and_events(known, paths, births, values), sets)


def _family(models: Any, parameters: ArrayLike | None) -> tuple[list[Hinge], np.ndarray, Callable | None]:
    """The models as hinge forms, their parameters, and the function that makes them, where there is one."""
    if isinstance(models, (tuple, np.ndarray)) and (
        hasattr(models, "_fields") or isinstance(models, np.ndarray)
    ):
        raise TypeError(f"models: got one {type(models).__name__}, expected a list of models")
    make = models if callable(models) else None
    if make is None and not isinstance(models, Iterable):
        raise TypeError(f"models: got {type(models).__name__}, expected a list of models")
    values = None if parameters is None else as_floats("parameters", parameters, np.float64, ("n_models",))
    if make is not None:
        if values is None:
            raise ValueError(
                "parameters: got None, expected those of the models that the function is to make"
            )
        models = [make(float(value)) for value in values]
    hinges: list[Hinge] = []
    for model in models:
        hinges.append(as_hinge(model))
        M = len(hinges[0].L)
        if len(hinges[-1].L) != M:
            raise ValueError(f"models: got latent dimensions {M} and {len(hinges[-1].L)}, expected one")
    if not hinges:
        raise ValueError("models: got none, expected at least one")
    if values is None:
        values = np.arange(float(len(hinges)))
    if len(values) != len(hinges) or not np.isfinite(values).all():
        raise ValueError(
            f"parameters: got {len(values)}, expected {len(hinges)} finite numbers, one for each model"
        )
    return hinges, values, make


# --- between two models ----------------------------------------------------------------------------


class _Solution(NamedTuple):
    """What satisfies the linear equations of an itinerary, whether or not the map has that itinerary there."""

    points: np.ndarray  # (n, M)
    inputs: np.ndarray  # (n, n_hinges)
    P: np.ndarray  # (M, M) the Jacobian over the period
    sizes: np.ndarray  # (n_hinges,) of the terms that make up the inputs


class _Passage(NamedTuple):
    """A bifurcation at s that a cycle outlives."""

    s: float
    unstable: tuple[int, int]  # multipliers outside the unit circle, before and after
    bifurcation: str


class _Path(NamedTuple):
    """A cycle from one model, or from where it begins, to the next, or to where it ends."""

    passages: list[_Passage]
    start: Cycle | None
    end: Cycle | None = None
    s: float = math.nan  # where it begins or ends
    bifurcation: str = ""
    is_traced: bool = True

    def reversed(self, end: Cycle) -> _Path:
        """The path to this cycle of one from it that was traced backwards."""
        turned = [_Passage(1 - p.s, p.unstable[::-1], p.bifurcation) for p in reversed(self.passages)]
        return _Path(turned, self.end, end, 1 - self.s, self.bifurcation)


class _Line:
    """The maps between two models: at 0 the one, at 1 the other."""

    def __init__(self, hinge_at: Callable[[float], Hinge]):
        self.hinge_at = hinge_at

    @classmethod
    def between(cls, a: Hinge, b: Hinge, p: float, q: float, make: Callable | None) -> _Line | None:
        """That of two hinge forms, or of a function of parameters from p to q; None where the hinges are not the same."""
        if a.d.shape != b.d.shape:
            return None
        if make is not None:
            return cls(lambda s: as_hinge(make(float((1 - s) * p + s * q))))
        return cls(lambda s: Hinge(*((1 - s) * x + s * y for x, y in zip(a, b))))

    def reversed(self) -> _Line:
        return _Line(lambda s: self.hinge_at(1 - s))

    def cycle(self, itinerary: np.ndarray, s: float) -> Cycle | None:
        return make_cycle(maps_of(self.hinge_at(s)), itinerary)

    def solution(self, itinerary: np.ndarray, s: float) -> _Solution | None:
        """None where the equations are singular."""
        hinge = self.hinge_at(s)
        M = len(hinge.h)
        maps = [linear_map(hinge, pattern) for pattern in itinerary]
        P, q = np.eye(M), np.zeros(M)
        with np.errstate(all="ignore"):
            for J, v in maps:
                P, q = J @ P, J @ q + v
            try:
                points = [np.linalg.solve(np.eye(M) - P, q)]
            except np.linalg.LinAlgError:
                return None
            for J, v in maps[:-1]:
                points.append(J @ points[-1] + v)
            z = np.array(points)
            inputs = z @ hinge.C.T + hinge.d
            sizes = (np.abs(z) @ np.abs(hinge.C).T + np.abs(hinge.d)).max(axis=0, initial=0)
        return _Solution(z, inputs, P, sizes) if np.isfinite(z).all() and np.isfinite(P).all() else None

    def is_real(self, itinerary: np.ndarray, s: float) -> bool:
        found = self.near(itinerary, s)
        return found is not None and bool(((found.inputs > 0) == itinerary).all())

    def near(self, itinerary: np.ndarray, s: float) -> _Solution | None:
        """The solution at s, or just before where it is singular at s itself."""
        found = self.solution(itinerary, s)
        return self.solution(itinerary, s - _STEPS[1]) if found is None else found

    def multipliers(self, itinerary: np.ndarray, s: float) -> np.ndarray:
        hinge = self.hinge_at(s)
        P = np.eye(len(hinge.h))
        for pattern in itinerary:
            P = linear_map(hinge, pattern)[0] @ P
        return np.linalg.eigvals(P)

    def n_unstable(self, itinerary: np.ndarray, s: float) -> int:
        return int((np.abs(self.multipliers(itinerary, s)) > 1 + _OUTSIDE).sum())


def _last(holds: Callable[[float], bool], low: float, high: float) -> tuple[float, float]:
    """Two places next to each other, between which something that holds at `low`, and not at `high`, ceases to hold."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low, high


def _crossing(multipliers: np.ndarray) -> str:
    """Which multipliers are on the unit circle."""
    distance = np.abs(np.abs(multipliers) - 1)
    on = multipliers[distance <= max(_ON_CIRCLE, float(distance.min()))]
    real = np.abs(on.imag) <= 1e-5
    names = {"fold (multiplier +1)": real & (on.real > 0), "flip (multiplier -1)": real & (on.real < 0)}
    names["centre (complex pair)"] = ~real
    return " and ".join(name for name, which in names.items() if which.any())


def _trace(line: _Line, cycle: Cycle, looks: int = _LOOKS) -> _Path:
    """Follow a cycle from s = 0 to 1, or to where it ends."""
    passages: list[_Passage] = []
    itinerary, s = cycle.itinerary, 0.0
    for _ in range(_MOST_CROSSINGS):
        # It may come back to where it was real, from infinity for one: looks on the way tell.
        places = np.linspace(s, 1.0, looks + 1)[1:]
        lost = next((x for x in places if not line.is_real(itinerary, x)), None)
        high = 1.0 if lost is None else lost
        end = line.cycle(itinerary, 1.0) if high == 1.0 else None
        # At a border, the cycle of another itinerary can be the same one: then this one ends there.
        if end is not None and (lost is None or np.array_equal(end.itinerary, smallest_rotation(itinerary))):
            passages += _changes(line, itinerary, s, 1.0)
            return _Path(passages, cycle, end)
        low, _ = _last(lambda x, w=itinerary: line.is_real(w, x), s, high)  # type: ignore[misc]
        name, following, after = _ending(line, itinerary, s, low)
        if following is None:
            # At its end a multiplier may be on the unit circle, on either side by rounding.
            passages += _changes(line, itinerary, s, max(s, low - _STEPS[1]))
            end = _limit(line, itinerary, low) if name == "fold (multiplier +1)" else None
            return _Path(passages, cycle, end, low, name)
        passages += _changes(line, itinerary, s, low)
        unstable = line.n_unstable(itinerary, low), line.n_unstable(following, after)
        outcome = "persistence" if unstable[0] == unstable[1] else "change of stability"
        passages.append(_Passage(low, unstable, f"border collision ({outcome})"))
        itinerary, s = following, after
    return _Path(passages, cycle, None, s)


def _changes(line: _Line, itinerary: np.ndarray, s: float, stop: float) -> list[_Passage]:
    """Where a cycle changes stability while it keeps its itinerary."""
    found: list[_Passage] = []
    last = line.n_unstable(itinerary, stop)
    while (now := line.n_unstable(itinerary, s)) != last:
        low, beyond = _last(lambda x, n=now: line.n_unstable(itinerary, x) == n, s, stop)  # type: ignore[misc]
        after = line.n_unstable(itinerary, beyond)
        name = _crossing(line.multipliers(itinerary, low))
        if name.startswith("fold") and _is_far(line, itinerary, s, low):
            name += " at infinity"
        found.append(_Passage(low, (now, after), name))
        s = beyond
    return found


def _is_far(line: _Line, itinerary: np.ndarray, s: float, low: float) -> bool:
    """Whether a cycle goes to infinity on the way from s to `low`: it is much larger there than half way."""
    there, half_way = line.near(itinerary, low), line.near(itinerary, (s + low) / 2)
    if there is None or half_way is None:
        return False
    return bool(np.abs(there.points).max() > _INFINITE * np.abs(half_way.points).max())


def _ending(line: _Line, itinerary: np.ndarray, s: float, low: float) -> tuple[str, np.ndarray | None, float]:
    """Why a cycle that is real from s to `low` is not beyond; the itinerary that continues it, and from where on."""
    here, there = line.solution(itinerary, s), line.near(itinerary, low)
    if there is None:
        return "", None, low
    size, inputs = there.sizes, np.abs(there.inputs)
    for x in (s, 1.0):  # at the collision itself all terms can be 0
        other = line.solution(itinerary, x)
        size = size if other is None else np.maximum(size, other.sizes)
    colliding = np.argwhere(inputs <= _COLLIDES * size)
    singular = bool(np.abs(line.multipliers(itinerary, low) - 1).min() < _ON_CIRCLE)
    far = singular and _is_far(line, itinerary, s, low)
    if far or not len(colliding):
        return ("fold (multiplier +1)" + " at infinity" * far if singular else ""), None, low
    extent = max(float(np.ptp(x.points, axis=0).max()) for x in (here, there) if x is not None)
    n = len(itinerary)
    for m in range(1, n):
        if (
            n % m == 0
            and np.abs(there.points - np.roll(there.points, m, axis=0)).max() <= _ON_CIRCLE * extent
        ):
            return f"border collision (with period {m})", None, low
    for chosen in _subsets(colliding):
        flipped = itinerary.copy()
        flipped[chosen[:, 0], chosen[:, 1]] ^= True
        if any(n % m == 0 and (flipped == np.roll(flipped, m, axis=0)).all() for m in range(1, n)):
            if np.abs(line.multipliers(flipped, low) - 1).min() < _ON_CIRCLE:
                return "flip (multiplier -1)", None, low
            continue
        for step in _STEPS:
            if line.is_real(flipped, low - step):
                return "border collision (non-smooth fold)", None, low
            after = min(low + step, 1.0)
            if line.is_real(flipped, after):
                return "border collision (persistence)", flipped, after
    return "border collision", None, low


def _subsets(colliding: np.ndarray) -> list[np.ndarray]:
    """All that are not empty, the whole first; of many, the whole and the single ones."""
    sizes = range(1, len(colliding)) if len(colliding) <= _MOST_COLLIDING else range(1, 2)
    parts = [np.array(part) for size in sizes for part in itertools.combinations(colliding, size)]
    return [colliding, *parts]


def _limit(line: _Line, itinerary: np.ndarray, low: float) -> Cycle | None:
    """The cycle at s = 1, where the equations of its itinerary are singular but solved by where it has come to; else None."""
    cycle = line.cycle(itinerary, low - 1e-9) if low > 1 - 1e-6 else None
    if cycle is None:
        return None
    image = orbit(line.hinge_at(1.0), cycle.points[0], cycle.period + 1)[-1]
    close = np.abs(image - cycle.points[0]).max() <= 1e-9 * np.abs(cycle.points).max()
    return cycle if close else None


def _paths(line: _Line | None, now: dict[Key, Cycle], after: dict[Key, Cycle]) -> dict[Key, _Path]:
    """What becomes of the cycles of one model at the next; cycles that the search there has missed are added to its."""
    if line is None:  # nothing lies between: by distance
        pairs = _pair(now, list(after.values()))
        return {key: _Path([], cycle, pairs.get(key), is_traced=False) for key, cycle in now.items()}
    found: dict[Key, _Path] = {}
    reached: set[Key] = set()
    for key in sorted(now, key=lambda k: k not in after):  # those that keep their itinerary first
        path = _trace(line, now[key])
        if path.end is not None and path.end.key() in reached:
            path = _trace(line, now[key], _MORE_LOOKS)
        end = path.end
        if end is not None and end.key() in reached:  # two become one at this very model
            path = path._replace(end=None, s=1.0, bifurcation=_ending(line, now[key].itinerary, 0.0, 1.0)[0])
        elif end is not None:
            reached.add(end.key())
            path = path._replace(end=after.setdefault(end.key(), end))
        found[key] = path
    return found


def _branches_and_events(
    known: list[dict[Key, Cycle]],
    paths: list[dict[Key, _Path]],
    births: list[dict[Key, _Path]],
    values: np.ndarray,
) -> tuple[tuple[Branch, ...], tuple[Event, ...]]:
    """Paths put together."""
    members: list[list[Cycle]] = [[cycle] for cycle in known[0].values()]
    firsts = [0] * len(members)
    at = {key: branch for branch, key in enumerate(known[0])}  # the branches of the present model's cycles
    events: list[Event] = []

    def tell(i: int, branch: int, kind: str, detail: str, s: float, bifurcation: str) -> None:
        parameter = float((1 - s) * values[i] + s * values[i + 1])
        events.append(Event(i, kind, branch, members[branch][0].period, detail, parameter, bifurcation))

    def tell_passages(i: int, branch: int, path: _Path) -> None:
        for p in path.passages:
            kind = "crosses a border" if p.unstable[0] == p.unstable[1] else "changes stability"
            tell(
                i, branch, kind, _change(*p.unstable, members[branch][0].points.shape[1]), p.s, p.bifurcation
            )

    for i, (steps, begun) in enumerate(zip(paths, births)):
        later: dict[Key, int] = {}
        for key, branch in at.items():
            path, last, end = steps[key], members[branch][-1], steps[key].end
            tell_passages(i, branch, path)
            if end is None:
                tell(i, branch, "vanishes", last.stability, path.s, path.bifurcation)
                continue
            later[end.key()] = branch
            members[branch].append(end)
            change = f"{last.stability} to {end.stability}"
            if path.passages or last.stability == end.stability:
                continue
            if not path.is_traced:
                tell(i, branch, "changes stability", change, math.nan, "")
            elif end.stability == "non-hyperbolic" and i + 2 == len(known):
                # Elsewhere, what lies beyond tells whether something crosses; here nothing does.
                tell(i, branch, "changes stability", change, 1.0, _crossing(end.multipliers))
            elif last.stability == "non-hyperbolic" and i == firsts[branch]:
                tell(i, branch, "changes stability", change, 0.0, _crossing(last.multipliers))
        for key, cycle in known[i + 1].items():
            if key not in later:
                branch = later[key] = len(members)
                firsts.append(i + 1)
                members.append([cycle])
                tell(i, branch, "appears", cycle.stability, begun[key].s, begun[key].bifurcation)
                tell_passages(i, branch, begun[key])
        at = later
    events.sort(key=lambda e: (e.after, e.kind, e.branch))
    return tuple(Branch(f, tuple(m)) for f, m in zip(firsts, members)), tuple(events)


def _change(before: int, after: int, M: int) -> str:
    """Numbers of unstable multipliers, before and after, in words."""
    names = ["stable" if n == 0 else "repelling" if n == M else "saddle" for n in (before, after)]
    counts = (
        f", {before} to {after} unstable directions" if names == ["saddle"] * 2 and before != after else ""
    )
    return f"{names[0]} to {names[1]}{counts}"


def _pair(old: dict[Key, Cycle], new: list[Cycle]) -> dict[Key, Cycle]:
    """Which new cycle continues which, where nothing lies between two models: the nearest, if it is near."""
    pairs: dict[Key, Cycle] = {}
    everything = [c.points for c in (*old.values(), *new)]
    if not old or not new:
        return pairs
    extent = float(np.ptp(np.concatenate(everything), axis=0).max()) or 1.0
    for period in {c.period for c in new}:
        branches = [b for b, c in old.items() if c.period == period]
        candidates = [c for c in new if c.period == period]
        if not branches:
            continue
        same = np.array([[old[b].key() == c.key() for c in candidates] for b in branches])
        distance = np.array([[_distance(old[b].points, c.points) for c in candidates] for b in branches])
        for row, column in zip(*linear_sum_assignment(np.where(same, 1e-3 * distance, distance))):
            if same[row, column] or distance[row, column] <= 0.5 * extent:
                pairs[branches[row]] = candidates[column]
    return pairs


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """The mean distance of the points of two cycles, in the rotation that fits best."""
    return min(float(np.linalg.norm(a - np.roll(b, k, axis=0), axis=1).mean()) for k in range(len(a)))
