"""Benchmark systems: their equations, their sampling, their errors."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from plrnn_numba import systems


@pytest.mark.parametrize("name", systems.SYSTEMS)
def test_an_orbit_follows_its_equation(name):
    system = systems.SYSTEMS[name]
    dt = system.dt / 10
    X = systems.simulate(name, 200, seed=3, dt=dt)
    middle = np.array([system.flow(0, x) for x in X[1:-1]])
    slope = (X[2:] - X[:-2]) / (2 * dt)
    assert np.abs(slope - middle).max() < 2e-3 * np.abs(middle).max()


def test_lorenz_63_has_its_parameters_and_seeds_differ():
    flow = systems.SYSTEMS["lorenz63"].flow
    np.testing.assert_allclose(flow(0, np.array([1.0, 2.0, 3.0])), (10, 28 - 3 - 2, 2 - 8))
    a, b, c = (systems.simulate("lorenz63", 50, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_an_unknown_system_is_named():
    with pytest.raises(
        ValueError, match="name: got 'lorentz63', allowed is one of .*; did you mean 'lorenz63'"
    ):
        systems.simulate("lorentz63", 10)


@pytest.mark.parametrize("name", systems.SYSTEMS)
def test_jacobians_of_a_step_are_those_of_integrated_neighbours(name):
    system = systems.SYSTEMS[name]
    X, J = systems.simulate(name, 3), systems.flow_jacobians(name, 3)
    step = 1e-5

    def ahead(x):
        return solve_ivp(system.flow, (0, system.dt), x, "DOP853", rtol=1e-12, atol=1e-12).y[:, -1]

    for x, jacobian in zip(X, J):
        columns = [(ahead(x + step * e) - ahead(x - step * e)) / (2 * step) for e in np.eye(len(x))]
        np.testing.assert_allclose(jacobian, np.array(columns).T, atol=1e-6)


def test_jacobians_over_a_long_step_shrink_volumes_as_the_flow_does():
    J = systems.flow_jacobians("lorenz63", 3, dt=1.0)
    np.testing.assert_allclose(np.log(np.abs(np.linalg.det(J))), -41 / 3, atol=1e-5)
