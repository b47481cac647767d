"""What piecewise-linear maps allow: fixed points, cycles, exponents, symbols and bounds, over the hinge form."""

from .attractors import Basins, basins
from .bifurcations import Branch, Event, Following, follow, interpolate
from .boundedness import Boundedness, Box, absorbing_box, absorbing_radius, is_bounded
from .continuum import Continuum
from .cycle import Cycle, CycleSet, smallest_rotation
from .hinge import with_constant_input
from .lyapunov import LyapunovSpectrum, kaplan_yorke_dimension, lyapunov_of_jacobians, lyapunov_spectrum
from .regions import (
    BlockEntropies,
    Symbols,
    TransitionGraph,
    block_entropies,
    regions,
    symbols,
    transition_graph,
)
from .report import Report, analyze
from .search import cycles, fixed_points
from .slow import SlowPoint, SlowPoints, slow_points

__all__ = [
    "Basins",
    "BlockEntropies",
    "Boundedness",
    "Box",
    "Branch",
    "Continuum",
    "Cycle",
    "CycleSet",
    "Event",
    "Following",
    "LyapunovSpectrum",
    "Report",
    "SlowPoint",
    "SlowPoints",
    "Symbols",
    "TransitionGraph",
    "absorbing_box",
    "absorbing_radius",
    "analyze",
    "basins",
    "block_entropies",
    "cycles",
    "fixed_points",
    "follow",
    "interpolate",
    "is_bounded",
    "kaplan_yorke_dimension",
    "lyapunov_of_jacobians",
    "lyapunov_spectrum",
    "regions",
    "slow_points",
    "smallest_rotation",
    "symbols",
    "transition_graph",
    "with_constant_input",
]
