"""Settings of hypothesis, and a folder for compiled kernels that the whole run shares."""

import os

import numba
from hypothesis import HealthCheck, settings

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
default = "unjitted" if numba.config.DISABLE_JIT else "suite"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", default))
