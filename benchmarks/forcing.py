"""What an adaptive alpha costs: the time of an epoch under each method, beside a constant alpha, in turns.

    python benchmarks/forcing.py

Pinned to one core; medians. The settings are those published for the electrocardiogram (M = 5, H = 250, T = 200), the
electroencephalogram (M = 16, H = 512, T = 50) and Lorenz-63 (M = 3, H = 50, T = 200), with an estimate at every fifth batch.
"""

import os
import statistics
import time

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(os.environ.get("BENCH_CORE", "0"))})

import numpy as np

from plrnn_numba.forcings.gtf import METHODS
from plrnn_numba.training import Trainer

CASES = {
    "Lorenz-63": (3, 50, 200, 3),
    "electrocardiogram": (5, 250, 200, 5),
    "electroencephalogram": (16, 512, 50, 64),
}


def main():
    print(f"{'epoch, relative to a constant alpha':<38}" + "".join(f"{m:>22}" for m in METHODS[1:]))
    for name, (M, H, T, N) in CASES.items():
        X = np.random.default_rng(0).standard_normal((4000, N)).cumsum(axis=0)
        trainers = {}
        for method in METHODS:
            config = {
                "latent_dim": M,
                "latent_step": {"name": "clipped_shPLRNN", "hyperparameters": {"hidden_dim": H}},
                "observation": {"name": "affine"},
                "forcing": {"name": "GTF", "alpha": 0.3, "method": method},
                "training": {"epochs": 10**6, "sequence_length": T, "learning_rate": [1e-4, 1e-4]},
            }
            trainers[method] = Trainer(X, config)
            trainers[method].warm_up()
        times = {method: [] for method in METHODS}
        for _ in range(15):
            for method, trainer in trainers.items():
                trainer._state.next_epoch()
                begin = time.perf_counter()
                trainer.run_epoch()
                times[method].append(time.perf_counter() - begin)
        median = {method: statistics.median(t) for method, t in times.items()}
        head = f"{name}, M={M} H={H} T={T}: {1e3 * median['constant']:.1f} ms"
        print(
            f"{head:<38}" + "".join(f"{median[m] / median['constant'] - 1:>21.1%} " for m in METHODS[1:]),
            flush=True,
        )


if __name__ == "__main__":
    main()
