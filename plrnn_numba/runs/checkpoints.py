"""Files of models and of trainings: one .npz, no pickle, whole or not there at all."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..basics.checks import PathLike, as_path
from ..basics.options import ConfigError
from ..config import Config
from ..data import read_archive
from ..model import Model, Scaling, as_model
from ..models.base import MODELS, Latent
from ..observations.base import OBSERVATIONS
from .versions import versions

FORMAT = 1


@contextlib.contextmanager
def written_whole(path: PathLike) -> Iterator[IO[bytes]]:
    """A file to write to, such that, whatever happens, its name holds the old or the new content, whole.

    A link stays one: what it leads to is written.
    """
    target = Path(os.path.realpath(path))
    if target.is_symlink():  # links in a circle lead to none
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    # Not the target's name, which may be as long as a name can be.
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError):
            shutil.copymode(target, part)
        part.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError) and error.filename == str(part):
            raise type(error)(error.errno, error.strerror, str(path)) from None
        raise
    with contextlib.suppress(OSError):  # the rename too must reach the disk, where folders can be synced
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_atomically(path: PathLike, content: bytes) -> None:
    """Write a file so that, whatever happens, its name holds the old or the new content, whole."""
    with written_whole(path) as file:
        file.write(content)


def _save(path: PathLike, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    # What np.savez writes; its own allow_pickle is younger than the oldest NumPy that is supported.
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in {"meta": text, **arrays}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    write_atomically(path, buffer.getvalue())


def _load(path: PathLike, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    path = Path(as_path("path", path))
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if path.is_dir():
        raise ValueError(f"{path}: got a folder, expected a file; a run's last model is its model.npz")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: not a {kind} file: it is no .npz archive")
    try:
        arrays = read_archive(path)
        if "meta" not in arrays:
            raise ValueError("it holds arrays, and no description of what they are")
        meta = json.loads(arrays.pop("meta").tobytes())
        if meta["kind"] == kind and meta["format"] <= FORMAT:
            return arrays, meta
        found = f"{meta['kind']} of format {meta['format']}"
    except Exception as error:  # whatever a foreign or damaged file does to the reader
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: not a {kind} file: {message}") from None
    raise ValueError(f"{path}: got a {found}, expected a {kind} of format {FORMAT} or lower")


def save_model(path: PathLike, model: Model, config: Config | Mapping[str, Any] | None = None) -> None:
    """Write a model to one ``.npz`` file: parameters, architecture, scaling, configuration, versions.

    The format is NumPy's own, numpy.lib.format; nothing in it is pickled.

    Parameters
    ----------
    path : str or path-like
        The file, written to exactly this name; an old one is replaced in one piece.
    model : Model
        The model.
    config : Config or mapping, optional
        Kept with it, for `load_config`.

    Raises
    ------
    OSError
        Where the file cannot be written; an old file of that name is then still whole.

    Examples
    --------
    >>> import os, tempfile, numpy as np, plrnn_numba as pl
    >>> config = {"latent_dim": 3, "latent_step": {"name": "PLRNN"}}
    >>> model = pl.init_model(config, n_observed=3)
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> pl.save_model(path, model, config)
    >>> np.array_equal(pl.load_model(path).latent.W, model.latent.W)
    True
    """
    path, model = Path(as_path("path", path)), as_model(model)
    config = None if config is None else Config.from_dict(config)
    latent, observation, scaling = model
    if config is not None:
        _check_config_of(config, latent)
    arrays, flags = {}, {}
    for field, value in latent._asdict().items():
        if isinstance(value, np.ndarray):
            arrays[f"latent.{field}"] = value
        else:
            flags[field] = value
    arrays.update({f"observation.{k}": v for k, v in observation._asdict().items()})
    if scaling is not None:
        arrays.update({f"scaling.{k}": np.asarray(v) for k, v in scaling._asdict().items()})
    meta = {
        "kind": "model",
        "format": FORMAT,
        "latent_step": MODELS.of(latent).name,
        "flags": flags,
        "observation": type(observation).__name__,
        "config": None if config is None else config.to_dict(),
        "versions": versions(),
    }
    _save(path, arrays, meta)


def _check_config_of(config: Config, latent: Latent) -> None:
    """Raise ValueError where a configuration is of another model than the one that it is to be kept with."""
    name, M = MODELS.of(latent).name, len(latent.A)
    for key, given, has in (
        ("latent_step.name", config.latent_step.name, name),
        ("latent_dim", config.latent_dim, M),
    ):
        if given != has:
            raise ValueError(f"config: {key} is {given!r}, but that of the model is {has!r}")


def load_model(path: PathLike) -> Model:
    """Read a model that `save_model` wrote; its orbits are those of the original to the bit.

    The format is NumPy's own, numpy.lib.format; nothing in it is pickled.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    Model
        With arrays of the dtype they were saved in.

    Raises
    ------
    FileNotFoundError, ValueError
        Where there is no file, or it is not one of a model, or has NaN among its weights; the message names it.

    Examples
    --------
    >>> import plrnn_numba as pl
    >>> pl.load_model("nowhere.npz")
    Traceback (most recent call last):
    ...
    FileNotFoundError: nowhere.npz: no such file
    """
    arrays, meta = _load(path, "model")

    def group(name: str) -> dict[str, np.ndarray]:
        prefix = f"{name}."
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    try:
        latent = MODELS[meta["latent_step"]].parameters(**group("latent"), **meta["flags"])
        observation = _observation_type(meta["observation"])(**group("observation"))
    except (KeyError, TypeError) as error:
        hint = "; a model of your own is made known by importing its file (at a shell, --import)"
        raise ValueError(f"{path}: the model in it is unknown or incomplete: {error}{hint}") from None
    try:
        scaling = Scaling(**group("scaling")) if "scaling.mean" in arrays else None
        return as_model(Model(latent, observation, scaling))
    except (TypeError, ValueError) as error:  # NaN among the weights, shapes that do not go together
        raise ValueError(f"{path}: {error}") from None


def _observation_type(name: str) -> type:
    """By the name of its type, as model files have it."""
    return {variant.parameters.__name__: variant.parameters for variant in OBSERVATIONS.values()}[name]


def load_config(path: PathLike) -> Config | None:
    """The configuration that a model was saved with, or None."""
    _, meta = _load(path, "model")
    try:
        return None if meta["config"] is None else Config.from_dict(meta["config"])
    except (KeyError, ConfigError) as error:
        raise ValueError(f"{path}: its configuration is none: {error}") from None


def save_state(path: PathLike, state: dict[str, Any], meta: dict[str, Any]) -> None:
    """Write a `Trainer`'s state, with `meta` beside it: plain data that tells which training it is of."""
    arrays = {k: v for k, v in state.items() if isinstance(v, np.ndarray)}
    rest = {k: v for k, v in state.items() if k not in arrays}
    _save(path, arrays, {"kind": "checkpoint", "format": FORMAT, "state": rest, **meta})


def load_state(path: PathLike) -> tuple[dict[str, Any], dict[str, Any]]:
    """A `Trainer`'s state, and what `save_state` was given beside it."""
    arrays, meta = _load(path, "checkpoint")
    lacking = [name for name in ("state", "config") if not isinstance(meta.get(name), dict)]
    if lacking:
        raise ValueError(f"{path}: not a checkpoint file: it has no {lacking[0]}")
    return {**arrays, **meta.pop("state")}, meta
