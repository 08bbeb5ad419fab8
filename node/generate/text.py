"""A character transformer, and the text that comes with every Python: its licence, its docs, its poem."""

from __future__ import annotations

import codecs
import contextlib
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from node.data import Dataset, FloatArray
from node.model import Parameters, as_tensors, parameters_of

CONTEXT = 24
"""Characters that the model sees."""

ALPHABET = "\n " + "abcdefghijklmnopqrstuvwxyz" + "0123456789" + ".,;:!?'\"()[]{}<>=+-*/_%#&|@`~^$\\"
UNKNOWN = len(ALPHABET)
VOCABULARY = UNKNOWN + 1
WINDOWS = 3_000
"""Samples of the `text` task."""


def corpus() -> str:
    """`import this`, the licence (or, without its file, the copyright notice) and pydoc's topics, in lower case.

    It differs between Python versions.
    """
    from pydoc_data import topics

    with contextlib.redirect_stdout(io.StringIO()):
        import this

    poem = codecs.decode(this.s, "rot13")
    pages = [text for _, text in sorted(topics.topics.items())]
    licence = Path(codecs.__file__).with_name("LICENSE.txt")
    notice = licence.read_text() if licence.is_file() else str(copyright)
    return "\n".join([poem, notice, *pages]).lower()


def encode_text(text: str) -> NDArray[np.int64]:
    """(n,) int64 places in ALPHABET; UNKNOWN for any other character."""
    table = {letter: index for index, letter in enumerate(ALPHABET)}
    return np.array([table.get(letter, UNKNOWN) for letter in text], dtype=np.int64)


def load_text(options: Mapping[str, str]) -> Dataset:
    """The `text` task: windows of CONTEXT characters as float32 indices, labelled with the character that follows."""
    tokens = encode_text(corpus())
    starts = np.linspace(0, len(tokens) - CONTEXT - 1, WINDOWS).astype(np.int64)
    windows = tokens[starts[:, None] + np.arange(CONTEXT + 1)]
    return Dataset(windows[:, :-1].astype(np.float32), windows[:, -1], VOCABULARY)


class CharTransformer(nn.Module):
    """Two pre-norm blocks of causal attention (Vaswani et al. 2017) with GELU: no kink at which roundings decide.

    (n, t <= CONTEXT) character indices of any dtype to (n, VOCABULARY) logits of the character that follows.
    """

    def __init__(self, width: int = 32, heads: int = 2, blocks: int = 2) -> None:
        super().__init__()
        self.letters = nn.Embedding(VOCABULARY, width)
        self.places = nn.Parameter(torch.randn(CONTEXT, width) * 0.02)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, VOCABULARY)

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        """(n, t, width) activations after the last block."""
        h: torch.Tensor = self.letters(x.long()) + self.places[: x.shape[1]]
        for block in self.blocks:
            h = block(h)
        found: torch.Tensor = self.norm(h)
        return found

    def every(self, x: torch.Tensor) -> torch.Tensor:
        """(n, t, VOCABULARY) logits at every place."""
        logits: torch.Tensor = self.head(self.hidden(x))
        return logits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.hidden(x)[:, -1])
        return logits


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        count, length, width = h.shape
        query, key, value = (
            part.view(count, length, self.heads, -1).transpose(1, 2) for part in self.mix(self.before(h)).chunk(3, -1)
        )
        scores = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5
        # -1e9 and not -inf: as float32 and as float64 its exponential is 0 all the same.
        ahead = torch.triu(torch.full((length, length), -1e9, dtype=h.dtype), diagonal=1)
        mixed = torch.softmax(scores + ahead, -1) @ value
        h = h + self.out(mixed.transpose(1, 2).reshape(count, length, width))
        found: torch.Tensor = h + self.narrow(nn.functional.gelu(self.wide(self.after(h))))
        return found


def text_network(shape: tuple[int, ...], classes: int) -> nn.Module:
    """The transformer of the `text` task; its shape is fixed by CONTEXT and ALPHABET."""
    return CharTransformer()


def train_text(*, steps: int, seed: int, batch: int = 32, rate: float = 0.003) -> Parameters:
    """Weights after `steps` Adam steps on windows of the corpus, the loss taken at every place."""
    tokens = torch.from_numpy(encode_text(corpus()))
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CharTransformer()
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(steps):
        starts = torch.from_numpy(rng.integers(0, len(tokens) - CONTEXT - 1, batch))
        windows = tokens[starts[:, None] + torch.arange(CONTEXT + 1)]
        logits = model.every(windows[:, :-1])
        loss = nn.functional.cross_entropy(logits.reshape(-1, VOCABULARY), windows[:, 1:].reshape(-1))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return parameters_of(model)


def load_weights(model: nn.Module, params: Mapping[str, FloatArray]) -> None:
    """Copy `params` into `model`, in the model's own dtype. Raises DataError if they do not fit."""
    with torch.no_grad():
        for name, value in as_tensors(params, model).items():
            model.get_parameter(name).copy_(value)
