"""KServe's Python server with a scikit-learn model, as its documentation writes custom models.

python kserve_server.py MODEL --http_port PORT
"""

from __future__ import annotations

import sys
from typing import Any

import joblib
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class SklearnModel(Model):  # type: ignore[misc]
    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self._model = joblib.load(path)
        self.ready = True

    def predict(self, payload: InferRequest, headers: Any = None, **_: Any) -> InferResponse:
        rows = payload.inputs[0].as_numpy()
        probabilities = self._model.predict_proba(rows)
        output = InferOutput("probabilities", list(probabilities.shape), "FP64")
        output.set_data_from_numpy(probabilities, binary_data=False)
        return InferResponse(payload.id, self.name, [output])


if __name__ == "__main__":
    path, *sys.argv[1:] = sys.argv[1:]
    ModelServer(
        http_port=int(sys.argv[2]), enable_grpc=False, workers=1, access_log_format=None
    ).start([SklearnModel("bench", path)])
