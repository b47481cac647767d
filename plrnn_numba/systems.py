"""The benchmark systems, which live in `plrnn_numba.data.systems`."""

from .data.systems import SYSTEMS, System, flow_jacobians, simulate

__all__ = ["SYSTEMS", "System", "flow_jacobians", "simulate"]
