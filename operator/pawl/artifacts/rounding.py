"""A scikit-learn step that gives numbers the precision of float32.

ONNX's tree and linear operators compare and multiply in float32. A tree that was grown on doubles
sends rows near its split points the other way there; one that was grown on rounded numbers does
not. Lives here because the server loads it too, with the skops engine.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class RoundToFloat32(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """x → float64(float32(x)); NaN stays. Stateless. Values beyond float32 become its largest."""

    def fit(self, x: Any, y: Any = None) -> Self:
        """Learns nothing but the number of columns."""
        self.n_features_in_ = np.shape(x)[1]
        return self

    def transform(self, x: Any) -> np.ndarray[Any, Any]:
        """The rounded numbers, as float64."""
        dense = x.toarray() if hasattr(x, "toarray") else np.asarray(x, dtype=np.float64)
        limit = float(np.finfo(np.float32).max)
        clipped = np.clip(dense, -limit, limit)
        return np.asarray(clipped.astype(np.float32), dtype=np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.requires_fit = False
        return tags
