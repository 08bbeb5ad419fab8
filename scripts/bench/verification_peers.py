"""The other tests of sameness, by name, on the same vectors. Each is given the threshold that suits it best.

A threshold is the tightest that still accepts all honest work here, with the same margin of ten that ours has.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from node.sketch.trials import project_many

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv-verification-bench"
REQUIREMENTS = Path(__file__).with_name("verification_requirements.txt")
HASHER = Path(__file__).with_name("verification_phash.py")
BITS = 256
TOLERANCE = 24  # of 64 bits: the published on-chain deployment's constructor
TOP, MISMATCHES, MEAN, MEDIAN = 128, 38, 10.0, 8.0  # TOPLOC's published thresholds

Vector = NDArray[np.float32]
Pair = tuple[Vector, Vector]


def bitwise(pairs: Sequence[Pair]) -> list[bool]:
    """Accept iff the SHA-256 of the bytes is equal."""
    return [hashlib.sha256(a.tobytes()).digest() == hashlib.sha256(b.tobytes()).digest() for a, b in pairs]


def angles(pairs: Sequence[Pair]) -> list[float]:
    """1 - cosine of each pair, float64."""
    found = []
    for a, b in pairs:
        x, y = a.astype(np.float64), b.astype(np.float64)
        length = np.linalg.norm(x) * np.linalg.norm(y)
        if not length:
            found.append(1.0)
            continue
        # |x/|x| - y/|y||^2 / 2, which does not cancel
        found.append(float(np.sum((x / np.linalg.norm(x) - y / np.linalg.norm(y)) ** 2) / 2))
    return found


def flips(pairs: Sequence[Pair], seed: bytes) -> list[int]:
    """Differing bits of SimHash-256 (Charikar 2002): signs of 256 random rows, 128 from each of two seeds."""
    found = [0] * len(pairs)
    for half in (b"a", b"b"):
        for i, pair in enumerate(pairs):
            (products,) = project_many(np.stack(pair).astype(np.float64), seeds=[seed + half], k=BITS // 2)
            found[i] += int((np.sign(products[0, 0]) != np.sign(products[0, 1])).sum())
    return found


def toploc(pairs: Sequence[Pair]) -> list[bool]:
    """TOPLOC's verdict (Ong et al. 2025) on one chunk: the top 128 values in bfloat16, as the verifier finds them.

    The prover encodes (index, bits) of its 128 largest magnitudes; the verifier looks its own 128 up. A missing index
    reads as another exponent (the package's polynomial returns an arbitrary value there). Accept iff at most 38
    exponents differ and the mantissas of the others differ by at most 10 on average and 8 in the median.
    """
    found = []
    for reference, claim in pairs:
        mine, theirs = _bfloat16(reference), _bfloat16(claim)
        k = min(TOP, reference.size)
        own = np.argsort(-np.abs(reference), kind="stable")[:k]
        given = np.zeros(reference.size, np.bool_)
        given[np.argsort(-np.abs(claim), kind="stable")[:k]] = True
        same = given[own] & ((mine[own] >> 7) == (theirs[own] >> 7))
        apart = np.abs((mine[own] & 127).astype(int) - (theirs[own] & 127).astype(int))[same]
        fine = apart.size > 0 and apart.mean() <= MEAN and np.median(apart) <= MEDIAN
        found.append(bool((~same).sum() <= MISMATCHES * k // TOP and fine))
    return found


def _bfloat16(values: Vector) -> NDArray[np.uint32]:
    """The upper 16 bits, rounded to nearest even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16


def perceptual(vectors: Sequence[Vector]) -> list[int]:
    """64-bit pHash of each vector as a grey image, by ImageHash in its own environment."""
    _prepare()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npz"
        np.savez(path, *vectors)
        command = [str(ENVIRONMENT / "bin" / "python"), str(HASHER), str(path)]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return [int(line, 16) for line in lines]


def _prepare() -> None:
    installed = ENVIRONMENT / "requirements.txt"
    if installed.is_file() and installed.read_text() == REQUIREMENTS.read_text():
        return
    print(f"verification: installing {REQUIREMENTS.name} into {ENVIRONMENT.name}", file=sys.stderr)
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
    installed.write_text(REQUIREMENTS.read_text())
