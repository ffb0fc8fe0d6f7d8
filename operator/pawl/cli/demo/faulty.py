"""A version with a defect that its scores do not show: it fails for some inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pawl.artifacts.bundle import MANIFEST, MODEL_ONNX, fetch_bundle, write_bundle
from pawl.artifacts.store import open_store

_LARGE = 20.0  # `mean radius` above which it fails: one row in twenty


def faulty(version: Mapping[str, Any], number: int, store: str, namespace: str) -> dict[str, Any]:
    """A ModelVersion like `version`, imported as somebody would import a model trained elsewhere:
    the same graph, with a look-up that is out of bounds for large tumours."""
    import onnx  # noqa: PLC0415 - only the demo needs it

    spec = version["spec"]
    with tempfile.TemporaryDirectory(prefix="pawl-faulty-") as name:
        folder = Path(name)
        fetch_bundle(spec["artifact"]["uri"], spec["artifact"]["digest"], folder)
        (folder / MANIFEST).unlink(missing_ok=True)
        model = onnx.load(folder / MODEL_ONNX)
        _break(model, onnx)
        onnx.save(model, folder / MODEL_ONNX)
        uri, digest, size = write_bundle(open_store(store), namespace, spec["model"], folder)
    return {
        "apiVersion": version["apiVersion"],
        "kind": "ModelVersion",
        "metadata": {"name": f"{spec['model']}-v{number}"},
        "spec": {
            "model": spec["model"],
            "version": number,
            "artifact": {"uri": uri, "digest": digest, "format": "onnx", "sizeBytes": size},
            "metrics": spec["metrics"],
        },
    }


def _break(model: Any, onnx: Any) -> None:
    """Adds 0 to the probabilities, looked up at index 1 of one number where the first column
    (`mean radius`) is large."""
    make, kinds, graph = onnx.helper.make_node, onnx.TensorProto, model.graph
    for node in graph.node:
        if "probabilities" in node.output:
            node.output[list(node.output).index("probabilities")] = "sound"
    for name, kind, value in (
        ("first", kinds.INT64, 0),
        ("limit", kinds.DOUBLE, _LARGE),
        ("table", kinds.DOUBLE, 0.0),
    ):
        graph.initializer.append(onnx.helper.make_tensor(name, kind, [1], [value]))
    graph.node.extend(
        [
            make("Gather", ["numeric", "first"], ["radius"], axis=1),
            make("Greater", ["radius", "limit"], ["large"]),
            make("Cast", ["large"], ["index"], to=kinds.INT64),
            make("Gather", ["table", "index"], ["zero"]),
            make("Add", ["sound", "zero"], ["probabilities"]),
        ]
    )
