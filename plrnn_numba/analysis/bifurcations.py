"""Fixed points and cycles followed over a list of models: what appears, what vanishes, what changes stability."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..basics.checks import as_integer, renamed
from ..basics.records import record
from ..engine import map_arrays
from ..models.base import Hinge, Latent, as_latent, latent_of
from .cycle import Cycle, CycleSet
from .hinge import as_hinge
from .search import cycles


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
    """What happens between model `after` and the next: a branch 'appears', 'vanishes', or 'changes stability'."""

    after: int
    kind: str
    branch: int
    period: int
    detail: str


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Following:
    """What `follow` returns: branches, the events between the models, and the cycles of each model."""

    branches: tuple[Branch, ...]
    events: tuple[Event, ...]
    sets: tuple[CycleSet, ...]


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


def follow(models: Iterable[Latent], *, max_period: int = 1, **options: Any) -> Following:
    """Find the cycles of each model, and tell which of one is which of the next.

    Cycles of equal period are paired so that the sum of the distances between their points is least; those of the same
    itinerary come first, and one of another itinerary that moved further than half the extent of all cycles is another.
    A search that is not exhaustive can miss a cycle of one model, which then seems to vanish and to appear again: `sets` says which periods are exhausted.

    Parameters
    ----------
    models : iterable
        Models, or their latent parts, of one latent dimension: checkpoints of a training, or of `interpolate`.
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
        Where there is no model, or their latent dimensions differ.

    References
    ----------
    Eisenmann et al. (2023) [eisenmann2023], for the bifurcations in the course of a training.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> line = [pl.ALRNN([a], [[-2.0 * a]], [1.0], np.zeros((1, 0)), 1) for a in (0.5, 0.9, 1.5)]  # 1 - a |z|
    >>> found = pl.analysis.follow(line)
    >>> [(e.after, e.kind, e.detail) for e in found.events]
    [(1, 'appears', 'repelling'), (1, 'changes stability', 'stable to repelling')]
    """
    if isinstance(models, (tuple, np.ndarray)) and (
        hasattr(models, "_fields") or isinstance(models, np.ndarray)
    ):
        raise TypeError(f"models: got one {type(models).__name__}, expected a list of models")
    if not isinstance(models, Iterable):
        raise TypeError(f"models: got {type(models).__name__}, expected a list of models")
    sets: list[CycleSet] = []
    M = None
    for model in models:
        hinge = as_hinge(model)
        if M is not None and len(hinge.L) != M:
            raise ValueError(f"models: got latent dimensions {M} and {len(hinge.L)}, expected one")
        M = len(hinge.L)
        sets.append(cycles(hinge, max_period, **options))
    if not sets:
        raise ValueError("models: got none, expected at least one")
    open_branches: dict[int, list[Cycle]] = {}
    done: dict[int, Branch] = {}
    firsts: dict[int, int] = {}
    events: list[Event] = []
    for i, found in enumerate(sets):
        pairs = _pair({b: c[-1] for b, c in open_branches.items()}, list(found))
        for branch in [b for b in open_branches if b not in pairs]:
            members = open_branches.pop(branch)
            done[branch] = Branch(firsts[branch], tuple(members))
            events.append(Event(i - 1, "vanishes", branch, members[-1].period, members[-1].stability))
        taken = set()
        for branch, cycle in pairs.items():
            taken.add(cycle.key())
            before = open_branches[branch][-1].stability
            if cycle.stability != before:
                change = f"{before} to {cycle.stability}"
                events.append(Event(i - 1, "changes stability", branch, cycle.period, change))
            open_branches[branch].append(cycle)
        for cycle in found:
            if cycle.key() not in taken:
                branch = len(firsts)
                firsts[branch] = i
                open_branches[branch] = [cycle]
                if i > 0:
                    events.append(Event(i - 1, "appears", branch, cycle.period, cycle.stability))
    for branch, members in open_branches.items():
        done[branch] = Branch(firsts[branch], tuple(members))
    events.sort(key=lambda e: (e.after, e.kind, e.branch))
    return Following(tuple(done[b] for b in sorted(done)), tuple(events), tuple(sets))


def _pair(old: dict[int, Cycle], new: list[Cycle]) -> dict[int, Cycle]:
    """Which new cycle continues which branch."""
    pairs: dict[int, Cycle] = {}
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
