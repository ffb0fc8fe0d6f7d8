"""Codecs: from the protocol's tensors to what a model is fed, and from what it gives to answers."""

from pawl.serving.codec.base import Codec, Column, Feed, Outputs, Predictions, Rows, answer, join
from pawl.serving.codec.factory import codec_for

__all__ = [
    "Codec",
    "Column",
    "Feed",
    "Outputs",
    "Predictions",
    "Rows",
    "answer",
    "codec_for",
    "join",
]
