"""Whether orbits stay bounded, in what box, and which attractor each start reaches."""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from ..basics.checks import as_integer, as_number, as_rng, renamed, warn
from ..basics.records import check_shapes, record
from ..models.base import Hinge, Latent
from .hinge import as_hinge, as_states, orbit


class _Groups(NamedTuple):
    """What is left of the hinges where their growth cancels: functions of one direction each, between two values."""

    low: np.ndarray  # (G, M)
    high: np.ndarray  # (G, M)


def bounded_groups(hinge: Hinge) -> _Groups | None:
    """Hinges by the ray they look along; None where the sum over some ray grows without bound.

    Along a ray, ``sum of b_j phi(s_j x + d_j)`` grows as ``x sum of b_j s_j``. Where that is exactly zero, as for the two
    hinges of a clipped unit, the sum is constant beyond the last kink, and takes its extremes at kinks.
    """
    lengths = np.linalg.norm(hinge.C, axis=1)
    rays: dict[bytes, list[int]] = {}
    for j in np.flatnonzero(lengths > 0):
        # Rows that are equal as numbers; + 0.0 makes one zero of two.
        rays.setdefault((hinge.C[j] + 0.0).tobytes(), []).append(int(j))
    closed = np.flatnonzero(lengths == 0)
    constant = hinge.B[:, closed] @ np.maximum(hinge.d[closed], 0)
    low, high = [constant], [constant]
    for chosen in rays.values():
        b, d = hinge.B[:, chosen], hinge.d[chosen]
        if (b.sum(axis=1) != 0).any():
            return None
        kinks = -d
        values = b @ np.maximum(kinks[None, :] + d[:, None], 0)
        values = np.column_stack([values, np.zeros(len(b))])  # before the first kink
        low.append(values.min(axis=1))
        high.append(values.max(axis=1))
    return _Groups(np.array(low), np.array(high))


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Box:
    """``|z - centre| <= half_width``, component by component; both (M,)."""

    centre: np.ndarray
    half_width: np.ndarray

    def __post_init__(self) -> None:
        check_shapes(self, centre=("M",), half_width=("M",))

    def contains(self, states: ArrayLike, slack: float = 1e-9) -> np.ndarray:
        """Whether each state (..., M) lies in it, but for rounding."""
        room = self.half_width * (1 + slack) + slack
        return (np.abs(np.asarray(states) - self.centre) <= room).all(axis=-1)


@renamed(system="latent")
def absorbing_box(latent: Latent) -> Box | None:
    """A box that the map takes into itself, and that every orbit approaches, where the hinges' growth cancels.

    The hinges' sum then lies between two vectors, c +- r, and with ``rho(|L|) < 1`` the box has the centre
    ``(I - L)^-1 (h + c)`` and the half width ``(I - |L|)^-1 r``.

    Parameters
    ----------
    latent : ClippedShPLRNN or another model or Hinge
        Only a clipped model has hinges whose growth cancels by its form; without inputs.

    Returns
    -------
    Box or None
        None where the hinges grow, or ``rho(|L|) >= 1``.

    Raises
    ------
    TypeError
        Where `latent` is no model.

    References
    ----------
    Hess et al. (2023) [hess2023], proposition on bounded orbits; the box follows component by component.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> latent = pl.ClippedShPLRNN([0.5], [[1.0]], [[1.0]], [0.0], [2.0], np.zeros((1, 0)))
    >>> box = pl.analysis.absorbing_box(latent)  # 0.5 z + something between 0 and 2
    >>> float(box.centre[0]), float(box.half_width[0])
    (2.0, 2.0)
    """
    hinge = as_hinge(latent)
    groups = bounded_groups(hinge)
    absolute = np.abs(hinge.L)
    if groups is None or np.abs(np.linalg.eigvals(absolute)).max(initial=0) >= 1:
        return None
    eye = np.eye(len(hinge.L))
    middle = (groups.low + groups.high).sum(axis=0) / 2
    half = (groups.high - groups.low).sum(axis=0) / 2
    return Box(np.linalg.solve(eye - hinge.L, hinge.h + middle), np.linalg.solve(eye - absolute, half))


@renamed(system="latent")
def absorbing_radius(latent: Latent) -> float | None:
    """``R`` such that the ball of radius R is taken into itself, and every larger one is reached: simple, not sharp.

    ``R = (|h| + |f|) / (1 - |L|)``, where |f| bounds the hinges' sum: for a clipped model the smaller of
    ``|W1| |h2|`` and the norm of the largest absolute value of each component.

    Parameters
    ----------
    latent : ClippedShPLRNN or another model or Hinge
        As for `absorbing_box`.

    Returns
    -------
    float or None
        None where the hinges grow, or the largest singular value of L is not below 1.

    Raises
    ------
    TypeError
        Where `latent` is no model.

    References
    ----------
    Hess et al. (2023) [hess2023].

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> latent = pl.ClippedShPLRNN([0.5], [[1.0]], [[1.0]], [0.0], [2.0], np.zeros((1, 0)))
    >>> pl.analysis.absorbing_radius(latent)
    4.0
    """
    hinge = as_hinge(latent)
    groups = bounded_groups(hinge)
    contraction = float(np.linalg.norm(hinge.L, 2))
    if groups is None or contraction >= 1:
        return None
    bound = float(np.linalg.norm(np.maximum(-groups.low, groups.high).clip(0).sum(axis=0)))
    half = len(hinge.d) // 2
    if (
        half
        and np.array_equal(hinge.B[:, :half], -hinge.B[:, half:])
        and np.array_equal(hinge.C[:half], hinge.C[half:])
    ):
        pairs = float(np.linalg.norm(hinge.B[:, :half], 2) * np.linalg.norm(hinge.d[:half] - hinge.d[half:]))
        bound = min(bound, pairs)
    return (float(np.linalg.norm(hinge.h)) + bound) / (1 - contraction)


class Boundedness(NamedTuple):
    """'yes', 'no' or 'unknown', and why.

    As a condition, 'yes' is true and 'no' is false; 'unknown' is neither, and a ValueError says so.
    """

    answer: Literal["yes", "no", "unknown"]
    reason: str

    def __bool__(self) -> bool:
        if self.answer not in ("yes", "no"):
            raise ValueError(f"whether the map is bounded is {self.answer} ({self.reason}): look at `answer`")
        return self.answer == "yes"


@renamed(system="latent")
def is_bounded(
    latent: Latent,
    *,
    n_starts: int = 200,
    n_steps: int = 20_000,
    seed: int | np.random.Generator = 0,
) -> Boundedness:
    """Whether all orbits stay bounded, as far as it can be told, without inputs.

    'yes' is proven: where the hinges' growth cancels, as in a clipped model, and the linear part contracts (see
    `absorbing_box`). 'no' is shown by an orbit that left the finite numbers. Where neither is found the answer is
    'unknown'.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The map.
    n_starts, n_steps : int, optional
        How many orbits are tried, from normally distributed states, and for how long.
    seed : int or numpy.random.Generator, optional
        Of these states.

    Returns
    -------
    Boundedness
        ``(answer, reason)``.

    Raises
    ------
    TypeError
        Where `latent` is no model.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> latent = pl.ALRNN(A=[1.5], W=[[0.0]], h=[0.0], C=np.zeros((1, 0)), num_relus=0)
    >>> pl.analysis.is_bounded(latent).answer
    'no'
    """
    hinge = as_hinge(latent)
    n_starts, n_steps = as_integer("n_starts", n_starts, 0), as_integer("n_steps", n_steps, 2)
    if bounded_groups(hinge) is not None:
        radius = float(np.abs(np.linalg.eigvals(hinge.L)).max(initial=0))
        if radius < 1:
            return Boundedness(
                "yes",
                f"the hinges' growth cancels, and the linear part contracts (spectral radius {radius:.6g})",
            )
    rng = as_rng(seed)
    for i in range(n_starts):
        z0 = rng.standard_normal(len(hinge.L)) * 10.0 ** rng.uniform(-1, 2)
        with np.errstate(all="ignore"):
            states = orbit(hinge, z0, n_steps)
        if not np.isfinite(states[-1]).all():
            first = int(np.argmin(np.isfinite(states).all(axis=1)))
            return Boundedness(
                "no", f"orbit {i} of {n_starts} random starts left the finite numbers at step {first}"
            )
    return Boundedness("unknown", f"no proof, and none of {n_starts} orbits of {n_steps} steps diverged")


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Basins:
    """Which attractor each start reaches.

    Parameters
    ----------
    labels : ndarray of int, (n_starts,)
        The number of the attractor, by the share of the starts that reach it, the largest first; -1: diverged.
    attractors : list of ndarray, (n, M)
        Points of each: of a fixed point or a cycle each of its points, else a stretch of an orbit.
    periods : list of int
        Of each; 0 where no period was found.
    """

    labels: np.ndarray
    attractors: list[np.ndarray]
    periods: list[int]

    @property
    def shares(self) -> np.ndarray:
        """The part of the starts that reaches each attractor."""
        return np.array([(self.labels == i).mean() for i in range(len(self.attractors))])

    @property
    def n_diverged(self) -> int:
        """How many starts lead out of the finite numbers."""
        return int((self.labels == -1).sum())


@renamed(system="latent")
def basins(
    latent: Latent,
    starts: ArrayLike,
    *,
    transient: int = 10_000,
    n_steps: int = 5000,
    max_period: int = 500,
    tolerance: float = 1e-6,
) -> Basins:
    """Let orbits run from many starts, and sort them by the attractor that they reach.

    Two orbits have the same attractor where they have the same period and, for most of their points, the other's points
    nearby: within `tolerance` of the attractors' extent where there is a period, else within a twentieth.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The map, without inputs.
    starts : array_like, (n_starts, M) or (M,)
        Latent states; a single one is a batch of one.
    transient, n_steps : int, optional
        Steps that are thrown away, and then looked at.
    max_period : int, optional
        The longest period that is looked for.
    tolerance : float, optional
        How well a period must be kept, relative to the extent of all orbits.

    Returns
    -------
    Basins

    Raises
    ------
    ValueError
        Where the shape of `starts` does not fit.

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
    max_period = as_integer("max_period", max_period)
    tolerance = as_number("tolerance", tolerance, above=0)
    states = as_states("starts", starts, hinge)
    ends: list[np.ndarray | None] = []
    for start in states:
        with np.errstate(all="ignore"):
            run = orbit(hinge, start, transient + n_steps)[transient:]
        ends.append(run if np.isfinite(run).all() else None)
    finite = [run for run in ends if run is not None]
    extent = float(np.ptp(np.concatenate([run[-1:] for run in finite]), axis=0).max()) if finite else 1.0
    extent = max(extent, max((float(np.ptp(run, axis=0).max()) for run in finite), default=0.0), 1e-300)
    labels = np.full(len(states), -1)
    attractors: list[np.ndarray] = []
    periods: list[int] = []
    trees: list[cKDTree] = []
    for i, end in enumerate(ends):
        if end is None:
            continue
        run = end
        size = max(extent, float(np.abs(run).max()))
        period = _period(run, max_period, tolerance * size)
        points = run[-period:] if period else run
        near = 10 * tolerance * size if period else 0.05 * extent
        for label, (tree, known) in enumerate(zip(trees, periods)):
            if known == period and np.mean(tree.query(points)[0] <= near) > 0.9:
                labels[i] = label
                break
        else:
            labels[i] = len(attractors)
            attractors.append(points)
            periods.append(period)
            trees.append(cKDTree(points))
    order = np.argsort([-(labels == i).sum() for i in range(len(attractors))], kind="stable")
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    labels[labels >= 0] = rank[labels[labels >= 0]]
    if (labels == -1).any() and not finite:
        warn("basins: every orbit diverged")
    return Basins(labels, [attractors[i] for i in order], [periods[i] for i in order])


def _period(run: np.ndarray, longest: int, near: float) -> int:
    """The period of the end of an orbit, or 0."""
    for p in range(1, min(longest, len(run) // 2) + 1):
        if np.abs(run[-1] - run[-1 - p]).max() <= near and np.abs(run[p:] - run[:-p])[-2 * p :].max() <= near:
            return p
    return 0
