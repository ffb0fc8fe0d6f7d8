"""From a bundle to a model that answers, and what stops on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from onnx import TensorProto, helper

from pawl.artifacts import signing
from pawl.artifacts.canonical import digest
from pawl.artifacts.records import Signature
from pawl.errors import IntegrityError, SignatureError, StoreError
from pawl.serving import loading
from pawl.serving.engine.onnx import OnnxEngine
from pawl.serving.errors import EngineError
from pawl.serving.loading import load, load_once

Graphs = dict[str, Callable[..., onnx.ModelProto]]


def never(seconds: float) -> bool:
    return False


def test_a_bundle_is_loaded_and_nothing_of_it_is_left_behind(bundles: Any) -> None:
    settings = bundles.classifier()
    served = load(settings, never)
    assert served.engine.name == "onnx"
    assert served.batchable
    outputs = served.engine.run({"numeric": np.array([[1.0, -1.0], [50.0, 50.0]])})
    np.testing.assert_allclose(outputs["probabilities"], [[0.5, 0.5], [0.0, 1.0]], atol=1e-12)
    assert list(settings.work_dir.iterdir()) == []


def test_only_what_answers_need_is_computed(bundles: Any) -> None:
    assert set(load(bundles.classifier(), never).engine.run({"numeric": np.zeros((1, 2))})) == {
        "probabilities"
    }


def test_bytes_without_their_digest_are_not_loaded(bundles: Any) -> None:
    settings = replace(bundles.classifier(), artifact_digest=digest(b"other"))
    with pytest.raises(IntegrityError, match="digest"):
        load(settings, never)


def test_a_changed_file_is_not_loaded(bundles: Any) -> None:
    settings = bundles.classifier()
    path = settings.artifact_uri.removeprefix("file://") + "/model.onnx"
    with open(path, "r+b") as file:
        file.write(b"\x00")
    with pytest.raises(IntegrityError, match=r"model\.onnx has sha256"):
        load(settings, never)


def test_where_keys_are_given_an_unsigned_bundle_is_not_loaded(bundles: Any) -> None:
    key = Ed25519PrivateKey.generate()
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    keys = signing.public_keys(key.public_key().public_bytes(*form).decode())
    settings = replace(bundles.classifier(), verify_keys=keys)
    with pytest.raises(IntegrityError, match="not signed by a trusted key"):
        load(settings, never)
    signing.sign(settings.artifact_uri, settings.artifact_digest, key)
    assert load(settings, never).engine.name == "onnx"


def test_a_bundle_that_is_not_there_is_final(bundles: Any) -> None:
    settings = bundles.classifier()
    with pytest.raises(FileNotFoundError):
        load(replace(settings, artifact_uri=settings.artifact_uri + "x"), never)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"numeric": ("a",)}, "numeric and categorical must name", id="contradiction"),
        pytest.param(
            {"task": "multiclass", "classes": ("a", "b", "c")}, "probabilities", id="other classes"
        ),
        pytest.param(
            {"classes": (), "outputs": (), "task": "regression"}, "no output", id="other task"
        ),
        pytest.param(
            {"numeric": ("a",), "categorical": ("b",)}, "the graph takes numeric", id="other inputs"
        ),
    ],
)
def test_a_graph_that_does_not_fit_its_signature_is_not_served(
    change: dict[str, Any],
    words: str,
    bundles: Any,
    graphs: Graphs,
    signature: Callable[..., Signature],
) -> None:
    files = {
        "model.onnx": graphs["classifier"](2).SerializeToString(),
        "signature.json": signature("a", "b")
        .model_copy(update=change)
        .model_dump_json(by_alias=True)
        .encode(),
    }
    with pytest.raises(IntegrityError, match=words):
        load_once(bundles.settings(files))


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"signature.json": b"{}"}, id="no model"),
        pytest.param({"model.onnx": b"junk", "signature.json": b"{}"}, id="no ONNX"),
    ],
)
def test_a_bundle_without_a_model_is_refused(files: dict[str, bytes], bundles: Any) -> None:
    with pytest.raises(IntegrityError):
        load_once(bundles.settings(files))


def test_a_skops_model_without_a_signature_is_refused(bundles: Any) -> None:
    with pytest.raises(IntegrityError, match=r"signature\.json"):
        load_once(bundles.settings({"model.skops": b"never opened"}))


def single(bundles: Any, model: onnx.ModelProto) -> Any:
    """Settings for an imported file, as a hand-written ModelVersion names it."""
    content = model.SerializeToString()
    settings = bundles.settings({"model.onnx": content})
    uri = settings.artifact_uri + "/model.onnx"
    return replace(settings, artifact_uri=uri, artifact_digest=digest(content))


def test_an_imported_file_says_itself_what_it_takes(bundles: Any, graphs: Graphs) -> None:
    served = load_once(single(bundles, graphs["tensor"]("Relu")))
    (tensor,) = served.signature.inputs
    assert (tensor.name, tensor.datatype, tensor.shape) == ("x", "FP32", (-1, 2))
    assert served.signature.layout == "tensor"
    assert served.batchable


def test_a_graph_that_mixes_its_rows_is_never_batched(bundles: Any, graphs: Graphs) -> None:
    assert not load_once(single(bundles, graphs["tensor"]("Softmax"))).batchable


def test_a_graph_of_one_row_is_never_batched(bundles: Any, graphs: Graphs) -> None:
    assert not load_once(single(bundles, graphs["tensor"]("Relu", batch=1))).batchable


def test_outputs_that_are_no_tensors_are_refused(bundles: Any) -> None:
    graph = helper.make_graph(
        [helper.make_node("SequenceConstruct", ["x"], ["y"])],
        "sequence",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
        [helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    with pytest.raises(IntegrityError, match="only tensors can be served"):
        load_once(single(bundles, model))


def test_a_tensor_that_the_graph_refuses_is_the_clients_error(bundles: Any, graphs: Graphs) -> None:
    served = load_once(single(bundles, graphs["tensor"]("Relu", batch=1)))
    name = served.signature.inputs[0].name
    with pytest.raises(SignatureError, match="refused the input"):
        served.engine.run({name: np.zeros((1, 1, 1), dtype=np.float32)})


def test_checked_rows_that_the_graph_refuses_are_the_models_error(bundles: Any) -> None:
    served = load_once(bundles.classifier())
    with pytest.raises(EngineError, match="the model failed"):
        served.engine.run({"numeric": np.zeros((1, 3))})


def test_the_graph_runs_on_one_thread(bundles: Any) -> None:
    engine = load_once(bundles.classifier()).engine
    assert isinstance(engine, OnnxEngine)
    assert engine._session.get_session_options().intra_op_num_threads == 1


class TestStoreOutage:
    """A store that does not answer is worth another try, but not for ever."""

    def test_it_is_asked_again(self, bundles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        outages = [StoreError("no answer"), StoreError("no answer")]
        fetch = loading.fetch_bundle

        def flaky(*args: Any, **kwargs: Any) -> Any:
            if outages:
                raise outages.pop()
            return fetch(*args, **kwargs)

        monkeypatch.setattr(loading, "fetch_bundle", flaky)
        pauses: list[float] = []

        def wait(seconds: float) -> bool:
            pauses.append(seconds)
            return False

        assert load(bundles.classifier(), wait).batchable
        assert pauses == [0.5, 1.0]

    @pytest.mark.parametrize(
        ("load_timeout", "stop", "tries"),
        [pytest.param(0.1, False, 1, id="time is up"), pytest.param(300, True, 1, id="told")],
    )
    def test_it_is_given_up(
        self,
        load_timeout: float,
        stop: bool,
        tries: int,
        bundles: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked = []

        def down(*args: Any, **kwargs: Any) -> Any:
            asked.append(1)
            raise StoreError("no answer")

        monkeypatch.setattr(loading, "fetch_bundle", down)
        with pytest.raises(StoreError):
            load(bundles.classifier(load_timeout=load_timeout), lambda seconds: stop)
        assert len(asked) == tries


def with_baseline(bundles: Any, graphs: Graphs, signature: Any, content: bytes) -> Any:
    return bundles.settings(
        {
            "model.onnx": graphs["classifier"](1).SerializeToString(),
            "signature.json": signature("a").model_dump_json(by_alias=True).encode(),
            "baseline.json": content,
        }
    )


def test_the_baseline_comes_with_the_model(bundles: Any, graphs: Graphs, signature: Any) -> None:
    prediction = {
        "name": "prediction", "edges": [0.5], "counts": [3, 4], "fineEdges": [], "fineCounts": [],
        "fineSums": [], "minimum": 0, "maximum": 1, "missing": 0,
    }  # fmt: skip
    content = json.dumps({"rows": 7, "prediction": prediction, "predictionRows": 7}).encode()
    baseline = load_once(with_baseline(bundles, graphs, signature, content)).baseline
    assert baseline is not None
    assert baseline.prediction.counts == (3, 4)


def test_a_bundle_may_have_no_baseline(bundles: Any) -> None:
    assert load_once(bundles.classifier()).baseline is None


def test_a_baseline_that_is_none_is_refused(bundles: Any, graphs: Graphs, signature: Any) -> None:
    with pytest.raises(IntegrityError, match=r"baseline\.json"):
        load_once(with_baseline(bundles, graphs, signature, b"{}"))


def test_a_baseline_that_is_too_large_is_left_out(
    bundles: Any, graphs: Graphs, signature: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_MAX_BASELINE_BYTES", 1)
    assert load_once(with_baseline(bundles, graphs, signature, b"{}")).baseline is None
