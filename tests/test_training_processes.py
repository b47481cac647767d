"""Training beside other processes and threads: forked, spawned, side by side; and how many threads it takes."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
from helpers import run_code, small_config

CONFIG = small_config(
    M=3,
    step=("clipped_shPLRNN", {"hidden_dim": 10}),
    observation={"name": "affine"},
    training={"epochs": 3, "batches_per_epoch": 20, "sequence_length": 30, "batch_size": 40, "n_threads": 2},
    evaluation={"every": 3},
)

START = f"""
import os, sys, threading, time
import numpy as np
import plrnn_numba as pl

t = 0.1 * np.arange(1000)
X = np.stack([np.sin(t), np.cos(t)], axis=1)
CONFIG = {CONFIG!r}

def digest(config=CONFIG):
    model = pl.fit(X, config, progress=False).model
    return float(model.latent.W1.sum()), float(model.observation.B.sum())
"""

pytestmark = pytest.mark.needs_speed


def run(code):
    return run_code(START + textwrap.dedent(code))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_trains_after_its_parent_has():
    out = run(
        """
        here = digest()
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, repr(digest()).encode())
            os._exit(0)
        _, status = os.wait()
        there = os.read(reader, 1000).decode()
        print(status, repr(here) == there, digest() == here)
        """
    )
    assert out.split() == ["0", "True", "True"]


def test_a_spawned_child_and_two_threads_train_at_once(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        START
        + textwrap.dedent(
            """
            from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
            from multiprocessing import get_context

            if __name__ == "__main__":
                here = digest()
                with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(1, get_context("spawn")) as processes:
                    jobs = [threads.submit(digest) for _ in range(4)] + [processes.submit(digest)]
                    print([job.result() == here for job in jobs])
            """
        )
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.lower()) == [True] * 5


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cannot be told on this system")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_no_more_threads_are_busy_than_were_asked_for(n_threads):
    """BLAS, which inverts B at each batch, must not add its own."""
    out = run(
        f"""
        CONFIG["training"].update(n_threads={n_threads}, epochs=60)
        digest({{**CONFIG, "training": {{**CONFIG["training"], "epochs": 0}}}})
        wall, cpu = time.perf_counter(), time.process_time()
        digest()
        print((time.process_time() - cpu) / (time.perf_counter() - wall))
        """
    )
    assert float(out) <= n_threads + 0.15
