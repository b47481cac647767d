"""One look at a model: bounds, fixed points and cycles, exponents, regions; for a person and for a program."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import as_integer
from ..basics.records import record
from ..models.base import Latent
from .boundedness import Boundedness, absorbing_box, is_bounded
from .cycle import Cycle, CycleSet, ranges, table_of
from .hinge import as_hinge, orbit
from .lyapunov import LyapunovSpectrum, lyapunov_spectrum
from .regions import BlockEntropies, Symbols, block_entropies, symbols
from .search import cycles


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What `analyze` returns: the parts, each as its own function gives it; None where the orbit diverged."""

    bounded: Boundedness
    cycles: CycleSet
    spectrum: LyapunovSpectrum | None
    orbit: np.ndarray
    symbols: Symbols | None
    entropies: BlockEntropies | None
    in_box: bool | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, in which NaN and infinities are null."""
        plain: dict[str, Any] = {
            "bounded": self.bounded._asdict(),
            "cycles": [_plain_cycle(c) for c in self.cycles],
            "exhausted_periods": sorted(self.cycles.exhausted),
            "certificates": {str(n): answer for n, answer in self.cycles.certificates.items()},
        }
        if self.spectrum is not None:
            plain["lyapunov"] = {
                "exponents": _numbers(self.spectrum.exponents),
                "standard_errors": _numbers(self.spectrum.errors),
                "steps": self.spectrum.n_steps,
                "kaplan_yorke_dimension": _number(self.spectrum.dimension),
            }
        if self.symbols is not None and self.entropies is not None:
            dwell = [float(d.mean()) if len(d) else None for d in self.symbols.dwell_times()]
            plain["regions"] = {
                "visited": len(self.symbols.patterns),
                "share": _numbers(self.symbols.counts / len(self.symbols.sequence)),
                "mean_dwell_time": dwell,
                "entropy_rates_of_runs": _numbers(self.entropies.rates),
            }
        return plain

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [f"bounded       {self.bounded.answer}: {self.bounded.reason}"]
        if self.in_box is not None:
            lines.append(f"absorbing box {'holds the orbit' if self.in_box else 'is not reached yet'}")
        exhausted = sorted(self.cycles.exhausted)
        told = ", ".join(f"{n}: {a}" for n, a in self.cycles.certificates.items() if a != "unknown")
        lines.append(
            f"cycles        {len(self.cycles)} found"
            + (
                f"; every one of period {ranges(exhausted)}"
                if exhausted
                else "; by search, none of whose periods is exhausted"
            )
            + (f"; certificates {told}" if told else "")
        )
        lines += [" " * 14 + line for line in table_of(self.cycles.found)]
        if self.spectrum is None or self.symbols is None or self.entropies is None:
            return "\n".join([*lines, "orbit         diverged: no exponents and no regions"])
        pairs = zip(self.spectrum.exponents, self.spectrum.errors)
        shown = "  ".join(f"{x:.5f}({e:.5f})" for x, e in list(pairs)[:6])
        lines.append(
            f"exponents     {shown}{'  ...' if len(self.spectrum.exponents) > 6 else ''}  (per step, standard errors)"
        )
        lines.append(f"dimension     {self.spectrum.dimension:.4f} (Kaplan-Yorke)")
        share = self.symbols.counts / len(self.symbols.sequence)
        lines.append(
            f"regions       {len(share)} visited; shares "
            + ", ".join(f"{s:.3f}" for s in share[:8])
            + (" ..." if len(share) > 8 else "")
        )
        _, lengths = self.symbols.runs()
        n_words = len(self.entropies.rates)
        if n_words >= 3:
            rate = f"{self.entropies.rates[-1] / lengths.mean():.5f} per step, of the sequence of regions, by words of {n_words}"
        else:
            rate = "the orbit is too short for an estimate from so many regions"
        lines.append(f"entropy       {rate}; mean dwell time {lengths.mean():.1f} steps")
        return "\n".join(lines)


def _number(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(x) for x in values]


def _plain_cycle(c: Cycle) -> dict[str, Any]:
    return {
        "period": c.period,
        "stability": c.stability,
        "unstable_directions": c.n_unstable,
        "focus": c.is_focus,
        "multipliers": [[float(m.real), float(m.imag)] for m in c.multipliers],
        "margin": _number(c.margin),
        "residual": _number(c.residual),
        "points": c.points.tolist() if c.period <= 10 else [c.points[0].tolist()],
        "itinerary": ["".join("01"[int(bit)] for bit in row) for row in c.itinerary],
    }


def analyze(
    latent: Latent,
    z0: ArrayLike,
    *,
    n_steps: int = 100_000,
    max_period: int = 10,
    seconds: float | None = 20.0,
    seed: int = 0,
) -> Report:
    """Everything at once, without inputs: bounds, cycles, exponents, regions.

    They are those of `is_bounded`, `cycles`, `lyapunov_spectrum` and `symbols`.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The map.
    z0 : array_like, (M,)
        A state near the attractor.
    n_steps : int, optional
        Length of the orbit for exponents and regions, after a tenth of it as transient.
    max_period, seconds, seed : optional
        Of `cycles`.

    Returns
    -------
    Report
        ``str(report)`` is for a person, ``report.to_dict()`` for a program.

    Raises
    ------
    ValueError
        Where a shape or a number does not fit.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> tent = pl.ALRNN(A=[1.9], W=[[-3.8]], h=[1.0], C=np.zeros((1, 0)), num_relus=1)  # 1 - 1.9 |z|
    >>> report = pl.analysis.analyze(tent, [0.1], n_steps=2000, max_period=2)
    >>> len(report.symbols.sequence), len(report.cycles), round(float(report.spectrum.exponents[0]), 4)
    (2000, 3, 0.6419)
    """
    hinge = as_hinge(latent)
    n_steps, max_period = as_integer("n_steps", n_steps, 20), as_integer("max_period", max_period)
    transient = n_steps // 10
    with np.errstate(all="ignore"):
        states = orbit(hinge, z0, transient + n_steps)[transient:]
    finite = bool(np.isfinite(states).all())
    box = absorbing_box(hinge)
    near = states[-1] if finite else None
    found = cycles(hinge, max_period, near, seconds=seconds, seed=seed)
    bounded = is_bounded(hinge, n_starts=50, n_steps=5000, seed=seed)
    if not finite:
        return Report(bounded, found, None, states, None, None, None)
    spectrum = lyapunov_spectrum(hinge, states[0], n_steps, transient=min(transient, 1000), seed=seed)
    symbolic = symbols(hinge, states)
    runs, _ = symbolic.runs()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # words that are too many are not told
        entropies = block_entropies(runs if len(runs) > 1 else symbolic.sequence, 10)
    in_box = None if box is None else bool(box.contains(states).all())
    return Report(bounded, found, spectrum, states, symbolic, entropies, in_box)
