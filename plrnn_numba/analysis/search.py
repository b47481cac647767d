"""Fixed points and cycles of piecewise-linear maps: exhaustively where that is possible, else by search.

The true map's itinerary from the solution of a wrong guess is the next guess (SCYFI), see Eisenmann et al. (2023)
[eisenmann2023]. Guesses that were seen before are not followed again; orbits that nearly close give most of the first
guesses.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import as_integer, as_number, check_callable, show
from ..engine import as_floats, check_finite, jit, kernel
from ..models.base import Hinge, Latent
from .cycle import DEGENERATE, FOUND, Collection, CycleMap, CycleSet, new_buffers, solve_for_cycle
from .exhaustive import certify, exhaust
from .hinge import as_hinge, hold_inputs, length_scale, maps_of, orbit, patterns_of, repeated
from .regions import numbered, regions

_VISITED = 2**16  # places of the table of guesses that were seen
_MOST_INNER = 300  # guesses that one leads to, at most
_MOST_STEPS = 20_000  # of a cycle of a driven map
_CLOUD = 20_000  # states that tell which regions there are


_MASK = (1 << 62) - 1


@jit
def _hash(itinerary):
    h = 1469598103934665603
    for t in range(itinerary.shape[0]):
        for k in range(itinerary.shape[1]):
            bit = 2 if itinerary[t, k] else 1
            h = ((h ^ bit) * 1099511628211) & _MASK
        h = ((h ^ (h >> 29)) * 1099511628211) & _MASK
    return h


@jit
def _visit(visited, h):
    """Note a guess; False where it was there. The last entry counts; half full, the table forgets everything."""
    size = len(visited) - 1
    place = h % size
    while visited[place] != 0:
        if visited[place] == h:
            return False
        place = (place + 1) % size
    visited[place] = h
    visited[size] += 1
    if visited[size] > size // 2:
        visited[:] = 0
        visited[place] = h
    return True


@kernel
def _search(maps, guesses, visited, most_inner, found):
    """Follow each guess (R, n, n_hinges) until it is a cycle's itinerary, or degenerate, or was seen before, or leads nowhere."""
    R, n, n_hinges = guesses.shape
    buffers = new_buffers(len(maps.h), n, n_hinges)
    seen = buffers.seen
    for r in range(R):
        found[r] = 0
        guess = guesses[r]
        for _ in range(most_inner):
            if not _visit(visited, _hash(guess)):
                break
            answer = solve_for_cycle(maps, guess, buffers)
            if answer != FOUND or (seen == guess).all():
                found[r] = answer
                break
            guess[:] = seen


class _Guesses:
    """First guesses: stretches of an orbit that nearly close, other stretches, and words of regions that were seen."""

    def __init__(self, hinge: Hinge, inputs: np.ndarray, z0: ArrayLike | None, n_steps: int, seed: int):
        rng = np.random.default_rng([seed, 0])
        M, unit = len(hinge.L), length_scale(hinge, inputs @ hinge.input_matrix.T)
        self._phases = len(inputs)
        starts = [as_floats("z0", z0, np.float64, (M,))] if z0 is not None else []
        for start in starts:
            check_finite("z0", start, may_be_inf=True)
        starts += [rng.standard_normal(M) * scale * unit for scale in (0.1, 1.0, 3.0)]
        runs = []
        for start in starts:
            with np.errstate(all="ignore"):
                run = orbit(hinge, start, n_steps, repeated(inputs, n_steps))
            ok = np.isfinite(run).all(axis=1) & (np.abs(run).max(axis=1) < 1e6 * unit)
            run = run[: int(np.argmin(ok)) if not ok.all() else len(run)]
            if len(run) > 1:
                runs.append(run)
        # Repelling points lie where no orbit goes, and some in small regions: states of every size.
        size = np.abs(np.concatenate(runs)).max() if runs else 3.0 * unit
        cloud = size * rng.standard_normal((_CLOUD, M)) * 10.0 ** rng.uniform(-2, 0.5, (_CLOUD, 1))
        self._states = max(runs, key=len) if runs else cloud
        self._symbols = patterns_of(hinge, self._states)
        everything = np.concatenate([*(patterns_of(hinge, run) for run in runs), patterns_of(hinge, cloud)])
        self._pool, _ = numbered(everything)

    def draw(self, rng: np.random.Generator, n: int, count: int, first: int) -> np.ndarray:
        """Guesses (count, n, n_hinges) number first to first + count of period n."""
        T, n_hinges = len(self._states), self._symbols.shape[1]
        out = np.zeros((count, n, n_hinges), bool)
        closing = self._nearly_closed(n)
        for i in range(count):
            number = first + i
            if 2 * n < T and number % 2 == 0 and number // 2 < len(closing):
                start = closing[number // 2]
                out[i] = self._symbols[start : start + n]
            elif n < T and rng.random() < 0.5:
                start = rng.integers(0, T - n) // self._phases * self._phases
                out[i] = self._symbols[start : start + n]
            else:
                out[i] = self._pool[rng.integers(0, len(self._pool), n)]
        return out

    def _nearly_closed(self, n: int, most: int = 2000) -> np.ndarray:
        """Times t, the nearest returns after n steps first, no two within a few steps of each other."""
        if len(self._states) <= n + 2:
            return np.zeros(0, np.int64)
        distance = np.linalg.norm(self._states[n:] - self._states[:-n], axis=1)
        inner = (distance[1:-1] <= distance[:-2]) & (distance[1:-1] <= distance[2:])
        times = np.flatnonzero(inner) + 1
        times = times[times % self._phases == 0]
        return times[np.argsort(distance[times], kind="stable")][:most]


def fixed_points(latent: Latent, *, seed: int = 0, inputs: ArrayLike | None = None) -> CycleSet:
    """All fixed points of the map: exhaustively where the regions can be listed, else by search.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The map; computed in float64.
    seed : int, optional
        Of a search.
    inputs : array_like, (K,) or (p, K), optional
        As for `cycles`: with a period of p steps they are those of the stroboscopic map, cycles of p steps.

    Returns
    -------
    CycleSet
        Cycles of period 1; `exhausted` has 1 where none is missing; a line of fixed points is one of its `continua`.

    Raises
    ------
    TypeError
        Where `latent` is no model.

    References
    ----------
    Eisenmann et al. (2023) [eisenmann2023] (SCYFI), for the search; docs/analysis.md for the rest.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> tent = pl.ALRNN(A=[2.0], W=[[-4.0]], h=[1.0], C=np.zeros((1, 0)), num_relus=1)  # 1 - 2 |z|
    >>> found = pl.analysis.fixed_points(tent)
    >>> [(round(float(c.points[0, 0]), 6), c.stability) for c in found]
    [(-1.0, 'repelling'), (0.333333, 'repelling')]
    """
    return cycles(latent, 1, seed=seed, inputs=inputs)


def cycles(
    latent: Latent,
    max_period: int,
    z0: ArrayLike | None = None,
    *,
    periods: Iterable[int] | None = None,
    tries: int = 1000,
    patience: int = 200,
    seconds: float | None = None,
    exhaustive: bool = True,
    orbit_steps: int | None = None,
    seed: int = 0,
    n_threads: int = 1,
    resume: CycleSet | None = None,
    progress: Callable[[int, int], Any] | None = None,
    inputs: ArrayLike | None = None,
) -> CycleSet:
    """Find cycles of the map, and say how far they are known to be all.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The map; computed in float64.
    max_period : int
        The longest period.
    z0 : array_like, (M,), optional
        A state near the attractor, from which an orbit gives first guesses.
    periods : iterable of int, optional
        Which periods, in place of all up to `max_period`.
    tries, patience : int, optional
        For each period, how many first guesses are followed, and after how many without a discovery it ends.
    seconds : float, optional
        End the search after so many; the periods take turns. What is found then depends on the machine's speed.
    exhaustive : bool, optional
        Go over all itineraries of those periods where that is possible.
    orbit_steps : int, optional
        Length of the orbits that give first guesses; where none is given, 200 times `max_period`, from 2000 to 20,000.
    seed : int, optional
        The same seed gives the same cycles, for any number of threads.
    n_threads : int, optional
        Periods that are searched side by side.
    resume : CycleSet, optional
        What an earlier call for the same map returned: its cycles are kept, and the search goes on with other guesses.
    progress : callable, optional
        Called with (guesses followed, cycles found) between rounds; a true answer ends the search.
    inputs : array_like, (K,) or (p, K), optional
        What drives the map, in the units of the series it was trained with: values that are held constant, or one period of
        p steps. Then cycles are those of the stroboscopic map, the composition of the p steps: periods, `max_period` too, count
        in its steps, and a cycle has p points for each. None means zero. `CycleSet.held` says what was assumed.

    Returns
    -------
    CycleSet
        Continua of cycles, as of a line attractor, are in its `continua`, and what lies on a border between regions says so.

    Raises
    ------
    ValueError
        Where a number does not fit, or `resume` is of another map; the message names the argument.

    References
    ----------
    Eisenmann et al. (2023) [eisenmann2023] (SCYFI), for the search; docs/analysis.md for the rest.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> tent = pl.ALRNN(A=[2.0], W=[[-4.0]], h=[1.0], C=np.zeros((1, 0)), num_relus=1)
    >>> found = pl.analysis.cycles(tent, 5)
    >>> [len(found.of_period(n)) for n in range(1, 6)]  # 2^n fixed points of the n-th iterate
    [2, 1, 2, 3, 6]
    """
    full, seed = as_hinge(latent), as_integer("seed", seed, 0)
    check_callable("progress", progress)
    max_period, patience = as_integer("max_period", max_period), as_integer("patience", patience)
    tries, n_threads = as_integer("tries", tries, 0), as_integer("n_threads", n_threads)
    wanted = _wanted_periods(max_period, periods)
    hinge, held = hold_inputs(full, inputs)
    phases = len(held)
    if phases > 1 and phases * wanted[-1] > _MOST_STEPS:
        raise ValueError(
            f"inputs: got a period of {phases} steps, allowed is {_MOST_STEPS // wanted[-1]} for cycles of up to "
            f"{wanted[-1]} times that"
        )
    n_steps = min(max(200 * wanted[-1] * phases, 2000), 20_000)
    if orbit_steps is not None:
        n_steps = as_integer("orbit_steps", orbit_steps, 2)
    deadline = math.inf
    if seconds is not None:
        deadline = time.monotonic() + as_number("seconds", seconds, least=0)
    on = CycleMap(maps_of(hinge, held))
    before = _known_cycles(on, resume)
    collection, followed = Collection(on, before), dict(before.tries)
    tried = set(before.exhausted) | {n for n, answer in before.certificates.items() if answer == "continuum"}
    if exhaustive:
        pool = regions(hinge)
        for n in sorted({d for most in wanted for d in range(1, most + 1) if most % d == 0}):
            if n in tried or time.monotonic() >= deadline:
                continue
            if exhaust(on, n * phases, pool, collection):
                tried.add(n)
    left = [n for n in wanted if n not in tried]
    if left and tries:
        searches = [_PeriodSearch(on, n * phases, seed, followed.get(n, 0)) for n in left]
        guesses = _Guesses(hinge, held, z0, max(n_steps, 4 * left[-1] * phases), seed)
        _search_in_turns(searches, guesses, collection, tries, patience, deadline, n_threads, progress)
        followed |= {n: s.followed for n, s in zip(left, searches)}
    found, continua = collection.sorted()
    answers = {n: certify(hinge, n, found, tried, continua, phases) for n in sorted({*wanted, *tried})}
    return CycleSet(
        found,
        frozenset(n for n, (answer, _) in answers.items() if answer == "complete"),
        {n: answers[n][0] for n in wanted},
        followed,
        continua,
        {n: answers[n][1] for n in wanted},
        held if phases > 1 else _constant(full, inputs),
        on.hash,
    )


def _constant(hinge: Hinge, inputs: ArrayLike | None) -> np.ndarray:
    """The inputs that are held, (1, K)."""
    K = hinge.input_matrix.shape[1]
    return np.zeros((1, K)) if inputs is None else np.array(inputs, np.float64).reshape(-1, K)[:1]


def _wanted_periods(max_period: int, periods: Iterable[int] | None) -> list[int]:
    """The periods that are asked for, in order."""
    if periods is None:
        return list(range(1, max_period + 1))
    if isinstance(periods, str) or not isinstance(periods, Iterable):
        raise TypeError(f"periods: got {show(periods)}, expected integers, as range(5, 9)")
    wanted = sorted({as_integer("periods", n) for n in periods})
    if not wanted:
        raise ValueError("periods: got none, expected integers at least 1")
    return wanted


def _known_cycles(on: CycleMap, resume: CycleSet | None) -> CycleSet:
    """What an earlier call has found, or nothing; raise where it is of another map."""
    nothing = CycleSet((), frozenset(), {}, {})
    if resume is None:
        return nothing
    if not isinstance(resume, CycleSet):
        raise TypeError(f"resume: got {type(resume).__name__}, expected CycleSet")
    if resume.map_hash:
        if resume.map_hash != on.hash:
            raise ValueError(
                "resume: got cycles of another map, expected those of this one, with the same inputs"
            )
        return resume
    if not all(on.is_cycle(cycle) for cycle in resume):
        raise ValueError(
            "resume: got cycles of another map, expected those of this one, with the same inputs"
        )
    # Nothing says of what map it was that all were tried.
    return dataclasses.replace(nothing, found=resume.found)


class _PeriodSearch:
    """The search for cycles of one period: its random numbers, what it has visited, and its patience."""

    def __init__(self, on: CycleMap, n: int, seed: int, followed: int):
        self.n, self.followed, self.since = n, followed, 0
        self._maps = on.maps
        self._seed = seed
        self._visited = np.zeros(_VISITED + 1, np.int64)
        self._begun = followed

    def round(self, guesses: _Guesses, count: int) -> list[tuple[np.ndarray, bool]]:
        """Follow so many more guesses; the itineraries that are cycles', and whether each is degenerate."""
        rng = np.random.default_rng([self._seed, self.n, self.followed])
        drawn = guesses.draw(rng, self.n, count, self.followed)
        found = np.zeros(count, np.int64)
        _search(self._maps, drawn, self._visited, _MOST_INNER, found)
        self.followed += count
        return [(drawn[i], bool(found[i] == DEGENERATE)) for i in np.flatnonzero(found)]

    @property
    def tried(self) -> int:
        return self.followed - self._begun


_ROUND = 25


def _search_in_turns(
    searches: list[_PeriodSearch],
    guesses: _Guesses,
    collection: Collection,
    tries: int,
    patience: int,
    deadline: float,
    n_threads: int,
    progress: Callable[[int, int], Any] | None,
) -> None:
    """Rounds over all periods that are not done; cycles are added in the order of periods."""
    waiting = list(searches)
    with ThreadPoolExecutor(n_threads) as executor:
        while waiting and time.monotonic() < deadline:
            for batch in _batched(waiting, 8 * n_threads):
                counts = [min(_ROUND, tries - s.tried) for s in batch]
                for search, count, found in zip(
                    batch, counts, executor.map(lambda s, c: s.round(guesses, c), batch, counts)
                ):
                    new = sum([collection.add(itinerary, degenerate) for itinerary, degenerate in found])
                    search.since = 0 if new else search.since + count
                if time.monotonic() >= deadline:
                    break
            waiting = [s for s in waiting if s.tried < tries and s.since < patience]
            if progress is not None and progress(sum(s.tried for s in searches), len(collection)):
                break


def _batched(items: list, n: int) -> Iterable[list]:
    for i in range(0, len(items), n):
        yield items[i : i + n]
