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
from .continuum import Continuum
from .cycle import Cycle, CycleSet, lines_of, ranges, table_of, told_inputs
from .hinge import as_hinge, hold_inputs, map_length, orbit, repeated
from .lyapunov import LyapunovSpectrum, lyapunov_spectrum
from .regions import BlockEntropies, Symbols, block_entropies, symbols
from .search import cycles
from .slow import SlowPoint, SlowPoints, slow_points


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
    slow: SlowPoints | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, in which NaN and infinities are null."""
        plain: dict[str, Any] = {
            "inputs": _plain_inputs(self.cycles.held),
            "bounded": self.bounded._asdict(),
            "cycles": [_plain_cycle(c) for c in self.cycles],
            "exhausted_periods": sorted(self.cycles.exhausted),
            "certificates": {str(n): answer for n, answer in self.cycles.certificates.items()},
            "certificate_reasons": {str(n): reason for n, reason in self.cycles.reasons.items()},
            "continua": [_plain_continuum(c) for c in self.cycles.continua],
        }
        if self.slow is not None:
            plain["slow_points"] = {
                "extent": self.slow.extent,
                "tolerance": _number(self.slow.tolerance),
                "exhaustive": self.slow.exhaustive,
                "found": [_plain_slow_point(p) for p in self.slow],
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

    def _reasons(self) -> list[str]:
        """Periods by certificate and reason, in words."""
        periods: dict[tuple[str, str], list[int]] = {}
        for n, answer in self.cycles.certificates.items():
            periods.setdefault((answer, self.cycles.reasons.get(n, "")), []).append(n)
        return [f"{answer} of period {ranges(n)}: {why}" for (answer, why), n in periods.items()]

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [f"bounded       {self.bounded.answer}: {self.bounded.reason}"]
        if self.cycles.held.size:
            lines.insert(0, f"assumed       {told_inputs(self.cycles.held)}")
        if self.in_box is not None:
            lines.append(f"absorbing box {'holds the orbit' if self.in_box else 'is not reached yet'}")
        lines.append(f"cycles        {self.cycles.summary()}")
        found = [*table_of(self.cycles.found), *lines_of(self.cycles.continua)]
        lines += [" " * 14 + line for line in [*found, *self._reasons()]]
        if self.slow is not None:
            lines.append(" " * 14 + f"slow points: {self.slow.summary()}")
            told = [p for p in self.slow if not p.is_fixed_point or p.reach.max() > self.slow.extent]
            lines += [" " * 14 + repr(p)[1:-1] for p in told[:5]]
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
        "on_border": c.on_border,
        "adjoining_multipliers": [[[float(m.real), float(m.imag)] for m in side] for side in c.adjoining],
        "itinerary": _bits(c.itinerary),
    }


def _plain_inputs(held: np.ndarray) -> dict[str, Any]:
    p, K = held.shape
    assumed = "none" if K == 0 else "periodic" if p > 1 else "constant" if held.any() else "zero"
    return {"number": K, "assumed": assumed, "period": p, "values": held.tolist() if K else []}


def _plain_continuum(c: Continuum) -> dict[str, Any]:
    plain = {
        "period": c.period,
        "dimension": c.dimension,
        "stability": c.stability,
        "on_border": c.on_border,
        "bounded": c.bounded,
        "transverse_multipliers": [[float(m.real), float(m.imag)] for m in c.multipliers],
        "directions": c.directions.T.tolist(),
        "points": c.points.tolist() if c.period <= 10 else [c.points[0].tolist()],
        "normals": c.normals.tolist(),
        "offsets": c.offsets.tolist(),
        "vertices": c.vertices.tolist(),
        "residual": _number(c.residual),
        "itinerary": _bits(c.itinerary),
    }
    if c.dimension == 1:
        plain["ends"] = [_numbers(end) if np.isfinite(end).all() else None for end in c.ends]
    return plain


def _plain_slow_point(p: SlowPoint) -> dict[str, Any]:
    return {
        "point": p.point.tolist(),
        "speed": p.speed,
        "relative_speed": p.relative,
        "fixed_point": p.is_fixed_point,
        "multipliers": [[float(m.real), float(m.imag)] for m in p.multipliers],
        "direction": p.direction.tolist(),
        "reach": _numbers(p.reach),
    }


def _bits(itinerary: np.ndarray) -> list[str]:
    return ["".join("01"[int(bit)] for bit in row) for row in itinerary]


def analyze(
    latent: Latent,
    z0: ArrayLike,
    *,
    n_steps: int = 100_000,
    max_period: int = 10,
    seconds: float | None = 20.0,
    seed: int = 0,
    inputs: ArrayLike | None = None,
) -> Report:
    """Everything at once: bounds, cycles, slow points, exponents, regions.

    They are those of `is_bounded`, `cycles`, `slow_points`, `lyapunov_spectrum` and `symbols`.

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
    inputs : array_like, (K,) or (p, K), optional
        As for `cycles`: values that are held constant, or one period of p steps, for which cycles are those of the
        stroboscopic map, and exponents still per step. None means zero; the report says what was assumed.

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
    full = as_hinge(latent)
    n_steps, max_period = as_integer("n_steps", n_steps, 20), as_integer("max_period", max_period)
    hinge, held = hold_inputs(full, inputs)
    transient, phases = n_steps // 10, len(held)
    with np.errstate(all="ignore"):
        states = orbit(hinge, z0, transient + n_steps, repeated(held, transient + n_steps))[transient:]
    finite = bool(np.isfinite(states).all())
    box = absorbing_box(hinge) if phases == 1 else None
    at = (transient + n_steps - 1) // phases * phases - transient  # the last state of the first phase
    near = states[at] if finite else None
    found = cycles(full, max_period, near, seconds=seconds, seed=seed, inputs=inputs)
    bounded = is_bounded(full, n_starts=50, n_steps=5000, seed=seed, inputs=inputs)
    extent = float(np.sqrt(states.var(axis=0).sum())) if finite else 0.0
    slow = None
    if phases == 1:
        moves = extent > 1e-3 * max(map_length(hinge), float(np.abs(states).max())) if finite else False
        slow = slow_points(
            hinge, extent=extent if moves else None, starts=states[-1:] if finite else None, n_starts=20
        )
    if not finite:
        return Report(bounded, found, None, states, None, None, None, slow)
    before = min(transient, 1000)
    drive = repeated(held, before + n_steps, transient) if phases > 1 else None
    spectrum = lyapunov_spectrum(hinge, states[0], n_steps, transient=before, seed=seed, inputs=drive)
    symbolic = symbols(hinge, states)
    runs, _ = symbolic.runs()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # words that are too many are not told
        entropies = block_entropies(runs if len(runs) > 1 else symbolic.sequence, 10)
    in_box = None if box is None else bool(box.contains(states).all())
    return Report(bounded, found, spectrum, states, symbolic, entropies, in_box, slow)
