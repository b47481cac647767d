"""Two checkouts of this package, side by side: is one slower?

    python benchmarks/checkouts.py OLD NEW [--rounds 15] [--core 0]

OLD and NEW are folders that hold a `plrnn_numba`. One process each, pinned to one core, take turns on the same work through
public functions; printed are each one's median and the median of the ratios of neighbouring turns, old over new: above 1 the
new one is faster.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

WORK = {
    "gradient, clipped (3, 50), S = 16, T = 200": (
        "gradient",
        "clipped_shPLRNN",
        3,
        {"hidden_dim": 50},
        16,
        200,
    ),
    "gradient, ALRNN (20, 2), S = 16, T = 200": ("gradient", "ALRNN", 20, {"num_relus": 2}, 16, 200),
    "gradient, ALRNN (100, 2), S = 16, T = 50": ("gradient", "ALRNN", 100, {"num_relus": 2}, 16, 50),
    "gradient, clipped (16, 512), S = 16, T = 50": (
        "gradient",
        "clipped_shPLRNN",
        16,
        {"hidden_dim": 512},
        16,
        50,
    ),
    "gradient, PLRNN (20), S = 2, T = 200": ("gradient", "PLRNN", 20, {}, 2, 200),
    "an orbit of 20,000 steps, ALRNN (20, 2)": ("orbit", "ALRNN", 20, {"num_relus": 2}, 1, 20_000),
    "an orbit of 20,000 steps, clipped (3, 50)": (
        "orbit",
        "clipped_shPLRNN",
        3,
        {"hidden_dim": 50},
        1,
        20_000,
    ),
    "64 orbits of 2,000 steps, ALRNN (20, 2)": ("orbit", "ALRNN", 20, {"num_relus": 2}, 64, 2_000),
    "fit, 10 epochs, ALRNN (20, 2), noise": ("fit", "ALRNN", 20, {"num_relus": 2}, 16, 200),
    "fit, 10 epochs, clipped (3, 50), affine": ("fit", "clipped_shPLRNN", 3, {"hidden_dim": 50}, 16, 200),
    "cycles up to 4, ALRNN (8, 4)": ("cycles", "ALRNN", 8, {"num_relus": 4}, 1, 4),
    "exponents, 20,000 steps, ALRNN (20, 2)": ("exponents", "ALRNN", 20, {"num_relus": 2}, 1, 20_000),
}


def prepare(kind, name, M, hyper, S, T):
    """A function that does the work, once, and returns the seconds that it took."""
    import numpy as np

    import plrnn_numba as pl

    step = {"name": name, "hyperparameters": hyper}
    config = {"latent_dim": M, "latent_step": step}
    model = pl.init_model(config, 3)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((S, T + 1, 3)).astype(np.float32)

    def timed(call):
        """A turn: as many calls, one after the other, as fit into a twentieth of a second."""
        call()  # compiled
        begin = time.perf_counter()
        call()
        n = max(1, int(0.05 / (time.perf_counter() - begin)))

        def run():
            begin = time.perf_counter()
            for _ in range(n):
                call()
            return (time.perf_counter() - begin) / n

        return run

    if kind == "gradient":
        return timed(lambda: pl.loss_and_grad(model, X, forcing=pl.GTF(0.15)))
    if kind == "orbit":
        z = 0.1 * rng.standard_normal((S, M))
        return timed(lambda: pl.generate(model.latent, z[0] if S == 1 else z, T))
    if kind == "cycles":
        return timed(lambda: pl.analysis.cycles(model.latent, T, np.ones(M)))
    if kind == "exponents":
        return timed(lambda: pl.analysis.lyapunov_spectrum(model.latent, np.ones(M), T))
    affine = {"observation": {"name": "affine"}} if name == "clipped_shPLRNN" else {}
    training = {"epochs": 10, "batch_size": S, "sequence_length": T, "noise": 0.05}
    config = {**config, **affine, "training": training, "evaluation": {"every": 1000, "steps": 200}}
    series = rng.standard_normal((3000, 3)).cumsum(axis=0)
    # The evaluation at the end is not part of an epoch's seconds.
    return lambda: float(pl.fit(series, config, progress=False).history["seconds"].sum())


def work():
    """The process of one checkout: for each line, the name of a work, one more turn of it; prints the seconds."""
    functions = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in functions:
            functions[name] = prepare(*WORK[name])
            functions[name]()  # compiled
            functions[name]()
        print(json.dumps(functions[name]()), flush=True)


class Checkout:
    def __init__(self, folder, core):
        environment = {**os.environ, "PYTHONPATH": os.path.abspath(folder), "PYTHONWARNINGS": "ignore"}
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[name] = "1"
        # Not by its path: the folder of a script comes before PYTHONPATH.
        code = f"import runpy; runpy.run_path({os.path.abspath(__file__)!r})['work']()"
        command = [sys.executable, "-c", code]
        self.process = subprocess.Popen(
            command, env=environment, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self.process.pid, {core})

    def turn(self, name):
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--core", type=int, default=0)
    options = parser.parse_args()
    old, new = Checkout(options.old, options.core), Checkout(options.new, options.core)
    print(f"{'':<46}{'old, ms':>10}{'new, ms':>10}{'old / new':>11}{'quartiles':>14}")
    for name in WORK:
        turns = []
        for i in range(options.rounds):
            pair = (old, new) if i % 2 else (new, old)
            found = {checkout: checkout.turn(name) for checkout in pair}
            turns.append((found[old], found[new]))
        ratios = sorted(a / b for a, b in turns)
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        a, b = (1e3 * statistics.median(t) for t in zip(*turns))
        print(
            f"{name:<46}{a:>10.3f}{b:>10.3f}{statistics.median(ratios):>11.3f}{low:>8.3f} {high:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
