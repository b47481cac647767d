"""What a kernel is written with: the vocabulary of whoever writes a model. docs/engine.md explains how it works.

`jit`, `kernel`, `inlined`, `verb`, `implements`
    how functions are compiled, and chosen by the type of the parameters.
`relu`, `gate`, `muladd`, `scaled`, `where_known`, `zero_of`, `total`, `pick`
    arithmetic on elements: numbers, or vectors of sequences or of neighbouring units.
`at`, `put`
    an element of an array, read and written.
`each`, `product`, `add_matvec`, `add_outer`, `add_sum`, `add_dot` and the ends of a product (`from_zero`, `from_linear`, `from_diagonal`, `to_first`)
    loops over the units of a state, and sums over them or over steps.
`as_lanes`, `borrowed`, `elements`, `with_room`, `by_columns`, `by_roomy_columns`, `zeros`, `zeros_with_room`, `columns_with_room`
    what entry points do to arrays before kernels see them.
"""

from .arrays import (
    FLOATS,
    NotRealError,
    as_floats,
    as_real,
    check_finite,
    check_shape,
    common_dtype,
    from_vector,
    map_arrays,
    n_parameters,
    to_vector,
)
from .cache import cache_directory
from .jit import implements, inlined, jit, kernel, offers, verb
from .linear import factor, multiply, solve, spectral_norm
from .memory import LANES, columns_with_room, zeros, zeros_with_room
from .products import (
    add_dot,
    add_matvec,
    add_outer,
    add_sum,
    all_finite,
    copy_state,
    each,
    from_diagonal,
    from_linear,
    from_zero,
    product,
    to_first,
)
from .vectors import gate, muladd, pick, relu, scaled, total, where_known, zero_of
from .views import as_lanes, at, borrowed, by_columns, by_roomy_columns, elements, put, with_room

__all__ = [
    "FLOATS",
    "LANES",
    "NotRealError",
    "add_dot",
    "add_matvec",
    "add_outer",
    "add_sum",
    "all_finite",
    "as_floats",
    "as_lanes",
    "as_real",
    "at",
    "borrowed",
    "by_columns",
    "by_roomy_columns",
    "cache_directory",
    "check_finite",
    "check_shape",
    "columns_with_room",
    "common_dtype",
    "copy_state",
    "each",
    "elements",
    "factor",
    "from_diagonal",
    "from_linear",
    "from_vector",
    "from_zero",
    "gate",
    "implements",
    "inlined",
    "jit",
    "kernel",
    "map_arrays",
    "muladd",
    "multiply",
    "n_parameters",
    "offers",
    "pick",
    "product",
    "put",
    "relu",
    "scaled",
    "solve",
    "spectral_norm",
    "to_first",
    "to_vector",
    "total",
    "verb",
    "where_known",
    "with_room",
    "zero_of",
    "zeros",
    "zeros_with_room",
]
