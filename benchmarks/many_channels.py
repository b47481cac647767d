"""Which measure of geometry tells good orbits from bad ones where there are many channels, and at what cost.

    python benchmarks/many_channels.py            (half an hour)
    python benchmarks/many_channels.py --small

The truth is an orbit of Lorenz-96 with N sites, read by C channels (the sites themselves, or random mixtures of them). It is
compared with orbits of known quality, four of each: true ones from other starts; of a wrong forcing; with noise added; of a
wrong amplitude; and with others that are wrong in ways of their own. For each measure it prints the time of one comparison;
the rank correlation of its means with the order that is known; and by how much each kind is worse than the true ones, in standard
deviations of the true ones. (Time twice as fast changes no geometry: there, and there alone, 0 is right.)
"""

import argparse
import os
import time
import warnings

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(os.environ.get("BENCH_CORE", "0"))})

import numpy as np
from scipy.stats import spearmanr

import plrnn_numba as pl
from plrnn_numba import measures

REPEATS = 4
GRADED = {
    "forcing": ("F 8.25", "F 8.5", "F 9", "F 10", "F 13"),
    "noise": ("noise .1", "noise .2", "noise .4", "noise .8", "noise 1.6"),
    "amplitude": ("size .95", "size .9", "size .75", "size .5", "size .25", "constant"),
}
OTHERS = ("untrained", "phases shuffled", "Gaussian, same covariance", "white", "time twice as fast")


def lorenz96(n_sites, forcing, n_steps, seeds, dt=0.05):
    """Orbits (seeds, n_steps, n_sites), by Runge and Kutta's rule."""
    x = np.stack([8 + np.random.default_rng(seed).standard_normal(n_sites) for seed in seeds])

    def flow(x):
        return (np.roll(x, -1, 1) - np.roll(x, 2, 1)) * np.roll(x, 1, 1) - x + forcing

    orbits = np.empty((len(seeds), n_steps, n_sites))
    for t in range(-500, n_steps):
        if t >= 0:
            orbits[:, t] = x
        a = flow(x)
        b = flow(x + dt / 2 * a)
        c = flow(x + dt / 2 * b)
        x = x + dt / 6 * (a + 2 * b + 2 * c + flow(x + dt * c))
    return orbits


def with_shuffled_phases(Y, rng):
    waves = np.fft.rfft(Y - Y.mean(axis=0), axis=0)
    turned = waves * np.exp(2j * np.pi * rng.random(waves.shape))
    return Y.mean(axis=0) + np.fft.irfft(turned, len(Y), axis=0)


def untrained(X, seed):
    config = {"latent_dim": X.shape[1], "latent_step": {"name": "PLRNN"}, "seed": seed}
    model = pl.init_model(config, n_observed=X.shape[1])._replace(
        scaling=pl.Scaling(X.mean(axis=0), X.std(axis=0))
    )
    return pl.predict(model, X[0], len(X))


def orbits_of_known_quality(n_sites, n_channels, n_steps):
    """The truth, and what it is compared with: {kind: [orbit, ...]}."""
    readout = np.eye(n_sites)
    if n_channels != n_sites:
        readout = np.random.default_rng(0).standard_normal((n_sites, n_channels)) / np.sqrt(n_sites)

    def seen(forcing, first_seed, n, **options):
        return lorenz96(n_sites, forcing, n_steps, range(first_seed, first_seed + n), **options) @ readout

    X, *true = seen(8, 0, 1 + REPEATS)
    mean, spread = X.mean(axis=0), X.std(axis=0)
    rngs = [np.random.default_rng(seed) for seed in range(REPEATS)]
    sites = lorenz96(n_sites, 8, n_steps, [99])[0]
    root = np.linalg.cholesky(np.cov(sites.T)).T @ readout
    found = {"true": true}
    found |= {name: list(seen(float(name[2:]), 100, REPEATS)) for name in GRADED["forcing"]}
    for name in GRADED["noise"]:
        found[name] = [Y + float(name[6:]) * spread * r.standard_normal(Y.shape) for Y, r in zip(true, rngs)]
    for name in GRADED["amplitude"]:
        size = 0.0 if name == "constant" else float(name[5:])
        found[name] = [mean + size * (Y - mean) for Y in true]
    found["untrained"] = [untrained(X, seed) for seed in range(REPEATS)]
    found["phases shuffled"] = [with_shuffled_phases(Y, r) for Y, r in zip(true, rngs)]
    found["Gaussian, same covariance"] = [mean + r.standard_normal((n_steps, n_sites)) @ root for r in rngs]
    found["white"] = [mean + spread * r.standard_normal(X.shape) for r in rngs]
    found["time twice as fast"] = list(seen(8, 200, REPEATS, dt=0.1))
    return X, found


def standardized(X, *others):
    mean, spread = X.mean(axis=0), X.std(axis=0)
    return [(A - mean) / spread for A in (X, *others)]


def mixtures(width, variant):
    def measure(X, Y):
        X, Y = standardized(X[:: len(X) // 2000 or 1], Y[:: len(Y) // 2000 or 1])
        sigma = width * np.sqrt(X.shape[1])
        return pl.state_space_divergence(X, Y, method="gmm", variant=variant, sigma=sigma, samples=200)

    return measure


MEASURES = {
    "D_stsp, histograms": lambda X, Y: pl.state_space_divergence(X, Y, variant="julia"),
    "mixtures, .1 sqrt N": mixtures(0.1, None),
    "mixtures, .25 sqrt N": mixtures(0.25, None),
    "both ways, .25 sqrt N": mixtures(0.25, "dend-symmetric"),
    "both ways, .35 sqrt N": mixtures(0.35, "dend-symmetric"),
    "both ways, .5 sqrt N": mixtures(0.5, "dend-symmetric"),
    "sliced Wasserstein": lambda X, Y: measures.statistical_error(*standardized(X, Y), directions=100),
    "axes' Wasserstein": lambda X, Y: measures.statistical_error(X, Y, variant="dimwise"),
    "kernel_distance, .15": lambda X, Y: measures.kernel_distance(X, Y, width=0.15),
    "kernel_distance, .25": lambda X, Y: measures.kernel_distance(X, Y),
    "kernel_distance, .35": lambda X, Y: measures.kernel_distance(X, Y, width=0.35),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="one short case")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--cases", default="6x6 10x10 20x20 40x40 20x306", help="sites x channels")
    options = parser.parse_args()
    cases, n_steps = (("6x6",), 500) if options.small else (options.cases.split(), options.steps)
    warnings.simplefilter("ignore", RuntimeWarning)
    for case in cases:
        n_sites, n_channels = map(int, case.split("x"))
        X, orbits = orbits_of_known_quality(n_sites, n_channels, n_steps)
        print(f"\n{n_sites} sites, {n_channels} channels, {n_steps} steps", flush=True)
        for name, measure in MEASURES.items():
            values, begin = {}, time.perf_counter()
            for kind, those in orbits.items():
                values[kind] = np.array([measure(X, Y) for Y in those])
            ms = 1e3 * (time.perf_counter() - begin) / sum(map(len, orbits.values()))
            true = values["true"]
            ranks = [
                spearmanr(range(1 + len(kinds)), [values[k].mean() for k in ("true", *kinds)])[0]
                for kinds in GRADED.values()
            ]
            print(
                f"{name:<22} {ms:5.0f} ms; true {true.mean():.2g} +- {true.std(ddof=1):.2g}; rank correlation",
                end="",
            )
            print(*(f" {g} {r:.2f}" for g, r in zip(GRADED, ranks)), sep=",")
            worse = {
                k: (v.mean() - true.mean()) / max(true.std(ddof=1), 1e-300)
                for k, v in values.items()
                if k != "true"
            }
            print("   ", ", ".join(f"{k}: {z:.3g}" for k, z in worse.items()), flush=True)


if __name__ == "__main__":
    main()
