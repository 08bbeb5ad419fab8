"""Generated text and images: deterministic decoding, honest agreement, and what a majority of three sees."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from node.calibrate.derive import trial_seeds
from node.cheat import norm, quantised_weights
from node.data import Dataset
from node.errors import UnknownName
from node.generate import (
    DECODINGS,
    CharTransformer,
    ImageDecoder,
    corpus,
    decode_images,
    generate,
    image_codes,
    majority_matches,
    text_network,
    train_decoder,
    train_text,
)
from node.generate.decode import beam, greedy
from node.generate.text import CONTEXT, UNKNOWN, VOCABULARY, encode_text
from node.model import Evaluator, Parameters, initial_parameters
from node.sketch import grid_of
from node.task import TASKS
from node.train import Profile
from node.train.profile import HONEST


@pytest.fixture(scope="module")
def weights() -> Parameters:
    return train_text(steps=40, seed=1)


@pytest.fixture(scope="module")
def prompts() -> np.ndarray:
    tokens = encode_text(corpus())
    return tokens[np.array([1000, 5000, 20_000])[:, None] + np.arange(CONTEXT)]


def test_the_corpus_comes_with_python() -> None:
    text = corpus()
    assert "beautiful is better than ugly" in text
    assert len(text) > 100_000
    assert encode_text("a\n€").tolist()[1:] == [0, UNKNOWN]


def test_the_text_task() -> None:
    data = TASKS.get("text").load({})
    assert data.shape == (CONTEXT,)
    assert data.classes == VOCABULARY
    params = initial_parameters(lambda: text_network(data.shape, data.classes), 1)
    assert Evaluator(text_network(data.shape, data.classes)).outputs(params, data.x[:3]).shape == (3, VOCABULARY)


def test_training_lowers_the_loss(weights: Parameters) -> None:
    data = TASKS.get("text").load({}).subset(np.arange(0, 3000, 10))
    evaluator = Evaluator(CharTransformer())
    assert evaluator.loss(weights, data) < 0.85 * math.log(VOCABULARY)
    again = train_text(steps=2, seed=1), train_text(steps=2, seed=1)
    assert all((again[0][name] == again[1][name]).all() for name in again[0])


@pytest.mark.parametrize("decoding", DECODINGS.names())
def test_honest_machines_write_the_same_characters(weights: Parameters, prompts: np.ndarray, decoding: str) -> None:
    outputs = [generate(weights, prompts, length=8, decoding=decoding, profile=profile) for profile in HONEST[1:]]
    for other in outputs[1:]:
        assert (other.tokens == outputs[0].tokens).all()
        assert norm(other.activations - outputs[0].activations) < 1e-5 * norm(outputs[0].activations)


def test_causal_attention_does_not_look_ahead(prompts: np.ndarray) -> None:
    model = CharTransformer().eval()
    changed = torch.from_numpy(prompts).clone()
    changed[:, -1] = (changed[:, -1] + 1) % VOCABULARY
    with torch.no_grad():
        before, after = model.every(torch.from_numpy(prompts)), model.every(changed)
    torch.testing.assert_close(before[:, :-1], after[:, :-1])
    assert not torch.allclose(before[:, -1], after[:, -1])


class _Table(CharTransformer):
    """Three letters whose odds depend on the last one only: beam search can be checked by hand."""

    odds = torch.tensor([[0.0, 0.4, 0.6], [0.9, 0.05, 0.05], [0.4, 0.3, 0.3]]).add(1e-6).log()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.odds[x[:, -1]]


def test_greedy_and_beam_by_hand() -> None:
    start = torch.zeros(1, 1, dtype=torch.int64)
    assert greedy(_Table(), start, 2).tolist() == [[0, 2, 0]]  # 0.6 x 0.4
    assert beam(_Table(), start, 2).tolist() == [[0, 1, 0]]  # 0.4 x 0.9
    # Width 3 holds all three letters: over two characters it is exhaustive.
    scores = {
        path: float(_Table.odds[0, path[0]].double() + _Table.odds[path[0], path[1]].double())
        for path in product(range(3), repeat=2)
    }
    assert beam(_Table(), start, 2).tolist()[0][1:] == list(max(scores, key=lambda path: scores[path]))


def test_an_unknown_decoding_is_named(weights: Parameters, prompts: np.ndarray) -> None:
    with pytest.raises(UnknownName, match="did you mean 'greedy'"):
        generate(weights, prompts, length=1, decoding="greed")


def test_images_agree_by_sketch_and_cheats_do_not() -> None:
    raw = TASKS.get("digits").load({})
    data = Dataset(raw.x[:300], raw.y[:300], 10)
    codes = image_codes(data)
    assert codes.shape == (300, 22)
    params = train_decoder(data, codes, steps=60, seed=1)
    drawn = [decode_images(ImageDecoder(), params, codes[:20], profile=profile) for profile in HONEST[1:4]]
    flat = data.x.reshape(300, -1)[:20]
    assert ((drawn[0] - flat) ** 2).mean() < ((flat.mean(axis=0) - flat) ** 2).mean()
    fake = decode_images(ImageDecoder(), quantised_weights(params), codes[:20])
    mine = decode_images(ImageDecoder(), params, codes[:20], profile=Profile("plain", blas="plain"))
    options = {"seeds": trial_seeds(30, "images"), "tau": 1e-5, "grid": grid_of(100), "k": 16}
    assert majority_matches(mine, drawn, **options).all()  # type: ignore[arg-type]
    assert not majority_matches(fake, drawn, **options).any()  # type: ignore[arg-type]
    assert not majority_matches(mine, [np.roll(each, 1, axis=0) for each in drawn], **options).any()  # type: ignore[arg-type]


def test_two_of_three_decide() -> None:
    one = np.ones((1, 40), np.float32)
    options = {"seeds": trial_seeds(5, "x"), "tau": 1e-4, "grid": grid_of(100), "k": 8}
    assert majority_matches(one, [one, one, 2 * one], **options).all()  # type: ignore[arg-type]
    assert not majority_matches(one, [one, 2 * one, 2 * one], **options).any()  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has 3 verifiers"):
        majority_matches(one, [one], **options)  # type: ignore[arg-type]
