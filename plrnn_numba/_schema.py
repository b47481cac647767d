"""Dataclasses read from plain data, with errors that name the key, the value and what is allowed."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any


class ConfigError(ValueError):
    """A mistake in a configuration; the message is one line that names the key."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a value must satisfy beyond its type, and how to say so."""

    holds: Callable[[Any], bool]
    allowed: str


def at_least(bound: float) -> Rule:
    return Rule(lambda x: x >= bound, f"at least {bound}")


def above(bound: float) -> Rule:
    return Rule(lambda x: x > bound, f"above {bound}")


def between(low: float, high: float) -> Rule:
    return Rule(lambda x: low < x < high, f"above {low} and below {high}")


def within(low: float, high: float) -> Rule:
    return Rule(lambda x: low <= x <= high, f"from {low} to {high}")


def one_of(*names: str) -> Rule:
    return Rule(lambda x: x in names, "one of " + ", ".join(repr(n) for n in names))


def option(default: Any = dataclasses.MISSING, rule: Rule | None = None, help: str = "") -> Any:
    """Declare a dataclass field with a rule and a line of help."""
    return dataclasses.field(default=default, metadata={"rule": rule, "help": help})


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"``, or nothing where no name is near."""
    by_lower = {n.lower(): n for n in names}
    found = difflib.get_close_matches(str(name).lower(), list(by_lower), n=1, cutoff=0.5)
    return f"; did you mean {by_lower[found[0]]!r}?" if found else ""


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check_keys(given: Any, allowed: Iterable[str], path: str) -> None:
    """Raise ConfigError unless `given` is a mapping with known keys only."""
    allowed = list(allowed)
    if not isinstance(given, Mapping):
        raise ConfigError(f"{path or 'configuration'}: got {_show(given)}, expected a mapping of {allowed}")
    for key in given:
        if key not in allowed:
            choice = ", ".join(repr(a) for a in allowed) if allowed else "no key at all"
            raise ConfigError(
                f"{join(path, str(key))}: unknown key{nearest(str(key), allowed)} (allowed: {choice})"
            )


def read(cls: type, given: Any, path: str = "") -> Any:
    """Build the dataclass `cls` from a mapping, checking keys, types and rules."""
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    check_keys(given, fields, path)
    values = {}
    for name, field in fields.items():
        where = join(path, name)
        if name in given:
            values[name] = read_value(hints[name], given[name], where, field.metadata.get("rule"))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            rule = field.metadata.get("rule")
            expected = _describe(hints[name]) + (f" {rule.allowed}" if rule else "")
            raise ConfigError(f"{where}: missing; expected {expected}")
    return cls(**values)


def read_value(hint: Any, value: Any, path: str, rule: Rule | None = None) -> Any:
    """Convert one value to the type `hint`, or raise ConfigError."""
    converted = _convert(hint, value, path)
    if rule is not None and converted is not None:
        numbers = converted if isinstance(converted, tuple) else (converted,)
        if not all(rule.holds(x) for x in numbers):
            hint_name = nearest(value, _names(rule)) if isinstance(value, str) else ""
            raise ConfigError(f"{path}: got {_show(value)}, allowed is {rule.allowed}{hint_name}")
    return converted


def _names(rule: Rule) -> list[str]:
    return [part.strip("'") for part in rule.allowed.removeprefix("one of ").split(", ")]


def _describe(hint: Any) -> str:
    names = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}
    if hint in names:
        return names[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if a is type(None) else _describe(a) for a in args)
    if origin is tuple:
        return f"a list of {len(args)} numbers"
    return "a mapping"


def _convert(hint: Any, value: Any, path: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a number of NumPy's
        value = value.item()
    wrong = ConfigError(f"{path}: got {_show(value)}, expected {_describe(hint)}")
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        for choice in (a for a in args if a is not type(None)):
            try:
                return _convert(choice, value, path)
            except ConfigError:
                if dataclasses.is_dataclass(choice):
                    raise
        raise wrong
    if dataclasses.is_dataclass(hint):
        return (
            value
            if isinstance(value, typing.cast(type, hint))
            else read(typing.cast(type, hint), value, path)
        )
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or len(value) != len(args):
            raise wrong
        return tuple(_convert(a, v, path) for a, v in zip(args, value))
    # In Python True is the integer 1; in a configuration it is a mistake.
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if value != value or value in (float("inf"), float("-inf")):
            raise ConfigError(f"{path}: got {_show(value)}, expected a finite number")
        return float(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise wrong


def write(value: Any) -> Any:
    """Plain data (mappings, lists, numbers) of a dataclass; `read` of it gives an equal one."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: write(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [write(v) for v in value]
    return value
