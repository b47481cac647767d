"""Benchmark systems: ordinary differential equations that SciPy integrates."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from ..basics.checks import as_integer, as_number, as_rng, one_of
from ..basics.sizes import check_memory

# Of a system's usual sampling: an hour's work, or more, for the integrator.
_MOST_STEPS = 10**8


@dataclasses.dataclass(frozen=True)
class System:
    """``dx/dt = flow(t, x)``, a step dt (time units) to sample it with, and where to start near the attractor."""

    flow: Callable[[float, np.ndarray], Any]
    dt: float
    start: tuple[float, ...]
    transient: float


def _lorenz63(t: float, x: np.ndarray) -> tuple[float, ...]:
    x, y, z = x
    return 10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z


def _rossler(t: float, x: np.ndarray) -> tuple[float, ...]:
    x, y, z = x
    return -y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)


def _lorenz96(t: float, x: np.ndarray) -> np.ndarray:
    return (np.roll(x, -1, axis=0) - np.roll(x, 2, axis=0)) * np.roll(x, 1, axis=0) - x + 8.0


def _van_der_pol(t: float, x: np.ndarray) -> tuple[float, ...]:
    x, y = x
    return y, 2.0 * (1.0 - x * x) * y - x


SYSTEMS = {
    "lorenz63": System(_lorenz63, 0.01, (1.0, 1.0, 25.0), 50.0),
    "rossler": System(_rossler, 0.1, (1.0, 1.0, 0.0), 200.0),
    "lorenz96": System(_lorenz96, 0.02, (8.0, 8.01, 8.0, 8.0, 8.0, 8.0), 50.0),
    "van_der_pol": System(_van_der_pol, 0.05, (1.0, 0.0), 50.0),
}


def simulate(
    name: str, n_steps: int, *, seed: int | np.random.Generator = 0, dt: float | None = None
) -> np.ndarray:
    """Sample an orbit on the attractor of a benchmark system.

    Parameters
    ----------
    name : {'lorenz63', 'rossler', 'lorenz96', 'van_der_pol'}
        The system, with its usual parameters (Lorenz-63: sigma 10, rho 28, beta 8/3).
    n_steps : int
        Number of samples.
    seed : int or numpy.random.Generator, optional
        Moves the start, before a transient that is thrown away.
    dt : float, optional
        Sampling step in the system's time units; each system has a usual one (Lorenz-63: 0.01).

    Returns
    -------
    ndarray, (n_steps, N), float64
        In the system's own units.

    Raises
    ------
    ValueError
        For an unknown name, a `dt` by which samples coincide or span more time than can be integrated, or more samples
        than fit into memory.

    References
    ----------
    Lorenz (1963) [lorenz1963]; Rossler (1976) [rossler1976]; Lorenz (1996) [lorenz1996].

    Examples
    --------
    >>> from plrnn_numba import systems
    >>> systems.simulate("lorenz63", 100).shape
    (100, 3)
    """
    system = SYSTEMS[one_of("name", name, SYSTEMS)]
    n_steps = as_integer("n_steps", n_steps)
    rng = as_rng(seed)
    step = system.dt if dt is None else as_number("dt", dt, above=0)
    start = np.array(system.start) + 0.1 * rng.standard_normal(len(system.start))
    check_memory({"n_steps": (n_steps, 8 * n_steps * (2 * len(start) + 2))})
    duration = step * (n_steps - 1)
    if duration > _MOST_STEPS * system.dt:
        raise ValueError(
            f"dt: got {step:g}, of which {n_steps} samples span {duration:g} time units; allowed are at most "
            f"{_MOST_STEPS * system.dt:g}"
        )
    times = system.transient + step * np.arange(n_steps)
    if n_steps > 1 and not times[-2] < times[-1]:
        raise ValueError(
            f"dt: got {step:g}, which is lost beside the time {times[-1]:g}; samples would coincide"
        )
    solution = solve_ivp(system.flow, (0, times[-1]), start, "DOP853", t_eval=times, rtol=1e-8, atol=1e-8)
    return np.ascontiguousarray(solution.y.T)


def flow_jacobians(
    name: str, n_steps: int, *, seed: int | np.random.Generator = 0, dt: float | None = None
) -> np.ndarray:
    """Jacobians of the map that takes a benchmark system one sampling step further, along an orbit on its attractor.

    With `analysis.lyapunov_of_jacobians` these give the exponents of the system itself, per step. They solve the
    variational equation, with a Jacobian of the flow by central differences, which is exact for these systems but for
    rounding: their flows are polynomials of degree 2 (Van der Pol: 3).

    Parameters
    ----------
    name, n_steps, seed, dt
        As for `simulate`.

    Returns
    -------
    ndarray, (n_steps, N, N), float64
        ``J[t, i, j] = dx_i(t + dt) / dx_j(t)``.

    Raises
    ------
    ValueError
        For an unknown name.

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import systems
    >>> J = systems.flow_jacobians("lorenz63", 3)  # volumes shrink by exp(-(10 + 1 + 8/3) dt)
    >>> np.log(np.linalg.det(J)).round(6)
    array([-0.136667, -0.136667, -0.136667])
    """
    n_steps, system = as_integer("n_steps", n_steps), SYSTEMS[one_of("name", name, SYSTEMS)]
    check_memory(
        {"n_steps": (n_steps, 8 * n_steps * 8 * len(system.start) ** 2)}
    )  # 5 of K, J, and what makes them
    x = simulate(name, n_steps, seed=seed, dt=dt)
    step = system.dt if dt is None else as_number("dt", dt, above=0)
    N, h = x.shape[1], 1e-4
    eye = np.eye(N)

    def flow(x: np.ndarray) -> np.ndarray:
        return np.array(system.flow(0.0, x))

    def derivative(x: np.ndarray) -> np.ndarray:
        columns = [(flow(x + h * e[:, None]) - flow(x - h * e[:, None])) / (2 * h) for e in eye]
        return np.stack(columns, axis=1)

    # Runge and Kutta's rule on all steps at once, in at least ten substeps each, none longer than a tenth of the
    # system's usual dt: an error of (dt / 10)^5.
    x, J = x.T.copy(), np.repeat(eye[:, :, None], n_steps, axis=2)
    n_substeps = max(10, math.ceil(10 * step / system.dt))
    substep = step / n_substeps
    for _ in range(n_substeps):
        k: list[np.ndarray] = []
        K: list[np.ndarray] = []
        for weight in (0.0, 0.5, 0.5, 1.0):
            y = x + weight * substep * k[-1] if k else x
            Y = J + weight * substep * K[-1] if K else J
            k.append(flow(y))
            K.append(np.einsum("ijt,jkt->ikt", derivative(y), Y))
        x = x + substep / 6 * (k[0] + 2 * k[1] + 2 * k[2] + k[3])
        J = J + substep / 6 * (K[0] + 2 * K[1] + 2 * K[2] + K[3])
    return np.ascontiguousarray(np.moveaxis(J, 2, 0))
