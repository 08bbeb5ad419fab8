"""Generative models small enough to check anywhere: a character transformer and an image decoder, and how to agree."""

from node.generate.agree import majority_matches
from node.generate.decode import DECODINGS, Decoding, Generated, generate
from node.generate.image import ImageDecoder, decode_images, image_codes, train_decoder
from node.generate.text import CharTransformer, corpus, load_text, text_network, train_text

__all__ = [
    "DECODINGS",
    "CharTransformer",
    "Decoding",
    "Generated",
    "ImageDecoder",
    "corpus",
    "decode_images",
    "generate",
    "image_codes",
    "load_text",
    "majority_matches",
    "text_network",
    "train_decoder",
    "train_text",
]
