"""This package beside PyTorch eager and JAX jit: gradients, rollouts, an epoch, memory, threads, start-up.

    pip install '.[cli,bench]'
    python benchmarks/compare.py                  # the table of the README, a few minutes
    python benchmarks/compare.py --full           # the whole grid
    python benchmarks/compare.py --out results    # results.json and results.png (a roofline)

Everything but memory and threads runs in one process, pinned to one core, with one thread each. The contestants take turns, repetition by
repetition, and the medians are compared, so that a machine that changes its speed changes it for all. The peak is
that of fused multiply-adds on registers, measured in the same run. A rival that is not installed is left out.

The rivals compute the same loss over the same batch: a Python loop over time in PyTorch, with autograd; a `lax.scan`
inside one `jit(value_and_grad(...))` in JAX. Their loss is checked against ours before anything is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

if __name__ == "__main__":  # before NumPy: one core, one thread, for every contestant
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(os.environ.get("BENCH_CORE", "0"))})
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[_name] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np

import plrnn_numba as pl
from plrnn_numba import bptt
from plrnn_numba.engine import as_lanes, jit, muladd, zeros
from plrnn_numba.observations.base import signal_inverse
from plrnn_numba.source import as_source

N = 3


@dataclasses.dataclass(frozen=True)
class Case:
    """A gradient step: model, sizes, batch."""

    name: str
    M: int
    hidden: int  # H, or P for an ALRNN, or unused
    S: int
    T: int
    dtype: str = "float32"
    observation: str = "identity"

    def __str__(self) -> str:
        sizes = {"PLRNN": f"M={self.M}", "ALRNN": f"M={self.M} P={self.hidden}"}
        size = sizes.get(self.name, f"M={self.M} H={self.hidden}")
        return f"{self.name} {size} S={self.S} T={self.T} {self.dtype} {self.observation}"

    def model(self) -> pl.Model:
        key = {"ALRNN": "num_relus"}.get(self.name, "hidden_dim")
        hyper = {} if self.name == "PLRNN" else {key: self.hidden}
        config = {
            "latent_dim": self.M,
            "latent_step": {"name": self.name, "hyperparameters": hyper},
            "observation": {"name": self.observation},
            "dtype": self.dtype,
        }
        model = pl.init_model(config, N, seed=0)
        # Contracting, so that no contestant is slowed down, or sped up, by overflow.
        return model._replace(latent=model.latent._replace(A=0.5 * model.latent.A))

    def data(self) -> np.ndarray:
        return np.random.default_rng(1).standard_normal((self.S, self.T + 1, N)).astype(self.dtype)

    def flops(self) -> int:
        """Multiply-adds of the three products a weight takes (forward, back, gradient), as two each."""
        weights = self.M**2 if self.name in ("PLRNN", "ALRNN") else 2 * self.M * self.hidden
        return 6 * weights * self.S * self.T


FORCING = pl.GTF(0.1)

HEADLINE = [
    Case("clipped_shPLRNN", 3, 50, 16, 200),
    Case("ALRNN", 20, 2, 16, 200),
    Case("ALRNN", 100, 2, 16, 50),
    Case("clipped_shPLRNN", 16, 512, 16, 50),
    Case("clipped_shPLRNN", 50, 500, 16, 50),
]

_MODELS = [
    ("clipped_shPLRNN", 3, 50),
    ("clipped_shPLRNN", 5, 250),
    ("clipped_shPLRNN", 16, 512),
    ("clipped_shPLRNN", 50, 500),
    ("ALRNN", 20, 2),
    ("ALRNN", 30, 10),
    ("ALRNN", 100, 2),
    ("PLRNN", 20, 0),
    ("PLRNN", 50, 0),
    ("shPLRNN", 16, 512),
]
GRID = [
    Case(*model, S, T, dtype, observation)
    for model, S, T, dtype, observation in itertools.product(
        _MODELS, (1, 16, 64, 256), (50, 200, 2000), ("float32", "float64"), ("identity", "affine")
    )
]


# --- the contestants: each a function that makes a function to be timed, which returns the loss ----


def ours(case: Case):
    """The compiled gradient on arrays that are there already, as `fit` calls it."""
    model, X = case.model(), case.data()
    a = FORCING.weights(case.T).astype(case.dtype)
    workspace = bptt.new_workspace(model, case.T, bptt.n_lanes(case.S))
    gradient = np.empty_like(workspace.vector)
    rows = case.S * (case.T + 1)
    arguments = (
        (model.latent, model.observation),
        signal_inverse(model.observation),
        a,
        as_source(X.reshape(rows, N), np.zeros((rows, 0), case.dtype)),
        np.arange(case.S) * (case.T + 1),
        np.random.default_rng(0),
        0.0,
        workspace,
        gradient,
    )
    return lambda: float(bptt._batch_gradient(*arguments))


def _parameters(model: pl.Model) -> dict[str, np.ndarray]:
    parts = {**model.latent._asdict(), **model.observation._asdict()}
    return {k: v for k, v in parts.items() if isinstance(v, np.ndarray) and k != "C"}


def pytorch(case: Case, forcing=FORCING):
    import torch

    torch.set_num_threads(1)
    model = case.model()
    p = {k: torch.tensor(v, requires_grad=True) for k, v in _parameters(model).items()}
    X = torch.tensor(case.data())
    P = case.hidden
    relu = torch.relu

    def step(z):
        if case.name == "PLRNN":
            return p["A"] * z + relu(z - z.mean(1, keepdim=True)) @ p["W"].T + p["h"]
        if case.name == "ALRNN":
            f = torch.cat([z[:, : case.M - P], relu(z[:, case.M - P :])], 1)
            return p["A"] * z + f @ p["W"].T + p["h"]
        u = z @ p["W2"].T
        r = relu(u + p["h2"]) - relu(u) if case.name == "clipped_shPLRNN" else relu(u + p["h2"])
        return p["A"] * z + r @ p["W1"].T + p["h1"]

    a = forcing.weights(case.T).tolist()
    data = X

    def gradient(X=data):
        for v in p.values():
            v.grad = None
        affine = case.observation == "affine"
        if affine:
            signal = (X - p["b"]) @ torch.linalg.pinv(p["B"]).detach().T
            z = signal[:, 0]
        else:
            signal = X
            z = torch.cat([X[:, 0], X[:, 0] @ p["L"].T], 1)
        states = []
        for t in range(case.T):
            if a[t] > 0:
                if affine:
                    z = (1 - a[t]) * z + a[t] * signal[:, t]
                else:
                    z = torch.cat([(1 - a[t]) * z[:, :N] + a[t] * X[:, t], z[:, N:]], 1)
            z = step(z)
            states.append(z)
        Z = torch.stack(states, 1)
        x_hat = Z @ p["B"].T + p["b"] if affine else Z[:, :, :N]
        loss = ((x_hat - X[:, 1:]) ** 2).mean()
        loss.backward()
        return loss.item()

    gradient.parameters = list(p.values())
    return gradient


def jax_jit(case: Case, forcing=FORCING):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", case.dtype == "float64")
    p0 = {k: jnp.asarray(v) for k, v in _parameters(case.model()).items()}
    X = jnp.asarray(case.data()).transpose(1, 0, 2)
    a = jnp.asarray(forcing.weights(case.T), case.dtype)
    relu, P = jax.nn.relu, case.hidden

    def step(p, z):
        if case.name == "PLRNN":
            return p["A"] * z + relu(z - z.mean(1, keepdims=True)) @ p["W"].T + p["h"]
        if case.name == "ALRNN":
            f = jnp.concatenate([z[:, : case.M - P], relu(z[:, case.M - P :])], 1)
            return p["A"] * z + f @ p["W"].T + p["h"]
        u = z @ p["W2"].T
        r = relu(u + p["h2"]) - relu(u) if case.name == "clipped_shPLRNN" else relu(u + p["h2"])
        return p["A"] * z + r @ p["W1"].T + p["h1"]

    def loss(p, X):
        affine = case.observation == "affine"
        if affine:
            signal = (X - p["b"]) @ jax.lax.stop_gradient(jnp.linalg.pinv(p["B"])).T
            start = signal[0]
        else:
            signal = X
            start = jnp.concatenate([X[0], X[0] @ p["L"].T], 1)

        def body(z, xs):
            s, w = xs
            forced = (1 - w) * z[:, : s.shape[1]] + w * s
            z = step(p, jnp.concatenate([forced, z[:, s.shape[1] :]], 1))
            return z, z

        _, Z = jax.lax.scan(body, start, (signal[: case.T], a))
        x_hat = Z @ p["B"].T + p["b"] if affine else Z[:, :, :N]
        return ((x_hat - X[1:]) ** 2).mean()

    compiled = jax.jit(jax.value_and_grad(loss))

    def gradient():
        value, grads = compiled(p0, X)
        jax.block_until_ready(grads)
        return float(value)

    gradient.parameters, gradient.loss = p0, loss
    return gradient


CONTESTANTS = {"ours": ours, "JAX jit": jax_jit, "PyTorch eager": pytorch}


def installed() -> dict:
    found = {"ours": ours}
    for name, module in (("JAX jit", "jax"), ("PyTorch eager", "torch")):
        try:
            __import__(module)
        except ImportError:
            continue
        found[name] = CONTESTANTS[name]
    return found


# --- timing ----------------------------------------------------------------------------------------


def interleaved(functions: dict, budget: float) -> dict[str, float]:
    """Median seconds of each, in turns, until each has had its share of the budget."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    spent = dict.fromkeys(functions, 0.0)
    while True:
        waiting = [
            n for n in functions if spent[n] < max(budget / len(functions), 0 if len(times[n]) >= 5 else 2.0)
        ]
        if not waiting:
            return {name: statistics.median(t) for name, t in times.items()}
        for name in waiting:
            begin = time.perf_counter()
            functions[name]()
            seconds = time.perf_counter() - begin
            times[name].append(seconds)
            spent[name] += seconds


@jit
def _multiply_adds(array, n):
    x = as_lanes(array)
    a0, a1, a2, a3, a4, a5 = x[0], x[1], x[2], x[3], x[4], x[5]
    a6, a7, a8, a9, aa, ab = x[6], x[7], x[8], x[9], x[10], x[11]
    b, c = x[12], x[13]
    for _ in range(n):
        a0, a1, a2 = muladd(a0, b, c), muladd(a1, b, c), muladd(a2, b, c)
        a3, a4, a5 = muladd(a3, b, c), muladd(a4, b, c), muladd(a5, b, c)
        a6, a7, a8 = muladd(a6, b, c), muladd(a7, b, c), muladd(a8, b, c)
        a9, aa, ab = muladd(a9, b, c), muladd(aa, b, c), muladd(ab, b, c)
    x[0] = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + aa + ab


def peak_flops(dtype: str) -> float:
    """Floating-point operations a second of fused multiply-adds that never leave the registers."""
    x = zeros((14,), dtype)
    x[...] = 0.5
    n = 200_000
    _multiply_adds(x, n)
    best = min(interleaved({"peak": lambda: _multiply_adds(x, n)}, 0.02)["peak"] for _ in range(10))
    return 2 * 12 * x.shape[1] * n / best


def gradients(cases: list[Case], budget: float) -> list[dict]:
    contestants = installed()
    rivals = [name for name in contestants if name != "ours"]
    print(f"{'gradient':<58}{'ours':>10}" + "".join(f"{r + ' /':>16}" for r in rivals) + f"{'of peak':>9}")
    rows, peaks = [], {d: peak_flops(d) for d in {case.dtype for case in cases}}
    for case in cases:
        functions = {name: make(case) for name, make in contestants.items()}
        losses = {name: f() for name, f in functions.items()}
        for name, loss in losses.items():
            if not np.isclose(loss, losses["ours"], rtol=1e-3):
                raise SystemExit(f"{case}: {name} has loss {loss}, ours is {losses['ours']}")
        seconds = interleaved(functions, budget)
        part = case.flops() / seconds["ours"] / peaks[case.dtype]
        ratios = {r: seconds[r] / seconds["ours"] for r in rivals}
        print(
            f"{case!s:<58}{1e3 * seconds['ours']:>7.3f} ms"
            + "".join(f"{ratios[r]:>16.1f}" for r in rivals)
            + f"{part:>9.0%}",
            flush=True,
        )
        rows.append(
            {"case": dataclasses.asdict(case), "flops": case.flops(), "seconds": seconds, "of_peak": part}
        )
    return rows


def rollouts(n_steps: int, budget: float) -> list[dict]:
    """Free runs of an ALRNN, one orbit and 64."""
    case = Case("ALRNN", 20, 2, 1, 1)
    latent = case.model().latent
    rows = []
    names = [n for n in installed() if n != "ours"]
    print(f"\n{'rollout, ALRNN M=20 P=2':<58}{'ours':>10}" + "".join(f"{r + ' /':>16}" for r in names))
    for n_orbits in (1, 64):
        z0 = np.random.default_rng(0).standard_normal((n_orbits, 20)).astype("f4")
        functions = {"ours": lambda z0=z0: pl.generate(latent, z0, n_steps)}
        if "PyTorch eager" in names:
            functions["PyTorch eager"] = _torch_rollout(latent, z0, max(n_steps // 50, 1))
        if "JAX jit" in names:
            functions["JAX jit"] = _jax_rollout(latent, z0, n_steps)
        for f in functions.values():
            f()
        seconds = interleaved(functions, budget)
        if "PyTorch eager" in seconds:  # a part of the steps, or it would take minutes
            seconds["PyTorch eager"] *= n_steps / max(n_steps // 50, 1)
        text = f"{n_orbits} orbit(s) of {n_steps} steps"
        ratios = "".join(f"{seconds[r] / seconds['ours']:>16.1f}" for r in names)
        print(f"{text:<58}{1e3 * seconds['ours']:>7.1f} ms{ratios}", flush=True)
        rows.append({"orbits": n_orbits, "steps": n_steps, "seconds": seconds})
    return rows


def _torch_rollout(latent, z0, n_steps):
    import torch

    A, W, h = (torch.tensor(a) for a in latent[:3])

    @torch.no_grad()
    def run():
        z, out = torch.tensor(z0), torch.empty(n_steps, *z0.shape)
        for t in range(n_steps):
            out[t] = z
            z = A * z + torch.cat([z[:, :18], torch.relu(z[:, 18:])], 1) @ W.T + h

    return run


def _jax_rollout(latent, z0, n_steps):
    import jax
    import jax.numpy as jnp

    A, W, h = (jnp.asarray(a) for a in latent[:3])

    def body(z, _):
        f = jnp.concatenate([z[:, :18], jax.nn.relu(z[:, 18:])], 1)
        return A * z + f @ W.T + h, z

    run = jax.jit(lambda z: jax.lax.scan(body, z, None, length=n_steps)[1])
    return lambda: jax.block_until_ready(run(z0))


EPOCH = Case("ALRNN", 20, 2, 16, 200)  # the published setting of AL-RNNs: STF 16, noise 0.05, 50 batches
RATE, BATCHES, NOISE = 1e-3, 50, 0.05


def _batches(X: np.ndarray):
    """Random windows with noise, as (S, T+1, N)."""
    rng = np.random.default_rng(0)
    steps = np.arange(EPOCH.T + 1)
    for _ in range(BATCHES):
        rows = rng.integers(0, len(X) - EPOCH.T, EPOCH.S)[:, None] + steps
        yield (X[rows] + NOISE * rng.standard_normal((*rows.shape, N))).astype("f4")


def _torch_epoch(X: np.ndarray):
    import torch

    gradient = pytorch(EPOCH, pl.STF(16))
    optimizer = torch.optim.RAdam(gradient.parameters, lr=RATE)

    def epoch():
        for batch in _batches(X):
            gradient(torch.from_numpy(batch))
            optimizer.step()

    return epoch


def _jax_epoch(X: np.ndarray):
    import jax
    import jax.numpy as jnp

    gradient = jax_jit(EPOCH, pl.STF(16))

    def update(p, m, v, t, batch):
        g = jax.grad(gradient.loss)(p, batch.transpose(1, 0, 2))
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        scale = RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return jax.tree.map(lambda p, m, v: p - scale * m / (jnp.sqrt(v) + 1e-8), p, m, v), m, v

    compiled = jax.jit(update)
    zeros = jax.tree.map(jnp.zeros_like, gradient.parameters)
    state = [gradient.parameters, zeros, zeros]

    def epoch():
        for t, batch in enumerate(_batches(X), start=1):
            state[:] = compiled(*state, t, batch)
        jax.block_until_ready(state)

    return epoch


def epochs(n_epochs: int, budget: float) -> dict:
    """A whole epoch: windows, noise, gradients, optimizer. Ours as `fit` runs it; the rivals by an (R)Adam step."""
    config = {
        "latent_dim": EPOCH.M,
        "latent_step": {"name": "ALRNN", "hyperparameters": {"num_relus": EPOCH.hidden}},
        "forcing": {"name": "STF", "interval": 16},
        "training": {"epochs": n_epochs, "noise": NOISE, "learning_rate": [RATE, 1e-5]},
        "evaluation": {"every": 10**6},
    }
    X = np.random.default_rng(0).standard_normal((5000, 3)).cumsum(axis=0)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    endless = {**config["training"], "epochs": 10**6}
    trainer = pl.Trainer(X, {**config, "training": endless})
    trainer.warm_up()

    def our_epoch():
        trainer._state.next_epoch()
        if trainer.run_epoch() != "epoch":
            raise SystemExit("the epoch ended early")

    functions = {"ours": our_epoch}
    names = [name for name in installed() if name != "ours"]
    for name in names:
        functions[name] = {"JAX jit": _jax_epoch, "PyTorch eager": _torch_epoch}[name](X)
        functions[name]()
    seconds = interleaved(functions, budget)
    gradient = interleaved({"ours": ours(EPOCH)}, 0.3)["ours"]
    fitted = pl.fit(X, config, progress=False).seconds / n_epochs
    head = f"an epoch of {BATCHES} batches, AL-RNN as published"
    print(f"\n{head:<58}{'ours':>10}" + "".join(f"{r + ' /':>16}" for r in names))
    ratios = "".join(f"{seconds[r] / seconds['ours']:>16.1f}" for r in names)
    print(f"{'':<58}{1e3 * seconds['ours']:>7.1f} ms{ratios}")
    print(
        f"its gradients alone: {1e3 * BATCHES * gradient:.1f} ms; as fit runs it, evaluations included: "
        f"{1e3 * fitted:.1f} ms; 100,000 batches: {2000 * fitted:.1f} s"
    )
    return {"seconds": seconds, "gradient_seconds": gradient, "fit_seconds": fitted}


MEMORY = [Case("clipped_shPLRNN", 50, 500, 16, 200), Case("ALRNN", 20, 2, 16, 2000)]


def memory() -> list[dict]:
    """Peak memory of one gradient, above that of the process that has its parameters, data and kernels."""
    if not os.path.exists("/proc/self/clear_refs"):
        return []
    names = list(installed())
    print(f"\n{'peak memory of a gradient':<58}" + "".join(f"{name:>16}" for name in names))
    rows = []
    for index, case in enumerate(MEMORY):
        found = {}
        for name in names:
            code = f"import compare; print(compare.memory_of({name!r}, compare.MEMORY[{index}]))"
            here = os.path.dirname(os.path.abspath(__file__))
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=here, capture_output=True, check=True, text=True
            )
            found[name] = float(done.stdout)
        print(f"{case!s:<58}" + "".join(f"{found[name]:>13.0f} MB" for name in names), flush=True)
        rows.append({"case": dataclasses.asdict(case), "megabytes": found})
    return rows


def memory_of(name: str, case: Case) -> float:
    """In MB; Linux tells, and forgets on request, the peak of a process."""
    CONTESTANTS[name](dataclasses.replace(case, T=2))()  # libraries loaded, kernels there
    gradient = CONTESTANTS[name](case)
    if name == "JAX jit":
        gradient()  # compiles
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = _status("VmRSS")
    gradient()
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    with open("/proc/self/status") as file:
        return int(next(line.split()[1] for line in file if line.startswith(key)))


def threads(budget: float) -> dict:
    """One thread and two, on a batch of four blocks; needs two cores, so it is not pinned to one."""
    n_cores = os.cpu_count() or 1
    if not hasattr(os, "sched_setaffinity") or n_cores < 2:
        return {}
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(range(n_cores)))
    case = Case("clipped_shPLRNN", 50, 500, 64, 200)
    config = {
        "latent_dim": case.M,
        "latent_step": {"name": case.name, "hyperparameters": {"hidden_dim": case.hidden}},
        "training": {"batch_size": case.S, "batches_per_epoch": 1, "learning_rate": [1e-6, 1e-6]},
    }
    X = np.random.default_rng(0).standard_normal((2000, 3))
    functions = {}
    with contextlib.ExitStack() as threads:
        for n in (1, 2):
            part = {**config["training"], "n_threads": n}
            trainer = pl.Trainer(X, {**config, "training": part})
            trainer.warm_up()
            threads.enter_context(trainer._batches)

            def batch(trainer=trainer):
                trainer._state.next_epoch()
                trainer.run_epoch()

            functions[str(n)] = batch
        seconds = interleaved(functions, budget)
    os.sched_setaffinity(0, pinned)
    print(f"\ntwo threads, {case}: {seconds['1'] / seconds['2']:.2f} times as fast as one")
    return seconds


def linearity(budget: float) -> dict:
    """The exponent b of a fit of cost = T^b, and of S^b, for a small model and a larger one."""
    found = {}
    for model in (("ALRNN", 20, 2), ("clipped_shPLRNN", 16, 512)):
        for name, cases in (
            ("T", [Case(*model, 16, T) for T in (100, 200, 400, 800, 1600, 3200)]),
            ("S", [Case(*model, S, 200) for S in (16, 32, 64, 128, 256)]),
        ):
            seconds = interleaved({getattr(case, name): ours(case) for case in cases}, budget)
            sizes = np.log(list(seconds))
            found[f"{cases[0].name}, {name}"] = float(np.polyfit(sizes, np.log(list(seconds.values())), 1)[0])
    print("\ncost grows with T and S to the power of: " + ", ".join(f"{k} {v:.2f}" for k, v in found.items()))
    return found


def long_sequences() -> dict:
    """checkpoint_segments: time and memory of a sequence of 200,000 steps."""
    case = Case("ALRNN", 20, 2, 16, 200_000)
    model, X = case.model(), case.data()
    size = {n: _tape_bytes(model, case.T, n) / 1e6 for n in (1, 100)}
    functions = {
        str(n): lambda n=n: pl.loss_and_grad(model, X, forcing=FORCING, checkpoint_segments=n) for n in size
    }
    losses = {f()[0] for f in functions.values()}
    seconds = interleaved(functions, 4.0)
    print(
        f"\n{case}: {size[1]:.0f} MB of tape; with checkpoint_segments=100 {size[100]:.0f} MB, at "
        f"{seconds['100'] / seconds['1']:.2f} times the time, and {'the same' if len(losses) == 1 else 'ANOTHER'} loss"
    )
    return {"megabytes": size, "seconds": seconds}


def _tape_bytes(model: pl.Model, T: int, segments: int) -> int:
    tape = bptt.new_workspace(model, T, segments=segments).tape
    return sum(array.nbytes for name, array in tape._asdict().items() if name != "O")


_START = """
import time; begin = time.perf_counter()
import numpy as np, plrnn_numba as pl
imported = time.perf_counter() - begin
model = pl.init_model({"latent_dim": 3, "latent_step": {"name": "clipped_shPLRNN",
    "hyperparameters": {"hidden_dim": 50}}}, 3)
pl.loss_and_grad(model, np.zeros((16, 201, 3)), forcing=pl.GTF(0.1))
print(imported, time.perf_counter() - begin)
"""


def start_up() -> dict:
    """A new process, from its start to its first gradient, with an empty and with a full cache."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "NUMBA_CACHE_DIR": folder}

        def run() -> tuple[float, float, float]:
            begin = time.perf_counter()
            out = subprocess.run([sys.executable, "-c", _START], env=env, capture_output=True, check=True)
            imported, gradient = map(float, out.stdout.split())
            return imported, gradient, time.perf_counter() - begin

        cold = run()
        warm = tuple(statistics.median(c) for c in zip(*(run() for _ in range(5))))
    numba = [sys.executable, "-c", "import numba"]
    times = interleaved({"numba": lambda: subprocess.run(numba, check=True)}, 1.5)
    print(
        f"\na new process: import {warm[0]:.2f} s (numba's own process {times['numba']:.2f} s), to the first "
        f"gradient {cold[2]:.1f} s with an empty cache, {warm[2]:.2f} s with a full one"
    )
    return {"import": warm[0], "cold": cold[2], "warm": warm[2], "numba": times["numba"]}


def roofline(rows: list[dict], peak: float, path: str) -> None:
    """Work a second over work a gradient, one dot a case and contestant, under the measured peak."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for name, color in zip(CONTESTANTS, ("#d1495b", "#2e6f95", "#888888")):
        points = [(r["flops"], r["flops"] / r["seconds"][name] / 1e9) for r in rows if name in r["seconds"]]
        if points:
            axes.loglog(*zip(*sorted(points)), "o", color=color, label=name)
    axes.axhline(peak / 1e9, color="k", linestyle=":", label="peak (fused multiply-adds)")
    axes.set(xlabel="floating-point operations in the products of one gradient", ylabel="GFLOP/s")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the whole grid")
    parser.add_argument("--small", action="store_true", help="seconds only, to see that it works")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each case, shared by all")
    parser.add_argument("--out", help="write OUT.json and OUT.png")
    options = parser.parse_args()
    cases = GRID if options.full else HEADLINE
    budget = options.seconds
    if options.small:
        cases = [dataclasses.replace(case, T=5, S=4) for case in HEADLINE[:2]]
        budget = 0.02
    results = {
        "machine": {"cpu": platform.processor(), "python": platform.python_version()},
        "peak_flops": {d: peak_flops(d) for d in ("float32", "float64")},
    }
    for dtype, peak in results["peak_flops"].items():
        print(f"peak, {dtype}: {peak / 1e9:.0f} GFLOP/s")
    results["gradients"] = gradients(cases, budget)
    results["rollouts"] = rollouts(1000 if options.small else 100_000, budget)
    results["epoch"] = epochs(2 if options.small else 40, budget)
    if not options.small:
        results["memory"] = memory()
        results["threads"] = threads(budget)
        results["linearity"] = linearity(budget)
        results["long_sequences"] = long_sequences()
        results["start_up"] = start_up()
    if options.out:
        with open(f"{options.out}.json", "w") as file:
            json.dump(results, file, indent=1)
        roofline(results["gradients"], results["peak_flops"]["float32"], f"{options.out}.png")


if __name__ == "__main__":
    main()
