"""The generative part of the verification benchmark: three verifiers and a majority, beside the published figures."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.calibrate.derive import MARGIN, MIN_DRIFT, ROOM, trial_seeds
from node.cheat import norm, quantised_weights
from node.generate import (
    DECODINGS,
    ImageDecoder,
    corpus,
    decode_images,
    generate,
    image_codes,
    majority_matches,
    train_decoder,
    train_text,
)
from node.generate.text import CONTEXT, encode_text
from node.model import Parameters
from node.sketch import grid_of
from node.task import TASKS
from node.train import Profile
from node.train.profile import HONEST
from scripts.bench.verification_cases import ROWS

PUBLISHED = {"detects": 0.9989, "false_matches": 0.000267, "token_agreement": 1.0}
"""Kim, Isozaki, Sirkin and Robson (arXiv 2307.01898), abstract: majority of three on images; greedy or n-way beam."""

Vectors = NDArray[np.float32]


def generative(*, quick: bool) -> dict[str, Any]:
    """Both generators: figures of exact tokens, and of sketches under a majority of three."""
    jobs, steps, seeds = (12, 30, 10) if quick else (60, 600, 100)
    tokens = encode_text(corpus())
    starts = np.random.default_rng(3).integers(0, len(tokens) - CONTEXT, jobs)
    prompts = tokens[starts[:, None] + np.arange(CONTEXT)]
    weights, early = (train_text(steps=count, seed=1) for count in (steps, steps * 9 // 10))
    found: dict[str, Any] = {"published": PUBLISHED}
    for decoding in DECODINGS:
        outputs = [generate(weights, prompts, length=CONTEXT, decoding=decoding, profile=p) for p in HONEST]
        agreed = [bool((a.tokens[i] == b.tokens[i]).all()) for a, b in combinations(outputs, 2) for i in range(jobs)]
        other = outputs[0].tokens
        same = [bool((other[i] == other[j]).all()) for i, j in combinations(range(jobs), 2)]
        found[f"text {decoding}"] = {
            "compared": len(agreed),
            "agree": float(np.mean(agreed)),
            "different_prompts": len(same),
            "false_matches": float(np.mean(same)),
        }
    greedy = lambda params, profile: generate(params, prompts, length=CONTEXT, profile=profile).activations  # noqa: E731
    classes = prompts[:, -1]  # outputs of one class: continuations after the same character
    cheats = {"int8 model": quantised_weights(weights), "model trained 10 % less": early}
    found["text activations"] = _sketched("text", greedy, weights, cheats, classes, seeds)
    data = TASKS.get("digits").load({})
    codes = image_codes(data)
    drawn, less = (train_decoder(data, codes, steps=count, seed=1) for count in (steps, steps * 9 // 10))
    chosen = np.concatenate([np.flatnonzero(data.y == label)[: max(2, jobs // 6)] for label in range(data.classes)])
    draw = lambda params, profile: decode_images(ImageDecoder(), params, codes[chosen], profile=profile)  # noqa: E731
    cheats = {"int8 model": quantised_weights(drawn), "model trained 10 % less": less}
    found["images"] = _sketched("images", draw, drawn, cheats, data.y[chosen], seeds)
    return found


def _sketched(
    label: str,
    run: Callable[[Parameters, Profile], Vectors],
    params: Parameters,
    cheats: dict[str, Parameters],
    classes: NDArray[np.int64],
    seeds: int,
) -> dict[str, Any]:
    """Majority of three on the vectors that `run` gives: honest claims, cheats, and other outputs of the same class."""
    outputs = {profile.name: run(params, profile) for profile in HONEST}
    drift = max(
        norm(a[i] - b[i]) / norm(a[i]) for a, b in combinations(outputs.values(), 2) for i in range(len(classes))
    )
    tau = MARGIN * max(drift, MIN_DRIFT)
    grid = grid_of(ROOM * max(norm(row) for row in outputs[HONEST[0].name]))
    drawn = trial_seeds(seeds, f"generative {label}")

    def matches(claims: Vectors, verifiers: list[Vectors], some: list[bytes]) -> NDArray[np.bool_]:
        return majority_matches(claims, verifiers, seeds=some, tau=tau, grid=grid, k=ROWS)

    honest = []
    for name, claims in outputs.items():
        verifiers = [value for other, value in outputs.items() if other != name][:3]
        honest.append(matches(claims, verifiers, drawn))
    three = [outputs[profile.name] for profile in HONEST[:3]]
    pairs = [(i, j) for i, j in combinations(range(len(classes)), 2) if classes[i] == classes[j]]
    left, right = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    foreign = matches(three[0][left], [each[right] for each in three], drawn)
    return {
        "drift": drift,
        "tau": tau,
        "honest": sum(each.size for each in honest),
        "detects": float(np.mean([each.mean() for each in honest])),
        "pairs": foreign.size,
        "false_matches": float(foreign.mean()),
        "cheats_accepted": {
            name: float(matches(run(forged, HONEST[1]), three, drawn).mean()) for name, forged in cheats.items()
        },
    }
