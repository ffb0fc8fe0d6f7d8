"""The bare handler: raw ASGI on uvicorn with onnxruntime, no validation, no metrics, no batching.

BARE_MODEL=model.onnx uvicorn benchmarks.serving_peers.bare:app --loop uvloop --http httptools
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnxruntime
import orjson

_options = onnxruntime.SessionOptions()
_options.intra_op_num_threads = _options.inter_op_num_threads = 1
_run = onnxruntime.InferenceSession(
    os.environ["BARE_MODEL"], _options, providers=["CPUExecutionProvider"]
).run


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    tensor = orjson.loads(body)["inputs"][0]
    rows = np.array(tensor["data"], dtype=np.float64).reshape(tensor["shape"])
    (probabilities,) = _run(["probabilities"], {"numeric": rows})
    outputs = [
        {
            "name": "label",
            "datatype": "INT64",
            "shape": [len(rows)],
            "data": probabilities.argmax(axis=1).tolist(),
        },
        {
            "name": "probabilities",
            "datatype": "FP64",
            "shape": list(probabilities.shape),
            "data": probabilities.ravel().tolist(),
        },
    ]
    answer = orjson.dumps({"model_name": "gb", "model_version": "1", "outputs": outputs})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
