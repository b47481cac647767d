"""Fingerprints of results on a fixed list of seeds, models and dtypes: the same lines before and after a change, or a changed bit.

    python benchmarks/bits.py > before.txt        # in one checkout
    python benchmarks/bits.py > after.txt         # in the other
    diff before.txt after.txt

Each line is a case, and a hash over the bytes of its numbers. Losses, gradients, orbits, Jacobians, whole trainings (parameters and
history) and the analysis are in it, through public names only. It takes some minutes, most of them for the compiler.
"""

import hashlib
import itertools
import os
import sys
import warnings

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

import plrnn_numba as pl  # noqa: E402

MODELS = [
    ("PLRNN", {}),
    ("PLRNN", {"mean_centering": False}),
    ("ALRNN", {"num_relus": 2}),
    ("ALRNN", {"num_relus": 3, "off_diagonal_W": True, "ar_epsilon": 0.1}),
    ("shPLRNN", {"hidden_dim": 21}),
    ("clipped_shPLRNN", {"hidden_dim": 21}),
]
DTYPES = ("float32", "float64")
OBSERVATIONS = ("identity", "affine")
METHODS = ("batch_maximum", "product_upper_bound", "arithmetic_mean", "explog_approx")


def fingerprint(*values):
    """A hash over arrays, numbers and (nested) tuples of them."""
    digest = hashlib.sha256()

    def take(value):
        if isinstance(value, (tuple, list)):
            for part in value:
                take(part)
        elif isinstance(value, np.ndarray):
            digest.update(
                repr((value.shape, value.dtype.str)).encode() + np.ascontiguousarray(value).tobytes()
            )
        else:
            digest.update(repr(value).encode())

    take(values)
    return digest.hexdigest()[:16]


def config_of(name, hyper, dtype, observation="identity", M=7, **rest):
    step = {"name": name, "hyperparameters": hyper}
    plain = {"latent_dim": M, "latent_step": step, "dtype": dtype, "observation": {"name": observation}}
    return {**plain, **rest}


def gradients():
    forcings = [None, pl.STF(3), pl.GTF(0.2), pl.STF(2, forced_units=1), pl.GTF(0.3, forced_units=2)]
    for (name, hyper), dtype, observation in itertools.product(MODELS, DTYPES, OBSERVATIONS):
        for K, S, T in ((0, 2, 25), (2, 20, 25), (0, 20, 90)):
            model = pl.init_model(config_of(name, hyper, dtype, observation), 3, K, seed=K + S)
            rng = np.random.default_rng(S)
            X, U = rng.standard_normal((S, T + 1, 3)), rng.standard_normal((S, T + 1, K))
            found = [pl.loss_and_grad(model, X, U, forcing)[:2] for forcing in forcings]
            found += [pl.loss_and_grad(model, X, U, pl.STF(4), checkpoint_segments=3)]
            yield f"gradient {name} {hyper} {dtype} {observation} K={K} S={S} T={T}", found


def orbits():
    for (name, hyper), dtype, M in itertools.product(MODELS, DTYPES, (7, 20)):
        model = pl.init_model(config_of(name, hyper, dtype, M=M), 3, 2, seed=M)
        rng = np.random.default_rng(M)
        z, U = rng.standard_normal((20, M)), rng.standard_normal((300, 2))
        latent = model.latent
        yield (
            f"orbit {name} {hyper} {dtype} M={M}",
            [
                pl.generate(latent, z[0], 300, U),
                pl.generate(latent, z, 300),
                pl.step(latent, z, U[:20]),
                pl.step(latent, z[0]),
                pl.jacobian(latent, z),
                tuple(pl.to_hinge(latent)),
                tuple(pl.to_shplrnn(latent)),
                pl.predict(model, z[:3, :3], 50, U[:50]),
            ],
        )


def circle(n):
    t = 0.1 * np.arange(n)
    return np.stack([np.sin(t), 3 * np.cos(t), np.sin(2 * t) + 1], axis=1)


def fits():
    X = circle(1500) + 0.01 * np.random.default_rng(0).standard_normal((1500, 3))
    training = {"epochs": 4, "batches_per_epoch": 6, "sequence_length": 30}
    base = {"training": training, "evaluation": {"every": 2, "steps": 300}}
    gaps = X.copy()
    gaps[100:130, 1] = np.nan
    cases = [
        (name, hyper, dtype, observation, {}, X, None)
        for (name, hyper), dtype, observation in itertools.product(MODELS, DTYPES, OBSERVATIONS)
    ]
    clipped = MODELS[-1]
    for method in (*METHODS, "jacobian_upper_bound"):
        cases.append((*clipped, "float32", "affine", {"forcing": {"name": "GTF", "method": method}}, X, None))
    regularization = {
        "l2": 1e-3,
        "l2_observation": 1e-3,
        "mar": 1e-2,
        "mar_units": 2,
        "condition_number": 1e-3,
    }
    cases.append((*MODELS[0], "float32", "affine", {"regularization": regularization}, X, None))
    for more in (
        {"noise": 0.05, "gradient_clip": 0.1},
        {"n_threads": 2, "batch_size": 40, "noise": 0.05},
        {"optimizer": "adam", "batch_size": 2},
        {"checkpoint_segments": 3},
    ):
        cases.append((*clipped, "float32", "identity", {"training": {**training, **more}}, X, None))
    cases.append(
        (
            *MODELS[2],
            "float32",
            "identity",
            {"missing": "mask", "forcing": {"name": "STF", "interval": 7}},
            gaps,
            None,
        )
    )
    cases.append(
        (*MODELS[2], "float64", "identity", {}, [X[:400], X[400:]], [circle(400)[:, :2], circle(1100)[:, :2]])
    )
    for name, hyper, dtype, observation, more, series, inputs in cases:
        config = config_of(name, hyper, dtype, observation, **{**base, **more})
        result = pl.fit(series, config, inputs=inputs, progress=False)
        history = [v for k, v in sorted(result.history.items()) if k != "seconds"]
        what = "gaps" if series is gaps else "trials" if inputs else ""
        yield (
            f"fit {name} {hyper} {dtype} {observation} {more} {what}",
            [tuple(result.model), tuple(result.best_model), history],
        )


def analyses():
    analysis = pl.analysis
    for name, hyper in MODELS:
        model = pl.init_model(config_of(name, hyper, "float64", M=4), 3, seed=1)
        rng = np.random.default_rng(1)
        arrays = {k: v * 1.3 for k, v in model.latent._asdict().items() if isinstance(v, np.ndarray)}
        latent = model.latent._replace(**arrays)
        bias = "h" if "h" in latent._fields else "h1"
        latent = latent._replace(**{bias: rng.standard_normal(4)})
        z0 = rng.standard_normal(4)
        found = analysis.cycles(latent, 4, z0, tries=60)
        spectrum = analysis.lyapunov_spectrum(latent, z0, 2000)
        orbit = pl.generate(latent, z0, 2000)
        values = [
            [(c.points, c.itinerary, c.multipliers, c.margin, c.residual) for c in found],
            sorted(found.exhausted),
            sorted(found.certificates.items()),
            spectrum.exponents,
            spectrum.errors,
            analysis.is_bounded(latent, n_starts=5, n_steps=500).answer,
        ]
        if np.isfinite(orbit).all():
            symbols = analysis.symbols(latent, orbit)
            graph = analysis.transition_graph(symbols)
            entropies = analysis.block_entropies(symbols.sequence, 3)
            values += [symbols.sequence, symbols.patterns, graph.counts, entropies.H, entropies.topological]
        box = analysis.absorbing_box(latent)
        values += [None if box is None else (box.centre, box.half_width)]
        yield f"analysis {name} {hyper}", values
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((2, 1000, 3)).cumsum(axis=1)
    measures = pl.measures
    yield (
        "measures",
        [
            pl.state_space_divergence(X, Y),
            pl.state_space_divergence(X, Y, method="gmm", sigma=1.0),
            pl.hellinger_distance(X, Y),
            measures.statistical_error(X, Y, directions=50),
            measures.mase(X, Y),
            measures.power_spectra(X),
        ],
    )
    yield (
        "systems",
        [pl.systems.simulate(name, 500) for name in ("lorenz63", "rossler", "lorenz96", "van_der_pol")],
    )


def main():
    warnings.simplefilter("ignore")
    chosen = sys.argv[1:]
    for family in (gradients, orbits, fits, analyses):
        if not chosen or family.__name__ in chosen:
            for name, values in family():
                print(f"{fingerprint(*values)}  {name}", flush=True)


if __name__ == "__main__":
    main()
