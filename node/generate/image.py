"""A small image decoder: digits of 8 x 8 pixels from a code of their class and their leading components."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from node.data import Dataset, FloatArray
from node.generate.text import load_weights
from node.model import Parameters, parameters_of
from node.train import PINNED, Profile
from node.train.profile import arithmetic

COMPONENTS = 12


class ImageDecoder(nn.Module):
    """(n, classes + COMPONENTS) codes to (n, 64) pixels in [0, 1]: two layers with tanh, one transposed convolution."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(classes + COMPONENTS, 64),
            nn.Tanh(),
            nn.Linear(64, 8 * 4 * 4),
            nn.Tanh(),
            nn.Unflatten(1, (8, 4, 4)),
            nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
            nn.Flatten(),
        )

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        pixels: torch.Tensor = self.body(codes)
        return pixels


def image_codes(data: Dataset) -> FloatArray:
    """(n, classes + COMPONENTS) float32: one-hot label, then leading principal components of deviation 1."""
    pixels = data.x.reshape(len(data), -1).astype(np.float64)
    centred = pixels - pixels.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    components = left[:, :COMPONENTS] * np.sqrt(len(data)) * np.sign(values[:COMPONENTS])
    return np.concatenate([np.eye(data.classes)[data.y], components], axis=1).astype(np.float32)


def train_decoder(data: Dataset, codes: FloatArray, *, steps: int, seed: int, batch: int = 64) -> Parameters:
    """Weights after `steps` Adam steps on the mean squared error of the pixels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ImageDecoder(data.classes)
    rng = np.random.default_rng(seed)
    pixels, given = torch.from_numpy(data.x.reshape(len(data), -1)), torch.from_numpy(codes)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(steps):
        chosen = torch.from_numpy(rng.integers(0, len(data), batch))
        loss = nn.functional.mse_loss(model(given[chosen]), pixels[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return parameters_of(model)


def decode_images(
    module: ImageDecoder, params: Mapping[str, FloatArray], codes: FloatArray, *, profile: Profile = PINNED
) -> FloatArray:
    """(n, 64) float32 images of `codes` as a machine of `profile` draws them."""
    model = copy.deepcopy(module).eval().to(profile.dtype)
    order = np.random.default_rng(0).permutation(len(codes)) if profile.permuted else np.arange(len(codes))
    size = profile.micro_batch or len(codes)
    with arithmetic(profile), torch.no_grad():
        load_weights(model, params)
        parts = [
            model(torch.from_numpy(codes[order[first : first + size]]).to(profile.dtype))
            for first in range(0, len(codes), size)
        ]
    found = np.empty((len(codes), parts[0].shape[1]), np.float32)
    found[order] = torch.cat(parts).float().numpy()
    return found
