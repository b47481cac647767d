"""One form for every family of variants: latent step models, observation models, forcings.

A variant is one file: parameters, hyperparameters with their rules and help, implementations of the family's verbs,
and an entry that says all else that other rooms must know. The file makes its entry known with ``FAMILY.register``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

from .checks import nearest, show
from .options import ConfigError, Options, join, read
from .records import record


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """What every family knows of a variant.

    `name` is its name in configurations; `parameters` the type that its verbs are chosen by; `hyperparameters` the
    dataclass of its options; `example` are hyperparameters that make a working one.
    """

    name: str
    parameters: type
    hyperparameters: type[Options]
    example: Mapping[str, Any] = dataclasses.field(default_factory=dict)


V = TypeVar("V", bound=Variant)


def _check_fields(options: type[Options]) -> None:
    """Raise TypeError where a class declares options and is no dataclass: it would have its parent's fields alone."""
    fields = {f.name for f in dataclasses.fields(options)}
    declared = {name for name, value in vars(options).items() if isinstance(value, dataclasses.Field)}
    if declared - fields:
        raise TypeError(
            f"{options.__name__}: {min(declared - fields)} is no field; put "
            f"@dataclasses.dataclass(frozen=True, kw_only=True) before the class"
        )


class Family(Mapping[str, V], Generic[V]):
    """The variants of one kind: by name, as in a dict, and by the type of their parameters.

    `argument` is what the parameters are called where one is handed over; `path` their key in a configuration;
    `verbs` are those that every variant must implement.
    """

    def __init__(self, argument: str, path: str, verbs: Iterable[Any] = ()):
        self.argument, self.path, self._verbs = argument, path, tuple(verbs)
        self._by_name: dict[str, V] = {}
        self._by_type: dict[type, V] = {}

    def __getitem__(self, name: str) -> V:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def types(self) -> tuple[type, ...]:
        """The types of the parameters."""
        return tuple(self._by_type)

    def register(self, variant: V) -> None:
        """Make a variant known to configurations, training and the command line.

        A module may register its own again, as a cell of a notebook does; the name of another's is taken.
        """
        lacking = [verb.__name__ for verb in self._verbs if variant.parameters not in verb.registry]
        if lacking:
            raise TypeError(
                f"{variant.name}: no implementation of {', '.join(lacking)} for {variant.parameters.__name__}; "
                f"register a variant after its verbs"
            )
        _check_fields(variant.hyperparameters)
        before = self._by_name.get(variant.name)
        if before is not None:
            if before.parameters.__module__ != variant.parameters.__module__:
                raise ValueError(
                    f"{self.path}.name: {variant.name!r} is the name of {before.parameters.__module__}."
                    f"{before.parameters.__qualname__} already; choose another"
                )
            del self._by_type[before.parameters]
        if not dataclasses.is_dataclass(variant.parameters):
            record(variant.parameters)
        self._by_name[variant.name] = variant
        self._by_type[variant.parameters] = variant

    def forget(self, name: str) -> None:
        """Take a variant out again."""
        variant = self._by_name.pop(name)
        del self._by_type[variant.parameters]

    def of(self, parameters: Any) -> V:
        """The variant whose parameters these are; raise TypeError where there is none."""
        try:
            return self._by_type[type(parameters)]
        except KeyError:
            known = ", ".join(t.__name__ for t in self._by_type)
            raise TypeError(
                f"{self.argument}: got {type(parameters).__name__}, allowed are {known}"
            ) from None

    def named(self, name: Any) -> V:
        """The variant of a name that somebody gave; raise ConfigError, with the nearest name, where there is none."""
        if not isinstance(name, str) or name not in self._by_name:
            choice = ", ".join(map(repr, self._by_name))
            raise ConfigError(
                f"{join(self.path, 'name')}: got {name!r}, allowed is one of {choice}{nearest(name, self._by_name)}; "
                f"one of your own is made known by importing its file (at a shell, --import)"
            )
        return self._by_name[name]

    def name_in(self, plain: Any) -> V:
        """The variant that a mapping names under "name"."""
        choice = ", ".join(map(repr, self._by_name))
        if not isinstance(plain, Mapping):
            raise ConfigError(
                f'{self.path}: got {show(plain)}, expected a mapping with a "name", one of {choice}'
            )
        if "name" not in plain:
            raise ConfigError(f"{join(self.path, 'name')}: missing; allowed is one of {choice}")
        return self.named(plain["name"])

    def read(self, plain: Any) -> Any:
        """Hyperparameters from a mapping that names their variant: ``{"name": ..., option: value, ...}``."""
        variant = self.name_in(plain)
        return read(variant.hyperparameters, {k: v for k, v in plain.items() if k != "name"})

    def discover(self, package: str, path: Any) -> None:
        """Import every file of a family's folder, so that each registers what it holds."""
        for module in iter_modules(path):
            if not module.name.startswith("_"):
                import_module(f"{package}.{module.name}")
