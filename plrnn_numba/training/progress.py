"""One line that tells how a training goes: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time
from types import TracebackType
from typing import Any, TextIO

from .report import EpochReport

LOGGER = logging.getLogger("plrnn_numba")

_LINE = "epoch {epoch:>{width}}/{n}  loss {loss:.3e}{measures}  {left} left"


def _columns_of(stream: TextIO) -> int:
    """The width of a terminal; 0 where it does not know its own size, or, as Windows' NUL, has none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return 0


class Progress:
    """Reports epochs to `stream` (standard error): a tqdm bar where that is a terminal and tqdm is there,
    else a plain line for each evaluation.

    The logger "plrnn_numba" gets the same lines at level INFO, for whoever gave it a handler; set to WARNING,
    it silences the terminal too. `told` stands behind the measures: what they are of, where that is not held out.
    """

    def __init__(
        self,
        n_epochs: int,
        first: int = 0,
        enabled: bool = True,
        stream: TextIO | None = None,
        told: str = "",
    ):
        self._n = n_epochs
        self._stream = sys.stderr if stream is None else stream
        quiet = LOGGER.level > logging.INFO
        self._enabled = enabled = enabled and not quiet
        self._measures, self._told = "", told
        self._start = time.perf_counter()
        self._first = first
        self._bar: Any = None
        if enabled and self._stream.isatty():
            try:
                from tqdm import tqdm
            except ModuleNotFoundError:
                return
            columns = _columns_of(self._stream)
            self._bar = tqdm(
                total=n_epochs,
                initial=first,
                file=self._stream,
                unit="epoch",
                dynamic_ncols=bool(columns),
                # A terminal that does not know its own size.
                ncols=None if columns else 100,
                nrows=None if columns else 24,
                bar_format="{n_fmt}/{total_fmt} epochs |{bar}| {desc}{remaining} left",
            )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, report: EpochReport) -> None:
        """Tell of one more epoch, an `EpochReport`."""
        if not self._enabled:
            return
        if report.evaluation is not None:
            found = report.evaluation
            self._measures = f"  {found.geometry} {found.distance:.3f}  D_H {found.D_H:.3f}{self._told}"
        if self._bar is not None:
            self._bar.set_description_str(f"loss {report.loss:.3e}{self._measures}  ", refresh=False)
            self._bar.update()
        if report.evaluation is None and report.epoch != self._n:
            return
        if self._bar is None or LOGGER.handlers:
            spent = time.perf_counter() - self._start
            left = spent / max(report.epoch - self._first, 1) * (self._n - report.epoch)
            minutes, seconds = divmod(round(left), 60)
            line = _LINE.format(
                epoch=report.epoch,
                width=len(str(self._n)),
                n=self._n,
                loss=report.loss,
                measures=self._measures,
                left=f"{minutes:02d}:{seconds:02d}",
            )
            if LOGGER.handlers:
                LOGGER.info(line)
            else:
                print(line, file=self._stream, flush=True)
