"""Reconstructions of Lorenz-63 by the command line, over seeds: D_stsp, D_H and time, and their medians.

    python benchmarks/reconstruct.py clipped
    python benchmarks/reconstruct.py alrnn --data lorenz63.npy
    python benchmarks/reconstruct.py ecg --data ecg.npy          (eeg: its D_stsp is that of mixtures, sigma 1)
    python benchmarks/reconstruct.py floor

`clipped` lets `train --system lorenz63` make its data (dt = 0.01, 100,000 steps; another orbit of that length is
held out). `alrnn` is the published setting of the AL-RNN on a series of your own, whose last fifth is held out.
Each run is a process of its own on one core; both take their measures from RUN/run.json. `floor` compares true
orbits with each other, by their length: no model can do better than by luck.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

import plrnn_numba as pl

SETTINGS = {
    "clipped": {
        "latent_dim": 3,
        "latent_step": {"name": "clipped_shPLRNN", "hyperparameters": {"hidden_dim": 50}},
        "forcing": {"name": "GTF", "alpha": 0.15},
        "training": {"epochs": 2000, "learning_rate": [5e-3, 1e-5]},
        "evaluation": {"every": 500},
    },
    "alrnn": {
        "latent_dim": 20,
        "latent_step": {"name": "ALRNN", "hyperparameters": {"num_relus": 2}},
        "forcing": {"name": "STF", "interval": 16},
        "training": {"epochs": 2000, "noise": 0.05, "learning_rate": [1e-3, 1e-5]},
        "evaluation": {"every": 500},
    },
    "ecg": {
        "latent_dim": 5,
        "latent_step": {"name": "clipped_shPLRNN", "hyperparameters": {"hidden_dim": 250}},
        "observation": {"name": "affine"},
        "forcing": {"name": "GTF", "alpha": 0.3},
        "training": {"epochs": 500, "learning_rate": [1e-3, 1e-6]},
        "regularization": {"condition_number": 1e-7},
        "evaluation": {"every": 500},
    },
    "eeg": {
        "latent_dim": 16,
        "latent_step": {"name": "clipped_shPLRNN", "hyperparameters": {"hidden_dim": 512}},
        "observation": {"name": "affine"},
        "forcing": {"name": "GTF", "alpha": 0.1},
        "training": {"epochs": 500, "sequence_length": 50, "learning_rate": [1e-3, 1e-6]},
        "regularization": {"l2": 1e-4, "l2_observation": 1e-6},
        "evaluation": {"every": 500},
    },
}


def train(folder, config, source, seed, core):
    """Run one training; return its record."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    out = folder / f"seed{seed}"
    command = [sys.executable, "-m", "plrnn_numba", "train", path, *source, "--out", out]
    command += ["--set", f"seed={seed}", "--quiet", "--no-plots"]
    pin = (lambda: os.sched_setaffinity(0, {core})) if hasattr(os, "sched_setaffinity") else None
    done = subprocess.run(command, preexec_fn=pin)
    if done.returncode not in (0, 3):
        raise SystemExit(f"train ended with exit code {done.returncode}")
    return out, json.loads((out / "run.json").read_text())


def long_run(out):
    """D_stsp and D_H of one free orbit as long as the held-out series."""
    X = np.load(out / "test.npy")
    orbit = pl.predict(pl.load_model(out / "model.npz"), X[0], len(X))
    mixtures = X.shape[1] > 10
    options = {"method": "gmm", "sigma": 1.0} if mixtures else {}
    return pl.state_space_divergence(X, orbit, **options), pl.hellinger_distance(X, orbit)


def floor():
    """D_stsp and D_H between true orbits from different starts: medians over the six ordered pairs of three."""
    orbits = [pl.systems.simulate("lorenz63", 100_000, seed) for seed in range(3)]
    print(f"{'steps':>8}{'D_stsp':>10}{'D_H':>10}")
    for steps in (1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000):
        pairs = [(a[:steps], b[:steps]) for a, b in itertools.permutations(orbits, 2)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            divergences = [pl.state_space_divergence(a, b) for a, b in pairs]
        distances = [pl.hellinger_distance(a, b) for a, b in pairs]
        print(f"{steps:>8}{statistics.median(divergences):>10.3f}{statistics.median(distances):>10.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("setting", choices=[*SETTINGS, "floor"])
    parser.add_argument("--data", help="a series (T, 3); else train makes one")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as train takes it")
    options = parser.parse_args()
    if options.setting == "floor":
        return floor()
    source = ["--data", options.data] if options.data else ["--system", "lorenz63"]
    config = SETTINGS[options.setting]
    if options.epochs:
        config["training"]["epochs"] = options.epochs
    print(json.dumps(config))
    names = ("D_stsp", "D_H", "PE", "D_stsp long", "D_H long", "compile s", "train s")
    print(f"{'seed':<6}" + "".join(f"{name:>12}" for name in names), flush=True)
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            out, record = train(
                Path(folder),
                config,
                [*source, *(a for s in options.set for a in ("--set", s))],
                seed,
                options.core,
            )
            if record["status"] == "diverged":
                print(f"{seed:<6}diverged")
                continue
            row = [record["measures"][name]["median"] or float("nan") for name in ("D_stsp", "D_H", "PE")]
            row += [*long_run(out), record["compile_seconds"], record["training_seconds"]]
            table.append(row)
            print(f"{seed:<6}" + "".join(f"{x:>12.4g}" for x in row), flush=True)
    print(f"{'median':<6}" + "".join(f"{statistics.median(c):>12.4g}" for c in zip(*table)))


if __name__ == "__main__":
    main()
