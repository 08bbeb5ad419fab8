"""Sketches: a few rows of random signs decide whether two machines computed the same thing."""

from node.sketch.agreement import agrees, distance, lower_median, norm
from node.sketch.encoding import decode_sketch, encode_sketch, sketch_digest
from node.sketch.projection import CHUNK, MAX_K, K, Sketch, grid_of, projections, sign_rows, sketch, stream
from node.sketch.seed import Domain, sketch_seed

__all__ = [
    "CHUNK",
    "MAX_K",
    "Domain",
    "K",
    "Sketch",
    "agrees",
    "decode_sketch",
    "distance",
    "encode_sketch",
    "grid_of",
    "lower_median",
    "norm",
    "projections",
    "sign_rows",
    "sketch",
    "sketch_digest",
    "sketch_seed",
    "stream",
]
