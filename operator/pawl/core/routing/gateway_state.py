"""What gateways can do, and whether they follow: read from GatewayClasses, Gateways and the status
of the HTTPRoute. Nothing is taken for granted that they do not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pawl.core.routing.gateway import (
    MIRROR,
    MIRROR_SHARE,
    PARENT_PORT,
    Attachment,
    Features,
    ParentRef,
)

Object = Mapping[str, Any]


def features(
    classes: Iterable[Object], gateways: Iterable[Object], attachment: Attachment, namespace: str
) -> Features:
    """The features that every class of `attachment`'s Gateways names."""
    known = list(classes)
    sets = [
        _supported(item)
        for gateway in _attached(gateways, attachment, namespace).values()
        if gateway is not None and (item := _class_of(gateway, known)) is not None
    ]
    return Features(frozenset.intersection(*sets) if sets else frozenset())


def problems(
    classes: Iterable[Object],
    gateways: Iterable[Object],
    attachment: Attachment,
    namespace: str,
    *,
    shadow_percent: int | None = None,
    sticky: bool = False,
    tls: bool = False,
) -> list[str]:
    """Why what is wanted cannot be done by these gateways, a sentence each; none when it can.

    `shadow_percent` is of the shadow stage that the Deployment asks for, now or later.
    """
    found = []
    if sticky:
        found.append(
            "sticky: an HTTPRoute cannot keep a user at a version; remove "
            "rollout.canary.sticky or routing.gateway"
        )
    if tls:
        found.append("routing.tls is of Pawl's own router; a Gateway's listener has its own tls")
    needed = {"HTTPRoute": "to be a route"}
    if shadow_percent is not None:
        needed[MIRROR] = "rollout.shadow"
        if shadow_percent < 100:
            needed[MIRROR_SHARE] = f"rollout.shadow.percent: {shadow_percent}"
    if any(parent.port is not None for parent in attachment.parents):
        needed[PARENT_PORT] = "routing.gateway.parentRefs[].port"
    known = list(classes)
    for name, gateway in _attached(gateways, attachment, namespace).items():
        found += _shortcomings(name, gateway, known, needed)
    return found


def _shortcomings(
    name: str, gateway: Object | None, classes: list[Object], needed: Mapping[str, str]
) -> list[str]:
    if gateway is None:
        return [f"there is no Gateway {name}"]
    item = _class_of(gateway, classes)
    class_name = gateway["spec"]["gatewayClassName"]
    if item is None:
        return [f"Gateway {name} is of a class {class_name} that does not exist"]
    if not _holds(item.get("status", {}).get("conditions", []), "Accepted", item):
        return [f"no controller has accepted GatewayClass {class_name} of Gateway {name}"]
    supported = _supported(item)
    if not supported:
        return [
            f"GatewayClass {class_name} does not say what it can do (status.supportedFeatures); "
            "use Pawl's own router, or a gateway that does"
        ]
    return [
        f"GatewayClass {class_name} does not support {feature}, which {why} needs"
        for feature, why in needed.items()
        if feature not in supported
    ]


def unconfirmed(http_route: Object | None, attachment: Attachment) -> list[str]:
    """Why it is not certain yet that every gateway follows this HTTPRoute; none when it is.

    Certain: for each parent, Accepted and ResolvedRefs are True at the route's generation.
    """
    if http_route is None:
        return ["there is no HTTPRoute yet"]
    namespace = http_route["metadata"]["namespace"]
    told = {
        _parent_key(status["parentRef"], namespace): status.get("conditions", [])
        for status in http_route.get("status", {}).get("parents", [])
    }
    found = []
    for parent in attachment.parents:
        conditions = told.get(parent.key(namespace))
        if conditions is None:
            found.append(f"Gateway {parent.name} has not looked at the HTTPRoute yet")
            continue
        found += [
            f"Gateway {parent.name}: {_words(conditions, kind, http_route)}"
            for kind in ("Accepted", "ResolvedRefs")
            if not _holds(conditions, kind, http_route)
        ]
    return found


def _words(conditions: Iterable[Object], kind: str, item: Object) -> str:
    """What a condition that does not hold says."""
    condition = next((one for one in conditions if one["type"] == kind), None)
    if condition is None or _stale(condition, item):
        return f"{kind} is not known of this generation of the HTTPRoute"
    return f"{kind} is {condition['status']}: {condition['reason']}: {condition['message']}"


def _holds(conditions: Iterable[Object], kind: str, item: Object) -> bool:
    return any(
        condition["type"] == kind and condition["status"] == "True" and not _stale(condition, item)
        for condition in conditions
    )


def _stale(condition: Object, item: Object) -> bool:
    """It is about an older generation of the object."""
    return bool(condition.get("observedGeneration", 0) < item["metadata"].get("generation", 0))


def _attached(
    gateways: Iterable[Object], attachment: Attachment, namespace: str
) -> dict[str, Object | None]:
    """namespace/name of each parent -> its Gateway, if there is one."""
    known = {(g["metadata"]["namespace"], g["metadata"]["name"]): g for g in gateways}
    keys = [(parent.namespace or namespace, parent.name) for parent in attachment.parents]
    return {f"{key[0]}/{key[1]}": known.get(key) for key in keys}


def _class_of(gateway: Object, classes: Iterable[Object]) -> Object | None:
    name = gateway["spec"]["gatewayClassName"]
    return next((item for item in classes if item["metadata"]["name"] == name), None)


def _supported(gateway_class: Object) -> frozenset[str]:
    """`status.supportedFeatures` was a list of words before v1.4."""
    listed = gateway_class.get("status", {}).get("supportedFeatures") or []
    return frozenset(item if isinstance(item, str) else item["name"] for item in listed)


def _parent_key(reference: Object, namespace: str) -> tuple[str, str, str | None, int | None]:
    return ParentRef(
        reference["name"],
        reference.get("namespace"),
        reference.get("sectionName"),
        reference.get("port"),
    ).key(namespace)
