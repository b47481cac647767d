"""Configurations as files: JSON and TOML, which say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..basics.checks import PathLike, as_path, show
from ..basics.options import ConfigError
from ..basics.text import encoding_of


def to_json(plain: dict[str, Any]) -> str:
    """The text of a JSON file."""
    return json.dumps(plain, indent=2) + "\n"


def to_toml(plain: dict[str, Any]) -> str:
    """The text of a TOML file."""
    lines, tables = [], []
    for key, value in plain.items():
        if isinstance(value, dict):
            tables.append(_toml_table(key, value))
        else:
            lines.append(f"{key} = {_toml_value(value)}")
    return "\n".join([*lines, *tables]) + "\n"


def _toml_table(path: str, table: dict[str, Any]) -> str:
    lines, inner = [f"\n[{path}]"], []
    for key, value in table.items():
        if isinstance(value, dict):
            inner.append(_toml_table(f"{path}.{key}", value))
        elif value is not None:
            lines.append(f"{key} = {_toml_value(value)}")
    return "\n".join([*lines, *inner])


def _toml_value(value: Any) -> str:
    return '"none"' if value is None else json.dumps(value)


def read_config_file(path: PathLike) -> dict[str, Any]:
    """Plain data of a ``.json`` or ``.toml`` file, unchecked; raise ConfigError where it cannot be read."""
    path = Path(as_path("path", path))
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    suffix = path.suffix.lower()
    if suffix not in (".json", ".toml"):
        raise ConfigError(f"{path}: got the ending {suffix!r}, allowed are '.json' and '.toml'")
    text = _decode(path, raw)
    kind = suffix.removeprefix(".").upper()
    try:
        data = json.loads(text, object_pairs_hook=unique_keys) if kind == "JSON" else _load_toml(text)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{path}: not valid {kind}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: not valid {kind}: it is nested too deeply") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: got a {type(data).__name__}, expected a mapping")
    return data


def _decode(path: Path, raw: bytes) -> str:
    """The text of a file: UTF-8, or another Unicode that its first bytes tell, as that of PowerShell's ``>``."""
    encoding = encoding_of(raw)
    try:
        text = "" if encoding is None else raw.decode(encoding)
        if text or not raw:
            return text.replace("\r\n", "\n").replace("\r", "\n")
        found = "bytes that are no text"
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"line {line} is not {encoding.removesuffix('-sig').upper()} ({error.reason})"  # type: ignore[union-attr]
    raise ConfigError(f"{path}: cannot be read: {found}; save it as UTF-8")


class RepeatedKeyError(ValueError):
    """A key that stands twice in one mapping."""


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of JSON; of a key that stands in it twice Python would take the last, without a word."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise RepeatedKeyError(f"the key {show(twice)} stands twice in one mapping")
    return mapping


def _load_toml(text: str) -> dict[str, Any]:
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        try:
            import tomli as tomllib
        except ModuleNotFoundError:
            raise ConfigError("TOML needs Python 3.11, or the package tomli; JSON says the same") from None
    return tomllib.loads(text)
