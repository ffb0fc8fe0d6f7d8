"""Whether what is asked of capture can be done with the version that is served: servers capture
nothing rather than something that should have been dropped or hashed."""

from __future__ import annotations

from collections.abc import Iterable

from pawl.api.capture import CaptureSpec
from pawl.api.deployment import DeploymentSpec
from pawl.artifacts.uris import NOT_ALLOWED, Rules
from pawl.core.conditions import Conditions
from pawl.core.versions import Version

_CONDITION = "Capturing"


def allowed(spec: DeploymentSpec, namespace: str, uris: Rules) -> tuple[DeploymentSpec, str]:
    """The spec that is acted on, and why it is without its capture, where it is."""
    problem = uris.problem(spec.capture.uri, namespace) if spec.capture else ""
    return (spec.model_copy(update={"capture": None}), problem) if problem else (spec, "")


def tell(
    conditions: Conditions,
    spec: CaptureSpec | None,
    served: str,
    versions: Iterable[Version],
    refused: str,
) -> None:
    """The condition. A version that does not tell its inputs is taken to have all columns."""
    if refused:
        conditions.set(_CONDITION, False, NOT_ALLOWED, f"nothing is captured: {refused}")
        return
    if spec is None:
        conditions.drop(_CONDITION)
        return
    version = next((v for v in versions if v.name == served), None)
    signature = version.spec.signature if version is not None else None
    inputs = {tensor.name for tensor in signature.inputs} if signature is not None else set()
    unknown = [name for name in (*spec.drop, *spec.hash) if inputs and name not in inputs]
    if unknown:
        text = f"nothing is captured: {served} has no input {', '.join(unknown[:5])}"
        conditions.set(_CONDITION, False, "UnknownColumn", text)
    else:
        conditions.set(_CONDITION, True, "Configured", f"{spec.percent:g} % of the predictions")
