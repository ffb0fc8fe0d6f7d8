"""Open Inference Protocol v2, JSON over HTTP: bytes <-> tensors, without knowing the model.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
The binary tensor extension is not spoken: requests that use it are refused, never misread. JSON has
no NaN: `null` in a request is a missing value, and a prediction that is not finite is `null`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

import orjson

from pawl.artifacts.records import Datatype
from pawl.errors import SignatureError

DATATYPES: frozenset[str] = frozenset(get_args(Datatype))
MAX_NAME = 256  # of an input or output; errors repeat it
MAX_ID_LENGTH = 256
MAX_GROUP = 64
#: Of a request whose answer carries a feedback token.
MAX_TOKEN_ROWS = 64
_BINARY = "binary tensor data is not supported by this server; send the values as JSON in `data`"


class InputTensor(NamedTuple):
    """One input as it came: `data` is flat (row-major) or nested as `shape` says."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any]


class InferRequest(NamedTuple):
    """`outputs` names the outputs that are wanted; None: all. `group` is for feedback."""

    id: str | None
    inputs: list[InputTensor]
    outputs: list[str] | None
    group: str | None = None


def parse_infer(body: bytes) -> InferRequest:
    """SignatureError says what is wrong and, in `field`, where."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SignatureError(f"the request body is not JSON: {error}") from None
    if type(message) is not dict:
        raise SignatureError("the request body must be a JSON object with `inputs`")
    inputs = message.get("inputs")
    if type(inputs) is not list or not inputs:
        raise SignatureError("inputs: a list with at least one tensor is required", field="inputs")
    request_id = message.get("id")
    if request_id is not None and (type(request_id) is not str or len(request_id) > MAX_ID_LENGTH):
        raise SignatureError(
            f"id: must be a string of at most {MAX_ID_LENGTH} characters", field="id"
        )
    parameters = message.get("parameters")
    group = None
    if parameters is not None:
        _check_parameters(parameters, "parameters")
        group = check_group(parameters.get("group"), "parameters.group")
    outputs = message.get("outputs")
    return InferRequest(
        request_id,
        [_input_tensor(tensor, index) for index, tensor in enumerate(inputs)],
        _wanted(outputs) if outputs is not None else None,
        group,
    )


def check_group(group: Any, field: str) -> str | None:
    """A group's name, None for none."""
    if group is None:
        return None
    if type(group) is not str or not 0 < len(group) <= MAX_GROUP or not group.isprintable():
        raise SignatureError(
            f"{field}: must be a name of 1 to {MAX_GROUP} printable characters", field=field
        )
    return group


def _input_tensor(raw: Any, index: int) -> InputTensor:
    if type(raw) is not dict:
        raise SignatureError(f"inputs[{index}]: must be an object", field=f"inputs[{index}]")
    name = raw.get("name")
    if type(name) is not str or not 0 < len(name) <= MAX_NAME:
        raise SignatureError(
            f"inputs[{index}].name: a string of 1 to {MAX_NAME} characters is required",
            field=f"inputs[{index}].name",
        )
    parameters = raw.get("parameters")
    if parameters is not None:
        _check_parameters(parameters, name)
    datatype = raw.get("datatype")
    if type(datatype) is not str or datatype not in DATATYPES:
        raise SignatureError(
            f"{name}: datatype must be one of {', '.join(sorted(DATATYPES))}, "
            f"not {shown(datatype)}",
            field=name,
        )
    shape = raw.get("shape")
    if type(shape) is not list or not shape or len(shape) > 16:
        raise SignatureError(f"{name}: shape must be a list of sizes", field=name)
    for size in shape:
        if type(size) is not int or size < 0:
            raise SignatureError(
                f"{name}: shape holds {shown(size)}; sizes are whole numbers from 0 up", field=name
            )
    data = raw.get("data")
    if type(data) is not list:
        raise SignatureError(f"{name}: data must be a list of values", field=name)
    return InputTensor(name, datatype, shape, data)


def _wanted(outputs: Any) -> list[str] | None:
    if type(outputs) is not list:
        raise SignatureError("outputs: must be a list of objects with a name", field="outputs")
    names = []
    for index, output in enumerate(outputs):
        name = output.get("name") if type(output) is dict else None
        if type(name) is not str or len(name) > MAX_NAME:
            raise SignatureError(
                f"outputs[{index}].name: a string of at most {MAX_NAME} characters is required",
                field=f"outputs[{index}].name",
            )
        if output.get("parameters") is not None:
            _check_parameters(output["parameters"], name)
        names.append(name)
    return names or None


def _check_parameters(parameters: Any, field: str) -> None:
    """Parameters are hints that this server may pass over, except those that change the format."""
    if type(parameters) is not dict:
        raise SignatureError(f"{field}: parameters must be an object", field=field)
    if "binary_data_size" in parameters:
        raise SignatureError(f"{field}: {_BINARY}", field=field)
    if parameters.get("binary_data") or parameters.get("binary_data_output"):
        raise SignatureError(f"{field}: {_BINARY}", field=field)


def answer_head(model: str, version: str) -> bytes:
    """What every answer to an infer request begins with."""
    return orjson.dumps({"model_name": model, "model_version": version})[:-1]


def infer_response(
    head: bytes, request_id: str | None, outputs: bytes, token: bytes | None = None
) -> bytes:
    """The answer to an infer request. `outputs` are JSON; `token` (base64url) is what its truth is
    sent back with."""
    if request_id is not None:
        head = b'%s,"id":%s' % (head, orjson.dumps(request_id))
    if token is None:
        return b'%s,"outputs":%s}' % (head, outputs)
    return b'%s,"outputs":%s,"parameters":{"feedback":"%s"}}' % (head, outputs, token)


def percent(weight: bytes | None) -> int:
    """The share of the requests that a version got, as the router's header tells it: 0 to 100; 100
    when it says nothing, or nothing sensible."""
    if weight is None or len(weight) > 3 or not weight.isdigit():
        return 100
    return min(int(weight), 100)


def error_response(message: str) -> bytes:
    """The protocol's shape of an error."""
    return orjson.dumps({"error": message})


def shown(value: Any, limit: int = 40) -> str:
    """A client's value in an error message, short."""
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
