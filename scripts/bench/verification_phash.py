"""Run by verification_peers.py in the environment with ImageHash: print the pHash of every vector of an npz file."""

import sys

import imagehash
import numpy as np
from PIL import Image


def picture(values: np.ndarray) -> Image.Image:
    """The vector as a square grey image, its range stretched to 0..255."""
    side = int(np.ceil(np.sqrt(values.size)))
    flat = np.zeros(side * side)
    flat[: values.size] = values
    low, high = flat.min(), flat.max()
    scaled = (flat - low) / (high - low) * 255 if high > low else np.zeros_like(flat)
    return Image.fromarray(scaled.reshape(side, side).astype(np.uint8))


def main() -> int:
    """One hexadecimal hash a line, in the order of the arrays."""
    arrays = np.load(sys.argv[1])
    for name in arrays.files:
        print(imagehash.phash(picture(arrays[name].astype(np.float64))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
