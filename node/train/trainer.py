"""One deterministic run of a recipe, in steps: state in, state out, so that any segment of it can be replayed."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from node.data import Dataset, FloatArray, IntArray
from node.errors import ConfigError, DataError, TrainingError
from node.model import Layout, Parameters, as_tensors, flatten
from node.seeds import derive_seed
from node.train.optimise import MOMENTS, update_weights
from node.train.profile import PINNED, Profile, arithmetic
from node.train.recipe import Recipe


@dataclass(frozen=True, eq=False)
class TrainerState:
    """All that the rest of a run depends on besides recipe, data and seed: a checkpoint.

    `moments` are the optimiser's arrays by name (MOMENTS), each shaped as the weights; without them a replayed
    segment is off by more than its own size. Arrays are float32 and not to be changed.
    """

    params: Parameters
    moments: Mapping[str, Parameters]
    step: int  # steps taken so far

    def tensors(self) -> dict[str, FloatArray]:
        """All arrays by name, `weights/NAME` and `MOMENT/NAME`: what a checkpoint file holds beside the step."""
        groups = {"weights": self.params, **self.moments}
        return {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}

    @staticmethod
    def of(tensors: Mapping[str, FloatArray], step: int) -> TrainerState:
        """Inverse of `tensors`. Raises DataError for a name that has no group or weights that are missing."""
        groups: dict[str, Parameters] = {}
        for full, value in tensors.items():
            group, slash, name = full.partition("/")
            if not slash:
                raise DataError(f"array {full!r} of a checkpoint names no group", hint="expected: weights/NAME")
            groups.setdefault(group, {})[name] = value
        if "weights" not in groups:
            raise DataError("a checkpoint holds no weights")
        return TrainerState(groups.pop("weights"), groups, step)

    def groups(self) -> dict[str, FloatArray]:
        """(d,) float32 vectors `weights` and each moment, flattened. Each needs a sketch of its own: Adam's second
        moment is a thousand times shorter than its weights, and in a common sketch any value of it would pass."""
        return {"weights": flatten(self.params), **{name: flatten(self.moments[name]) for name in sorted(self.moments)}}


def checkpoint_layout(layout: Layout, recipe: Recipe) -> Layout:
    """Names and shapes of `TrainerState.tensors` for weights of `layout`, sorted by name."""
    groups = ("weights", *MOMENTS[recipe.optimiser])
    return tuple(sorted((f"{group}/{name}", shape) for group in groups for name, shape in layout))


class Trainer:
    """Steps of one run: `module` gives the architecture (not changed), `seed` the order of batches.

    Epoch e (from 0) visits the samples by the e-th permutation of `seed`'s generator; the last batch of an epoch
    may be short. Step t draws torch's random numbers (dropout) from (seed, t). So a state, at whatever step, and
    from whichever machine, goes on as the whole run would have: `advance(advance(s, a), b)` = `advance(s, a + b)`,
    bit for bit on one machine at one thread count. Raises DataError without samples.
    """

    def __init__(
        self, module: torch.nn.Module, data: Dataset, recipe: Recipe, *, seed: int, profile: Profile = PINNED
    ) -> None:
        if len(data) == 0:
            raise DataError("training needs at least one sample")
        self.recipe, self.seed, self.profile = recipe, seed, profile
        self.steps_per_epoch = -(-len(data) // recipe.batch)
        self.steps = recipe.epochs * self.steps_per_epoch
        self._model = copy.deepcopy(module).train().to(profile.dtype)
        self._named = dict(sorted(self._model.named_parameters()))
        self._x = torch.from_numpy(data.x)
        if self._x.dtype != profile.dtype:
            self._x = self._x.to(profile.dtype)
        self._y = torch.from_numpy(data.y)
        self._orders = _Orders(seed, len(data))

    def start(self, params: Mapping[str, FloatArray]) -> TrainerState:
        """The state before the first step from the weights `params`: moments are zero."""
        weights = {name: np.array(params[name], dtype=np.float32) for name in sorted(params)}
        names = MOMENTS[self.recipe.optimiser]
        return TrainerState(weights, {m: {n: np.zeros_like(v) for n, v in weights.items()} for m in names}, 0)

    def batch_of(self, step: int) -> IntArray:
        """Indices of the samples of step `step` (from 0), in their order."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        first = batch * self.recipe.batch
        return self._orders.of(epoch)[first : first + self.recipe.batch]

    def advance(self, state: TrainerState, steps: int) -> TrainerState:
        """The state `steps` >= 0 steps later; `state` is not changed.

        Raises ConfigError past the recipe's end, DataError for arrays that do not fit the module, TrainingError,
        naming epoch and batch from 1, as soon as a loss, or at the end a weight, is not finite.
        """
        if not 0 <= state.step <= state.step + steps <= self.steps:
            raise ConfigError(f"steps {state.step} to {state.step + steps} are not within a run of {self.steps}")
        wanted = set(MOMENTS[self.recipe.optimiser])
        if set(state.moments) != wanted:
            raise DataError(f"a state with moments {sorted(state.moments)} is none of {self.recipe.optimiser}'s")
        if steps == 0:
            return state
        self._load(state.params)
        moments = [
            [as_tensors(state.moments[moment], self._model)[name].to(self.profile.dtype) for name in self._named]
            for moment in MOMENTS[self.recipe.optimiser]
        ]
        with arithmetic(self.profile):
            for step in range(state.step, state.step + steps):
                self._step(step, moments)
        result = TrainerState(
            params={name: _array(value) for name, value in self._named.items()},
            moments={
                moment: {name: _array(value) for name, value in zip(self._named, values, strict=True)}
                for moment, values in zip(MOMENTS[self.recipe.optimiser], moments, strict=True)
            },
            step=state.step + steps,
        )
        if not all(np.isfinite(value).all() for value in result.params.values()):
            raise self._diverged("parameters", result.step - 1)
        return result

    def _load(self, params: Mapping[str, FloatArray]) -> None:
        start = as_tensors(params, self._model)
        with torch.no_grad():
            for name, value in self._named.items():
                value.copy_(start[name])

    def _step(self, step: int, moments: Sequence[Sequence[torch.Tensor]]) -> None:
        weights = list(self._named.values())
        torch.manual_seed(derive_seed(self.seed, "torch", step))
        update_weights(weights, self._gradient(step, weights), moments, self.recipe, step=step + 1)
        if self.profile.precision == "float64":
            with torch.no_grad():
                for value in (*weights, *(each for group in moments for each in group)):
                    value.copy_(value.float())

    def _gradient(self, step: int, weights: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        indices = self.batch_of(step)
        if self.profile.permuted:
            indices = np.random.default_rng(step).permutation(indices)
        size = self.profile.micro_batch or len(indices)
        total: tuple[torch.Tensor, ...] = ()
        for first in range(0, len(indices), size):
            part = torch.from_numpy(indices[first : first + size])
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.profile.precision == "bfloat16"):
                logits = self._model(self._x[part])
            loss = torch.nn.functional.cross_entropy(logits, self._y[part])
            if not math.isfinite(loss.item()):
                raise self._diverged("loss", step)
            grads = torch.autograd.grad(loss, weights)
            if len(part) != len(indices):
                grads = tuple(grad.mul(len(part) / len(indices)) for grad in grads)
            total = tuple(a + b for a, b in zip(total, grads, strict=True)) if total else grads
        return total

    def _diverged(self, what: str, step: int) -> TrainingError:
        epoch, batch = divmod(step, self.steps_per_epoch)
        return TrainingError(
            f"{what} not finite in epoch {epoch + 1}, batch {batch + 1}",
            hint="lower the recipe's learning_rate, and check that the features are scaled",
        )


def train(
    module: torch.nn.Module, params: Mapping[str, FloatArray], data: Dataset, recipe: Recipe, *, seed: int
) -> Parameters:
    """Parameters after all of `recipe` on `data`, starting from `params`, with mean cross-entropy: see Trainer."""
    trainer = Trainer(module, data, recipe, seed=seed)
    return trainer.advance(trainer.start(params), trainer.steps).params


class _Orders:
    """The permutations that a seed draws one after the other; keeps the last one."""

    def __init__(self, seed: int, samples: int) -> None:
        self._seed, self._samples = seed, samples
        self._restart()

    def _restart(self) -> None:
        self._generator, self._epoch = np.random.default_rng(self._seed), -1
        self._order: IntArray = np.empty(0, np.int64)

    def of(self, epoch: int) -> IntArray:
        """(samples,) the permutation of epoch `epoch`, from 0; O(samples) each epoch passed over."""
        if epoch < self._epoch:
            self._restart()
        while self._epoch < epoch:
            self._order, self._epoch = self._generator.permutation(self._samples), self._epoch + 1
        return self._order


def _array(value: torch.Tensor) -> FloatArray:
    return np.array(value.detach().numpy(), dtype=np.float32, order="C")
