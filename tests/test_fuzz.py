"""A share of `benchmarks/mutations.py`: what is mutated ends in an exit code, with no traceback and no file changed."""

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "mutations.py"


@pytest.fixture(scope="module")
def mutations():
    spec = importlib.util.spec_from_file_location("mutations", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_mutations_end_in_an_exit_code():
    """In a process of its own, without the compiler: each would be compiled for, and run once."""
    command = [sys.executable, str(SCRIPT), "--n", "40", "--seed", "240"]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert "40 mutations, 0 of them wrong" in done.stdout


def test_what_goes_wrong_is_found(mutations, monkeypatch):
    """The harness itself: each way to be wrong is told from the others."""

    def tried(behave):
        monkeypatch.setattr(mutations, "plrnn_numba", behave)
        return mutations.try_one("array", 0)[0]

    def change(arguments):
        path = Path(arguments[arguments.index("--data") + 1])
        (path if path.is_file() else path / "new.npy").write_bytes(b"other")
        return 0

    def leave(arguments):
        Path(arguments[-1]).mkdir(parents=True)
        return 2

    def fail(arguments):
        raise MemoryError

    def warn(arguments):
        warnings.warn("of something", RuntimeWarning, stacklevel=1)
        return 0

    assert tried(change) == "a file was changed"
    assert tried(leave) == "2, not in one line, or a run is left"
    assert tried(fail).startswith("raised MemoryError")
    assert tried(warn) == "warned in Python's form"
    assert tried(lambda arguments: 1) == "exit code 1"
    assert tried(lambda arguments: 0) == "0"
