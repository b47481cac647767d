"""Compilation: what the options promise, no stale or broken cache, no specialisation by kind of array."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from families import ROWS

import plrnn_numba as pl
from plrnn_numba import _jit, bptt, dynamics, model, optim, training

PACKAGE = Path(pl.__file__).parent


def kernels():
    modules = (bptt, dynamics, model, optim, training)
    found = {f"{m.__name__}.{k}": v for m in modules for k, v in vars(m).items()}
    return {k: v for k, v in found.items() if isinstance(getattr(v, "_cache", None), _jit.KernelCache)}


def run(code, **environment):
    """Run code in a new process; return its output."""
    env = {**os.environ, **environment}
    command = [sys.executable, "-W", "error", "-c", code]
    # In a folder of its own: the current one comes before PYTHONPATH.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.needs_speed
def test_divergence_is_seen_under_the_package_s_options():
    import math

    @_jit.jit
    def finite(x, y):
        return math.isfinite(x + y), np.isfinite(x * y), x + y == x + y

    assert finite(np.nan, 1.0) == (False, False, False)
    assert finite(np.inf, 1.0)[:2] == (False, False)
    assert finite(2.0, 1.0) == (True, True, True)
    assert _jit.OPTIONS["fastmath"] is False


def variants(array):
    """The same numbers as read-only, Fortran-ordered, strided, byte-swapped, memory-mapped-like array, list."""
    read_only = array.copy()
    read_only.flags.writeable = False
    strided = np.repeat(array, 2, axis=-1)[..., ::2]
    shifted = np.frombuffer(b"\0" + array.tobytes(), np.uint8)[1:].view(array.dtype).reshape(array.shape)
    return [
        read_only,
        np.asfortranarray(array),
        strided,
        array.astype(array.dtype.newbyteorder()),
        shifted,
        array.view(type("Subclass", (np.ndarray,), {})),
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_any_array_works_stays_unmodified_and_compiles_nothing_new(row):
    rng = np.random.default_rng(0)
    latent = row.latent(4, 5, 2, 2, rng)
    whole = pl.Model(latent, pl.Identity(rng.standard_normal((1, 3))))
    z, s = rng.standard_normal((3, 4)), rng.standard_normal((3, 2))
    X, U = rng.standard_normal((3, 6, 3)), rng.standard_normal((3, 6, 2))

    def everything(latent, observation, z, s, X, U):
        m = pl.Model(latent, observation)
        loss, gradient = pl.loss_and_grad(m, X, U, pl.STF(2))
        return [
            pl.step(latent, z, s),
            pl.generate(latent, z, 5),
            pl.jacobian(latent, z),
            np.array(loss),
            *(a for a in gradient.latent if isinstance(a, np.ndarray)),
            *gradient.observation,
            pl.predict(m, np.asarray(X)[0, 0], 4, np.zeros((4, 2))),
        ]

    expected = everything(latent, whole.observation, z, s, X, U)
    compiled = {name: list(k.signatures) for name, k in kernels().items()}

    def check(*arguments):
        for got, want in zip(everything(*arguments), expected):
            np.testing.assert_array_equal(got, want)

    for i in range(6):
        change = lambda a, i=i: variants(a)[i]  # noqa: E731
        arrays = {k: change(v) for k, v in latent._asdict().items() if isinstance(v, np.ndarray)}
        copies = {k: v.copy() for k, v in arrays.items()}
        check(latent._replace(**arrays), pl.Identity(change(whole.observation.L)), *map(change, (z, s, X, U)))
        for k, v in arrays.items():
            np.testing.assert_array_equal(v, copies[k])
    lists = latent._replace(
        **{k: v.tolist() for k, v in latent._asdict().items() if isinstance(v, np.ndarray)}
    )
    check(lists, pl.Identity(whole.observation.L.tolist()), *(a.tolist() for a in (z, s, X, U)))
    flags = {
        k: (np.bool_(v) if isinstance(v, bool) else np.int32(v))
        for k, v in latent._asdict().items()
        if isinstance(v, int)
    }
    check(latent._replace(**flags), whole.observation, z, s, X, U)
    assert {name: list(k.signatures) for name, k in kernels().items()} == compiled


@pytest.mark.needs_speed
def test_importing_compiles_nothing_and_is_quiet():
    assert run("import plrnn_numba.bptt as b; print(len(b._batch_gradient.signatures))") == "0"


STEP = """
import numpy as np, plrnn_numba as pl
latent = pl.ALRNN([0.5], [[0.0]], [1.0], np.zeros((1, 0)), 0)
print(pl.generate(latent, [2.0], 2)[1, 0])
"""


def copy_of_the_package(folder):
    shutil.copytree(PACKAGE, folder / "plrnn_numba", ignore=shutil.ignore_patterns("__pycache__"))
    return {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}


def cached(folder):
    return sorted((folder / "cache").rglob("*.bin"))


@pytest.mark.needs_speed
def test_an_edited_kernel_never_runs_stale(tmp_path):
    environment = copy_of_the_package(tmp_path)
    assert run(STEP, **environment) == "2.0"
    first = cached(tmp_path)
    assert first
    assert run(STEP, **environment) == "2.0"
    assert cached(tmp_path) == first
    source = tmp_path / "plrnn_numba" / "models" / "alrnn.py"
    text = source.read_text()
    assert "latent.A[i] * z[i] + latent.h[i]" in text
    source.write_text(text.replace("latent.A[i] * z[i] + latent.h[i]", "latent.A[i] * z[i] - latent.h[i]"))
    assert run(STEP, **environment) == "0.0"


@pytest.mark.needs_speed
@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "flipped"])
def test_a_broken_cache_file_is_compiled_anew(tmp_path, damage):
    environment = copy_of_the_package(tmp_path)
    assert run(STEP, **environment) == "2.0"
    files = cached(tmp_path)
    sizes = [path.stat().st_size for path in files]
    for path in files:
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(
            {
                "truncated": content[:middle],
                "empty": b"",
                "garbage": b"\x80\x05garbage",
                "flipped": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
            }[damage]
        )
    assert run(STEP, **environment) == "2.0"
    assert [path.stat().st_size for path in cached(tmp_path)] == sizes


@pytest.mark.needs_speed
def test_without_a_folder_to_write_to_there_is_one_warning(tmp_path):
    code = "import warnings\nwith warnings.catch_warnings(record=True) as w:\n    warnings.simplefilter('always')\n"
    code += "\n".join("    " + line for line in STEP.strip().splitlines())
    code += "\nprint(len(w), w[0].category.__name__)"
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert run(code, NUMBA_CACHE_DIR=str(blocked)).split() == ["2.0", "1", "RuntimeWarning"]


@pytest.mark.needs_speed
def test_a_model_of_the_user_s_own_never_runs_stale(tmp_path):
    """Its source lies outside the package, and is part of the key all the same."""
    environment = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    own = (Path(pl.__file__).parent / "models" / "alrnn.py").read_text()
    own = own.replace("from ..", "from plrnn_numba.").replace("from ._base", "from plrnn_numba.models._base")
    own = own.replace("ALRNN", "Own")
    (tmp_path / "own.py").write_text(own)
    code = STEP.replace("pl.ALRNN", "own.Own").replace("import numpy", "import own, numpy")
    assert run(code, **environment) == "2.0"
    (tmp_path / "own.py").write_text(own.replace("* z[i] + latent.h[i]", "* z[i] - latent.h[i]"))
    assert run(code, **environment) == "0.0"
