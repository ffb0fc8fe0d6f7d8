"""The codec of a signature."""

from __future__ import annotations

from pawl.artifacts.derivation import Derivation
from pawl.artifacts.records import Signature
from pawl.errors import IntegrityError
from pawl.expressions import ExpressionError
from pawl.serving.codec.base import Codec
from pawl.serving.codec.derived import DerivedCodec
from pawl.serving.codec.tabular import TabularCodec
from pawl.serving.codec.tensor import TensorCodec


def codec_for(signature: Signature, max_rows: int, derivation: Derivation | None = None) -> Codec:
    """IntegrityError when the signature contradicts itself."""
    try:
        if derivation is not None:
            return DerivedCodec(signature, derivation, max_rows)
        if signature.layout == "tensor":
            return TensorCodec(signature, max_rows)
        return TabularCodec(signature, max_rows)
    except (ValueError, ExpressionError) as error:
        raise IntegrityError(str(error), reason="BadSignature") from error
