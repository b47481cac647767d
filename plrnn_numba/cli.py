"""The command line: ``plrnn-numba`` and ``python -m plrnn_numba``."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from . import run as runs
from ._schema import ConfigError, nearest, write
from .config import Config, read_config_file
from .data import DataError, as_trials, load_array, stays_on_disk
from .measures import Evaluation
from .model import Model, predict
from .models._base import MODELS
from .observation import n_observed
from .run import Run, RunError
from .systems import SYSTEMS, simulate
from .training import Trainer, warmup
from .versions import show_versions

DONE, MISTAKE, DIVERGED, STOPPED = 0, 2, 3, 75

_SYSTEM_STEPS = 100_000


class CommandError(ValueError):
    """A mistake on the command line; the message is one line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CommandError(message)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code."""
    try:
        options = _parser().parse_args(arguments)
        return options.command(options)
    except (CommandError, ConfigError, DataError, RunError, ModuleNotFoundError) as error:
        return _fail(str(error))
    except BrokenPipeError:  # `| head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        return DONE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}")


def _fail(message: str) -> int:
    print(f"plrnn-numba: error: {' '.join(message.split())}", file=sys.stderr)
    return MISTAKE


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="plrnn-numba",
        description="Reconstruct dynamical systems from time series with piecewise-linear RNNs, on a CPU.",
        epilog="exit codes: 0 done; 2 a mistake in what was given; 3 diverged; 75 stopped by a signal",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, function: Any, help: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=help)
        command.set_defaults(command=function)
        return command

    init = add("init", _init, "print a commented starting configuration (TOML)")
    init.add_argument("--model", default="clipped_shPLRNN", metavar="NAME", help=", ".join(MODELS))
    init.add_argument("--latent-dim", type=int, metavar="M", help="number of latent units")

    train = add("train", _train, "train a model; writes a run's folder")
    train.add_argument("config", nargs="?", metavar="CONFIG", help=".json or .toml; else a clipped shPLRNN")
    source = train.add_mutually_exclusive_group()
    source.add_argument("--data", metavar="X", help=".npy, .npz, .csv, or a folder of trials")
    source.add_argument("--system", metavar="NAME", help="make data of: " + ", ".join(SYSTEMS))
    train.add_argument("--inputs", metavar="S", help="external inputs, in the form of the data")
    train.add_argument("--test", metavar="X_TEST", help="held-out series; else the data's last part")
    train.add_argument("--test-inputs", metavar="S_TEST", help="external inputs of the held-out series")
    train.add_argument(
        "--hold-out", type=float, default=0.2, metavar="PART", help="part of the data held out (0.2)"
    )
    train.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as training.epochs=50"
    )
    train.add_argument("--out", metavar="RUN", help="the run's folder; else runs/NAME")
    train.add_argument("--resume", action="store_true", help="go on with the run in --out")
    train.add_argument("--quiet", action="store_true", help="no progress")
    train.add_argument("--no-plots", action="store_true", help="no pictures at the end")

    generate = add("generate", _generate, "write a free-running orbit, in data units")
    generate.add_argument("run", metavar="RUN")
    generate.add_argument("--steps", type=int, required=True, metavar="T")
    generate.add_argument(
        "--start", metavar="X0", help="numbers with commas between; else the test data's first row"
    )
    generate.add_argument("--inputs", metavar="S", help="external inputs, T rows")
    generate.add_argument("--out", required=True, metavar="FILE", help=".npy or .csv")
    generate.add_argument(
        "--best", action="store_true", help="the model of the best evaluation, not the last"
    )

    evaluate = add("evaluate", _evaluate, "measure a run on a series: D_stsp, D_H, PE")
    evaluate.add_argument("run", metavar="RUN")
    evaluate.add_argument("--data", metavar="X", help="held-out series; else the run's own")
    evaluate.add_argument("--inputs", metavar="S", help="its external inputs")
    evaluate.add_argument("--steps", type=int, metavar="T", help="length of each orbit")
    evaluate.add_argument("--orbits", type=int, metavar="N", help="how many orbits")
    evaluate.add_argument("--json", action="store_true", help="for a program")

    analyze = add(
        "analyze", _analyze, "fixed points, cycles, Lyapunov exponents, regions, bounds of a run's model"
    )
    analyze.add_argument("run", metavar="RUN")
    _add_analysis(analyze)
    analyze.add_argument("--json", action="store_true", help="for a program")

    plot = add("plot", _plot, "draw the pictures of a run, and of its analysis, under RUN/plots")
    plot.add_argument("run", metavar="RUN")
    _add_analysis(plot)

    warm = add("warmup", _warmup, "compile ahead, so that later runs start at once")
    warm.add_argument("models", nargs="*", metavar="NAME", help="all, or some of " + ", ".join(MODELS))
    warm.add_argument("--dtype", choices=("float32", "float64"), default="float32")

    add("versions", _versions, "print what belongs into a bug report")
    return parser


def _add_analysis(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--steps", type=int, default=100_000, metavar="T", help="length of the orbit (100000)"
    )
    command.add_argument("--max-period", type=int, default=10, metavar="N", help="the longest cycles (10)")
    command.add_argument(
        "--seconds", type=float, default=20.0, metavar="S", help="time for the search of cycles (20)"
    )


# --- init ------------------------------------------------------------------------------------------


def _init(options: argparse.Namespace) -> int:
    name = options.model
    if name not in MODELS:
        raise CommandError(f"--model: got {name!r}, allowed are {', '.join(MODELS)}{nearest(name, MODELS)}")
    print(starting_configuration(name, options.latent_dim), end="")
    return DONE


_STARTING_SIZES = {"hidden_dim": 50, "num_relus": 2}


def starting_configuration(name: str, latent_dim: int | None = None) -> str:
    """A configuration in TOML, each key with its help, that `train` reads."""
    kind = MODELS[name].hyperparameters
    sizes = {f.name: _STARTING_SIZES[f.name] for f in dataclasses.fields(kind) if f.name in _STARTING_SIZES}
    M = latent_dim if latent_dim is not None else (3 if "hidden_dim" in sizes else 20)
    config = Config.from_dict({"latent_dim": M, "latent_step": {"name": name, "hyperparameters": sizes}})
    lines = [
        f"# A starting configuration of plrnn_numba for {name}. Everything but latent_dim and latent_step has",
        "# the default that stands here, and may be left out.",
        "",
        f"latent_dim = {M}  # number of latent units",
        f"missing = {json.dumps(config.missing)}  # what NaN is: 'error', or, by 'mask', not observed",
        f"standardize = {json.dumps(config.standardize)}  # scale each column to mean 0 and standard deviation 1",
        f"seed = {config.seed}  # of every random number",
        f'dtype = "{config.dtype}"  # or "float64"',
        "",
        "[latent_step]",
        f'name = "{name}"  # {", ".join(MODELS)}',
        *_section("latent_step.hyperparameters", config.latent_step.hyperparameters),
        *_section("observation", config.observation),
        "",
        '[forcing]  # or name = "STF" and interval = 16',
        'name = "GTF"',
        *_lines(config.forcing),
    ]
    for part in ("training", "regularization", "evaluation"):
        lines += _section(part, getattr(config, part))
    return "\n".join(lines) + "\n"


def _section(path: str, part: Any) -> list[str]:
    return ["", f"[{path}]", *_lines(part)]


def _lines(part: Any) -> list[str]:
    lines = []
    for field in dataclasses.fields(part):
        value, rule = write(getattr(part, field.name)), field.metadata.get("rule")
        allowed = f"; {rule.allowed}" if rule else ""
        comment = f"{field.metadata.get('help', '')}{allowed}"
        given = f"{field.name} = {json.dumps(value)}" if value is not None else f"# {field.name} ="
        lines.append(f"{given}  # {comment}")
    return lines


# --- train -----------------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> int:
    begin = time.perf_counter()
    if options.resume:
        run, trainer = _resume(options)
    else:
        run, trainer = _start(options)
    data_seconds = time.perf_counter() - begin
    if not options.quiet:
        print(f"run      {run.folder}", file=sys.stderr)
    try:
        with _Signals(trainer) as signals, warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the exit code and the last line say it
            result = runs.train(run, trainer, progress=not options.quiet)
    except OSError as error:  # a full disk, or a folder that is gone
        return _cannot_write(run, error)
    if result.status == "diverged":
        print(
            f"plrnn-numba: diverged in epoch {trainer.epoch + 1} (seed {result.seed}); the last finite model "
            f"is in {run.folder}. Try a stronger forcing, a lower training.learning_rate, "
            f"training.gradient_clip, or ar_epsilon for an ALRNN",
            file=sys.stderr,
        )
        return DIVERGED
    if signals.received or result.status not in ("finished", "early"):
        print(
            f"plrnn-numba: stopped in epoch {trainer.epoch + 1} of {trainer.config.training.epochs}; "
            f"go on with: plrnn-numba train --resume --out {run.folder}",
            file=sys.stderr,
        )
        return STOPPED
    begin = time.perf_counter()
    X, inputs = run.test_data()
    found = run.evaluate(X, inputs)
    record = run.read_json("run.json")
    record["measures"] = _summary(found)
    run.write_json("run.json", record)
    pictures = [] if options.no_plots else _draw(run)
    end_seconds = time.perf_counter() - begin
    if not options.quiet:
        _print_measures(found)
        print(f"model    {run.folder / 'model.npz'}")
        for path in pictures:
            print(f"picture  {path}")
        print(
            f"seconds  data {data_seconds:.1f}, compilation {result.compile_seconds:.1f}, "
            f"training {result.seconds:.1f}, measures and pictures {end_seconds:.1f}"
        )
    return DONE


def _cannot_write(run: Run, error: OSError) -> int:
    """What was written before is whole, and the training can go on from there."""
    advice = "there is no checkpoint yet"
    if run.has_checkpoint():
        epoch = run.state()[0]["progress"]["epoch"]
        advice = f"go on from epoch {epoch} with: plrnn-numba train --resume --out {run.folder}"
    print(
        f"plrnn-numba: stopped, {run.folder} cannot be written to: {error.strerror or error}; {advice}",
        file=sys.stderr,
    )
    return STOPPED


def _draw(run: Run) -> list[Path]:
    try:
        return run.draw()
    except ModuleNotFoundError as error:  # the training is not lost for want of matplotlib
        print(f"plrnn-numba: no pictures: {error}", file=sys.stderr)
        return []


class _Signals:
    """SIGTERM, SIGINT and SIGUSR1 end the training after the running batches; a second one at once."""

    _names = ("SIGTERM", "SIGINT", "SIGUSR1")

    def __init__(self, trainer: Trainer):
        self._trainer = trainer
        self._old: dict[int, Any] = {}
        self.received = False

    def __enter__(self) -> _Signals:
        for name in self._names:
            number = getattr(signal, name, None)
            if number is not None:
                self._old[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: Any) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: Any) -> None:
        if self.received:
            os._exit(128 + number)
        self.received = True
        self._trainer.stop_requested = True


def _start(options: argparse.Namespace) -> tuple[Run, Trainer]:
    """A new run: data, configuration, folder."""
    given = read_config_file(options.config) if options.config else None
    if options.data is None and options.system is None:
        raise CommandError("nothing to train on: give --data FILE or --system NAME")
    folder = _run_folder(options)
    if given is not None:  # before the data are made: the mistake that is found at once
        _apply_changes(given, options.set)
        Config.from_dict(given)
    series, inputs, test, test_inputs, source = _load_data(options, given)
    if given is None:
        given = _without_config(as_trials("X", series)[0].shape[1])
        _apply_changes(given, options.set)
    config = Config.from_dict(given)
    trainer = Trainer(series, config, inputs, test, test_inputs)
    test, test_inputs = trainer.validation
    return runs.create(folder, config, test, test_inputs, source), trainer


def _without_config(N: int) -> dict[str, Any]:
    """What `train` takes where no CONFIG is given: within a quarter of a minute of one core, Lorenz-63."""
    return {
        "latent_dim": N,
        "latent_step": {"name": "clipped_shPLRNN", "hyperparameters": {"hidden_dim": 50}},
        "training": {"epochs": 1000, "learning_rate": [5e-3, 1e-5]},
        "evaluation": {"every": 100},
    }


def _resume(options: argparse.Namespace) -> tuple[Run, Trainer]:
    """A run that was stopped: its own configuration and data, and its last checkpoint."""
    if options.out is None:
        raise CommandError("--resume: needs --out RUN, the run to go on with")
    for name in ("config", "data", "system", "inputs", "test", "test_inputs"):
        if getattr(options, name):
            raise CommandError(f"--resume: the run has its own {name}; leave it out")
    if options.set:
        raise CommandError("--resume: the run has its own configuration; leave --set out")
    run = Run.open(options.out)
    config = run.config()
    state = None
    if run.has_checkpoint():
        state, meta = run.state()
        if meta["config"] != config.to_dict():
            changed = _differences(meta["config"], config.to_dict())
            raise RunError(
                f"{run.folder}: config.json is not the one that the checkpoint was trained with; it differs in {changed}"
            )
    source = run.read_json("run.json")["source"]
    series, inputs, _, _, now = _load_data(argparse.Namespace(**source["options"]), config.to_dict())
    if now["fingerprint"] != source["fingerprint"]:
        raise RunError(f"{run.folder}: the data are not those that the run was started with")
    test, test_inputs = run.test_data()
    trainer = Trainer(series, config, inputs, test, test_inputs)
    if state is not None:
        trainer.restore(state)
    return run, trainer


def _differences(old: Any, new: Any, path: str = "") -> str:
    """The keys in which two configurations differ."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return f"{path} ({old!r} then, {new!r} now)"
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return ", ".join(_differences(old.get(k), new.get(k), f"{path}.{k}" if path else k) for k in keys)


def _run_folder(options: argparse.Namespace) -> Path:
    if options.out:
        return Path(options.out)
    stem = options.system or Path(options.data).stem
    name = f"{stem}-{Path(options.config).stem}" if options.config else stem
    number, folder = 1, Path("runs") / name
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder


def _apply_changes(config: dict[str, Any], changes: list[str]) -> None:
    """Set each ``path.of.key=value``; a value is JSON, or else a string."""
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals or not path:
            raise CommandError(f"--set: got {change!r}, expected KEY=VALUE, as training.epochs=50")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        node = config
        *parents, last = path.split(".")
        for key in parents:
            child = node.setdefault(key, {})
            if not isinstance(child, dict):
                raise CommandError(f"--set: {path}: {key} is {child!r}, not a mapping")
            node = child
        node[last] = value


def _load_data(options: argparse.Namespace, config: dict[str, Any] | None) -> tuple[Any, ...]:
    """Series, inputs, test series, its inputs, and where they came from."""
    if not 0 <= options.hold_out < 1:
        raise CommandError(f"--hold-out: got {options.hold_out:g}, allowed is from 0 to below 1")
    if options.system is not None:
        if options.inputs or options.test or options.test_inputs:
            raise CommandError("--system: makes its own data; leave --inputs and --test out")
        if options.system not in SYSTEMS:
            choice = ", ".join(SYSTEMS)
            raise CommandError(
                f"--system: got {options.system!r}, allowed are {choice}{nearest(options.system, SYSTEMS)}"
            )
        series, test = (simulate(options.system, _SYSTEM_STEPS, seed) for seed in (0, 1))
        inputs = test_inputs = None
    else:
        series = load_array(options.data)
        inputs = load_array(options.inputs) if options.inputs else None
        if options.test:
            test = load_array(options.test)
            test_inputs = load_array(options.test_inputs) if options.test_inputs else None
        else:
            series, test = _hold_out("--data", series, options.hold_out)
            inputs, test_inputs = (
                (None, None) if inputs is None else _hold_out("--inputs", inputs, options.hold_out)
            )
    names = ("data", "system", "inputs", "test", "test_inputs", "hold_out")
    kept = {name: getattr(options, name) for name in names}
    for name in ("data", "inputs", "test", "test_inputs"):
        if kept[name]:
            kept[name] = str(Path(kept[name]).resolve())
    source = {"options": kept, "fingerprint": _fingerprint(series, inputs)}
    return series, inputs, test, test_inputs, source


def _fingerprint(series: Any, inputs: Any) -> str:
    digest = hashlib.sha256()
    for name, given in (("X", series), ("inputs", inputs)):
        for trial in [] if given is None else as_trials(name, given):
            digest.update(repr((name, trial.shape, trial.dtype.str)).encode())
            # Of a file that stays on disk a thousand rows, or reading it would take longer than a training.
            rows = slice(None, None, len(trial) // 1000 if stays_on_disk([trial]) else 1)
            digest.update(np.ascontiguousarray(trial[rows]).data)
    return digest.hexdigest()[:32]


def _hold_out(name: str, series: Any, part: float) -> tuple[Any, Any]:
    """The last part of one series, or of the trials, is held out; all serve both ends where part is 0."""
    trials = as_trials(name, series)
    if part == 0:
        return trials, trials
    if len(trials) == 1:
        cut = len(trials[0]) - round(part * len(trials[0]))
        return trials[0][:cut], trials[0][cut:]
    n = max(1, round(part * len(trials)))
    return trials[:-n], trials[-n:]


# --- the others ------------------------------------------------------------------------------------


def _generate(options: argparse.Namespace) -> int:
    run = Run.open(options.run)
    model = run.model("best" if options.best else "model")
    N = n_observed(model.observation)
    out = Path(options.out)
    if out.suffix.lower() not in (".npy", ".csv"):
        raise CommandError(f"--out: got the ending {out.suffix!r}, allowed are .npy and .csv")
    if options.steps < 1:
        raise CommandError(f"--steps: got {options.steps}, allowed is at least 1")
    if options.start is None:
        start = run.test_data()[0][0]
    else:
        try:
            start = np.array([float(number) for number in options.start.split(",")])
        except ValueError:
            raise CommandError(
                f"--start: got {options.start!r}, expected {N} numbers with commas between"
            ) from None
        if len(start) != N or not np.isfinite(start).all():
            raise CommandError(f"--start: got {options.start!r}, expected {N} finite numbers")
    inputs = np.asarray(load_array(options.inputs)) if options.inputs else None
    _check_inputs(model, inputs, options.steps)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        orbit = predict(model, start, options.steps, inputs)
    if out.suffix.lower() == ".npy":
        np.save(out, orbit)
    else:
        header = ",".join(f"x{i + 1}" for i in range(N))
        np.savetxt(out, orbit, delimiter=",", header=header, comments="", fmt="%.9g")
    for warning in caught:
        print(f"plrnn-numba: {warning.message}", file=sys.stderr)
    return DIVERGED if not np.isfinite(orbit).all() else DONE


def _check_inputs(model: Model, inputs: np.ndarray | None, n_rows: int) -> None:
    K = model.latent.C.shape[1]
    if K == 0 and inputs is not None:
        raise CommandError("--inputs: the model has no external inputs")
    if K and (inputs is None or inputs.shape != (n_rows, K)):
        found = "none" if inputs is None else f"shape {inputs.shape}"
        raise CommandError(f"--inputs: got {found}, expected shape ({n_rows}, {K})")


def _evaluate(options: argparse.Namespace) -> int:
    run = Run.open(options.run)
    if options.data:
        X = load_array(options.data)
        inputs = load_array(options.inputs) if options.inputs else None
        X, inputs = _longest(as_trials("--data", X), inputs)
    else:
        X, inputs = run.test_data()
    model = run.model()
    N = n_observed(model.observation)
    if X.shape[1] != N:
        raise CommandError(f"--data: got {X.shape[1]} columns, but the model has {N}")
    _check_inputs(model, inputs, len(X))
    changes = {}
    for name, least in (("steps", 100), ("orbits", 1)):
        value = getattr(options, name)
        if value is not None:
            if value < least:
                raise CommandError(f"--{name}: got {value}, allowed is at least {least}")
            changes[name] = value
    try:
        found = run.evaluate(X, inputs, **changes)
    except ValueError as error:  # constant, NaN, too short: of the data
        raise DataError(f"--data: {error}") from None
    if options.json:
        print(json.dumps(_summary(found)))
    else:
        _print_measures(found)
    return DONE


def _longest(trials: list[np.ndarray], inputs: Any) -> tuple[np.ndarray, Any]:
    i = max(range(len(trials)), key=lambda k: len(trials[k]))
    drives = None if inputs is None else as_trials("--inputs", inputs)
    if drives is not None and len(drives) != len(trials):
        raise CommandError(f"--inputs: got {len(drives)} trials, but --data has {len(trials)}")
    return trials[i], None if drives is None else drives[i]


def _summary(found: Evaluation) -> dict[str, Any]:
    """Plain data for JSON, in which NaN is null."""

    def plain(x: float) -> float | None:
        return None if math.isnan(x) else float(x)

    measures: dict[str, Any] = {}
    for name, values in found.each.items():
        low, high = found.quartiles[name]
        measures[name] = {
            "median": plain(getattr(found, name)),
            "quartiles": [plain(low), plain(high)],
            "each": [plain(v) for v in values],
        }
    orbits = {"n": len(values), "steps": found.steps, "diverged": found.n_diverged}
    return {**measures, "orbits": orbits}


def _print_measures(found: Evaluation) -> None:
    n = len(found.each["PE"])
    print(f"{'measure':<8} {'median':>10} {'quartiles':>23}   over {n} free orbit(s) of {found.steps} steps")
    for name in found.each:
        low, high = found.quartiles[name]
        print(f"{name:<8} {getattr(found, name):>10.4g} {low:>11.4g} {high:>11.4g}")
    if found.n_diverged:
        print(f"{found.n_diverged} of {n} orbits diverged")


def _report(run: Run, options: argparse.Namespace) -> Any:
    for name, least in (("steps", 100), ("max_period", 1), ("seconds", 0)):
        value = getattr(options, name)
        if not value >= least:
            raise CommandError(f"--{name.replace('_', '-')}: got {value:g}, allowed is at least {least}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the report says it
        return run.analyze(n_steps=options.steps, max_period=options.max_period, seconds=options.seconds)


def _analyze(options: argparse.Namespace) -> int:
    run = Run.open(options.run)
    report = _report(run, options)
    print(json.dumps(report.to_dict()) if options.json else report)
    return DONE


def _plot(options: argparse.Namespace) -> int:
    run = Run.open(options.run)
    for path in [*run.draw(), *run.draw_analysis(_report(run, options))]:
        print(path)
    return DONE


def _warmup(options: argparse.Namespace) -> int:
    for name in options.models:
        if name not in MODELS:
            raise CommandError(f"NAME: got {name!r}, allowed are {', '.join(MODELS)}{nearest(name, MODELS)}")
    names = options.models or list(MODELS)
    if len(names) == 1:
        (seconds,) = warmup(names, dtypes=[options.dtype]).values()
        print(f"{names[0]:<16} {seconds:6.1f} s", flush=True)
        return DONE
    # The compiler takes one core at a time in a process: so a process each, as many at once as there are cores.
    command = [sys.executable, "-m", __package__, "warmup", "--dtype", options.dtype]
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for done in executor.map(
            lambda name: subprocess.run([*command, name], stdout=subprocess.PIPE), names
        ):
            print(done.stdout.decode(), end="", flush=True)
            done.check_returncode()
    return DONE


def _versions(options: argparse.Namespace) -> int:
    show_versions()
    return DONE
