"""The command line: what each command writes, and that every mistake is one line and exit code 2."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import circle, kernels, posix_only, small_config

import plrnn_numba as pl
from plrnn_numba.runs.commands.common import DIVERGED, DONE, MISTAKE, STOPPED
from plrnn_numba.runs.commands.main import main
from plrnn_numba.runs.folder import Run

CONFIG = small_config(training={"learning_rate": [1e-2, 1e-3]})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with data of all kinds and a configuration, and the current one."""
    monkeypatch.chdir(tmp_path)
    X = circle(1200, size=(1, 3))
    np.save("X.npy", X)
    np.savez("X.npz", X)
    np.savetxt("X.csv", X, delimiter=",", header="a,b", comments="")
    np.save("U.npy", circle(1200)[:, 1:])
    Path("trials").mkdir()
    for i in range(4):
        np.save(f"trials/{i}.npy", X[300 * i : 300 * (i + 1)])
    Path("c.json").write_text(json.dumps(CONFIG))
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, trained once."""
    folder = tmp_path_factory.mktemp("trained")
    np.save(folder / "X.npy", circle(1200, size=(1, 3)))
    (folder / "c.json").write_text(json.dumps(CONFIG))
    out = folder / "run"
    arguments = [
        "train",
        str(folder / "c.json"),
        "--data",
        str(folder / "X.npy"),
        "--out",
        str(out),
        "--quiet",
    ]
    assert main(arguments) == DONE
    return out


def test_train_writes_a_whole_run(trained):
    names = {str(p.relative_to(trained)) for p in trained.rglob("*") if p.is_file()}
    pictures = {f"plots/{p}.png" for p in ("orbits", "series", "spectra", "training")}
    files = {
        "config.json",
        "run.json",
        "model.npz",
        "best.npz",
        "metrics.csv",
        "test.npy",
        "checkpoints/last.npz",
    }
    assert names == files | pictures
    for picture in pictures:
        assert (trained / picture).read_bytes().startswith(b"\x89PNG")
    config = pl.Config.from_file(trained / "config.json")
    assert config == pl.Config.from_dict(CONFIG)
    rows = (trained / "metrics.csv").read_text().splitlines()
    assert rows[0] == "epoch,loss,l2,mar,ar,condition,alpha,learning_rate,D_stsp,D_H,PE,seconds"
    assert [row.split(",")[0] for row in rows[1:]] == ["2", "4"]
    record = json.loads((trained / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["measures"]["orbits"] == {"n": 1, "steps": 200, "diverged": 0}
    assert len(np.load(trained / "test.npy")) == 240


def test_the_same_training_in_python_gives_the_same_bits(trained):
    X = np.load(trained.parent / "X.npy")
    result = pl.fit(X[:960], CONFIG, validation=X[960:], progress=False)
    for a, b in zip(pl.load_model(trained / "model.npz").latent, result.model.latent):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("data", ["X.npy", "X.npz", "X.csv", "trials"])
def test_train_reads_every_kind_of_data(folder, data, capsys):
    assert main(["train", "c.json", "--data", data, "--set", "training.epochs=1", "--no-plots"]) == DONE
    name = data.split(".")[0]
    out = capsys.readouterr()
    assert f"model    runs/{name}-c/model.npz" in out.out
    assert "D_stsp" in out.out
    assert "compilation" in out.out
    assert (
        main(["train", "c.json", "--data", data, "--set", "training.epochs=1", "--quiet", "--no-plots"])
        == DONE
    )
    assert (folder / f"runs/{name}-c-2/model.npz").exists()
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_train_without_a_configuration_and_with_inputs(folder):
    small = ["--set", "training.epochs=1", "--set", "training.batches_per_epoch=2", "--quiet", "--no-plots"]
    assert main(["train", "--data", "X.npy", "--inputs", "U.npy", "--out", "r", *small]) == DONE
    model = pl.load_model("r/model.npz")
    assert model.latent.C.shape == (2, 1)
    assert len(np.load("r/test_inputs.npy")) == 240
    assert main(["evaluate", "r"]) == DONE
    assert main(["generate", "r", "--steps", "50", "--inputs", "U.npy", "--out", "o.npy"]) == MISTAKE
    np.save("U50.npy", np.load("U.npy")[:50])
    assert main(["generate", "r", "--steps", "50", "--inputs", "U50.npy", "--out", "o.npy"]) == DONE
    assert np.load("o.npy").shape == (50, 2)


def test_generate_is_predict(trained, tmp_path, capsys):
    out = tmp_path / "orbit.npy"
    assert main(["generate", str(trained), "--steps", "30", "--start", "0.5,-1", "--out", str(out)]) == DONE
    expected = pl.predict(pl.load_model(trained / "model.npz"), [0.5, -1], 30)
    np.testing.assert_array_equal(np.load(out), expected)
    text = tmp_path / "orbit.csv"
    assert main(["generate", str(trained), "--steps", "30", "--start", "0.5,-1", "--out", str(text)]) == DONE
    assert text.read_text().startswith("x1,x2\n")
    np.testing.assert_allclose(np.loadtxt(text, delimiter=",", skiprows=1), expected, rtol=1e-6)
    assert main(["generate", str(trained), "--steps", "3", "--out", str(out), "--best"]) == DONE


def test_evaluate_prints_for_a_person_and_for_a_program(trained, capsys):
    assert main(["evaluate", str(trained)]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["measure", "D_stsp", "D_H", "PE"]
    data = str(trained.parent / "X.npy")
    arguments = ["evaluate", str(trained), "--data", data, "--json", "--steps", "400", "--orbits", "2"]
    assert main(arguments) == DONE
    found = json.loads(capsys.readouterr().out)
    X = np.load(data)
    expected = pl.evaluate(pl.load_model(trained / "model.npz"), X, n_steps=400, n_orbits=2)
    assert found["D_H"]["median"] == expected.D_H
    assert found["D_stsp"]["each"] == expected.each["D_stsp"].tolist()
    assert found["orbits"] == {"n": 2, "steps": 400, "diverged": 0}


def test_plot_draws_again(trained, capsys):
    picture = trained / "plots" / "orbits.png"
    picture.unlink()
    assert main(["plot", str(trained), "--steps", "1000", "--max-period", "2"]) == DONE
    assert picture.exists()
    assert str(picture) in capsys.readouterr().out


@pytest.mark.parametrize("N", [1, 2, 4])
def test_pictures_of_any_number_of_dimensions(folder, N):
    rng = np.random.default_rng(0)
    np.save("Z.npy", rng.standard_normal((600, N)).cumsum(axis=0))
    options = ["--set", "training.epochs=1", "--set", "training.sequence_length=10", "--quiet"]
    assert main(["train", "--data", "Z.npy", "--out", "r", *options]) == DONE
    assert len(list(Path("r/plots").iterdir())) == 4


def test_init_prints_what_train_reads(folder, capsys):
    assert main(["init", "--model", "ALRNN", "--latent-dim", "5"]) == DONE
    Path("start.toml").write_text(capsys.readouterr().out)
    options = ["--set", "training.epochs=1", "--set", "training.sequence_length=20"]
    assert main(["train", "start.toml", "--data", "X.npy", "--quiet", "--no-plots", *options]) == DONE


def test_versions_and_the_module_are_the_same_program(capsys):
    assert main(["versions"]) == DONE
    here = capsys.readouterr().out
    there = subprocess.run([sys.executable, "-m", "plrnn_numba", "versions"], capture_output=True, text=True)
    assert there.returncode == 0
    assert there.stdout.splitlines()[0] == here.splitlines()[0] == f"plrnn_numba    {pl.__version__}"


def test_warmup_compiles_what_later_runs_need(capsys):
    assert main(["warmup", "PLRNN"]) == DONE
    assert capsys.readouterr().out.split()[0] == "PLRNN"
    compiled = {name: list(k.signatures) for name, k in kernels().items()}
    config = {
        "latent_dim": 3,
        "latent_step": {"name": "PLRNN"},
        "training": {"epochs": 1, "sequence_length": 10},
    }
    model = pl.fit(circle(500), config, progress=False).model
    pl.predict(model, [0.0, 1.0], 5)
    assert {name: list(k.signatures) for name, k in kernels().items()} == compiled


@pytest.mark.needs_speed
def test_warmup_of_several_models_takes_a_process_each(capsys):
    assert main(["warmup", "shPLRNN", "PLRNN"]) == DONE
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["shPLRNN", "PLRNN"]


def test_a_gradient_over_the_bound_is_divergence(folder, capsys):
    options = ["--set", "training.gradient_bound=1e-9", "--out", "r", "--quiet"]
    assert main(["train", "c.json", "--data", "X.npy", *options]) == DIVERGED
    assert "diverged in epoch 1" in capsys.readouterr().err
    first = pl.init_model(CONFIG, 2)
    np.testing.assert_array_equal(pl.load_model("r/model.npz").latent.W1, first.latent.W1)


def test_divergence_exits_with_3_and_keeps_the_last_finite_model(folder, capsys):
    options = ["--set", "training.learning_rate=[1e18,1e18]", "--set", "forcing=null", "--out", "r"]
    assert main(["train", "c.json", "--data", "X.npy", *options]) == DIVERGED
    assert "diverged in epoch 1 (seed 0); the last finite model is in r" in capsys.readouterr().err
    assert np.isfinite(pl.load_model("r/model.npz").latent.A).all()
    assert json.loads(Path("r/run.json").read_text())["status"] == "diverged"


def wait_for_an_evaluation(process):
    """It is told, and written."""
    for line in process.stderr:
        if line.startswith("epoch"):
            return


TRAIN = [sys.executable, "-m", "plrnn_numba", "train", "c.json", "--data", "X.npy"]


def start_training(folder, *options):
    command = [*TRAIN, "--out", "r", *options]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@posix_only
@pytest.mark.needs_speed
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_ends_at_any_moment_change_no_bit(folder, name):
    """SIGKILL leaves no time for anything; what is on disk is whole at every moment.

    A run ends after its first or second evaluation, or right at its start, however fast the machine is.
    """
    rng = np.random.default_rng(0)
    changes = [
        "training.epochs=2000",
        "training.batches_per_epoch=200",
        "evaluation.every=50",
        "training.noise=0.01",
    ]
    options = ["--data", "X.npy", *(part for change in changes for part in ("--set", change))]
    command = [sys.executable, "-m", "plrnn_numba", "train", "--no-plots"]

    def run(*arguments, evaluations=None):
        """To its end, or to a signal after so many evaluations."""
        process = subprocess.Popen([*command, *arguments], cwd=folder, stderr=subprocess.PIPE, text=True)
        for _ in range(evaluations or 0):
            wait_for_an_evaluation(process)
        if evaluations is not None:
            process.send_signal(getattr(signal, name))
        _, error = process.communicate()
        return process.returncode, error

    code, error = run("c.json", "--out", "whole", *options)
    assert code == DONE, error
    ends = []
    for _ in range(12):
        started = (folder / "r" / "config.json").exists()
        start = ("--resume", "--out", "r") if started else ("c.json", "--out", "r", *options)
        code, error = run(*start, evaluations=int(rng.integers(0, 3)) if started else 1)
        ends.append(code)
        assert code in (DONE, STOPPED, -getattr(signal, name)), error
    assert {STOPPED, -signal.SIGKILL} & set(ends)
    code, error = run("--resume", "--out", "r")
    assert code == DONE, error
    assert_same_runs(folder / "whole", folder / "r")


def assert_same_runs(one, other):
    """Models to the bit, and metrics but for the seconds."""
    for name in ("model.npz", "best.npz"):
        with np.load(one / name) as first, np.load(other / name) as second:
            for key in first.files:
                if key != "meta":
                    np.testing.assert_array_equal(first[key], second[key])
    tables = [(run / "metrics.csv").read_text().splitlines() for run in (one, other)]
    first, second = ([line.rpartition(",")[0] for line in table] for table in tables)
    assert first == second


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@posix_only
@pytest.mark.needs_speed
def test_a_disk_that_fills_up_stops_a_run_that_goes_on_when_there_is_room(folder, small_disk):
    changes = ["training.epochs=600", "training.batches_per_epoch=100", "evaluation.every=20"]
    options = ["--data", "X.npy", *(part for change in changes for part in ("--set", change))]
    command = [sys.executable, "-m", "plrnn_numba", "train", "--no-plots"]
    whole = subprocess.run([*command, "c.json", *options, "--out", "whole", "--quiet"], cwd=folder)
    assert whole.returncode == DONE
    out = str(small_disk / "r")
    filler = small_disk / "filler"
    start = [*command, "c.json", *options, "--out", out]
    for _ in range(3):
        process = subprocess.Popen(start, cwd=folder, stderr=subprocess.PIPE, text=True)
        wait_for_an_evaluation(process)
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        _, error = process.communicate()
        assert process.returncode == STOPPED, error
        last = error.splitlines()[-1]
        assert "cannot be written to: No space left on device; go on from epoch" in last
        assert f"plrnn-numba train --resume --out {out}" in last
        assert not list(small_disk.rglob("*.part"))
        filler.unlink()
        start = [*command, "--resume", "--out", out]
    resumed = subprocess.run([*start, "--quiet"], cwd=folder)
    assert resumed.returncode == DONE
    assert_same_runs(folder / "whole", small_disk / "r")


@posix_only
@pytest.mark.needs_speed
def test_a_second_signal_ends_at_once_and_the_checkpoint_stands(folder):
    long = ["--set", "training.epochs=100000", "--set", "evaluation.every=100", "--no-plots"]
    process = start_training(folder, *long)
    wait_for_an_evaluation(process)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode in (STOPPED, 128 + signal.SIGTERM, 128 + signal.SIGINT)
    state, _ = Run.open(folder / "r").state()
    assert state["progress"]["epoch"] >= 100
    assert np.isfinite(state["params"]).all()


@pytest.mark.needs_speed
def test_a_folder_that_is_lost_stops_the_run_without_a_traceback(folder):
    process = start_training(folder, "--set", "training.epochs=100000", "--set", "evaluation.every=50")
    wait_for_an_evaluation(process)
    (folder / "r").rename(folder / "elsewhere")
    _, error = process.communicate()
    assert process.returncode == STOPPED
    assert "Traceback" not in error
    assert "r cannot be written to: No such file or directory; there is no checkpoint yet" in error
    assert Run.open(folder / "elsewhere").state()[0]["progress"]["epoch"] >= 50


@posix_only
@pytest.mark.needs_speed
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
def test_a_signal_ends_with_75_and_resume_ends_with_the_same_bits(folder, name):
    changes = ("training.epochs=1500", "evaluation.every=500", "training.noise=0.01")
    epochs = [*(part for change in changes for part in ("--set", change)), "--no-plots"]
    command = [*TRAIN, "--out", "whole", *epochs]
    whole = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert whole.returncode == DONE, whole.stderr
    process = start_training(folder, *epochs)
    assert process.stderr.readline().startswith("data: 1200 rows x 2 channels from X.npy")
    assert process.stderr.readline().startswith("run ")
    wait_for_an_evaluation(process)
    process.send_signal(getattr(signal, name))
    _, error = process.communicate(timeout=300)
    assert process.returncode == STOPPED, error
    assert "go on with: plrnn-numba train --resume --out r" in error
    resumed = subprocess.run(
        [sys.executable, "-m", "plrnn_numba", "train", "--resume", "--out", "r", "--no-plots"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert resumed.returncode == DONE, resumed.stderr
    for name in ("model.npz", "best.npz"):
        one, other = pl.load_model(folder / "whole" / name), pl.load_model(folder / "r" / name)
        for a, b in zip(one.latent, other.latent):
            np.testing.assert_array_equal(a, b)
    table = [np.genfromtxt(folder / run / "metrics.csv", delimiter=",", names=True) for run in ("whole", "r")]
    for column in table[0].dtype.names[:-1]:
        np.testing.assert_array_equal(table[0][column], table[1][column])


@pytest.mark.needs_speed
def test_progress_on_a_terminal_is_one_bar(folder):
    pty = pytest.importorskip("pty")
    pytest.importorskip("tqdm")
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "plrnn_numba", "train", "c.json", "--data", "X.npy", "--no-plots"]
    process = subprocess.Popen(command, cwd=folder, stderr=writer, stdout=subprocess.DEVNULL)
    os.close(writer)
    text = b""
    while True:
        try:
            piece = os.read(reader, 4096)
        except OSError:
            break
        if not piece:
            break
        text += piece
    assert process.wait() == DONE
    shown = text.decode()
    assert "4/4 epochs" in shown
    assert "D_stsp" in shown
    assert "left" in shown
    assert shown.count("\n") <= 3


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["generate", "RUN", "--steps", "0", "--out", "o.npy"], "--steps: got 0, allowed is at least 1"),
        (["generate", "RUN", "--steps", "5", "--out", "o.txt"], "--out: got the ending '.txt'"),
        (
            ["generate", "RUN", "--steps", "5", "--out", "o.npy", "--start", "1"],
            "--start: got '1', expected 2 finite numbers",
        ),
        (
            ["generate", "RUN", "--steps", "5", "--out", "o.npy", "--start", "a,b"],
            "--start: got 'a,b', expected 2 numbers",
        ),
        (
            ["generate", "RUN", "--steps", "5", "--out", "nowhere/o.npy"],
            "nowhere/o.npy: No such file or directory",
        ),
        (
            ["generate", "RUN", "--steps", "5", "--out", "o.npy", "--inputs", "U.npy"],
            "--inputs: the model has no external inputs",
        ),
        (["evaluate", "RUN", "--data", "U.npy"], "--data: got 1 columns, but the model has 2"),
        (["evaluate", "RUN", "--steps", "5"], "--steps: got 5, allowed is at least 100"),
        (
            ["train", "--resume", "--out", "RUN", "--set", "seed=1"],
            "--resume: the run has its own configuration",
        ),
        (
            ["train", "--data", "X.npy", "--out", "RUN"],
            "exists already; choose another --out, or go on with it by --resume",
        ),
    ],
)
def test_a_mistake_about_a_run_is_one_line_and_exit_code_2(folder, trained, arguments, message, capsys):
    before = {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}
    assert main([str(trained) if a == "RUN" else a for a in arguments]) == MISTAKE
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()} == before


def test_resume_refuses_other_data(folder, capsys):
    assert main(["train", "c.json", "--data", "X.npy", "--out", "r", "--quiet", "--no-plots"]) == DONE
    assert main(["train", "--resume", "--out", "r", "--quiet", "--no-plots"]) == DONE
    np.save("X.npy", np.load("X.npy") + 1)
    assert main(["train", "--resume", "--out", "r"]) == MISTAKE
    assert "the data are not those that the run was started with" in capsys.readouterr().err


def test_analyze_prints_for_a_person_and_for_a_program(trained, capsys):
    options = ["analyze", str(trained), "--steps", "2000", "--max-period", "3", "--seconds", "5"]
    assert main(options) == DONE
    text = capsys.readouterr().out
    heads = [line.split("  ")[0] for line in text.splitlines() if not line.startswith(" ")]
    assert [h for h in heads if not h.startswith("absorbing box")] == [
        "bounded", "cycles", "exponents", "dimension", "regions", "entropy"
    ]  # fmt: skip
    assert main([*options, "--json"]) == DONE
    found = json.loads(capsys.readouterr().out)
    assert found["exhausted_periods"][0] == 1
    latent = pl.load_model(trained / "model.npz").latent
    expected = pl.analysis.fixed_points(latent)
    points = [c["points"][0] for c in found["cycles"] if c["period"] == 1]
    np.testing.assert_allclose(points, [c.points[0] for c in expected])
    assert len(found["lyapunov"]["exponents"]) == 2
    assert sum(found["regions"]["share"]) == pytest.approx(1)


def test_the_bifurcations_of_a_training_are_drawn_from_the_models_that_were_kept(folder, capsys):
    keep = ["--set", "evaluation.keep_models=true", "--out", "r", "--no-plots", "--quiet"]
    assert main(["train", "c.json", "--data", "X.npy", *keep]) == DONE
    assert [p.name for p in sorted(Path("r/models").iterdir())] == ["000002.npz", "000004.npz"]
    last, kept = pl.load_model("r/model.npz"), pl.load_model("r/models/000004.npz")
    np.testing.assert_array_equal(last.latent.W1, kept.latent.W1)
    assert main(["plot", "r", "--steps", "1000", "--max-period", "2"]) == DONE
    names = {Path(line).stem for line in capsys.readouterr().out.splitlines()}
    pictures = {"orbits", "series", "spectra", "training", "eigenvalues", "regions", "graph", "exponents"}
    assert pictures | {"return_map", "bifurcations"} == names


@pytest.mark.parametrize("row", ["PLRNN", "ALRNN", "shPLRNN"])
def test_every_model_is_analysed(row, capsys, tmp_path):
    hyper = {"ALRNN": {"num_relus": 1}, "shPLRNN": {"hidden_dim": 3}}.get(row, {})
    latent = pl.init_model(
        {"latent_dim": 2, "latent_step": {"name": row, "hyperparameters": hyper}}, 2
    ).latent
    report = pl.analysis.analyze(latent, [0.1, 0.2], n_steps=500, max_period=2)
    assert "cycles        " in str(report)
    assert json.loads(json.dumps(report.to_dict()))["bounded"]["answer"] in ("yes", "no", "unknown")
    diverging = latent._replace(A=latent.A + 2)
    assert "diverged: no exponents" in str(
        pl.analysis.analyze(diverging, [0.1, 0.2], n_steps=2000, max_period=1)
    )
