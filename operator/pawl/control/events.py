"""Kubernetes events on an object that was planned for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pawl.artifacts.redact import redact
from pawl.constants import COMPONENT
from pawl.control.kinds import EVENTS
from pawl.control.kube import Kube, KubeError
from pawl.control.metrics import EVENTS_TOLD
from pawl.core.plan import Event

Object = Mapping[str, Any]
log = logging.getLogger(__name__)
#: Seconds before each further try; there is none after None.
_PAUSES = (0.2, 0.5, 1.0, None)


def sentence(event: Event) -> str:
    """What is told of an event, to whomever: no credentials, and not too long."""
    return redact(event.message)[:1000]


async def tell(kube: Kube, item: Object, event: Event) -> None:
    """Creates the event, and logs it. An event is a courtesy: that it cannot be created is only
    logged, after some tries where another one may help."""
    meta = item["metadata"]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name'][:200]}.{time.time_ns():x}",
            "namespace": meta["namespace"],
        },
        "involvedObject": {
            "apiVersion": item["apiVersion"],
            "kind": item["kind"],
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        },
        "type": event.type,
        "reason": event.reason,
        "message": sentence(event),
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": "",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
    told = f"{item['kind']}/{meta['namespace']}/{meta['name']}"
    extra = {"fields": {"object": told, "reason": event.reason}}
    log.info("%s", event.message, extra=extra)
    EVENTS_TOLD.labels(item["kind"], event.reason).inc()
    for pause in _PAUSES:
        try:
            await kube.create(EVENTS, body)
        except KubeError as error:
            if error.reason == "AlreadyExists":  # the answer to the try before was lost
                return
            if not error.may_be_done or pause is None:
                level = logging.DEBUG if error.namespace_ends else logging.WARNING
                log.log(level, "event not told: %s", error, extra=extra)
                return
            await asyncio.sleep(pause)
        else:
            return
