"""The running window in a ConfigMap: neither an operator's end nor a wiped status loses what was
counted."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pawl import constants as c
from pawl.core.manifests.common import metadata
from pawl.core.watch._carry import Carry
from pawl.core.watch.tally import Tally

Object = Mapping[str, Any]
_KEY, _LABELS = "window", "labels"
#: Bytes of a window that a ConfigMap has room for: in base64, beside the labels, of 1 MiB.
MOST = 700_000


@dataclass(frozen=True)
class Kept:
    """As `DriftObserved`; the window is as `Window.dump` gave it."""

    version: str
    start: int
    to: int
    data: bytes
    labels: str = ""  # as `Tally.dump` gave it
    carried: Carry | None = None


def name(deployment: str) -> str:
    """Of the ConfigMap."""
    return f"{deployment}-window"


def build(owner: Object, held: Kept) -> dict[str, Any]:
    """The ConfigMap."""
    meta = owner["metadata"]
    labels = {c.LABEL_DEPLOYMENT: meta["name"], c.LABEL_ROLE: c.ROLE_WATCH}
    made = metadata(name(meta["name"]), meta["namespace"], dict(owner), labels)
    about: dict[str, Any] = {"version": held.version, "start": held.start, "to": held.to}
    if held.carried is not None:
        about["carried"] = [held.carried.since, held.carried.rows]
    made["annotations"] = {c.ANNOTATION_WINDOW: json.dumps(about, separators=(",", ":"))}
    data = base64.b64encode(held.data).decode()
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": made, "binaryData": {_KEY: data}}
    return item | ({"data": {_LABELS: held.labels}} if held.labels else {})


def tally(config_map: Object | None, version: str) -> Tally | None:
    """What truth had told of a version, if that was kept."""
    if config_map is None:
        return None
    try:
        about = json.loads(config_map["metadata"]["annotations"][c.ANNOTATION_WINDOW])
        return Tally.load(config_map["data"][_LABELS]) if about["version"] == version else None
    except (KeyError, TypeError, ValueError):
        return None


def read(config_map: Object | None) -> Kept | None:
    """Inverse of `build`; None for what cannot be read."""
    if config_map is None:
        return None
    try:
        about = json.loads(config_map["metadata"]["annotations"][c.ANNOTATION_WINDOW])
        data = base64.b64decode(config_map["binaryData"][_KEY], validate=True)
        carried = Carry(*map(int, about["carried"])) if "carried" in about else None
        version, start, to = str(about["version"]), int(about["start"]), int(about["to"])
        return Kept(version, start, to, data, carried=carried)
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
