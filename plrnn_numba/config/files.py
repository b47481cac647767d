"""Configurations as files: JSON and TOML, which say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..basics.checks import PathLike, as_path
from ..basics.options import ConfigError


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
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    suffix = path.suffix.lower()
    if suffix not in (".json", ".toml"):
        raise ConfigError(f"{path}: got the ending {suffix!r}, allowed are '.json' and '.toml'")
    try:
        data = json.loads(text) if suffix == ".json" else _load_toml(text)
    except ValueError as error:
        kind = suffix.removeprefix(".").upper()
        raise ConfigError(f"{path}: not valid {kind}: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: got a {type(data).__name__}, expected a mapping")
    return data


def _load_toml(text: str) -> dict[str, Any]:
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        try:
            import tomli as tomllib
        except ModuleNotFoundError:
            raise ConfigError("TOML needs Python 3.11, or the package tomli; JSON says the same") from None
    return tomllib.loads(text)
