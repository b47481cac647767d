"""Changes of a configuration in plain data, and what two of them differ in."""

from __future__ import annotations

import json
from typing import Any

from ..basics.checks import show
from ..basics.options import ConfigError
from .files import RepeatedKeyError, unique_keys


def apply_changes(config: dict[str, Any], changes: list[str]) -> None:
    """Set each ``path.of.key=value``; a value is JSON, or else a string.

    Where a name is changed, as of ``forcing.name``, the options of the former variant go with it.
    """
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals or not path:
            raise ConfigError(f"--set: got {show(change)}, expected KEY=VALUE, as training.epochs=50")
        try:
            value = json.loads(text, object_pairs_hook=unique_keys)
        except RepeatedKeyError as error:
            raise ConfigError(f"--set: {path}: {error}") from None
        except ValueError:
            value = text
        except RecursionError:
            raise ConfigError(f"--set: {path}: the value is nested too deeply") from None
        node = config
        *parents, last = path.split(".")
        for key in parents:
            child = node.setdefault(key, {})
            if not isinstance(child, dict):
                raise ConfigError(f"--set: {path}: {key} is {show(child)}, not a mapping")
            node = child
        if last == "name" and node.get("name", value) != value:
            node.clear()  # another variant has other options
        node[last] = value


def differences(old: Any, new: Any, path: str = "") -> str:
    """The keys in which two configurations differ."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return f"{path} ({old!r} then, {new!r} now)"
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return ", ".join(differences(old.get(k), new.get(k), f"{path}.{k}" if path else k) for k in keys)
