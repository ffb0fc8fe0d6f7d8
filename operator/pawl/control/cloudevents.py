"""What happened to a Deployment as a CloudEvent, signed as Standard Webhooks.

CloudEvents 1.0, structured JSON (https://github.com/cloudevents/spec). The signature is that of
https://www.standardwebhooks.com: base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>`, with a key
that is written `whsec_<base64 of 24 to 64 bytes>`. The timestamp is that of the sending, so that
receivers can refuse what is replayed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from pawl.control.events import sentence
from pawl.core.conditions import timestamp
from pawl.core.plan import Event
from pawl.errors import UserError

Object = Mapping[str, Any]
_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)


@dataclass(frozen=True)
class Message:
    """`id` is the same for the same occurrence, however often and by whomever it is sent."""

    id: str
    body: bytes


def message(item: Object, status: Object, event: Event, now: datetime) -> Message:
    """Of an event on the Deployment `item`; `status` is what it is by now."""
    meta = item["metadata"]
    told = sentence(event)
    occurrence = (meta["uid"], meta["resourceVersion"], event.reason, told)
    id_ = hashlib.sha256("\n".join(occurrence).encode()).hexdigest()[:32]
    model = item["spec"]["model"]
    body = {
        "specversion": "1.0",
        "id": id_,
        "type": f"dev.pawl.{event.reason.lower()}",
        "source": f"/apis/{item['apiVersion']}/namespaces/{meta['namespace']}"
        f"/deployments/{meta['name']}",
        "subject": model,
        "time": timestamp(now),
        "datacontenttype": "application/json",
        "data": {
            "reason": event.reason,
            "message": told,
            "warning": event.type == "Warning",
            "namespace": meta["namespace"],
            "deployment": meta["name"],
            "model": model,
            "stable": (status.get("stable") or {}).get("name"),
            "candidate": (status.get("candidate") or {}).get("name"),
        },
    }
    return Message(id_, orjson.dumps(body))


def headers(message: Message, key: bytes | None, second: int) -> dict[str, str]:
    """Of the request that is sent at `second` (Unix time)."""
    found = {
        "content-type": "application/cloudevents+json",
        "webhook-id": message.id,
        "webhook-timestamp": str(second),
    }
    if key is not None:
        signed = f"{message.id}.{second}.".encode() + message.body
        digest = hmac.digest(key, signed, "sha256")
        found["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
    return found


def signing_key(secret: Object) -> bytes:
    """The `key` of a Secret (v1). UserError when there is none, or it is not of the form."""
    name = secret["metadata"]["name"]
    wrong = UserError(
        f'Secret "{name}": its key must be {_PREFIX} and the base64 of 24 to 64 random bytes'
    )
    try:
        text = base64.b64decode((secret.get("data") or {})["key"]).decode().strip()
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (KeyError, ValueError) as error:
        raise wrong from error
    if not text.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise wrong
    return key
