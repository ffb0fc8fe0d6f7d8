"""Telling an event: tried again where that may help, and never told twice."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.control import events
from pawl.control.kube import KubeError
from pawl.core.plan import Event

ITEM = {
    "apiVersion": "pawl.dev/v1alpha1",
    "kind": "Deployment",
    "metadata": {"name": "churn", "namespace": "ml", "uid": "u", "resourceVersion": "1"},
}


class Api:
    """Answers with its errors, one after the other; then all is well."""

    def __init__(self, *errors: KubeError) -> None:
        self.names: list[str] = []
        self._errors = list(errors)

    async def create(self, _: Any, body: dict[str, Any]) -> None:
        self.names.append(body["metadata"]["name"])
        if self._errors:
            raise self._errors.pop(0)


@pytest.mark.parametrize(
    ("errors", "tries"),
    [
        pytest.param([], 1, id="told"),
        pytest.param([KubeError(500, "InternalError", "m")], 2, id="a fault"),
        pytest.param(
            [KubeError(0, "NoAnswer", "m"), KubeError(409, "AlreadyExists", "m")], 2, id="lost"
        ),
        pytest.param([KubeError(403, "Forbidden", "m")], 1, id="refused"),
        pytest.param([KubeError(500, "InternalError", "m")] * 9, 4, id="out of order"),
    ],
)
async def test_it_is_tried_again_by_the_same_name_where_that_may_help(
    monkeypatch: pytest.MonkeyPatch, errors: list[KubeError], tries: int
):
    monkeypatch.setattr(events, "_PAUSES", (0.0, 0.0, 0.0, None))
    api = Api(*errors)
    await events.tell(api, ITEM, Event("Promoted", "m"))  # type: ignore[arg-type]
    assert len(api.names) == tries
    assert len(set(api.names)) == 1
