"""Numeric profiles: ways in which honest machines compute the same steps with other roundings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from node.errors import ConfigError

Precision = Literal["float32", "float64", "bfloat16"]


@dataclass(frozen=True)
class Profile:
    """How one machine does the arithmetic of a step. Raises ConfigError on a value out of range.

    `precision`: float64 computes each step in float64 and rounds weights and moments to float32 after it;
    bfloat16 runs the forward pass under autocast. `micro_batch` > 0 accumulates gradients over parts of a batch.
    `permuted` visits the samples of each batch in another order. `blas` "plain" turns off oneDNN's kernels.
    A module that draws numbers (dropout) draws others under `micro_batch` and `permuted`.
    """

    name: str
    precision: Precision = "float32"
    threads: int = 1
    micro_batch: int = 0
    permuted: bool = False
    blas: Literal["onednn", "plain"] = "onednn"

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision) or self.blas not in ("onednn", "plain"):
            raise ConfigError(f"profile {self.name!r}: precision {self.precision!r}, blas {self.blas!r} are not known")
        if self.threads < 1 or self.micro_batch < 0:
            raise ConfigError(f"profile {self.name!r}: {self.threads} threads, micro-batches of {self.micro_batch}")

    @property
    def dtype(self) -> torch.dtype:
        """The dtype in which weights and samples enter a step."""
        return torch.float64 if self.precision == "float64" else torch.float32


PINNED = Profile("pinned")
"""The profile that a task fixes: float32, one thread, whole batches in their order."""

REFERENCE = Profile("reference")
"""PINNED with its one thread enforced, whatever the process has."""

HONEST = (
    Profile("two_threads", threads=2),
    Profile("permuted", permuted=True),
    Profile("micro_batches", micro_batch=4),
    Profile("float64", precision="float64"),
    Profile("plain_blas", blas="plain"),
)
"""Deviations from PINNED that every task must tolerate."""

HALF = Profile("bfloat16", precision="bfloat16")
"""A deviation that only a task's owner can allow: most recipes turn it into another training run."""


@contextmanager
def arithmetic(profile: Profile) -> Iterator[None]:
    """Deterministic kernels, the profile's threads and kernels, and a private torch generator; all restored after.

    The thread count of PINNED is the process's own: nodes set it to one when they start.
    """
    mkldnn: Any = torch.backends.mkldnn
    before = torch.get_deterministic_debug_mode()
    threads, onednn = torch.get_num_threads(), mkldnn.enabled
    with torch.random.fork_rng(devices=[]):
        # use_deterministic_algorithms would import torch's compiler, seconds of every process, to tell it the same.
        torch.set_deterministic_debug_mode("error")
        if profile is not PINNED:
            torch.set_num_threads(profile.threads)
        if profile.blas == "plain":
            mkldnn.enabled = False
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(before)
            torch.set_num_threads(threads)
            mkldnn.enabled = onednn
