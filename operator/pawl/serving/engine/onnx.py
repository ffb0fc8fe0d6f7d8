"""ONNX through onnxruntime: one thread, CPU, weights inside the file.

With one row a second thread costs more than it brings (CPU per request doubles); more cores are
used by more processes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from pawl.artifacts.onnx_scan import refuse_external_data
from pawl.artifacts.records import Datatype, Signature, Tensor
from pawl.errors import IntegrityError, SignatureError
from pawl.serving.codec.base import Feed, Outputs
from pawl.serving.errors import EngineError

LOGGER = logging.getLogger(__name__)
_ERRORS_ONLY = 3
_DATATYPES: dict[str, Datatype] = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8", "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32", "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8", "tensor(int16)": "INT16",
    "tensor(int32)": "INT32", "tensor(int64)": "INT64",
    "tensor(float16)": "FP16", "tensor(float)": "FP32", "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}  # fmt: skip


class OnnxEngine:
    """A session over one file."""

    name = "onnx"

    def __init__(self, path: Path) -> None:
        refuse_external_data(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _ERRORS_ONLY
        # The arena keeps the largest batch's memory for ever and saves nothing measurable here.
        options.enable_cpu_mem_arena = False
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises a dozen classes of its own
            raise IntegrityError(
                f"onnxruntime cannot load the model: {_line(error)}", reason="ModelNotLoadable"
            ) from error
        self._run = self._session.run
        self._wanted: list[str] = [output.name for output in self._session.get_outputs()]
        self._blames_input = True

    def fit(self, inputs: Iterable[str], names: Sequence[str], *, tabular: bool) -> None:
        """Computes these outputs only. IntegrityError when the graph does not take these inputs or
        has not these outputs. Rows of a table are checked column by column before they come here:
        a graph that refuses them is at fault itself; tensors may have a shape that it cannot use.
        """
        self._blames_input = not tabular
        takes = sorted(node.name for node in self._session.get_inputs())
        if takes != sorted(inputs):
            raise IntegrityError(
                f"the graph takes {', '.join(takes)}; its signature says {', '.join(inputs)}",
                reason="BadSignature",
            )
        missing = [name for name in names if name not in self._wanted]
        if missing:
            raise IntegrityError(
                f"the graph has no output {missing[0]!r}; it has {', '.join(self._wanted)}",
                reason="BadSignature",
            )
        self._wanted = list(names)

    def run(self, feed: Feed) -> Outputs:
        try:
            return dict(zip(self._wanted, self._run(self._wanted, feed), strict=True))
        except Exception as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> Exception:
        kind = type(error).__name__
        if kind == "InvalidArgument" and self._blames_input:
            return SignatureError(f"the model refused the input: {_line(error)}")
        LOGGER.error("the model failed", extra={"fields": {"error": _line(error), "kind": kind}})
        return EngineError("the model failed on these rows; the server's log says more")

    def signature(self) -> Signature:
        """What the graph says of itself; unnamed dimensions are -1."""
        return Signature(
            layout="tensor",
            inputs=tuple(map(_tensor, self._session.get_inputs())),
            outputs=tuple(map(_tensor, self._session.get_outputs())),
        )


def _tensor(node: Any) -> Tensor:
    datatype = _DATATYPES.get(node.type)
    if datatype is None:
        raise IntegrityError(
            f"{node.name} is a {node.type}; only tensors can be served (for scikit-learn "
            "classifiers convert with zipmap=False)",
            reason="NotServable",
        )
    shape = tuple(size if isinstance(size, int) else -1 for size in node.shape or ())
    return Tensor(name=node.name, datatype=datatype, shape=shape)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
