"""Whether orbits stay bounded, and in what box."""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import as_integer, as_rng, renamed
from ..basics.records import check_shapes, record
from ..models.base import Hinge, Latent
from .hinge import as_hinge, hold_inputs, length_scale, orbit, repeated


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
    if groups is None or not _contracts(absolute):
        return None
    eye = np.eye(len(hinge.L))
    middle = (groups.low + groups.high).sum(axis=0) / 2
    half = (groups.high - groups.low).sum(axis=0) / 2
    return Box(np.linalg.solve(eye - hinge.L, hinge.h + middle), np.linalg.solve(eye - absolute, half))


def _contracts(L: np.ndarray) -> bool:
    """Whether the powers of L vanish, which one small power proves; a spectral radius below 1 by rounding proves nothing."""
    P = L
    for _ in range(30):
        size = np.abs(P).sum(axis=1).max(initial=0.0)
        if size < 0.5:
            return True
        if not size < 1e100:
            return False
        P = P @ P
    return False


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
    inputs: ArrayLike | None = None,
) -> Boundedness:
    """Whether all orbits stay bounded, as far as it can be told.

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
    inputs : array_like, (K,) or (p, K), optional
        Values that are held constant, or one period of p steps; none means zero.

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
    hinge, held = hold_inputs(as_hinge(latent), inputs)
    n_starts, n_steps = as_integer("n_starts", n_starts, 0), as_integer("n_steps", n_steps, 2)
    if bounded_groups(hinge) is not None:
        radius = float(np.abs(np.linalg.eigvals(hinge.L)).max(initial=0))
        if _contracts(hinge.L):
            return Boundedness(
                "yes",
                f"the hinges' growth cancels, and the linear part contracts (spectral radius {radius:.6g})",
            )
    rng, unit = as_rng(seed), length_scale(hinge, held @ hinge.input_matrix.T)
    for i in range(n_starts):
        z0 = unit * rng.standard_normal(len(hinge.L)) * 10.0 ** rng.uniform(-1, 2)
        with np.errstate(all="ignore"):
            states = orbit(hinge, z0, n_steps, repeated(held, n_steps))
        if not np.isfinite(states[-1]).all():
            first = int(np.argmin(np.isfinite(states).all(axis=1)))
            return Boundedness(
                "no", f"orbit {i} of {n_starts} random starts left the finite numbers at step {first}"
            )
    return Boundedness("unknown", f"no proof, and none of {n_starts} orbits of {n_steps} steps diverged")
