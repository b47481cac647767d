"""Options: dataclasses that check themselves, from plain data or by hand, with errors that name key, value and what is allowed."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np

from .checks import nearest, show


class ConfigError(ValueError):
    """A mistake in a configuration; the message is one line that names the key."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a value must satisfy beyond its type, and how to say so.

    Integers are those of 64 bits, which kernels and arrays know, but where `any_size` says otherwise.
    """

    holds: Callable[[Any], bool]
    allowed: str
    names: tuple[str, ...] = ()
    any_size: bool = False


def at_least(bound: float) -> Rule:
    return Rule(lambda x: x >= bound, f"at least {bound}")


def above(bound: float) -> Rule:
    return Rule(lambda x: x > bound, f"above {bound}")


def between(low: float, high: float) -> Rule:
    return Rule(lambda x: low < x < high, f"above {low} and below {high}")


def within(low: float, high: float) -> Rule:
    return Rule(lambda x: low <= x <= high, f"from {low} to {high}")


def one_of(*names: str) -> Rule:
    return Rule(lambda x: x in names, "one of " + ", ".join(map(repr, names)), names)


def natural() -> Rule:
    """For a seed, which may have any number of bits."""
    return dataclasses.replace(at_least(0), any_size=True)


RULES = (at_least, above, between, within, one_of, natural)

_LARGEST = 2**63 - 1


def option(default: Any = dataclasses.MISSING, rule: Rule | None = None, help: str = "") -> Any:
    """Declare a dataclass field with a rule, as ``at_least(1)``, and a line of help."""
    if rule is not None and not isinstance(rule, Rule):
        raise TypeError(f"rule: got {show(rule)}, expected one of {', '.join(f.__name__ for f in RULES)}")
    return dataclasses.field(default=default, metadata={"rule": rule, "help": help})


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def check_keys(given: Any, allowed: Iterable[str], path: str) -> None:
    """Raise ConfigError unless `given` is a mapping with known keys only."""
    allowed = list(allowed)
    if not isinstance(given, Mapping):
        raise ConfigError(f"{path or 'config'}: got {show(given)}, expected a mapping of {allowed}")
    for key in given:
        if key not in allowed:
            choice = ", ".join(repr(a) for a in allowed) if allowed else "no key at all"
            raise ConfigError(
                f"{join(path, str(key))}: unknown key{nearest(str(key), allowed)} (allowed: {choice})"
            )


class _Field(NamedTuple):
    """What a field of options must be."""

    name: str
    hint: Any
    path: str
    rule: Rule | None
    required: bool


_FIELDS: dict[type, tuple[_Field, ...]] = {}


def _fields_of(cls: type[Options]) -> tuple[_Field, ...]:
    """Found once for each class."""
    if cls not in _FIELDS:
        hints = typing.get_type_hints(cls)
        _FIELDS[cls] = tuple(
            _Field(
                f.name,
                hints[f.name],
                join(cls.path, f.name),
                f.metadata.get("rule"),
                f.default is f.default_factory is dataclasses.MISSING,
            )
            for f in dataclasses.fields(cls)
        )
    return _FIELDS[cls]


@dataclasses.dataclass(frozen=True)
class Options:
    """A frozen dataclass that is right or not there: each field is checked, and converted, whenever one is made.

    So it does not matter whether it came from a file, from a call, or from ``dataclasses.replace``. `path` is the
    key under which it stands in a configuration, for the errors.
    """

    path: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for name, hint, path, rule, _ in _fields_of(type(self)):
            given = getattr(self, name)
            value = read_value(hint, given, path, rule)
            if value is not given:
                object.__setattr__(self, name, value)
        self.check()

    def check(self) -> None:
        """Raise ConfigError where fields that are right by themselves do not go together."""


O = TypeVar("O", bound=Options)


def read(cls: type[O], given: Any) -> O:
    """Make options from a mapping; an instance is returned as it is."""
    if isinstance(given, cls):
        return given
    fields = _fields_of(cls)
    check_keys(given, [field.name for field in fields], cls.path)
    for name, hint, path, rule, required in fields:
        if required and name not in given:
            expected = _describe(hint) + (f" {rule.allowed}" if rule else "")
            raise ConfigError(f"{path}: missing; expected {expected}")
    return cls(**given)


def read_value(hint: Any, value: Any, path: str, rule: Rule | None = None) -> Any:
    """Convert one value to the type `hint`, or raise ConfigError."""
    converted = _convert(hint, value, path)
    if isinstance(converted, int) and abs(converted) > _LARGEST and not (rule and rule.any_size):
        raise ConfigError(f"{path}: got {show(value)}, expected an integer below 2^63")
    if rule is not None and converted is not None:
        numbers = converted if isinstance(converted, tuple) else (converted,)
        if not all(rule.holds(x) for x in numbers):
            hint_name = nearest(value, rule.names) if isinstance(value, str) else ""
            raise ConfigError(f"{path}: got {show(value)}, allowed is {rule.allowed}{hint_name}")
    return converted


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
    if type(value) is hint and hint in (bool, int, str):
        return value
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if value is np.ma.masked:
        raise ConfigError(f"{path}: got a masked value, expected a number")
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a number of NumPy's
        value = value.item()
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        for choice in (a for a in args if a is not type(None)):
            try:
                return _convert(choice, value, path)
            except ConfigError:
                continue
        raise _wrong(hint, value, path)
    if hint is Any:
        return value
    if isinstance(hint, type) and issubclass(hint, Options):
        return read(hint, value)
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or len(value) != len(args):
            raise _wrong(hint, value, path)
        return tuple(_convert(a, v, path) for a, v in zip(args, value))
    # In Python True is the integer 1; in a configuration it is a mistake.
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer of 400 digits
            number = math.inf
        if not math.isfinite(number):
            raise ConfigError(f"{path}: got {show(value)}, expected a finite number")
        return number
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise _wrong(hint, value, path)


def _wrong(hint: Any, value: Any, path: str) -> ConfigError:
    return ConfigError(f"{path}: got {show(value)}, expected {_describe(hint)}")


def write(value: Any) -> Any:
    """Plain data (mappings, lists, numbers) of options; `read` of it gives equal ones."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: write(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [write(v) for v in value]
    return value
