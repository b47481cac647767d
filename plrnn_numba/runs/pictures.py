"""Pictures of a run; matplotlib draws (extra `cli`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import PathLike
from ..measures import power_spectra

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    from ..analysis import Cycle, Following, LyapunovSpectrum, Symbols, TransitionGraph

_TRUE, _GENERATED = "#444444", "#d1495b"
_STABILITY = {
    "stable": "#2e6f95",
    "saddle": "#d1495b",
    "repelling": "#edae49",
    "non-hyperbolic": "#444444",
    "non-smooth": "#8d6a9f",
}


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError("pictures need matplotlib: pip install 'plrnn_numba[cli]'") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _few_ticks() -> MaxNLocator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)


def _labels(names: Sequence[str] | None, N: int) -> list[str]:
    """The names of N variables: those of the data's columns, or x1, x2, ..."""
    return [f"x{i + 1}" for i in range(N)] if names is None else [_short(name) for name in names[:N]]


def _short(name: str) -> str:
    """A name that fits beside an axis, and is no formula."""
    name = name.replace("$", r"\$")
    return name if len(name) <= 24 else name[:21] + "..."


def plot_orbits(
    X: np.ndarray, Y: np.ndarray, title: str = "", *, names: Sequence[str] | None = None
) -> Figure:
    """The true orbit X (T, N) and the generated orbit Y (T', N), beside each other on equal axes.

    In three dimensions, or the first three; in two; or, for N = 1, x[t+1] over x[t].
    """
    N = X.shape[1]
    if N == 1:
        X, Y = (np.column_stack([A[:-1, 0], A[1:, 0]]) for A in (X, Y))
    labels = _labels(names, min(N, 3))
    if N == 1:
        one = "x" if names is None else labels[0]
        labels = [f"{one}[t]", f"{one}[t+1]"]
    dimensions = len(labels)
    figure = _figure(10, 5)
    low, high = X[:, :dimensions].min(axis=0), X[:, :dimensions].max(axis=0)
    margin = 0.08 * (high - low)
    for i, (name, A, color) in enumerate((("true", X, _TRUE), ("generated", Y, _GENERATED))):
        kwargs = {"projection": "3d"} if dimensions == 3 else {}
        axes: Any = figure.add_subplot(1, 2, i + 1, **kwargs)
        columns = A[:, :dimensions].T
        style = {"linestyle": "", "marker": ".", "markersize": 1.5} if N == 1 else {"linewidth": 0.5}
        axes.plot(*columns, color=color, **style)
        axes.set(title=name, xlabel=labels[0], ylabel=labels[1])
        axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
        axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
        if dimensions == 3:
            axes.set_zlim(low[2] - margin[2], high[2] + margin[2])
            axes.set_zlabel(labels[2])
            axes.view_init(elev=15, azim=-60)
            axes.set_box_aspect((1, 1, 1), zoom=0.95)
            for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
                axis.set_major_locator(_few_ticks())
    figure.suptitle(title)
    return figure


def plot_series(
    X: np.ndarray,
    Y: np.ndarray,
    dt: float | None = None,
    title: str = "",
    *,
    names: Sequence[str] | None = None,
) -> Figure:
    """The first rows of both orbits over time, from the same start; up to six dimensions."""
    N = min(X.shape[1], 6)
    figure = _figure(10, 1.2 + 1.5 * N)
    rows = figure.subplots(N, 1, sharex=True, squeeze=False)[:, 0]
    time = np.arange(len(X)) * (dt or 1.0)
    labels = _labels(names, N)
    for i, axes in enumerate(rows):
        axes.plot(time, X[:, i], color=_TRUE, linewidth=1, label="true")
        axes.plot(time, Y[:, i], color=_GENERATED, linewidth=1, label="generated")
        axes.set_ylabel(labels[i])
        low, high = X[:, i].min(), X[:, i].max()
        axes.set_ylim(low - 0.3 * (high - low), high + 0.3 * (high - low))
    rows[0].legend(loc="upper right", ncols=2, frameon=False)
    rows[-1].set_xlabel("time step" if dt is None else "time")
    figure.suptitle(title)
    return figure


def plot_spectra(
    X: np.ndarray,
    Y: np.ndarray,
    smoothing: float = 20.0,
    title: str = "",
    *,
    names: Sequence[str] | None = None,
) -> Figure:
    """The power spectra that D_H compares; up to six dimensions."""
    N = min(X.shape[1], 6)
    figure = _figure(10, 1.2 + 1.8 * N)
    rows = figure.subplots(N, 1, sharex=True, squeeze=False)[:, 0]
    frequencies = np.fft.rfftfreq(len(X))
    labels = _labels(names, N)
    p, q = (power_spectra(A, smoothing=smoothing) for A in (X, Y))
    # Far below the peak there is nothing to see but the leakage of a finite window.
    for i, axes in enumerate(rows):
        floor = 1e-4 * p[:, i].max()
        axes.semilogy(frequencies, np.maximum(p[:, i], floor), color=_TRUE, linewidth=1, label="true")
        axes.semilogy(
            frequencies, np.maximum(q[:, i], floor), color=_GENERATED, linewidth=1, label="generated"
        )
        axes.set_ylabel(f"power of {labels[i]}")
    seen = np.flatnonzero((p > 1e-4 * p.max(axis=0)).any(axis=1))
    rows[0].set_xlim(0, frequencies[seen[-1]] * 1.02 or 0.5)
    rows[0].legend(loc="upper right", ncols=2, frameon=False)
    rows[-1].set_xlabel("frequency (per time step)")
    figure.suptitle(title)
    return figure


def plot_training(history: dict[str, np.ndarray], title: str = "") -> Figure:
    """Loss, regularizers and measures over the epochs."""
    figure = _figure(10, 6)
    upper, lower = figure.subplots(2, 1, sharex=True)
    epoch = history["epoch"]
    upper.semilogy(epoch, history["loss"], color=_TRUE, linewidth=1, label="loss")
    for name, style in (("l2", "--"), ("ar", ":"), ("mar", "-."), ("condition", (0, (1, 3)))):
        if np.any(history[name] > 0):
            upper.semilogy(epoch, history[name], style, color=_TRUE, linewidth=1, label=f"{name} penalty")
    upper.set_ylabel("loss")
    upper.legend(frameon=False)
    geometry = "D_stsp" if np.isnan(history["D_mmd"]).all() else "D_mmd"
    evaluated = np.isfinite(history[geometry]) | np.isfinite(history["D_H"])
    for name, color in ((geometry, _GENERATED), ("D_H", "#2e6f95")):
        values = history[name][evaluated]
        lower.semilogy(
            epoch[evaluated],
            np.maximum(values, 1e-6),
            "o-",
            markersize=3,
            linewidth=1,
            color=color,
            label=name,
        )
    lower.set(xlabel="epoch", ylabel="measure on held-out data")
    lower.legend(frameon=False)
    figure.suptitle(title)
    return figure


# --- analysis --------------------------------------------------------------------------------------

_REGIONS = ("#2e6f95", "#d1495b", "#edae49", "#66a182", "#8d6a9f", "#444444", "#00798c", "#b56576")
_OTHER = "#bbbbbb"


def _color(symbol: int) -> str:
    return _REGIONS[symbol] if symbol < len(_REGIONS) else _OTHER


def _region_name(pattern: np.ndarray) -> str:
    return "".join("01"[int(bit)] for bit in pattern) if 0 < len(pattern) <= 12 else ""


def plot_regions(states: np.ndarray, symbols: Symbols, title: str = "") -> Figure:
    """An orbit (T, M) in its first two or three units, each state in the colour of its linear region."""
    figure = _figure(7, 6)
    three = states.shape[1] >= 3
    if states.shape[1] == 1:
        states, sequence = np.column_stack([states[:-1], states[1:]]), symbols.sequence[:-1]
    else:
        sequence = symbols.sequence
    axes: Any = figure.add_subplot(**({"projection": "3d"} if three else {}))
    shown = slice(0, 20_000)
    for symbol in range(min(len(symbols.patterns), len(_REGIONS) + 1)):
        chosen = sequence[shown] == symbol if symbol < len(_REGIONS) else sequence[shown] >= symbol
        points = states[shown][chosen][:, : 3 if three else 2]
        share = float(np.mean(sequence == symbol if symbol < len(_REGIONS) else sequence >= symbol))
        name = _region_name(symbols.patterns[symbol]) if symbol < len(_REGIONS) else "others"
        axes.plot(*points.T, ".", markersize=1.5, color=_color(symbol), label=f"{name} {share:.1%}".strip())
    axes.set(xlabel="z1", ylabel="z2" if symbols.patterns.shape[0] and states.shape[1] > 1 else "z1, next")
    if three:
        axes.set_zlabel("z3")
        axes.view_init(elev=15, azim=-60)
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            axis.set_major_locator(_few_ticks())
    axes.legend(loc="upper left", markerscale=6, frameon=False, fontsize=8)
    figure.suptitle(title)
    return figure


def plot_graph(graph: TransitionGraph, symbols: Symbols, title: str = "", most: int = 16) -> Figure:
    """Which region follows which: nodes on a circle, as large as their share; arrows as dark as their probability."""
    figure = _figure(7, 7)
    axes: Any = figure.add_subplot()
    n = min(len(symbols.patterns), most)
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / max(n, 1)
    place = np.column_stack([np.cos(angle), np.sin(angle)]) * (0.0 if n == 1 else 1.0)
    share = symbols.counts / symbols.counts.sum()
    probabilities = graph.probabilities
    for i in range(n):
        for j in range(n):
            p = float(probabilities[i, j])
            if i != j and p > 0.005:
                axes.annotate(
                    "",
                    place[j],
                    place[i],
                    arrowprops={
                        "arrowstyle": "-|>",
                        "connectionstyle": "arc3,rad=0.18",
                        "shrinkA": 17,
                        "shrinkB": 17,
                        "alpha": 0.25 + 0.75 * p,
                        "linewidth": 0.5 + 3 * p,
                        "color": "#444444",
                    },
                )
                middle = 0.62 * place[j] + 0.38 * place[i]
                across = np.array([place[j][1] - place[i][1], place[i][0] - place[j][0]])
                if p > 0.1:
                    axes.text(*(middle + 0.14 * across), f"{p:.2f}", ha="center", va="center", fontsize=8)
    axes.scatter(
        *place.T, s=400 + 1500 * share[:n], c=[_color(i) for i in range(n)], zorder=3, edgecolor="white"
    )
    for i in range(n):
        name = _region_name(symbols.patterns[i]) or str(i)
        axes.text(
            *(place[i] * 1.28 + (0 if n > 1 else 0.1)),
            f"{name}\n{share[i]:.1%}",
            ha="center",
            va="center",
            fontsize=9,
        )
    axes.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")
    axes.axis("off")
    left = f" ({n} of {len(symbols.patterns)} regions)" if len(symbols.patterns) > n else ""
    figure.suptitle(title + left)
    return figure


def plot_eigenvalues(cycles: Iterable[Cycle], title: str = "") -> Figure:
    """Multipliers of fixed points and cycles against the unit circle; those of a long cycle as roots of its period."""
    figure = _figure(6.5, 6)
    axes: Any = figure.add_subplot()
    circle = np.exp(2j * np.pi * np.linspace(0, 1, 400))
    axes.plot(circle.real, circle.imag, color="#888888", linewidth=1)
    seen = set()
    for cycle in cycles:
        # Per step: |m|^(1/n) at m's own angle, so that cycles of all periods fit into one picture.
        rates = np.abs(cycle.multipliers) ** (1 / cycle.period) * np.exp(1j * np.angle(cycle.multipliers))
        label = cycle.stability if cycle.stability not in seen else None
        seen.add(cycle.stability)
        marker = "o" if cycle.period == 1 else "x"
        axes.plot(
            rates.real, rates.imag, marker, color=_STABILITY[cycle.stability], markersize=5, label=label
        )
    axes.axhline(0, color="#dddddd", linewidth=0.8, zorder=0)
    axes.axvline(0, color="#dddddd", linewidth=0.8, zorder=0)
    axes.set(aspect="equal", xlabel="real part", ylabel="imaginary part")
    if seen:
        axes.legend(frameon=False, loc="upper left", title="o fixed points, x cycles", fontsize=8)
    figure.suptitle(title)
    return figure


def plot_exponents(spectrum: LyapunovSpectrum, title: str = "") -> Figure:
    """The Lyapunov exponents with twice their standard errors."""
    figure = _figure(7, 4)
    axes: Any = figure.add_subplot()
    finite = np.isfinite(spectrum.exponents)
    number = np.arange(1, len(finite) + 1)
    axes.axhline(0, color="#888888", linewidth=1)
    axes.errorbar(
        number[finite],
        spectrum.exponents[finite],
        2 * spectrum.errors[finite],
        fmt="o",
        color=_GENERATED,
        capsize=3,
    )
    axes.set(xlabel="number", ylabel="Lyapunov exponent per step")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_title(f"Kaplan-Yorke dimension {spectrum.dimension:.3f}", fontsize=10)
    figure.suptitle(title)
    return figure


def plot_return_map(
    X: np.ndarray, Y: np.ndarray, title: str = "", *, names: Sequence[str] | None = None
) -> Figure:
    """Successive maxima of one variable, true and generated: the last, as Lorenz drew it."""
    figure = _figure(5.5, 5)
    axes: Any = figure.add_subplot()
    for A, color, name in ((X, _TRUE, "true"), (Y, _GENERATED, "generated")):
        x = A[:, -1]
        top = x[1:-1][(x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:])]
        axes.plot(top[:-1], top[1:], ".", markersize=3, color=color, label=name)
    axes.set(xlabel=f"maximum of {_labels(names, X.shape[1])[-1]}", ylabel="the next")
    axes.legend(frameon=False)
    figure.suptitle(title)
    return figure


def plot_bifurcations(
    following: Following, at: ArrayLike | None = None, label: str = "model", title: str = ""
) -> Figure:
    """Fixed points and cycles over a list of models: the first unit of their points, in the colour of their stability."""
    figure = _figure(9, 5)
    axes: Any = figure.add_subplot()
    x = np.arange(len(following.sets)) if at is None else np.asarray(at)
    seen = set()
    for branch in following.branches:
        for i, cycle in enumerate(branch.cycles):
            name = cycle.stability if cycle.stability not in seen else None
            seen.add(cycle.stability)
            size = 5 if branch.period == 1 else 2.5
            where = np.full(cycle.period, x[branch.first + i], float)
            axes.plot(
                where, cycle.points[:, 0], "o", markersize=size, color=_STABILITY[cycle.stability], label=name
            )
    axes.set(xlabel=label, ylabel="z1 of fixed points (large) and cycles")
    if seen:
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title)
    return figure


def save_figure(figure: Figure, path: PathLike) -> Path:
    """Write a picture; the folder is made where it is missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path
