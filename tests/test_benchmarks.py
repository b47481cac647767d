"""The benchmarks run, small, so that they cannot rot; rivals that are not installed are left out."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.needs_speed
@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["compare.py", "--small"], ("peak, float32", "of peak", "orbit(s)", "100,000 batches")),
        (["many_channels.py", "--small"], ("kernel_distance", "6 sites", "constant")),
        (["reconstruct.py", "clipped", "--seeds", "1", "--epochs", "2"], ("D_stsp", "median")),
    ],
)
def test_a_small_version_of_the_benchmark_runs(tmp_path, arguments, expected):
    script, *options = arguments
    command = [sys.executable, str(BENCHMARKS / script), *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for text in expected:
        assert text in done.stdout
