"""Reconstructions by the command line, over seeds: D_stsp, D_H and time, and their medians.

    python benchmarks/reconstruct.py clipped
    python benchmarks/reconstruct.py alrnn --data lorenz63.npy
    python benchmarks/reconstruct.py ecg --data ecg.npy          (ecg-better: the same model, trained otherwise)
    python benchmarks/reconstruct.py eeg --data eeg.npy          (eeg-better; D_stsp is that of mixtures, sigma 1)
    python benchmarks/reconstruct.py masked | trials
    python benchmarks/reconstruct.py floor

Without --data, training takes an orbit of Lorenz-63 (dt = 0.01, 100,000 steps), and another one is held out; of a
series of your own, the last fifth is held out. Each run is a process of its own on one core. Of each, two models are
measured on what is held out: the last, and the best, by D_stsp (in many dimensions D_mmd; see `evaluate`) on the
*training* series, so that nothing of the held-out part takes part in the choice. `short` are medians over stretches of
10,000 steps, `long` is one orbit as long as the held-out series.

`masked` trains on the orbit with 30 % of its entries missing at random, and on all of it; `trials` on 50 trials of
unequal length that have as many rows together. `floor` compares true orbits with each other, by their length: no
model can do better than by luck.
"""

import argparse
import copy
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
    "ecg-better": {
        "latent_dim": 5,
        "latent_step": {"name": "clipped_shPLRNN", "hyperparameters": {"hidden_dim": 250}},
        "observation": {"name": "affine"},
        "forcing": {"name": "GTF", "alpha": 0.3},
        "training": {"epochs": 500, "learning_rate": [5e-3, 1e-5], "noise": 0.005},
        "regularization": {"condition_number": 1e-7},
        "evaluation": {"every": 25, "orbits": 4},
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


SETTINGS["eeg-better"] = copy.deepcopy(SETTINGS["eeg"])
SETTINGS["eeg-better"]["training"] |= {"learning_rate": [2e-3, 1e-5], "noise": 0.05}
SETTINGS["masked"] = SETTINGS["trials"] = SETTINGS["clipped"]


def train(folder, name, config, data, seed, core):
    """Run one training; return its folder and its record."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    out = folder / f"{name}-seed{seed}"
    command = [
        sys.executable,
        "-m",
        "plrnn_numba",
        "train",
        path,
        "--data",
        data,
        "--hold-out",
        "0",
        "--out",
        out,
    ]
    command += ["--set", f"seed={seed}", "--quiet", "--no-plots"]
    pin = (lambda: os.sched_setaffinity(0, {core})) if hasattr(os, "sched_setaffinity") else None
    done = subprocess.run(command, preexec_fn=pin)
    if done.returncode not in (0, 3):
        raise SystemExit(f"train ended with exit code {done.returncode}")
    return out, json.loads((out / "run.json").read_text())


def short_and_long(model, X):
    """Medians over stretches of 10,000 steps, and one orbit as long as the series: D_stsp, D_H, D_stsp, D_H."""
    orbit = pl.predict(model, X[0], len(X))
    if X.shape[1] > 10:
        long = pl.state_space_divergence(X, orbit, method="gmm", sigma=1.0)
        return long, pl.hellinger_distance(X, orbit), long, pl.hellinger_distance(X, orbit)
    found = pl.evaluate(model, X, prediction_steps=1)
    return found.D_stsp, found.D_H, pl.state_space_divergence(X, orbit), pl.hellinger_distance(X, orbit)


def sources(setting, data, folder):
    """Files to train on, by name, and the held-out series."""
    if data is not None:
        X = np.load(data)
        cut = len(X) - len(X) // 5
        X, held = X[:cut], X[cut:]
    else:
        X, held = (pl.systems.simulate("lorenz63", 100_000, seed=seed) for seed in (0, 1))
    files = {setting: folder / "series.npy"}
    np.save(files[setting], X)
    rng = np.random.default_rng(0)
    if setting == "masked":
        files = {"all entries": files[setting], "30 % missing": folder / "masked.npy"}
        np.save(files["30 % missing"], np.where(rng.random(X.shape) < 0.3, np.nan, X))
    if setting == "trials":
        files = {"one series": files[setting], "50 trials": folder / "trials"}
        files["50 trials"].mkdir()
        ends = np.sort(rng.choice(np.arange(1, len(X) // 500), 49, replace=False)) * 500
        for i, trial in enumerate(np.split(X, ends)):
            np.save(files["50 trials"] / f"{i:02d}.npy", trial)
    return files, held


def floor():
    """D_stsp and D_H between true orbits from different starts: medians over the six ordered pairs of three."""
    orbits = [pl.systems.simulate("lorenz63", 100_000, seed=seed) for seed in range(3)]
    print(f"{'steps':>8}{'D_stsp':>10}{'D_H':>10}")
    for steps in (1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000):
        pairs = [(a[:steps], b[:steps]) for a, b in itertools.permutations(orbits, 2)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            divergences = [pl.state_space_divergence(a, b) for a, b in pairs]
        distances = [pl.hellinger_distance(a, b) for a, b in pairs]
        print(f"{steps:>8}{statistics.median(divergences):>10.3f}{statistics.median(distances):>10.3f}")


def change(config, assignment):
    """Set ``key.of.key=JSON``."""
    path, _, text = assignment.partition("=")
    *parents, last = path.split(".")
    for key in parents:
        config = config.setdefault(key, {})
    config[last] = json.loads(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("setting", choices=[*SETTINGS, "floor"])
    parser.add_argument("--data", help="a series (T, N); else an orbit of Lorenz-63")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="VALUE is JSON")
    options = parser.parse_args()
    if options.setting == "floor":
        return floor()
    config = copy.deepcopy(SETTINGS[options.setting])
    if options.epochs:
        config["training"]["epochs"] = options.epochs
    for assignment in options.set:
        change(config, assignment)
    print(json.dumps(config))
    warnings.simplefilter("ignore", RuntimeWarning)
    measures = ("D_stsp", "D_H", "D_stsp", "D_H")
    print(f"{'':<20}{'last: short':>20}{'long':>20}{'best: short':>20}{'long':>20}")
    print(f"{'':<15}seed" + "".join(f"{m:>10}" for m in measures * 2) + f"{'train s':>10}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files, held = sources(options.setting, options.data, folder)
        for name, data in files.items():
            part = {**config, "missing": "mask"} if name == "30 % missing" else config
            table = []
            for seed in range(options.seeds):
                out, record = train(folder, name, part, data, seed, options.core)
                if record["status"] == "diverged":
                    print(f"{name:<15}{seed:>4}  diverged")
                    continue
                models = [pl.load_model(out / f"{which}.npz") for which in ("model", "best")]
                row = [x for model in models for x in short_and_long(model, held)]
                table.append([*row, record["training_seconds"]])
                print(f"{name:<15}{seed:>4}" + "".join(f"{x:>10.3g}" for x in table[-1]), flush=True)
            medians = [statistics.median(column) for column in zip(*table)]
            print(f"{name:<13}median" + "".join(f"{x:>10.3g}" for x in medians), flush=True)


if __name__ == "__main__":
    main()
