"""The parts of a run's configuration: frozen dataclasses that check themselves, however they are made."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..basics.options import Options, above, at_least, one_of, option, read
from ..basics.registry import Family
from ..models.base import MODELS, LatentStepModel
from ..observations.base import OBSERVATIONS


@dataclasses.dataclass(frozen=True)
class LatentStep(Options):
    """Which latent step model, and its hyperparameters; each model accepts its own and no other's."""

    path: ClassVar[str] = "latent_step"

    name: str = option(help="the latent step model")
    hyperparameters: Any = option(None, help="the model's own hyperparameters")

    def __post_init__(self) -> None:
        _read_hyperparameters(self, MODELS)

    @property
    def model(self) -> LatentStepModel:
        """The registered model of that name."""
        return MODELS[self.name]


@dataclasses.dataclass(frozen=True)
class Observation(Options):
    """Which observation model, and its hyperparameters, where it has any."""

    path: ClassVar[str] = "observation"

    name: str = option("identity", help="how data are read from the state")
    hyperparameters: Any = option(None, help="the model's own hyperparameters")

    def __post_init__(self) -> None:
        _read_hyperparameters(self, OBSERVATIONS)


def _read_hyperparameters(choice: Any, family: Family) -> None:
    """Replace a choice's plain hyperparameters by those of the variant that it names."""
    kind = family.named(choice.name).hyperparameters
    given = {} if choice.hyperparameters is None else choice.hyperparameters
    object.__setattr__(choice, "hyperparameters", read(kind, given))


@dataclasses.dataclass(frozen=True)
class Training(Options):
    path: ClassVar[str] = "training"

    epochs: int = option(400, at_least(0), "how many epochs")
    batches_per_epoch: int = option(50, at_least(1), "gradient steps an epoch")
    batch_size: int = option(16, at_least(1), "sequences a batch")
    sequence_length: int = option(200, at_least(1), "steps T a sequence")
    optimizer: str = option("radam", one_of("radam", "adam"), "optimizer")
    learning_rate: tuple[float, float] = option(
        (1e-3, 1e-6), above(0), "first and last learning rate; exponential between"
    )
    gradient_clip: float | None = option(None, above(0), "largest norm of the gradient; null for any")
    gradient_bound: float = option(
        1e15, above(0), "a norm of the gradient above this is taken for divergence, as NaN is"
    )
    noise: float = option(
        0.0, at_least(0), "standard deviation of Gaussian noise on each batch, in the model's units"
    )
    n_threads: int = option(1, at_least(1), "threads that share a batch; changes no result")
    checkpoint_segments: int = option(
        1, at_least(1), "parts of a sequence, of which one is kept in memory; changes no result"
    )
    early_stopping: int | None = option(
        None,
        at_least(1),
        "stop after this many evaluations without a lower D_stsp, or D_mmd in its place; null for never",
    )
    lambda_ar: float = option(1.0, at_least(0), "weight of the ar_epsilon regularizer")


@dataclasses.dataclass(frozen=True)
class Regularization(Options):
    path: ClassVar[str] = "regularization"

    l2: float = option(0.0, at_least(0), "L2 weight of the latent step model: A to 1, the other arrays to 0")
    l2_observation: float = option(0.0, at_least(0), "L2 weight of the observation model's arrays")
    condition_number: float = option(
        0.0, at_least(0), "weight of the condition number of an affine model's B"
    )
    mar: float = option(
        0.0,
        at_least(0),
        "weight of manifold attractor regularization: A to 1, W and h to 0, of the last units",
    )
    mar_units: int = option(0, at_least(0), "how many of the last latent units that is for")


@dataclasses.dataclass(frozen=True)
class Evaluation(Options):
    path: ClassVar[str] = "evaluation"

    every: int = option(25, at_least(1), "epochs between two evaluations")
    steps: int = option(10_000, at_least(100), "length of each free-running orbit, at most")
    orbits: int = option(10, at_least(1), "how many orbits, at most, each from a start of its own")
    bins: int = option(30, at_least(2), "bins per dimension of D_stsp")
    smoothing: float = option(20.0, at_least(0), "standard deviation in bins of D_H's smoothing")
    prediction_steps: int = option(20, at_least(1), "steps ahead of the prediction error")
    keep_models: bool = option(False, help="keep the model of each evaluation, to follow its bifurcations")

    def options(self) -> dict[str, Any]:
        """What `measures.evaluate` takes, under its names."""
        return {
            "n_steps": self.steps,
            "n_orbits": self.orbits,
            "bins": self.bins,
            "smoothing": self.smoothing,
            "prediction_steps": self.prediction_steps,
        }
