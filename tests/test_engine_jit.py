"""Compilation: what the options promise, no stale or broken cache, no specialisation by kind of array."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from families import ROWS
from helpers import kernels, posix_only, run_code
from numba import float32

import plrnn_numba as pl
from plrnn_numba.engine import jit
from plrnn_numba.engine.jit import OPTIONS
from plrnn_numba.engine.views import View

PACKAGE = Path(pl.__file__).parent


@pytest.mark.needs_speed
def test_divergence_is_seen_under_the_package_s_options():
    import math

    @jit
    def finite(x, y):
        return math.isfinite(x + y), np.isfinite(x * y), x + y == x + y

    assert finite(np.nan, 1.0) == (False, False, False)
    assert finite(np.inf, 1.0)[:2] == (False, False)
    assert finite(2.0, 1.0) == (True, True, True)
    assert OPTIONS["fastmath"] is False


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
    assert run_code("import plrnn_numba.bptt as b; print(len(b._batch_gradient.signatures))") == "0"


STEP = """
import numpy as np, plrnn_numba as pl
latent = pl.ALRNN([0.5], [[1.0]], [1.0], np.zeros((1, 0)), 0)
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
    assert run_code(STEP, **environment) == "4.0"
    first = cached(tmp_path)
    assert first
    assert run_code(STEP, **environment) == "4.0"
    assert cached(tmp_path) == first
    model = tmp_path / "plrnn_numba" / "models" / "alrnn.py"
    edit(model, "zi, relu(zi)", "zi + zi, relu(zi)")
    assert run_code(STEP, **environment) == "6.0"
    edit(
        tmp_path / "plrnn_numba" / "engine" / "products.py",
        "at(z, i, like), at(h, i, like))",
        "at(z, i, like), like)",
    )
    assert run_code(STEP, **environment) == "5.0"


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.mark.needs_speed
def test_an_upgrade_compiles_anew(tmp_path):
    environment = copy_of_the_package(tmp_path)
    run_code(STEP, **environment)
    before = {path.parent for path in cached(tmp_path)}
    edit(tmp_path / "plrnn_numba" / "_version.py", f'"{pl.__version__}"', '"99.0"')
    assert run_code(STEP + "print(pl.__version__)", **environment) == "4.0\n99.0"
    assert {path.parent for path in cached(tmp_path)} > before


@posix_only
@pytest.mark.needs_speed
def test_a_read_only_installation_without_a_home_keeps_its_kernels_elsewhere(tmp_path):
    copy_of_the_package(tmp_path)
    package = tmp_path / "plrnn_numba"
    for path in package.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (tmp_path / "tmp").mkdir()
    listing = sorted(package.rglob("*"))
    keep = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    nowhere = {"HOME": "/dev/null/nobody", "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", STEP]
    done = subprocess.run(command, env=keep | nowhere, cwd=tmp_path / "tmp", capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("4.0", "")
    assert sorted(package.rglob("*")) == listing
    assert list((tmp_path / "tmp").rglob("*.bin"))


@pytest.mark.needs_speed
def test_many_cold_processes_share_one_folder(tmp_path):
    """Each finds nothing, compiles, and writes; what is there in the end is whole, and nothing else is."""
    environment = os.environ | copy_of_the_package(tmp_path)
    code = (
        "import numpy as np, plrnn_numba as pl; latent = pl.PLRNN([0.5], [[0.0]], [1.0], np.zeros((1, 0)))\n"
    )
    code += "print(pl.observe(pl.Model(latent, pl.Affine([[2.0]], [1.0])), [3.0])[0])"
    command = [sys.executable, "-W", "error", "-c", code]
    processes = [
        subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for _ in range(32)
    ]
    assert [process.communicate()[0].strip() for process in processes] == ["7.0"] * 32
    files = cached(tmp_path)
    assert files == sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    stamps = [path.stat().st_mtime_ns for path in files]
    assert run_code(code, **environment) == "7.0"
    assert [path.stat().st_mtime_ns for path in cached(tmp_path)] == stamps


GRADIENT = """
import numpy as np, plrnn_numba as pl
hyper = {"hidden_dim": 21}
config = {"latent_dim": 7, "latent_step": {"name": "clipped_shPLRNN", "hyperparameters": hyper}}
model = pl.init_model(config, 3, seed=0)
X = np.random.default_rng(0).standard_normal((%d, 31, 3))
loss, gradient = pl.loss_and_grad(model, X, forcing=pl.GTF(0.1))
print(loss, *gradient.latent.W1.ravel(), *pl.generate(model.latent, np.ones(7), 20)[-1])
"""


@pytest.mark.needs_speed
@pytest.mark.parametrize("S", [2, 20])
def test_a_cpu_without_wide_vectors_computes_the_same(tmp_path, S):
    code = GRADIENT % S
    here = np.array(run_code(code).split(), float)
    cache = str(tmp_path / "cache")
    generic = run_code(code, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="", NUMBA_CACHE_DIR=cache)
    np.testing.assert_allclose(np.array(generic.split(), float), here, rtol=1e-3, atol=1e-6)


@pytest.mark.needs_speed
@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "flipped"])
def test_a_broken_cache_file_is_compiled_anew(tmp_path, damage):
    environment = copy_of_the_package(tmp_path)
    assert run_code(STEP, **environment) == "4.0"
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
    assert run_code(STEP, **environment) == "4.0"
    assert [path.stat().st_size for path in cached(tmp_path)] == sizes


@pytest.mark.needs_speed
def test_without_a_folder_to_write_to_there_is_one_warning(tmp_path):
    code = "import warnings\nwith warnings.catch_warnings(record=True) as w:\n    warnings.simplefilter('always')\n"
    code += "\n".join("    " + line for line in STEP.strip().splitlines())
    code += "\nprint(len(w), w[0].category.__name__)"
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert run_code(code, NUMBA_CACHE_DIR=str(blocked)).split() == ["4.0", "1", "RuntimeWarning"]


@pytest.mark.needs_speed
def test_a_model_of_the_user_s_own_never_runs_stale(tmp_path):
    """Its source lies outside the package, and is part of the key all the same."""
    environment = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    own = (Path(pl.__file__).parent / "models" / "alrnn.py").read_text()
    own = own.replace("from ..", "from plrnn_numba.").replace("from .", "from plrnn_numba.models.")
    own = own.replace("ALRNN", "Own")
    (tmp_path / "own.py").write_text(own)
    code = STEP.replace("pl.ALRNN", "own.Own").replace("import numpy", "import own, numpy")
    assert run_code(code, **environment) == "4.0"
    edit(tmp_path / "own.py", "zi, relu(zi)", "zi + zi, relu(zi)")
    assert run_code(code, **environment) == "6.0"


GENERATE = """
import sys, numpy as np, plrnn_numba as pl
hyper = {"num_relus": 2}
config = {"latent_dim": 20, "latent_step": {"name": "ALRNN", "hyperparameters": hyper}}
model = pl.init_model(config, 3, seed=0)
X = np.random.default_rng(0).standard_normal((2, 21, 3))
calls = {
    "gradient": lambda: pl.loss_and_grad(model, X, forcing=pl.GTF(0.1))[1].latent.W,
    "generate": lambda: pl.generate(model.latent, np.ones(20), 50),
    "step": lambda: pl.step(model.latent, np.ones(20)),
}
found = {name: calls[name]().tobytes().hex() for name in sys.argv[1:]}
print(*(found[name] for name in sorted(found)))
"""


@pytest.mark.needs_speed
def test_what_was_compiled_before_changes_neither_bits_nor_machine_code(tmp_path):
    """A view with room and one without are two types, whichever was made first."""
    names = ("gradient", "generate", "step")
    found = []
    for i, order in enumerate([names, names[::-1]]):
        folder = tmp_path / str(i)
        numbers = run_code(GENERATE, *order, NUMBA_CACHE_DIR=str(folder))
        found.append((numbers, {path.name for path in folder.rglob("*.bin")}))
    assert found[0] == found[1]
    types = {View(float32, 1, "C", roomy) for roomy in (False, True)}
    assert len(types) == 2
