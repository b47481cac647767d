"""Mutated configurations, CSV files and arrays through `train`: exit codes, tracebacks, and whether a file was changed.

    NUMBA_DISABLE_JIT=1 python benchmarks/mutations.py --n 2000 --seed 0

Each mutation starts from files that are right, changes one to three things in them, and calls the command line in this
process. It holds where the exit code is 0 (trained), 2 (a mistake: the last line of standard error names it, and no run is
left behind) or 3 (diverged), nothing was raised or warned of in Python's own form, and all files of the user's have the
bytes that they had before. Without a compiler, since what is compiled in half a minute would be run once.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import io
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from plrnn_numba import Config
from plrnn_numba.runs.commands.main import main as plrnn_numba

SECONDS = 30  # that a mutation may take
N_ROWS = 160

_CONFIG = {
    "latent_dim": 3,
    "latent_step": {"name": "clipped_shPLRNN", "hyperparameters": {"hidden_dim": 3}},
    "training": {"epochs": 1, "batches_per_epoch": 1, "batch_size": 2, "sequence_length": 5},
    "evaluation": {"every": 1, "steps": 100, "orbits": 1, "bins": 5, "prediction_steps": 5},
}

_STEPS = [
    {"name": "PLRNN", "hyperparameters": {}},
    {"name": "ALRNN", "hyperparameters": {"num_relus": 1, "ar_epsilon": 0.1}},
    {"name": "shPLRNN", "hyperparameters": {"hidden_dim": 4}},
    _CONFIG["latent_step"],
]

# What may stand where something else should.
_VALUES = [
    None, True, False, -1, 0, 1, 2, 3, 7, 2.5, -0.0, 1e-300, 1e300, -1e300, float("nan"), float("inf"), 10**18, 2**63,
    10**400, "", "x", "é\u2028\x00", "1e-3", "NaN", "null", [], {}, [1], [1e-3, 1e-4], [[[]]], {"name": "GTF"},
    {"name": "STF", "interval": 2}, {"name": "affine"}, {"a": {"b": {}}}, list(range(50)),
]  # fmt: skip

# Numbers of these that are right would only take long.
_SLOW = {"epochs", "batches_per_epoch", "batch_size", "latent_dim", "hidden_dim", "n_threads"}


def circle(n: int = N_ROWS, N: int = 2) -> np.ndarray:
    t = 0.3 * np.arange(n)[:, None] + np.arange(N)
    return (1 + np.arange(N)) * np.sin(t)


# --- configurations --------------------------------------------------------------------------------


def _places(node: Any, path: tuple = ()) -> list[tuple]:
    found = []
    for key, value in node.items():
        found.append((*path, key))
        if isinstance(value, dict):
            found += _places(value, (*path, key))
    return found


def mutate_config(rng: random.Random) -> dict[str, Any]:
    """A whole configuration in plain data, of which one to three entries are changed, left out or made up."""
    start = {**_CONFIG, "latent_step": rng.choice(_STEPS)}
    plain = json.loads(json.dumps(Config.from_dict(start).to_dict()))
    for _ in range(rng.randint(1, 3)):
        *parents, key = rng.choice(_places(plain))
        node = plain
        for name in parents:
            node = node[name]
        kind = rng.random()
        if kind < 0.1:
            del node[key]
        elif kind < 0.15:
            node[rng.choice([key[:-1], key.upper(), key + "s", "", "ü" * 300])] = node[key]
        else:
            node[key] = _value(rng, key, node[key])
    return plain


_NAMES = [
    "PLRNN",
    "ALRNN",
    "shPLRNN",
    "GTF",
    "STF",
    "affine",
    "identity",
    "mask",
    "adam",
    "float64",
    "batch_maximum",
    "explog_approx",
]


def _value(rng: random.Random, key: str, old: Any) -> Any:
    """In place of an entry: mostly something of its own kind, else anything."""
    if isinstance(old, bool) and rng.random() < 0.7:
        return not old
    if isinstance(old, str) and rng.random() < 0.7:
        return rng.choice(_NAMES)
    if isinstance(old, list) and rng.random() < 0.7:
        return [_value(rng, key, x) for x in old]
    if isinstance(old, (int, float)) and rng.random() < 0.7:
        value = old * rng.choice([0, 0.5, 2, 3, -1, 1e-30, 1e6, 1e30]) + rng.choice([0, 0, 1, 0.25, 1e-9])
        value = round(value) if isinstance(old, int) and rng.random() < 0.8 else value
    elif old is None and rng.random() < 0.7:
        value = rng.choice([1, 2, 0.5, 1e-12, 1e12])
    else:
        value = rng.choice(_VALUES)
    slow = (
        key in _SLOW
        and isinstance(value, (int, float))
        and 3 < value < (10**12 if key == "batch_size" else 2**63)
    )
    return 3 if slow else value


def _toml(plain: dict[str, Any], path: str = "") -> str:
    flat = {k: v for k, v in plain.items() if v is not None and not isinstance(v, dict)}
    lines = [f"{json.dumps(k)} = {json.dumps(v)}" for k, v in flat.items()]
    for key, value in plain.items():
        if isinstance(value, dict):
            inner = f"{path}.{json.dumps(key)}" if path else json.dumps(key)
            lines += [f"[{inner}]", _toml(value, inner)]
    return "\n".join(lines)


def _mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Some bytes are changed, left out, put in or repeated; or the end is gone."""
    content = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(content) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            content[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del content[place : place + rng.choice([1, 10, 10**6])]
        elif kind == 2:
            content[place:place] = rng.choice(
                [b"\x00", b"\xff\xfe", b"\n", b",", b'"', b"{", b"[" * 5000, b"9" * 400]
            )
        elif kind == 3:
            content[place:place] = content[:place][-100:]
        else:
            content = bytearray(rng.choice([b"", b"\xef\xbb\xbf" + content, content.replace(b"\n", b"\r\n")]))
    return bytes(content)


def write_config(folder: Path, rng: random.Random) -> list[str]:
    plain = mutate_config(rng)
    suffix = rng.choice([".json"] * 10 + [".toml"] * 8 + [".yaml", ""])
    text = _toml(plain) if suffix == ".toml" else json.dumps(plain, indent=rng.choice([None, 2]))
    content = text.encode(rng.choice(["utf-8"] * 20 + ["utf-16", "utf-8-sig"]))
    if rng.random() < 0.15:
        content = _mutate_bytes(content, rng)
    (folder / f"c{suffix}").write_bytes(content)
    np.save(folder / "X.npy", circle())
    return [str(folder / f"c{suffix}"), "--data", str(folder / "X.npy")]


def write_changes(folder: Path, rng: random.Random) -> list[str]:
    """The same by --set, of which the last holds."""
    np.save(folder / "X.npy", circle())
    plain = Config.from_dict(_CONFIG).to_dict()
    places = _places(plain)
    changes = []
    for _ in range(rng.randint(1, 2)):
        path = rng.choice(places)
        old = plain
        for key in path:
            old = old[key]
        value = _value(rng, path[-1], old)
        text = json.dumps(value) if rng.random() < 0.8 else str(value)
        changes += ["--set", f"{'.'.join(path)}={text}"]
    if rng.random() < 0.1:
        changes += ["--set", rng.choice(["", "=", "a", ".=1", "seed.=1", "training..x=1", "x" * 5000 + "=1"])]
    return [str(_right_config(folder)), "--data", str(folder / "X.npy"), *changes]


def _right_config(folder: Path, **changes: Any) -> Path:
    path = folder / "right.json"
    path.write_text(json.dumps({**_CONFIG, **changes}))
    return path


# --- CSV files -------------------------------------------------------------------------------------

_CELLS = [
    "", " ", "NA", "nan", "NaN", "inf", "-inf", "1e400", "1e-400", "9" * 400, "1,5", "1.5.2", "0x10", "1_000", "\u0661", "\u22121",
    '"1.5"', '"', "'1'", "#", "a", "é", "\x00", "1;2", "1\t2", "2024-01-01", "12:30:00", "true", "1e3", "+2", "1d3", "∞",
]  # fmt: skip


def mutate_csv(rng: random.Random) -> bytes:
    """Rows of numbers, as text, in which something is different."""
    N = rng.choice([1, 2, 2, 3])
    delimiter = rng.choice([","] * 12 + [";", "\t", " ", "|"])
    decimal = rng.choice(["."] * 15 + [","])
    table = [[f"{x:.6g}".replace(".", decimal) for x in row] for row in circle(N=N)]
    if rng.random() < 0.5:
        table.insert(
            0,
            rng.choice(
                [list("abc"), ["x1", "x2", "x3"], ["", "a", "b"], ["time", "u", "v"], ["1", "2", "3"]]
            )[:N],
        )
    for _ in range(rng.choice([0, 1, 1, 2])):
        row = rng.randrange(len(table))
        kind = rng.randrange(6)
        if kind == 0:
            table[row][rng.randrange(len(table[row])) if table[row] else 0 : 1] = [rng.choice(_CELLS)]
        elif kind == 1:
            table[row] = table[row] + ["1"]
        elif kind == 2:
            table[row] = table[row][:-1]
        elif kind == 3:
            table.insert(row, [rng.choice(["", "# comment", "mV", "   ", "x" * 10**5])])
        elif kind == 4:
            column = rng.randrange(N)
            value = rng.choice(_CELLS)
            for cells in table[1:]:
                cells[column : column + 1] = [value]
        else:
            table = table[: rng.choice([0, 1, 2, 7, len(table)])] or [[]]
    text = rng.choice(["\n"] * 8 + ["\r\n", "\r"]).join(delimiter.join(row) for row in table)
    content = text.encode(rng.choice(["utf-8"] * 15 + ["utf-8-sig", "utf-16"]))
    return _mutate_bytes(content, rng) if rng.random() < 0.1 else content


def write_csv(folder: Path, rng: random.Random) -> list[str]:
    missing = rng.choice(["error", "mask"])
    name = rng.choice(["X.csv"] * 20 + ["X.CSV", "X.tsv", "X.txt", "ü \u2028.csv", "x" * 200 + ".csv"])
    flag = rng.choice(["--data"] * 6 + ["--inputs", "--test"])
    (folder / name).write_bytes(mutate_csv(rng))
    data = []
    if flag != "--data":
        np.save(folder / "X.npy", circle())
        data = ["--data", str(folder / "X.npy")]
    return [str(_right_config(folder, missing=missing)), *data, flag, str(folder / name)]


# --- arrays ----------------------------------------------------------------------------------------

_DTYPES = [
    "f2",
    "f4",
    "f8",
    ">f4",
    ">f8",
    "i1",
    "i2",
    ">i2",
    "i4",
    "i8",
    "u1",
    "u8",
    "b1",
    "c8",
    "c16",
    "O",
    "U8",
    "M8[s]",
    "g",
]


def mutate_array(rng: random.Random) -> Any:
    """A series or trials whose values, shape, type or layout are not what one expects."""
    X = circle(rng.choice([0, 1, 2, 5, 7, 20, 40] + [N_ROWS] * 12), rng.choice([1, 2, 2, 2, 3, 3, 4, 8]))
    for _ in range(rng.randint(0, 2)):
        kind, size = rng.randrange(12), X.size
        if kind == 0 and size:
            X.flat[rng.randrange(size)] = rng.choice(
                [np.nan, np.inf, -np.inf, 1e300, -1e39, 1e-320, 5e-324, 1e18]
            )
        elif kind == 1:
            X = X * rng.choice([0.0, 1e-13, 1e-160, 1e-310, 1e20, 1e155, 1e300])
        elif kind == 2:
            X = X + rng.choice([1e5, 2.46e6, 1e9, 1e15, 1e30])
        elif kind == 3 and X.ndim == 2 and X.shape[1]:
            X[:, rng.randrange(X.shape[1])] = rng.choice([0.0, np.nan, 7.0])
        elif kind == 4 and X.ndim == 2 and X.shape[1]:
            X[:, 0] = np.arange(len(X)) >= rng.choice([2, 50, 130, 159])
        elif kind == 5 and len(X):
            X[rng.randrange(len(X)) :] = rng.choice([np.nan, 0.0, 3.0])
        elif kind == 6:
            X = X.T
        elif kind == 7:
            X = X[rng.choice([slice(None, None, -1), slice(None, None, 3), slice(0, 0), slice(10, 60)])]
        elif kind == 8 and X.ndim == 2:
            X = np.stack(np.split(X, rng.choice([1, 2, 4]))) if len(X) % 4 == 0 else X[None]
        elif kind == 9:
            X = rng.choice([X[..., :0], X[..., 0] if X.shape[-1] else X, X[None, None], np.array(3.0)])
        elif kind == 10:
            X = np.asfortranarray(X)
        elif size:
            X = np.where(np.arange(size).reshape(X.shape) % 61 == 7, 1.0, 0.0)
        if not isinstance(X, np.ndarray) or X.ndim == 0:
            break
    dtype = rng.choice(["f8"] * 30 + _DTYPES)
    return np.asarray(X).astype(dtype)


def write_arrays(folder: Path, rng: random.Random) -> list[str]:
    missing = {"missing": rng.choice(["error", "mask"]), "standardize": rng.random() < 0.8}
    missing["dtype"] = rng.choice(["float32", "float64"])
    flags = []
    kind = rng.randrange(6)
    if kind == 0:
        (folder / "trials").mkdir()
        for i in range(rng.choice([0, 1, 2, 5])):
            np.save(folder / "trials" / f"{i}.npy", mutate_array(rng))
        path = folder / "trials"
    elif kind == 1:
        path = folder / "X.npz"
        np.savez(path, **{name: mutate_array(rng) for name in "abc"[: rng.choice([0, 1, 1, 1, 2])]})
    else:
        path = folder / "X.npy"
        np.save(path, mutate_array(rng))
    if path.is_file() and rng.random() < 0.15:
        path.write_bytes(_mutate_bytes(path.read_bytes(), rng))
    files = [flag for flag in ("--inputs", "--test") if rng.random() < 0.12]
    files += ["--test-inputs"] if "--test" in files and rng.random() < 0.3 else []
    for flag in files:
        np.save(folder / f"{flag}.npy", mutate_array(rng))
        flags += [flag, str(folder / f"{flag}.npy")]
    if rng.random() < 0.3:
        parts = [
            "0",
            "0",
            "0.5",
            "0.1",
            "0.03",
            "0.01",
            "1e-5",
            "0.97",
            "0.9999",
            "-1",
            "1",
            "nan",
            "-inf",
            "1e400",
            "x",
        ]
        flags += ["--hold-out", rng.choice(parts)]
    return [str(_right_config(folder, **missing)), "--data", str(path), *flags]


KINDS = {"configuration": write_config, "--set": write_changes, "CSV": write_csv, "array": write_arrays}


# --- one mutation ----------------------------------------------------------------------------------


class TooSlow(BaseException):
    """A mutation took longer than it may."""


def _ring(number: int, frame: Any) -> None:
    raise TooSlow


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def try_one(kind: str, seed: int) -> tuple[str, str]:
    """What came of a mutation ('0', '2', '3', or what is wrong), and what was said last."""
    rng = random.Random(f"{kind} {seed}")
    folder = Path(tempfile.mkdtemp())
    out = folder / "run" / "r"
    error, output = io.StringIO(), io.StringIO()
    alarm = hasattr(signal, "SIGALRM")
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            arguments = KINDS[kind](folder, rng)
        before = hashes(folder)
        if alarm:
            signal.signal(signal.SIGALRM, _ring)
            signal.alarm(SECONDS)
        with (
            contextlib.redirect_stderr(error),
            contextlib.redirect_stdout(output),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            code = plrnn_numba(["train", *arguments, "--no-plots", "--out", str(out)])
        if alarm:
            signal.alarm(0)
        lines = error.getvalue().splitlines()
        last = lines[-1] if lines else ""
        after = {name: digest for name, digest in hashes(folder).items() if not name.startswith("run")}
        if after != before:
            return "a file was changed", str(sorted({*after.items()} ^ {*before.items()}))
        if caught:
            return "warned in Python's form", f"{caught[0].message} ({caught[0].filename}:{caught[0].lineno})"
        if code == 2 and (not last.startswith("plrnn-numba: error: ") or len(lines) > 1 or out.exists()):
            return "2, not in one line, or a run is left", " / ".join(lines)
        if code not in (0, 2, 3):
            return f"exit code {code}", last
        return str(code), last
    except (Exception, TooSlow) as failure:
        trace, place = failure.__traceback__, ""
        while trace is not None:
            if "plrnn_numba" in trace.tb_frame.f_code.co_filename:
                place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
            trace = trace.tb_next
        return f"raised {type(failure).__name__} at {place}", str(failure)
    finally:
        if alarm:
            signal.alarm(0)
        shutil.rmtree(folder, ignore_errors=True)


FINE = ("0", "2", "3")


def run() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--n", type=int, default=2000, help="how many mutations, a quarter of each kind (2000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first of each kind (0)")
    options = parser.parse_args()
    begin = time.perf_counter()
    counts: dict[str, collections.Counter[str]] = {kind: collections.Counter() for kind in KINDS}
    for i in range(options.n):
        kind = list(KINDS)[i % len(KINDS)]
        seed = options.seed + i // len(KINDS)
        found, said = try_one(kind, seed)
        counts[kind][found] += 1
        if found not in FINE:
            print(f"{kind} {seed}: {found}: {said[:300]}", flush=True)
    columns = [*FINE, *sorted({found for of in counts.values() for found in of} - set(FINE))]
    print("mutations".ljust(16), *(f"{name:>8}" for name in columns))
    for kind, of in counts.items():
        print(kind.ljust(16), *(f"{of[name]:>{max(8, len(name))}}" for name in columns))
    n_wrong = sum(of[name] for of in counts.values() for name in of if name not in FINE)
    print(f"{options.n} mutations, {n_wrong} of them wrong, {time.perf_counter() - begin:.0f} s")
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(run())
