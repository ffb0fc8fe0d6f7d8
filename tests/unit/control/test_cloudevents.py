"""CloudEvents and their signatures."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from pawl.control.cloudevents import Message, headers, message, signing_key
from pawl.core.plan import Event
from pawl.errors import UserError

NOW = datetime(2026, 11, 26, 12, 0, 1, tzinfo=UTC)
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "pawl.dev/v1alpha1",
    "kind": "Deployment",
    "metadata": {"name": "churn", "namespace": "ml", "uid": "u-1", "resourceVersion": "7"},
    "spec": {"model": "churn"},
}
STATUS = {"stable": {"name": "churn-v7"}, "candidate": {"name": "churn-v8"}}
EVENT = Event("RolledBack", "churn-v8 gets no requests any more", "Warning")


def told(event: Event = EVENT, **meta: str) -> Any:
    item = {**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], **meta}}
    return orjson.loads(message(item, STATUS, event, NOW).body)


def test_the_attributes_are_those_of_cloudevents():
    found = told()
    assert len(found.pop("id")) == 32
    assert found == {
        "specversion": "1.0",
        "type": "dev.pawl.rolledback",
        "source": "/apis/pawl.dev/v1alpha1/namespaces/ml/deployments/churn",
        "subject": "churn",
        "time": "2026-11-26T12:00:01Z",
        "datacontenttype": "application/json",
        "data": {
            "reason": "RolledBack",
            "message": "churn-v8 gets no requests any more",
            "warning": True,
            "namespace": "ml",
            "deployment": "churn",
            "model": "churn",
            "stable": "churn-v7",
            "candidate": "churn-v8",
        },
    }


def test_the_same_occurrence_has_the_same_id_whenever_it_is_told():
    later = message(DEPLOYMENT, {}, EVENT, datetime(2026, 11, 27, tzinfo=UTC))
    assert later.id == message(DEPLOYMENT, STATUS, EVENT, NOW).id == told()["id"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(told(resourceVersion="8"), id="later"),
        pytest.param(told(uid="u-2"), id="another Deployment"),
        pytest.param(told(Event("Promoted", EVENT.message)), id="another reason"),
        pytest.param(told(Event("RolledBack", "churn-v9")), id="another message"),
    ],
)
def test_another_occurrence_has_another_id(other: Any):
    assert other["id"] != told()["id"]


def test_no_credentials_are_told():
    text = told(Event("Drifted", "s3://key:secret@bucket cannot be read"))["data"]["message"]
    assert "secret" not in text


def test_the_signature_is_that_of_standard_webhooks():
    """The example of the specification's reference libraries."""
    secret = {
        "metadata": {"name": "pawl-notify"},
        "data": {"key": base64.b64encode(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").decode()},
    }
    one = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}')
    found = headers(one, signing_key(secret), 1614265330)
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert found["webhook-id"] == one.id
    assert found["webhook-timestamp"] == "1614265330"


def test_without_a_key_nothing_is_signed():
    assert "webhook-signature" not in headers(Message("a", b"{}"), None, 1)


def secret(text: bytes | None) -> Any:
    data = {} if text is None else {"data": {"key": base64.b64encode(text).decode()}}
    return {"metadata": {"name": "mine"}, **data}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="no key"),
        pytest.param(base64.b64encode(b"x" * 32), id="no prefix"),
        pytest.param(b"whsec_not base64!", id="no base64"),
        pytest.param(b"whsec_" + base64.b64encode(b"x" * 23), id="too short"),
        pytest.param(b"whsec_" + base64.b64encode(b"x" * 65), id="too long"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
def test_what_is_no_key_is_told_without_telling_it(text: bytes | None):
    with pytest.raises(UserError, match=r'^Secret "mine": its key must be whsec_') as error:
        signing_key(secret(text))
    assert "not base64!" not in str(error.value)
