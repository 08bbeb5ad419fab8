"""Greedy and beam decoding: no draw, so that honest machines write the same characters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from node.data import FloatArray
from node.generate.text import CONTEXT, CharTransformer, load_weights
from node.registry import Registry
from node.train import PINNED, Profile
from node.train.profile import arithmetic

WIDTH = 3
"""Beams that are kept."""

Decoding = Callable[[CharTransformer, torch.Tensor, int], torch.Tensor]
"""(model, prompts (n, t) int64, characters to add) -> (n, t + length) int64."""

DECODINGS: Registry[Decoding] = Registry("decoding")


@dataclass(frozen=True, eq=False)
class Generated:
    """What a machine wrote, with the activations behind it: what is compared exactly, and what by sketch."""

    tokens: NDArray[np.int64]  # (n, length)
    activations: FloatArray  # (n, length * width): the last block's, at the place that each character was read from


def generate(
    params: Mapping[str, FloatArray],
    prompts: NDArray[np.int64],
    *,
    length: int,
    decoding: str = "greedy",
    profile: Profile = PINNED,
) -> Generated:
    """Continue `prompts` (n, t) by `length` >= 1 characters as a machine of `profile` does. Raises UnknownName."""
    rule = DECODINGS.get(decoding)
    model = CharTransformer().eval().to(profile.dtype)
    order = np.random.default_rng(0).permutation(len(prompts)) if profile.permuted else np.arange(len(prompts))
    size = profile.micro_batch or len(prompts)
    with arithmetic(profile), torch.no_grad():
        load_weights(model, params)
        parts = []
        for first in range(0, len(prompts), size):
            written = rule(model, torch.from_numpy(prompts[order[first : first + size]]), length)
            parts.append((written[:, prompts.shape[1] :], _behind(model, written, length)))
    tokens = np.empty((len(prompts), length), np.int64)
    tokens[order] = torch.cat([part[0] for part in parts]).numpy()
    activations = np.empty((len(prompts), parts[0][1].shape[1]), np.float32)
    activations[order] = torch.cat([part[1] for part in parts]).numpy()
    return Generated(tokens, activations)


def _behind(model: CharTransformer, written: torch.Tensor, length: int) -> torch.Tensor:
    """(n, length * width) float32: the activations from which each of the last `length` characters was chosen."""
    ends = range(written.shape[1] - length, written.shape[1])
    return (
        torch.stack([model.hidden(written[:, max(0, end - CONTEXT) : end])[:, -1] for end in ends], 1)
        .float()
        .flatten(1)
    )


@DECODINGS.register("greedy")
def greedy(model: CharTransformer, prompts: torch.Tensor, length: int) -> torch.Tensor:
    """The likeliest character each time, the first one if several tie."""
    written = prompts
    for _ in range(length):
        written = torch.cat([written, model(written[:, -CONTEXT:]).argmax(-1, keepdim=True)], 1)
    return written


@DECODINGS.register("beam")
def beam(model: CharTransformer, prompts: torch.Tensor, length: int) -> torch.Tensor:
    """The likeliest of WIDTH continuations by the sum of log probabilities, float64; ties go to the earlier one."""
    count = len(prompts)
    beams = prompts[:, None]  # (n, b, t)
    scores = torch.zeros(count, 1, dtype=torch.float64)
    for _ in range(length):
        held = beams.shape[1]
        logits = model(beams.reshape(count * held, -1)[:, -CONTEXT:]).double()
        odds = scores[:, :, None] + torch.log_softmax(logits, -1).view(count, held, -1)
        ranked = torch.sort(odds.view(count, -1), dim=1, descending=True, stable=True)
        scores, best = ranked.values[:, :WIDTH], ranked.indices[:, :WIDTH]
        parents = torch.gather(beams, 1, (best // odds.shape[2])[:, :, None].expand(-1, -1, beams.shape[2]))
        beams = torch.cat([parents, (best % odds.shape[2])[:, :, None]], 2)
    return beams[:, 0]
