"""What several test files use: series, configurations, kernels, processes."""

import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile

import numpy as np
import pytest

import plrnn_numba
from plrnn_numba.engine.cache import KernelCache

# Signals that a process can be sent, modes of files: docs/platforms.md says what holds elsewhere.
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs signals and file modes as POSIX has them")


def circle(n=1500, phase=0.0, size=(1.0, 1.0)):
    """(n, 2): a point that goes round, a tenth of a radian a step."""
    t = 0.1 * np.arange(n) + phase
    return np.stack([size[0] * np.sin(t), size[1] * np.cos(t)], axis=1)


def small_config(*, M=2, step=("clipped_shPLRNN", {"hidden_dim": 8}), evaluation=None, training=None, **more):
    """A configuration that trains within a second."""
    return {
        "latent_dim": M,
        "latent_step": {"name": step[0], "hyperparameters": step[1]},
        "training": {"epochs": 4, "batches_per_epoch": 5, "sequence_length": 20, **(training or {})},
        "evaluation": {"every": 2, "steps": 200, **(evaluation or {})},
        **more,
    }


def kernels():
    """All entry points of the package that are compiled and kept, by name."""
    found = {}
    for module in pkgutil.walk_packages(plrnn_numba.__path__, "plrnn_numba."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(getattr(value, "_cache", None), KernelCache) and value.__module__ == module.name:
                found[f"{module.name}.{name}"] = value
    return found


def run_code(code, *arguments, timeout=300, **environment):
    """Run code in a new process, where every warning is an error; return its output."""
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    # In a folder of its own: the current one comes before PYTHONPATH.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
