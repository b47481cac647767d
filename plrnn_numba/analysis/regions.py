"""The linear regions of a map: which there are, the symbols of an orbit, their graphs and entropies."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix

from ..basics.checks import as_integer, one_of, renamed, warn
from ..basics.records import check_shapes, record
from ..engine import factor, kernel, solve
from ..models.base import Latent
from .hinge import as_hinge, as_states, patterns_of

_MOST_VERTICES = 3_000_000
_KINDS = ("step", "run", "alrnn-notebook")
_ALL_PATTERNS = 20  # hinges, of which all patterns are tried where their cells cannot be counted


# --- which regions there are -----------------------------------------------------------------------


@renamed(system="latent")
def regions(latent: Latent, *, limit: int = 2**_ALL_PATTERNS) -> np.ndarray | None:
    """Every pattern of open hinges that some latent state has, and perhaps a few that none has.

    The hinges cut the state space into the cells of an arrangement of hyperplanes. In a space of dimension r (that of
    the hinges' directions) each cell has a corner where r of them meet, so that the corners' neighbours are all cells:
    at most ``sum over i <= r of binom(n_hinges, i)``, far fewer than the ``2**n_hinges`` patterns where that is above r. Offsets are
    moved so that no more than r meet in a corner, which adds cells, and takes away only those that are thinner: by a relative
    1e-9, which rounding cannot undo, and by 1e-13 for what that would take away.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The map.
    limit : int, optional
        Give up where there could be more patterns.

    Returns
    -------
    ndarray of bool, (R, n_hinges), or None
        The patterns; None where there are too many to be listed.

    Raises
    ------
    TypeError
        Where `latent` is no model.

    References
    ----------
    Zaslavsky (1975) [zaslavsky1975], for the number of cells.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> latent = pl.ALRNN(A=[0.5, 0.5], W=[[0, 1], [1, 0]], h=[0, 1], C=np.zeros((2, 0)), num_relus=1)
    >>> pl.analysis.regions(latent).tolist()
    [[False], [True]]
    """
    hinge, limit = as_hinge(latent), as_integer("limit", limit)
    n_hinges = len(hinge.d)
    if n_hinges == 0:
        return np.zeros((1, 0), bool)
    directions, values, _ = np.linalg.svd(hinge.C, full_matrices=False)
    rank = int((values > 1e-10 * max(values[0], 1e-300)).sum())
    n_cells = sum(math.comb(n_hinges, i) for i in range(rank + 1))
    if (n_cells >= 2**n_hinges or math.comb(n_hinges, rank) > _MOST_VERTICES) and limit >= 2**n_hinges:
        return np.array(list(itertools.product((False, True), repeat=n_hinges)))
    if n_cells > limit or math.comb(n_hinges, rank) > _MOST_VERTICES:
        return None
    normals = directions[:, :rank] * values[:rank]  # in coordinates of the hinges' own directions
    lengths = np.linalg.norm(normals, axis=1)
    scale = float(np.abs(hinge.d).max(initial=0.0)) or 1.0
    moves = scale * np.random.default_rng(0).uniform(1, 2, n_hinges)
    combinations = np.array(list(itertools.combinations(range(n_hinges), rank)), np.int64).reshape(
        -1 if rank else 1, rank
    )
    signs = np.array(list(itertools.product((False, True), repeat=rank)))
    words = -(-n_hinges // 8)
    unique = np.zeros((0, words), np.uint8)
    for size in (1e-9, 1e-13):
        found = np.zeros((len(combinations) * len(signs), words), np.uint8)
        n = _cells_at_corners(normals, hinge.d + size * moves, lengths, combinations, signs, found)
        unique = np.unique(np.concatenate([unique, found[:n]]), axis=0)
    return np.unpackbits(unique, axis=1, count=n_hinges, bitorder="little").astype(bool)


@kernel
def _cells_at_corners(normals, offsets, lengths, combinations, signs, found):
    """The cells around each point where as many hyperplanes meet as there are dimensions, as bits."""
    n_hinges, r = normals.shape
    A, b, x, value = np.empty((r, r)), np.empty(r), np.empty(r), np.empty(n_hinges)
    rows = np.empty(r, np.int64)
    n = 0
    for chosen in combinations:
        for i in range(r):
            length = max(lengths[chosen[i]], 1e-300)
            for j in range(r):
                A[i, j] = normals[chosen[i], j] / length
            b[i] = -offsets[chosen[i]] / length
        if not factor(A, r, rows, 1e-12):
            continue
        solve(A, r, rows, b, x)
        for j in range(n_hinges):
            value[j] = offsets[j]
            for i in range(r):
                value[j] += normals[j, i] * x[i]
        for sign in signs:
            for i in range(r):
                value[chosen[i]] = 1.0 if sign[i] else -1.0
            for j in range(n_hinges):
                if value[j] > 0:
                    found[n, j // 8] |= 1 << (j % 8)
            n += 1
    return n


# --- symbols ---------------------------------------------------------------------------------------


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Symbols:
    """The regions that an orbit passes through, numbered by how often they are visited, the most first.

    Parameters
    ----------
    sequence : ndarray of int, (T,)
        The symbol at each time.
    patterns : ndarray of bool, (S, n_hinges)
        Which hinges are open in the region of each symbol: for an ALRNN whether each of the last P units is above 0.
    """

    sequence: np.ndarray
    patterns: np.ndarray

    def __post_init__(self) -> None:
        for name in ("sequence", "patterns"):
            object.__setattr__(self, name, np.asarray(getattr(self, name)))
        check_shapes(self, sequence=("T",), patterns=("S", "n_hinges"))
        kinds = np.asarray(self.sequence).dtype.kind, np.asarray(self.patterns).dtype.kind
        if kinds[0] not in "iu" or kinds[1] != "b":
            raise ValueError("Symbols: expected a sequence of integers, and patterns of booleans")
        S = len(self.patterns)
        if len(self.sequence) and not 0 <= self.sequence.min() <= self.sequence.max() < S:
            raise ValueError(f"Symbols.sequence: expected numbers from 0 to {S - 1}, one for each pattern")

    @property
    def counts(self) -> np.ndarray:
        """How many states lie in each region: (S,)."""
        return np.bincount(self.sequence, minlength=len(self.patterns))

    def runs(self) -> tuple[np.ndarray, np.ndarray]:
        """Symbols and lengths of the stretches without a change."""
        starts = np.flatnonzero(np.r_[True, np.diff(self.sequence) != 0])
        return self.sequence[starts], np.diff(np.r_[starts, len(self.sequence)])

    def dwell_times(self) -> list[np.ndarray]:
        """Of each symbol, the lengths of its stretches, in steps; the first and the last of the orbit, which are cut, are left out."""
        symbols, lengths = self.runs()
        symbols, lengths = symbols[1:-1], lengths[1:-1]
        return [lengths[symbols == s] for s in range(len(self.patterns))]


@renamed(system="latent")
def symbols(latent: Latent, orbit: ArrayLike) -> Symbols:
    """Translate an orbit into the symbols of the linear regions it passes through.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The map.
    orbit : array_like, (T, M)
        Latent states, as from `generate`.

    Returns
    -------
    Symbols

    Raises
    ------
    ValueError
        Where the shape does not fit, or a state is not finite.

    References
    ----------
    Brenner et al. (2024) [brenner2024], section 3.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> latent = pl.ALRNN(A=[0.5, 0.5], W=[[0, 1], [1, 0]], h=[0, 1], C=np.zeros((2, 0)), num_relus=1)
    >>> found = pl.analysis.symbols(latent, [[1.0, 1.0], [0.0, 0.5], [0.0, -1.0]])
    >>> found.sequence.tolist(), found.patterns.tolist()
    ([0, 0, 1], [[True], [False]])
    """
    hinge = as_hinge(latent)
    states = as_states("orbit", orbit, hinge)
    if not len(states) or not np.isfinite(states).all():
        raise ValueError("orbit: got NaN, inf or nothing, expected finite states")
    patterns = patterns_of(hinge, states)
    unique, sequence = numbered(patterns)
    order = np.argsort(-np.bincount(sequence, minlength=len(unique)), kind="stable")
    rank = np.argsort(order)
    return Symbols(rank[sequence], unique[order])


def numbered(patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of patterns (T, n_hinges), and the number of each row among them (T,)."""
    n_hinges = patterns.shape[1]
    if n_hinges == 0:
        return patterns[:1], np.zeros(len(patterns), np.int64)
    packed = np.packbits(patterns, axis=1)
    if n_hinges <= 64:  # one number a row, which sorts much faster than a row
        numbers = np.zeros((len(packed), 8), np.uint8)
        numbers[:, : packed.shape[1]] = packed
        _, first, sequence = np.unique(numbers.view(np.uint64)[:, 0], return_index=True, return_inverse=True)
    else:
        _, first, sequence = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    return patterns[first], sequence.reshape(-1)


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TransitionGraph:
    """Which symbol follows which: counts (S, S), from the row to the column, and two ways to normalize them."""

    counts: np.ndarray
    kind: str

    def __post_init__(self) -> None:
        check_shapes(self, counts=("S", "S"))
        one_of("TransitionGraph.kind", self.kind, _KINDS)

    @property
    def probabilities(self) -> np.ndarray:
        """Of the next symbol, given this one: rows that sum to 1 (or to 0, for a symbol without a successor)."""
        sums = self.counts.sum(axis=1, keepdims=True)
        return self.counts / np.where(sums > 0, sums, 1)

    @property
    def joint(self) -> np.ndarray:
        """Of this symbol and the next: all sum to 1. The published notebook calls it transition probability."""
        return self.counts / max(self.counts.sum(), 1)


def transition_graph(found: Symbols, *, kind: str = "step") -> TransitionGraph:
    """Count which symbol follows which.

    Parameters
    ----------
    found : Symbols
        From `symbols`.
    kind : {'step', 'run', 'alrnn-notebook'}, optional
        'step' counts every step; 'run' only changes, a stretch in a region being one visit. 'alrnn-notebook' is the
        "connectome" of the published notebook: changes off the diagonal, and on it the number of stretches of each
        symbol (not of the steps they last).

    Returns
    -------
    TransitionGraph

    Raises
    ------
    ValueError
        For an unknown kind.

    References
    ----------
    Brenner et al. (2024) [brenner2024], and the notebook that comes with it.

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import analysis
    >>> found = analysis.Symbols(np.array([0, 0, 1, 0]), np.array([[True], [False]]))
    >>> [analysis.transition_graph(found, kind=kind).counts.tolist() for kind in ("step", "run", "alrnn-notebook")]
    [[[1, 1], [1, 0]], [[0, 1], [1, 0]], [[2, 1], [1, 1]]]
    """
    one_of("kind", kind, _KINDS)
    if not isinstance(found, Symbols):
        raise TypeError(f"found: got {type(found).__name__}, expected Symbols, as `symbols` gives them")
    S = len(found.patterns)
    sequence = found.sequence if kind == "step" else found.runs()[0]
    counts = np.zeros((S, S), np.int64)
    np.add.at(counts, (sequence[:-1], sequence[1:]), 1)
    if kind == "alrnn-notebook":
        counts += np.diag(np.bincount(sequence, minlength=S))
    return TransitionGraph(counts, kind)


# --- entropies -------------------------------------------------------------------------------------


def _words(sequence: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct words of n symbols, each word's count, and the number of the word at each time."""
    windows = np.lib.stride_tricks.sliding_window_view(sequence, n)
    unique, at, counts = np.unique(windows, axis=0, return_inverse=True, return_counts=True)
    return unique, counts, at.reshape(-1)


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BlockEntropies:
    """H[n-1], in nats, of words of n symbols; how many distinct words there are; and the entropy rates H[n] - H[n-1].

    `topological` are upper bounds on the topological entropy by the growth rate of paths through words of n that were
    seen, falling with n, and bounds only where every word that the map admits was seen; `growth` are
    ``ln(words of n + 1) - ln(words of n)``.
    """

    H: np.ndarray
    words: np.ndarray
    rates: np.ndarray
    topological: np.ndarray
    growth: np.ndarray


def block_entropies(sequence: ArrayLike, max_length: int = 12) -> BlockEntropies:
    """Entropies of the words of a symbolic sequence, as far as there are data for them.

    Entropies of a step sequence count the steps in a region too; over those of a run sequence (`Symbols.runs`),
    divide by the mean dwell time to compare with exponents per step.

    Parameters
    ----------
    sequence : array_like of int, (T,)
        Symbols, of steps or of runs.
    max_length : int, optional
        The longest words. Words for whose number the sequence is too short (fewer than ten for each) are left
        out, with a warning: their entropy is too small, as there are words that were not seen.

    Returns
    -------
    BlockEntropies
        Per symbol of the sequence.

    Raises
    ------
    ValueError
        Where the sequence is shorter than two symbols.

    Warns
    -----
    RuntimeWarning
        Where words were left out.

    References
    ----------
    Lind and Marcus (1995) [lind1995], chapters 4 and 6; Grassberger (1988) [grassberger1988], for the bias.

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import analysis
    >>> coin = np.random.default_rng(0).integers(0, 2, 10_000)
    >>> analysis.block_entropies(coin, 4).rates.round(2)
    array([0.69, 0.69, 0.69, 0.69])
    """
    if isinstance(sequence, Symbols):
        raise TypeError("sequence: got Symbols; give its `sequence`, or the symbols of its `runs`")
    sequence = np.asarray(sequence)
    if sequence.dtype.kind not in "iub":
        raise ValueError(f"sequence: got dtype {sequence.dtype}, expected integers")
    max_length = as_integer("max_length", max_length)
    if sequence.ndim != 1 or len(sequence) < 2:
        raise ValueError(f"sequence: got shape {sequence.shape}, expected (T,) with T at least 2")
    H, n_words, topological = [], [], []
    for n in range(1, max_length + 1):
        if n >= len(sequence):
            break
        words, counts, at = _words(sequence, n)
        if n > 1 and 10 * len(words) > len(sequence):
            warn(
                f"block_entropies: {len(words)} words of {n} symbols in a sequence of {len(sequence)}: too many "
                f"for an estimate; words of up to {n - 1} are told"
            )
            break
        p = counts / counts.sum()
        H.append(float(-(p * np.log(p)).sum()))
        n_words.append(len(words))
        topological.append(_path_growth(at, len(words)))
    H_array, count = np.array(H), np.array(n_words)
    growth = np.log(count[1:] / count[:-1])
    return BlockEntropies(H_array, count, np.diff(H_array, prepend=0.0), np.array(topological), growth)


def _path_growth(at: np.ndarray, n: int) -> float:
    """``ln`` of the spectral radius of the graph in which one word follows another."""
    edges = np.unique(np.stack([at[:-1], at[1:]]), axis=1)
    graph = csr_matrix((np.ones(edges.shape[1]), edges), shape=(n, n))
    if n <= 400:
        radius = float(np.abs(np.linalg.eigvals(graph.toarray())).max())
    else:  # power iteration on graph + 1, which has one leading eigenvalue where the graph has several
        x = np.ones(n)
        radius = 0.0
        for _ in range(2000):
            y = graph @ x + x
            before, radius = radius, float(np.linalg.norm(y) / np.linalg.norm(x)) - 1
            x = y / np.linalg.norm(y)
            if abs(radius - before) < 1e-12:
                break
    return math.log(radius) if radius > 0 else -math.inf
