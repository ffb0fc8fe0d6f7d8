"""Which field number of the Kubernetes API's protobuf form is which field.

A table is a text of messages, `Name: field field …`. Fields come in the order of their numbers,
from 1; a number in front of a field says where the numbering goes on. `field?` is a Go pointer to a
scalar: its zero (0, false, "") says something, where the zero of any other optional scalar is what
Go writes for a field that is not set. `+Name` is a message whose fields are, in JSON, fields of its
owner. Types are those of the OpenAPI definitions.
"""

from __future__ import annotations

from functools import cache

from pawl.local.api.http.protobuf.tables import (
    access,
    core,
    extensions,
    meta,
    network,
    pods,
    volumes,
    workloads,
)

_MACHINERY = "io.k8s.apimachinery.pkg."
_TEXTS = {  # by the package of the OpenAPI definitions
    f"{_MACHINERY}apis.meta.v1": (meta.META_V1,),
    f"{_MACHINERY}api.resource": (meta.QUANTITY,),
    f"{_MACHINERY}util.intstr": (meta.INTSTR,),
    f"{_MACHINERY}runtime": (meta.RUNTIME,),
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1": (extensions.APIEXTENSIONS_V1,),
    "io.k8s.api.core.v1": (core.CORE, pods.PODS, volumes.VOLUMES),
    "io.k8s.api.apps.v1": (workloads.APPS_V1,),
    "io.k8s.api.batch.v1": (workloads.BATCH_V1,),
    "io.k8s.api.autoscaling.v1": (workloads.AUTOSCALING_V1,),
    "io.k8s.api.autoscaling.v2": (workloads.AUTOSCALING_V2,),
    "io.k8s.api.policy.v1": (workloads.POLICY_V1,),
    "io.k8s.api.rbac.v1": (access.RBAC_V1,),
    "io.k8s.api.authentication.v1": (access.AUTHENTICATION_V1,),
    "io.k8s.api.authorization.v1": (access.AUTHORIZATION_V1,),
    "io.k8s.api.networking.v1": (network.NETWORKING_V1,),
    "io.k8s.api.discovery.v1": (network.DISCOVERY_V1,),
    "io.k8s.api.events.v1": (network.EVENTS_V1,),
    "io.k8s.api.coordination.v1": (network.COORDINATION_V1,),
}


@cache
def rows() -> dict[str, dict[int, str]]:
    """By definition name (`io.k8s.api.core.v1.PodSpec`): the field of every number, as written."""
    return {
        f"{package}.{name}": numbers
        for package, texts in _TEXTS.items()
        for text in texts
        for name, numbers in _parsed(text)
    }


def _parsed(text: str) -> list[tuple[str, dict[int, str]]]:
    found: list[tuple[str, dict[int, str]]] = []
    number = 1
    for word in text.split():
        if word.endswith(":"):
            found.append((word[:-1], {}))
            number = 1
        elif word.isdigit():
            number = int(word)
        else:
            found[-1][1][number] = word
            number += 1
    return found
