"""The kinds of Kubernetes that the embedded cluster serves."""

from __future__ import annotations

from pawl.local.api.addresses import AddressPool
from pawl.local.api.kinds import autoscaler_v1, core, event, stored
from pawl.local.api.kinds.admission import PolicyBindingKind, PolicyKind
from pawl.local.api.kinds.autoscaler import AutoscalerKind
from pawl.local.api.kinds.base import Kind
from pawl.local.api.kinds.crd import CrdKind
from pawl.local.api.kinds.job import JobKind
from pawl.local.api.kinds.pod import PodKind
from pawl.local.api.kinds.service import ServiceKind
from pawl.local.api.kinds.workloads import DeploymentKind, ReplicaSetKind
from pawl.local.api.resources import ALL_VERBS, Resource, ScalePaths, View

_NO_COLLECTION = tuple(verb for verb in ALL_VERBS if verb != "deletecollection")
_SELECTOR_SCALE = ScalePaths()


def _core(
    plural: str,
    kind: str,
    behaviour: Kind,
    *short: str,
    namespaced: bool = True,
    subresources: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    verbs: tuple[str, ...] = ALL_VERBS,
) -> Resource:
    return Resource(
        "", "v1", plural, kind, namespaced, behaviour, short_names=short, categories=categories,
        subresources=subresources, verbs=verbs,
    )  # fmt: skip


def _core_resources(pool: AddressPool) -> list[Resource]:
    return [
        _core("configmaps", "ConfigMap", core.ConfigMapKind(), "cm"),
        _core("endpoints", "Endpoints", stored.EndpointsKind(), "ep"),
        _core("events", "Event", event.EventKind(), "ev"),
        _core("namespaces", "Namespace", core.NamespaceKind(), "ns", namespaced=False,
              subresources=("finalize", "status"), verbs=_NO_COLLECTION),
        _core("nodes", "Node", core.NodeKind(), "no", namespaced=False, subresources=("status",)),
        _core("persistentvolumeclaims", "PersistentVolumeClaim", core.ClaimKind(), "pvc",
              subresources=("status",)),
        _core("pods", "Pod", PodKind(), "po", categories=("all",),
              subresources=("binding", "eviction", "log", "status")),
        _core("secrets", "Secret", core.SecretKind()),
        _core("serviceaccounts", "ServiceAccount", core.ServiceAccountKind(), "sa",
              subresources=("token",)),
        _core("services", "Service", ServiceKind(pool), "svc", categories=("all",),
              subresources=("status",)),
    ]  # fmt: skip


def builtin_resources(pool: AddressPool) -> list[Resource]:
    """`pool` is where Services get their cluster IPs."""
    rbac, admission = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
    return [
        *_core_resources(pool),
        Resource("apps", "v1", "deployments", "Deployment", True, DeploymentKind(),
                 short_names=("deploy",), categories=("all",),
                 subresources=("scale", "status"), scale=_SELECTOR_SCALE),
        Resource("apps", "v1", "replicasets", "ReplicaSet", True, ReplicaSetKind(),
                 short_names=("rs",), categories=("all",), subresources=("scale", "status"),
                 scale=_SELECTOR_SCALE),
        Resource("events.k8s.io", "v1", "events", "Event", True, event.EventKind("events.k8s.io"),
                 short_names=("ev",), view=View("events", event.to_core, event.to_events)),
        Resource("batch", "v1", "jobs", "Job", True, JobKind(), categories=("all",),
                 subresources=("status",)),
        Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True,
                 AutoscalerKind(), short_names=("hpa",), categories=("all",),
                 subresources=("status",)),
        Resource("autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True,
                 AutoscalerKind("v1"), short_names=("hpa",), categories=("all",),
                 subresources=("status",),
                 view=View("autoscaling/horizontalpodautoscalers", autoscaler_v1.inward,
                           autoscaler_v1.outward)),
        Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", True,
                 stored.NetworkPolicyKind(), short_names=("netpol",)),
        Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True,
                 stored.BudgetKind(), short_names=("pdb",), subresources=("status",)),
        Resource(admission, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", False,
                 PolicyKind(),
                 categories=("api-extensions",), subresources=("status",)),
        Resource(admission, "v1", "validatingadmissionpolicybindings",
                 "ValidatingAdmissionPolicyBinding", False, PolicyBindingKind(),
                 categories=("api-extensions",)),
        Resource(rbac, "v1", "clusterrolebindings", "ClusterRoleBinding", False,
                 stored.RbacKind("ClusterRoleBinding")),
        Resource(rbac, "v1", "clusterroles", "ClusterRole", False, stored.RbacKind("ClusterRole")),
        Resource(rbac, "v1", "rolebindings", "RoleBinding", True, stored.RbacKind("RoleBinding")),
        Resource(rbac, "v1", "roles", "Role", True, stored.RbacKind("Role")),
        Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions",
                 "CustomResourceDefinition", False, CrdKind(), short_names=("crd", "crds"),
                 categories=("api-extensions",), subresources=("status",)),
        Resource("coordination.k8s.io", "v1", "leases", "Lease", True, stored.LeaseKind()),
        Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True,
                 stored.EndpointSliceKind()),
    ]  # fmt: skip
