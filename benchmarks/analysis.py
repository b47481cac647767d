"""The exact analysis: how long it takes, and that it is exact.

    python benchmarks/analysis.py lyapunov           # a million steps of M = 20, k = 5
    python benchmarks/analysis.py exact [--maps 500] # cycles against an enumeration, for every model (half an hour)
    python benchmarks/analysis.py scyfi              # beside a plain SCYFI in NumPy, to the same set
    python benchmarks/analysis.py alrnn [--data lorenz63.npy] [--seconds 60]  # cycles of up to 400 of a trained AL-RNN

Pinned to one core. `exact` takes the enumeration of the tests, which knows nothing of the package. `scyfi` runs, on
chaotic random maps, the published algorithm with its own rule for stopping, and ours with its defaults.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

if __name__ == "__main__" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(os.environ.get("BENCH_CORE", "0"))})

import numpy as np

import plrnn_numba as pl
from plrnn_numba import analysis
from plrnn_numba.analysis.hinge import as_hinge
from plrnn_numba.analysis.regions import numbered


def lyapunov():
    config = {"latent_dim": 20, "latent_step": {"name": "ALRNN", "hyperparameters": {"num_relus": 2}}}
    latent = pl.init_model(config, 3, seed=0).latent
    z0 = 0.1 * np.ones(20)
    analysis.lyapunov_spectrum(latent, z0, 10, k=5)
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        analysis.lyapunov_spectrum(latent, z0, 1_000_000, k=5)
        times.append(time.perf_counter() - begin)
    print(f"1,000,000 steps, ALRNN M=20 P=2, k=5: {statistics.median(times):.2f} s")


def exact(n_maps):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from families import ROWS
    from test_analysis import check_against_enumeration

    for row in ROWS:
        counts = {"all": 0, "searched": 0}
        begin = time.perf_counter()
        for seed in range(n_maps):
            check_against_enumeration(row, seed, counts)
        print(
            f"{row.id:<32} {n_maps} maps: {counts['all']} cycles, all found and none invented by going over all "
            f"itineraries; {counts['searched']} of them by search alone ({time.perf_counter() - begin:.0f} s)",
            flush=True,
        )


class PlainSCYFI:
    """The published algorithm as it is described, one guess after the other, in NumPy."""

    def __init__(self, hinge, rng):
        self.hinge, self.rng = hinge, rng
        states = rng.uniform(-10, 10, (100_000, len(hinge.L)))
        self.pool, _ = numbered(states @ hinge.C.T + hinge.d > 0)

    def next(self, k, most_inner):
        """From one random guess of k patterns: the itinerary of a cycle, or None."""
        h, M = self.hinge, len(self.hinge.L)
        D = self.pool[self.rng.integers(0, len(self.pool), k)]
        for _ in range(most_inner):
            P, q = np.eye(M), np.zeros(M)
            for pattern in D:
                B = h.B[:, pattern]
                J = h.L + B @ h.C[pattern]
                P, q = J @ P, J @ q + h.h + B @ h.d[pattern]
            try:
                z = np.linalg.solve(np.eye(M) - P, q)
            except np.linalg.LinAlgError:
                return None
            new = np.zeros_like(D)
            for t in range(k):
                u = h.C @ z + h.d
                new[t] = u > 0
                z = h.L @ z + h.B @ np.maximum(u, 0) + h.h
            if (new == D).all():
                return D
            D = new
        return None

    def run(self, k_max):
        """The published stopping rule: both counters start anew with each discovery. What was found, and when the last."""
        found = {}
        begin = last = time.perf_counter()
        for k in range(1, k_max + 1):
            n_out = 10 if k < 8 else 40
            n_in = 20 if k < 3 else 60 if k < 6 else 300 if k < 8 else 1080
            outer = 0
            while outer < n_out:
                outer += 1
                D = self.next(k, n_in)
                if D is not None:
                    rotated = analysis.smallest_rotation(D)
                    key = len(rotated), np.packbits(rotated).tobytes()
                    if key not in found:
                        found[key] = rotated
                        outer = 0
                        last = time.perf_counter()
        return set(found), last - begin


def scyfi():
    rows, k_max = [], 10
    for seed in range(20):
        rng = np.random.default_rng(seed)
        M, H = 2, 10
        A, W1, W2 = rng.uniform(-0.9, 0.9, M), 3.0 * rng.standard_normal((M, H)), rng.standard_normal((H, M))
        latent = pl.ClippedShPLRNN(
            A, W1, W2, rng.standard_normal(M), 2 * rng.standard_normal(H), np.zeros((M, 0))
        )
        hinge = as_hinge(latent)
        if seed == 0:  # compiled
            analysis.cycles(hinge, k_max, tries=25)
        plain = PlainSCYFI(hinge, rng)
        begin = time.perf_counter()
        theirs, last = plain.run(k_max)
        to_the_end = time.perf_counter() - begin
        if len(theirs) < 5:
            continue  # a map without chaos, where there is nothing to search for

        begin = time.perf_counter()
        found = analysis.cycles(hinge, k_max, exhaustive=False)
        ours_to_the_end = time.perf_counter() - begin
        begin = time.perf_counter()
        some, tries = None, 50
        while time.perf_counter() - begin < 60:
            some = analysis.cycles(hinge, k_max, exhaustive=False, tries=tries, patience=10**6, resume=some)
            tries *= 2
            missing = theirs - {c.key() for c in some}
            if not missing:
                break
        same_set = time.perf_counter() - begin
        rows.append((last / same_set, to_the_end / ours_to_the_end, len(theirs), len(found)))
        print(
            f"map {seed:>2}: SCYFI {len(theirs):>3} cycles, the last after {last:6.2f} s, done after {to_the_end:6.2f} s; ours "
            f"has them after {same_set:6.3f} s ({rows[-1][0]:5.0f} times{', ' + str(len(missing)) + ' missing' if missing else ''}), "
            f"done after {ours_to_the_end:5.2f} s with {len(found):>3} ({rows[-1][1]:5.0f} times)",
            flush=True,
        )
    print(
        f"medians over {len(rows)} maps: {statistics.median(r[0] for r in rows):.0f} times as fast to the same set, "
        f"{statistics.median(r[1] for r in rows):.0f} times to the end; SCYFI {sum(r[2] for r in rows)} cycles, ours {sum(r[3] for r in rows)}"
    )


def alrnn(data, seconds):
    X = np.load(data) if data else pl.systems.simulate("lorenz63", 100_000)
    config = {
        "latent_dim": 20,
        "latent_step": {"name": "ALRNN", "hyperparameters": {"num_relus": 2}},
        "forcing": {"name": "STF", "interval": 16},
        "training": {"epochs": 2000, "noise": 0.05, "learning_rate": [1e-3, 1e-5]},
        "evaluation": {"every": 100},
    }
    cut = len(X) - len(X) // 5
    result = pl.fit(X[:cut], config, validation=X[cut:], progress=False)
    model = result.best_model
    found = pl.evaluate(model, X[cut:])
    print(f"trained in {result.seconds:.0f} s; D_stsp {found.D_stsp:.2f}, D_H {found.D_H:.3f}", flush=True)
    z0 = pl.initial_state(model, X[:1])[0]
    analysis.cycles(model.latent, 2, z0, tries=1)  # compiled
    begin = time.perf_counter()
    last = 0.0

    def tell(followed, n):
        nonlocal last
        spent = time.perf_counter() - begin
        if spent - last > 10:
            last = spent
            print(f"  {spent:5.1f} s: {followed} guesses, {n} cycles", flush=True)

    cycles = analysis.cycles(
        model.latent,
        400,
        z0,
        tries=10**6,
        patience=10**6,
        seconds=seconds,
        orbit_steps=100_000,
        progress=tell,
    )
    periods = np.array([c.period for c in cycles])
    print(
        f"{len(cycles)} cycles of up to 400 in {time.perf_counter() - begin:.0f} s, "
        f"{len(set(periods.tolist()))} periods, the longest {periods.max(initial=0)}; exhausted: {sorted(cycles.exhausted)}; "
        f"{sum(c.stability == 'saddle' for c in cycles)} saddles; largest residual {max(c.residual for c in cycles):.1e}, "
        f"smallest margin {min(c.margin for c in cycles):.1e}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["lyapunov", "exact", "scyfi", "alrnn"])
    parser.add_argument("--maps", type=int, default=500)
    parser.add_argument("--data")
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    if options.what == "lyapunov":
        lyapunov()
    elif options.what == "exact":
        exact(options.maps)
    elif options.what == "scyfi":
        scyfi()
    else:
        alrnn(options.data, options.seconds)


if __name__ == "__main__":
    main()
