"""Settings of hypothesis, and a folder for compiled kernels that the whole run shares."""

import os

import numba
import pytest
from hypothesis import HealthCheck, settings

UNJITTED = bool(numba.config.DISABLE_JIT)


def pytest_collection_modifyitems(items):
    """Un-jitted, for coverage, a kernel takes a thousand times as long: what needs speed is left to the other run."""
    if UNJITTED:
        for item in items:
            if item.get_closest_marker("needs_speed"):
                item.add_marker(pytest.mark.skip(reason="needs compiled kernels"))


# A compilation may fall into any example, so there is no deadline; the same examples every time.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.register_profile("unjitted", parent=settings.get_profile("suite"), max_examples=15)
settings.register_profile(
    "thorough", parent=settings.get_profile("suite"), derandomize=False, max_examples=2000
)
default = "unjitted" if UNJITTED else "suite"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", default))
