"""Pictures of a run; matplotlib draws (extra `cli`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .measures import power_spectra

_TRUE, _GENERATED = "#444444", "#d1495b"


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError("pictures need matplotlib: pip install 'plrnn_numba[cli]'") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)


def plot_orbits(X: np.ndarray, Y: np.ndarray, title: str = "") -> Any:
    """The true orbit X (T, N) and the generated orbit Y (T', N), beside each other on equal axes.

    In three dimensions, or the first three; in two; or, for N = 1, x[t+1] over x[t].
    """
    N = X.shape[1]
    if N == 1:
        X, Y = (np.column_stack([A[:-1, 0], A[1:, 0]]) for A in (X, Y))
    labels = ["x[t]", "x[t+1]"] if N == 1 else [f"x{i + 1}" for i in range(min(N, 3))]
    dimensions = len(labels)
    figure = _figure(10, 5)
    low, high = X[:, :dimensions].min(axis=0), X[:, :dimensions].max(axis=0)
    margin = 0.08 * (high - low)
    for i, (name, A, color) in enumerate((("true", X, _TRUE), ("generated", Y, _GENERATED))):
        kwargs = {"projection": "3d"} if dimensions == 3 else {}
        axes = figure.add_subplot(1, 2, i + 1, **kwargs)
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


def plot_series(X: np.ndarray, Y: np.ndarray, dt: float | None = None, title: str = "") -> Any:
    """The first rows of both orbits over time, from the same start; up to six dimensions."""
    N = min(X.shape[1], 6)
    figure = _figure(10, 1.2 + 1.5 * N)
    rows = figure.subplots(N, 1, sharex=True, squeeze=False)[:, 0]
    time = np.arange(len(X)) * (dt or 1.0)
    for i, axes in enumerate(rows):
        axes.plot(time, X[:, i], color=_TRUE, linewidth=1, label="true")
        axes.plot(time, Y[:, i], color=_GENERATED, linewidth=1, label="generated")
        axes.set_ylabel(f"x{i + 1}")
        low, high = X[:, i].min(), X[:, i].max()
        axes.set_ylim(low - 0.3 * (high - low), high + 0.3 * (high - low))
    rows[0].legend(loc="upper right", ncols=2, frameon=False)
    rows[-1].set_xlabel("time step" if dt is None else "time")
    figure.suptitle(title)
    return figure


def plot_spectra(X: np.ndarray, Y: np.ndarray, smoothing: float = 20.0, title: str = "") -> Any:
    """The power spectra that D_H compares; up to six dimensions."""
    N = min(X.shape[1], 6)
    figure = _figure(10, 1.2 + 1.8 * N)
    rows = figure.subplots(N, 1, sharex=True, squeeze=False)[:, 0]
    frequencies = np.fft.rfftfreq(len(X))
    p, q = power_spectra(X, smoothing), power_spectra(Y, smoothing)
    # Far below the peak there is nothing to see but the leakage of a finite window.
    for i, axes in enumerate(rows):
        floor = 1e-4 * p[:, i].max()
        axes.semilogy(frequencies, np.maximum(p[:, i], floor), color=_TRUE, linewidth=1, label="true")
        axes.semilogy(
            frequencies, np.maximum(q[:, i], floor), color=_GENERATED, linewidth=1, label="generated"
        )
        axes.set_ylabel(f"power of x{i + 1}")
    seen = np.flatnonzero((p > 1e-4 * p.max(axis=0)).any(axis=1))
    rows[0].set_xlim(0, frequencies[seen[-1]] * 1.02 or 0.5)
    rows[0].legend(loc="upper right", ncols=2, frameon=False)
    rows[-1].set_xlabel("frequency (per time step)")
    figure.suptitle(title)
    return figure


def plot_training(history: dict[str, np.ndarray], title: str = "") -> Any:
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
    evaluated = np.isfinite(history["D_stsp"]) | np.isfinite(history["D_H"])
    for name, color in (("D_stsp", _GENERATED), ("D_H", "#2e6f95")):
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


def save_figure(figure: Any, path: Any) -> Path:
    """Write a picture; the folder is made where it is missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path
