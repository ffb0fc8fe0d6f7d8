"""BentoML with a scikit-learn model: BENCH_MODEL=PATH bentoml serve bento_service:Bench"""

from __future__ import annotations

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Bench:
    def __init__(self) -> None:
        self._model = joblib.load(os.environ["BENCH_MODEL"])

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self._model.predict_proba(rows))
