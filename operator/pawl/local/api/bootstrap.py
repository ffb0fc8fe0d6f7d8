"""The objects that a cluster has from its first moment."""

from __future__ import annotations

from pawl.local.api.registry import Registry

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_MANAGER = "kube-apiserver"


def populate(registry: Registry) -> None:
    for name in NAMESPACES:
        body = {"metadata": {"name": name}}
        registry.create("namespaces", None, body, manager=_MANAGER)
