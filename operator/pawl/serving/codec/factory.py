"""The codec of a signature."""

from __future__ import annotations

from pawl.artifacts.records import Signature
from pawl.errors import IntegrityError
from pawl.serving.codec.base import Codec
from pawl.serving.codec.tabular import TabularCodec
from pawl.serving.codec.tensor import TensorCodec


def codec_for(signature: Signature, max_rows: int) -> Codec:
    """IntegrityError when the signature contradicts itself."""
    try:
        if signature.layout == "tensor":
            return TensorCodec(signature, max_rows)
        return TabularCodec(signature, max_rows)
    except ValueError as error:
        raise IntegrityError(str(error), reason="BadSignature") from error
