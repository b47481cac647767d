"""Data that a user owns: never changed, in value or on disk; what is masked is missing; what is large stays on disk."""

import hashlib
import itertools
import mmap
import sys
import warnings

import numpy as np
import pytest
from helpers import circle, posix_only, run_code, small_config

import plrnn_numba as pl
from plrnn_numba import data
from plrnn_numba.data import mapped
from plrnn_numba.engine import as_floats, as_real, to_vector


def config(**more):
    training = {"epochs": 1, "batches_per_epoch": 3, "sequence_length": 10, "batch_size": 4}
    return small_config(step=("shPLRNN", {"hidden_dim": 4}), training=training, **more)


@pytest.fixture
def all_is_large(monkeypatch):
    """Every map stays on disk, and is read some hundred numbers at a time."""
    monkeypatch.setattr(mapped, "_LARGE", 100)
    monkeypatch.setattr(mapped, "_PART", 300)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def saved(tmp_path, X, name="X.npy"):
    np.save(tmp_path / name, X)
    return tmp_path / name


# --- 1: edits in a map -----------------------------------------------------------------------------


def by_load(path):
    return np.load(path, mmap_mode="c")


def by_mmap(path):
    """The same as a plain map that is copied on write: it has no `mode` to ask for."""
    with path.open("rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    whole = np.load(path)
    return np.frombuffer(mapping, whole.dtype, offset=path.stat().st_size - whole.nbytes).reshape(whole.shape)


def by_view(path):
    return np.asarray(np.load(path, mmap_mode="c"))[:]


def as_it_is(X, config):
    pl.fit(X, config, progress=False)


def in_trials(X, config):
    pl.fit([X[:500], X[500:]], config, progress=False)


def as_validation(X, config):
    pl.fit(circle(), config, validation=X, progress=False)


def as_inputs(X, config):
    pl.fit(circle(len(X)), config, inputs=X, progress=False)


def as_validation_inputs(X, config):
    given = {"validation": circle(len(X)), "validation_inputs": X}
    pl.fit(circle(), config, inputs=np.array(X), progress=False, **given)


def measured(X, config):
    model = pl.init_model(config, 2)
    pl.evaluate(model, X, n_steps=200)
    pl.prediction_error(model, X)
    pl.state_space_divergence(X, circle())


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    "use", [as_it_is, in_trials, as_validation, as_inputs, as_validation_inputs, measured]
)
@pytest.mark.parametrize("opened", [by_load, by_mmap, by_view])
def test_edits_in_a_map_that_is_copied_on_write_stay(tmp_path, monkeypatch, opened, use, large):
    if large:
        monkeypatch.setattr(mapped, "_LARGE", 100)
        monkeypatch.setattr(mapped, "_PART", 300)
    path = saved(tmp_path, circle())
    before = digest(path)
    X = opened(path)
    X[200:260] = 0.5
    edited = np.array(X)
    use(X, config())
    np.testing.assert_array_equal(X, edited)
    assert digest(path) == before


@pytest.mark.parametrize(
    "change", [lambda X: X.astype(">f4"), np.asfortranarray, lambda X: (100 * X).astype(np.int16)]
)
def test_so_do_those_in_other_byte_orders_and_layouts(tmp_path, all_is_large, change):
    X = np.load(saved(tmp_path, change(circle())), mmap_mode="c")
    X[200:260] = 0
    edited = np.array(X)
    pl.fit([X[:700], X[700::2]], config(), progress=False)
    np.testing.assert_array_equal(X, edited)


def test_a_repaired_gap_does_not_come_back_in_the_midst_of_a_training(tmp_path, all_is_large):
    broken = circle()
    broken[700] = np.nan
    X = np.load(saved(tmp_path, broken), mmap_mode="c")
    X[700] = circle()[700]
    on_disk = pl.fit(X, config(), progress=False)
    expected = pl.fit(circle(), config(), progress=False)
    np.testing.assert_array_equal(to_vector(on_disk.model[:2]), to_vector(expected.model[:2]))


def test_memory_that_lies_in_no_file_is_left_alone():
    """Its pages, given back, would be zeros; `multiprocessing` makes such memory."""
    mapping = mmap.mmap(-1, circle().nbytes)
    X = np.frombuffer(mapping, np.float64).reshape(-1, 2)
    X[:] = circle()
    pl.fit(X, config(), progress=False)
    np.testing.assert_array_equal(X, circle())


def test_what_is_written_to_a_shared_map_is_kept_too(tmp_path, all_is_large):
    path = saved(tmp_path, circle())
    X = np.load(path, mmap_mode="r+")
    X[200:260] = 0.5
    edited = np.array(X)
    pl.fit(X, config(), progress=False)
    np.testing.assert_array_equal(X, edited)
    X.flush()
    np.testing.assert_array_equal(np.load(path), edited)


def test_what_the_package_opens_cannot_be_written_to(tmp_path, all_is_large):
    """So that there is no edit that could be lost."""
    path = saved(tmp_path, circle())
    before = digest(path)
    X = data.load_array(path)
    assert data.mapping_of(X) is not None
    with pytest.raises(ValueError, match="read-only"):
        X[0] = 5
    pl.fit(X, config(), progress=False)
    assert digest(path) == before


@posix_only
def test_pages_are_given_back_where_nobody_can_write_and_nowhere_else(tmp_path, monkeypatch):
    """Seen by what the system says of the process: how much of the file it holds."""
    code = """
import mmap, sys
import numpy as np
from plrnn_numba import data
def held():
    with open("/proc/self/status") as lines:
        return sum(int(l.split()[1]) for l in lines if l.startswith(("RssFile", "RssAnon"))) / 1024
np.save("X.npy", np.ones((2**22, 1)))  # 32 MB
for mode in "rc":
    X = np.load("X.npy", mmap_mode=mode)
    before = held()
    X.sum()
    if mode == "c":
        X[:] = 2
    grown = held() - before
    data.release(np.asarray(X)[3:])
    print(mode, grown > 30, held() - before > 30)
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc")
    assert run_code(code).splitlines() == ["r True False", "c True True"]


# --- 2: masked means missing -----------------------------------------------------------------------

GAPS = slice(100, 130)


def gappy(fill=np.nan):
    X = np.round(900 * circle())  # never -999
    X[GAPS, 1] = fill
    return X


def masked(kind=np.int64, fill=-999):
    X = np.ma.array(gappy(fill).astype(kind))
    X[GAPS, 1] = np.ma.masked
    return X


def frame(kind):
    pandas = pytest.importorskip("pandas")
    columns = {
        "a": pandas.array(gappy()[:, 0].tolist(), dtype=kind),
        "b": pandas.array([None if np.isnan(x) else x for x in gappy()[:, 1]], dtype=kind),
    }
    return pandas.DataFrame(columns, index=pandas.date_range("2020-01-01", periods=len(gappy()), freq="s"))


def labelled(kind, fill, **where):
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(gappy(fill).astype(kind), dims=("time", "channel"))
    for name, value in where.items():
        getattr(array, name).update(value)
    return array


CONTAINERS = {
    "masked integers": masked,
    "masked floats": lambda: masked(np.float64, 1e20),
    "lists with None": lambda: [[None if np.isnan(x) else x for x in row] for row in gappy().tolist()],
    "objects": lambda: np.where(np.isnan(gappy()), None, gappy()),
    "lists of masked rows": lambda: list(masked()),
    "pandas Int64": lambda: frame("Int64"),
    "pandas Float64": lambda: frame("Float64"),
    "pandas objects": lambda: frame(object),
    "xarray NaN": lambda: labelled(float, np.nan),
    "xarray _FillValue": lambda: labelled(np.int16, -999, attrs={"_FillValue": -999}),
    "xarray missing_value": lambda: labelled(np.float32, 1e20, attrs={"missing_value": [1e20, -1e20]}),
    "xarray encoding": lambda: labelled(np.int32, -999, encoding={"_FillValue": np.int32(-999)}),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_a_container_calls_missing_is_nan(container):
    given = CONTAINERS[container]()
    np.testing.assert_array_equal(as_floats("X", given, np.float64), gappy())


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_training_takes_it_as_missing(container):
    given = CONTAINERS[container]()
    if container == "lists of masked rows":
        given = [given]  # one trial; without the list it would be as many
    expected = pl.fit(gappy(), config(missing="mask"), progress=False)
    got = pl.fit(given, config(missing="mask"), progress=False)
    np.testing.assert_array_equal(to_vector(got.model[:2]), to_vector(expected.model[:2]))
    np.testing.assert_allclose(got.model.scaling.mean, np.nanmean(gappy(), axis=0), rtol=1e-10)
    np.testing.assert_allclose(got.model.scaling.scale, np.nanstd(gappy(), axis=0), rtol=1e-12)
    with pytest.raises(pl.DataError, match='row 100, column 1, .*"missing": "mask" takes NaN as missing'):
        pl.fit(given, config(), progress=False)


def test_masks_survive_in_trials_and_in_more_dimensions():
    many = np.ma.stack([masked(), masked()])
    for given in (many, [masked(), masked()], (frame("Int64"), masked()), [gappy(), masked().tolist()]):
        trials = data.as_trials("X", given)
        assert len(trials) == 2
        for trial in trials:
            np.testing.assert_array_equal(trial, gappy())


def test_a_mask_over_a_map_is_kept_without_reading_the_file(tmp_path, all_is_large):
    X = np.load(saved(tmp_path, gappy(-999).astype(np.int16)), mmap_mode="r")
    given = np.ma.array(X, mask=np.isnan(gappy()))
    expected = pl.fit(gappy(), config(missing="mask"), progress=False)
    for form in (given, [given[:900], given[900:]]):
        trials = data.as_trials("X", form)
        assert all(data.mapping_of(trial) is not None for trial in trials)
    got = pl.fit(given, config(missing="mask"), progress=False)
    np.testing.assert_array_equal(to_vector(got.model[:2]), to_vector(expected.model[:2]))


def test_nothing_is_converted_where_nothing_is_missing():
    plain = np.arange(6).reshape(3, 2)
    assert as_real(np.ma.array(plain)).dtype == plain.dtype
    for array in (circle(), circle().astype("f4")):
        assert as_floats("X", array) is array
        assert np.shares_memory(as_real(np.ma.array(array, mask=False)), array)


def test_the_array_under_a_mask_is_not_changed():
    X = masked()
    before, mask = X.data.copy(), X.mask.copy()
    pl.fit(X, config(missing="mask"), progress=False)
    np.testing.assert_array_equal(X.data, before)
    np.testing.assert_array_equal(X.mask, mask)


HIDDEN = np.ma.array([0.1, -999], mask=[False, True])
HIDDEN_ROWS = np.ma.array(np.full((9, 1), -999), mask=[[False]] * 3 + [[True]] + [[False]] * 5)
MODEL = pl.init_model(config(), 2)
DRIVEN = pl.init_model(config(), 2, 1)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: pl.predict(MODEL, HIDDEN, 5), r"x0: got nan at column 1, expected finite numbers"),
        (
            lambda: pl.predict(MODEL, [[0, 1], [None, 1]], 5),
            r"x0: got nan at row 1, column 0, expected finite",
        ),
        (lambda: pl.predict(MODEL, [0, np.inf], 5), r"x0: got inf at column 1, expected finite numbers"),
        (lambda: pl.predict(DRIVEN, [0, 1], 9, HIDDEN_ROWS), r"inputs: got nan at row 3, column 0, expected"),
        (
            lambda: pl.generate(DRIVEN, [0, 1], 9, HIDDEN_ROWS),
            r"inputs: got nan at row 3, column 0, expected",
        ),
        (lambda: pl.generate(MODEL, HIDDEN, 5), r"z0: got nan at column 1, expected finite numbers"),
        (lambda: pl.step(MODEL, HIDDEN), r"z: got nan at column 1, expected finite numbers"),
        (lambda: pl.step(DRIVEN, [0, 1], [np.nan]), r"s: got nan at column 0, expected finite numbers"),
        (lambda: pl.jacobian(MODEL, HIDDEN), r"z: got nan at column 1, expected finite numbers"),
        (lambda: pl.initial_state(MODEL, HIDDEN), r"x0: got nan at column 1, expected finite numbers"),
        (
            lambda: pl.analysis.lyapunov_spectrum(MODEL, HIDDEN, 9),
            r"z0: got nan at column 1, expected finite",
        ),
        (lambda: pl.analysis.analyze(MODEL, HIDDEN), r"z0: got nan at column 1, expected finite numbers"),
        (
            lambda: pl.analysis.lyapunov_spectrum(DRIVEN, [0, 1], 9, transient=0, inputs=HIDDEN_ROWS),
            r"inputs: got nan at row 3, column 0, expected finite numbers",
        ),
        (
            lambda: pl.loss_and_grad(DRIVEN, np.zeros((1, 9, 2)), HIDDEN_ROWS[None]),
            r"inputs: got nan at orbit 0, row 3, column 0, expected finite numbers",
        ),
        (
            lambda: pl.fit(circle(9), config(), np.ma.array(HIDDEN_ROWS), progress=False),
            r"inputs: got nan at trial 0, row 3, column 0, expected finite numbers \(1 of 9 are not\)$",
        ),
        (lambda: pl.state_space_divergence(masked(), circle()), r"X: .*(NaN|nan|gap|missing)"),
        (lambda: pl.hellinger_distance(masked(), circle()), r"X: .*(NaN|nan|gap|missing)"),
    ],
)
def test_a_gap_where_there_must_be_none_is_named_and_nothing_is_said_to_diverge(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_orbit_does_not_start_at_infinity_nor_at_what_float32_cannot_hold():
    for start in ([np.inf, 0], [1e300, 0]):
        with pytest.raises(ValueError, match="z0: got inf at row 0, column 0, expected finite numbers"):
            pl.generate(MODEL, start, 4)


def table():
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(
        {
            "x": [1.0, 2.0],
            "label": ["up", "down"],
            "time": pandas.to_datetime(["2020-01-01", "2020-01-02"]),
            "phase": [1j, 2],
            "mixed": [1, "n/a"],
        }
    )


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: table()[["x", "label"]], r"DataFrame whose column 'label' is of dtype \w+ with 'up' at 0"),
        (
            lambda: table()[["x", "mixed"]],
            r"DataFrame whose column 'mixed' is of dtype object with 'n/a' at 1",
        ),
        (
            lambda: table()[["x", "time"]],
            r"DataFrame whose column 'time' is of dtype datetime64\S* \(leave it",
        ),
        (lambda: table()[["phase"]], r"DataFrame whose column 'phase' is of dtype complex128"),
        (lambda: np.zeros((3, 2), [("a", float)]), r"\[\('a', '<f8'\)\], expected"),
        (lambda: np.zeros((3, 2), complex), r"dtype complex128, expected"),
        (lambda: np.zeros((3, 2), "M8[s]"), r"dtype datetime64\[s\], expected"),
        (lambda: np.array([["1.5", "2"]], object), r"ndarray with '1.5' at \(0, 0\), expected"),
        (lambda: [[1, "2"], [3, None]], r"list"),
    ],
)
def test_what_are_no_real_numbers_is_refused_in_one_line(make, message):
    with pytest.raises(pl.DataError, match=f"^X: got .*{message}") as refused:
        pl.fit(make(), config(), progress=False)
    with pytest.raises(TypeError, match=f"^X: got .*{message}") as not_measured:
        pl.state_space_divergence(make(), circle())
    assert "\n" not in str(refused.value) + str(not_measured.value)


# --- 3: what is large stays on disk -----------------------------------------------------------------

DTYPES = ("<f4", ">f4", "<f8", ">f8", "f2", "i1", "<i2", ">i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")


def of_dtype(X, dtype):
    """A series that a dtype can hold: its values shifted and multiplied to be whole where they must be."""
    kind = np.dtype(dtype).kind
    return (X > 0 if kind == "b" else X if kind == "f" else 3 + 2 * X).astype(dtype)


def same_training(got, expected):
    np.testing.assert_array_equal(to_vector(got.model[:2]), to_vector(expected.model[:2]))
    np.testing.assert_array_equal(got.history["loss"], expected.history["loss"])
    if expected.model.scaling is not None:
        np.testing.assert_array_equal(got.model.scaling.mean, expected.model.scaling.mean)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("standardize", [True, False])
def test_any_dtype_trains_from_disk_with_the_bits_of_memory(tmp_path, monkeypatch, dtype, standardize):
    X = of_dtype(circle(), dtype)
    given = {**config(standardize=standardize), "seed": 3}
    monkeypatch.setattr(mapped, "_PART", 300)
    expected = pl.fit(np.array(X), given, progress=False)
    monkeypatch.setattr(mapped, "_LARGE", 100)
    on_disk = data.load_array(saved(tmp_path, X))
    assert data.as_trials("X", on_disk)[0].dtype == X.dtype  # not converted as a whole
    same_training(pl.fit(on_disk, given, progress=False), expected)


def with_gaps(seed=0):
    X = circle()
    X[np.random.default_rng(seed).random(X.shape) < 0.3] = np.nan
    X[:40, 0] = np.nan  # nothing before
    X[300:1000, 1] = np.nan  # further back than one look
    return X


@pytest.mark.filterwarnings("ignore:X. 1 of 5 trials is shorter than:RuntimeWarning")
@pytest.mark.parametrize("more", [{}, {"noise": 0.1}, {"n_threads": 2, "batch_size": 40, "noise": 0.1}])
@pytest.mark.parametrize("order", ["C", "F"])
def test_so_do_gaps_noise_threads_inputs_and_trials(tmp_path, monkeypatch, more, order):
    given = config(missing="mask")
    given["training"] |= {"sequence_length": 25, "batches_per_epoch": 6, **more}
    cuts = [0, 5, 400, 400 + 26, 1500]
    lone = with_gaps(1)[:400]
    lone[:, 1] = np.nan  # a trial in which a column is never observed

    def trials(X, lone):
        return [X[a:b] for a, b in itertools.pairwise(cuts)] + [lone]

    U = [circle(n, phase=1) for n in np.diff(cuts)] + [circle(400, phase=2)]
    monkeypatch.setattr(mapped, "_PART", 300)
    expected = pl.fit(trials(with_gaps(), lone), given, inputs=U, progress=False)
    monkeypatch.setattr(mapped, "_LARGE", 100)
    X, alone = (
        np.load(saved(tmp_path, np.asarray(a, order=order), f"{i}.npy"), mmap_mode="r")
        for i, a in enumerate((with_gaps(), lone))
    )
    same_training(pl.fit(trials(X, alone), given, inputs=U, progress=False), expected)


def test_a_training_from_disk_is_stopped_and_restored_with_the_same_bits(tmp_path, all_is_large):
    given = config()
    given["training"]["epochs"] = 3
    X = data.load_array(saved(tmp_path, circle()))
    expected = pl.fit(X, given, progress=False)
    stopped = pl.Trainer(X, given)
    stopped.run(lambda report: report.epoch == 1, progress=False)
    again = pl.Trainer(X, given)
    again.restore(stopped.state())
    same_training(again.run(progress=False), expected)


@pytest.mark.needs_speed
@pytest.mark.parametrize(
    "change", [lambda X: X.astype(">f4"), np.asfortranarray, lambda X: (9 * X).astype("u1")]
)
def test_a_series_on_disk_compiles_no_kernel_anew(tmp_path, all_is_large, change):
    from plrnn_numba.training.batches import _train_batches

    pl.fit(circle(), config(), progress=False)
    before = len(_train_batches.signatures)
    for mode in "rc":
        pl.fit(np.load(saved(tmp_path, change(3 + circle())), mmap_mode=mode), config(), progress=False)
    assert len(_train_batches.signatures) == before


def test_rows_at_gaps_are_those_of_the_whole_series_without_them(tmp_path, monkeypatch):
    from plrnn_numba.training import windows

    monkeypatch.setattr(windows, "_FIRST_SEARCH", 2)
    X = with_gaps()
    expected = data.without_gaps(X)
    for row in range(0, len(X), 7):
        np.testing.assert_array_equal(windows._row_without_gaps(X, row), expected[row])


SPARSE = """
import resource, sys
import numpy as np
import plrnn_numba as pl
from plrnn_numba import data

dtype, rows, gaps = np.dtype(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "gaps"
t = 0.1 * np.arange(5000)
X = (100 + 50 * np.stack([np.sin(t), np.cos(t)], axis=1)).astype(dtype)
if gaps:
    X[::7] = np.nan
with open("X.npy", "wb") as file:  # what is not written takes no place on the disk, and is zero
    header = {"descr": dtype.str, "fortran_order": False, "shape": (rows, 2)}
    np.lib.format.write_array_header_1_0(file, header)
    begin = file.tell()
    file.write(X.tobytes())
    file.truncate(begin + rows * 2 * dtype.itemsize)

def now(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

whole = data.load_array("X.npy")
trials = [whole[: rows // 2], whole[rows // 2 :]] if "trials" in sys.argv else whole
limit = now("VmData") + 100 * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
config = {"latent_dim": 2, "latent_step": {"name": "PLRNN"}, "missing": "mask",
    "training": {"epochs": 2, "batches_per_epoch": 2, "sequence_length": 10, "batch_size": 4},
    "evaluation": {"steps": 100, "orbits": 2, "every": 2}}
result = pl.fit(trials, config, progress=False)
print(result.status, np.isfinite(result.history["loss"]).all(), now("RssFile") < 300 * 2**20)
"""


@posix_only
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    "dtype, rows, form",
    [("<i2", 36_000_000, "whole"), ("u1", 36_000_000, "trials"), (">f4", 36_000_000, "gaps")],
)
def test_a_series_larger_than_the_memory_allowed_trains(dtype, rows, form):
    """Within 100 MB beyond what the process had before, where the numbers as float32 take 288 MB."""
    printed = run_code(SPARSE, dtype, str(rows), form, NUMBA_DISABLE_JIT="1")
    assert printed.splitlines()[-1] == "finished True True"


def test_a_fingerprint_knows_the_data_again_and_reads_little_of_what_is_on_disk(tmp_path, all_is_large):
    from plrnn_numba.runs.source import _fingerprint

    X = np.ma.array(np.load(saved(tmp_path, circle()), mmap_mode="r"), mask=False)
    X.mask[10] = True
    first = _fingerprint(X, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _fingerprint(np.ma.array(X.data, mask=X.mask), None) == first
    X.mask[10] = False
    assert _fingerprint(X, None) != first


def test_frames_are_joined_by_the_names_of_their_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"u": np.arange(5.0), "v": 100 + np.arange(5.0)})
    first, second = data.as_trials("X", [frame, frame[["v", "u"]]])
    np.testing.assert_array_equal(first, second)
    with pytest.raises(
        data.DataError, match=r"X\[1\]: has columns \['u', 'w'\], but X\[0\] has \['u', 'v'\]"
    ):
        data.as_trials("X", [frame, frame.rename(columns={"v": "w"})])


def test_what_an_xarray_says_of_its_file_is_not_said_of_values_that_were_unpacked():
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(np.arange(6.0).reshape(3, 2), dims=("t", "c"))
    array.encoding.update(_FillValue=0, scale_factor=1.0, add_offset=-100.0, dtype="int16")
    assert not np.isnan(data.as_trials("X", array)[0]).any()


def test_a_masked_number_is_no_number():
    for call in (lambda: pl.GTF(np.ma.masked), lambda: pl.generate(MODEL, [0, 0], np.ma.masked)):
        with pytest.raises(ValueError, match="masked"):
            call()


def test_models_of_a_training_share_no_array():
    def spoil(report):
        report.model.scaling.mean[:] = 1e6

    result = pl.fit(circle(), config(), callback=spoil, progress=False)
    assert (np.abs(result.model.scaling.mean) < 10).all()
    assert not np.shares_memory(result.model.scaling.mean, result.best_model.scaling.mean)
