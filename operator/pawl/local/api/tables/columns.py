"""Columns of the built-in kinds (pkg/printers/internalversion/printers.go)."""

from __future__ import annotations

from pawl.local.api.tables import core, network, workloads
from pawl.local.api.tables.cells import Printed, columns
from pawl.local.api.tables.pods import pod_conditions, pod_row

DEFAULT = Printed(columns("Name,Age"), core.name_and_age)
_CREATED = Printed(columns("Name,Created At"), core.created_at)
_BINDINGS = Printed(columns("Name,Role,Age,Users*,Groups*,ServiceAccounts*"), core.binding)
_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"

PRINTED: dict[str, Printed] = {
    "pods": Printed(
        columns("Name,Ready,Status,Restarts,Age,IP*,Node*,Nominated Node*,Readiness Gates*"),
        pod_row,
        pod_conditions,
    ),
    "apps/deployments": Printed(
        columns("Name,Ready,Up-to-date,Available,Age,Containers*,Images*,Selector*"),
        workloads.deployment,
    ),
    "apps/replicasets": Printed(
        columns("Name,Desired#,Current#,Ready#,Age,Containers*,Images*,Selector*"),
        workloads.replica_set,
    ),
    "batch/jobs": Printed(
        columns("Name,Status,Completions,Duration,Age,Containers*,Images*,Selector*"), workloads.job
    ),
    "services": Printed(
        columns("Name,Type,Cluster-IP,External-IP,Port(s),Age,Selector*"), network.service
    ),
    "events": Printed(
        columns("Last Seen,Type,Reason,Object,Subobject*,Source*,Message,First Seen*,Count*,Name*"),
        core.event,
    ),
    "namespaces": Printed(columns("Name,Status,Age"), core.namespace),
    "configmaps": Printed(columns("Name,Data,Age"), core.config_map),
    "secrets": Printed(columns("Name,Type,Data,Age"), core.secret),
    "nodes": Printed(
        columns(
            "Name,Status,Roles,Age,Version,Internal-IP*,External-IP*,OS-Image*,Kernel-Version*,"
            "Container-Runtime*"
        ),
        core.node,
    ),
    "persistentvolumeclaims": Printed(
        columns(
            "Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age,"
            "VolumeMode*"
        ),
        core.claim,
    ),
    "endpoints": Printed(columns("Name,Endpoints,Age"), network.endpoints),
    "discovery.k8s.io/endpointslices": Printed(
        columns("Name,AddressType,Ports,Endpoints,Age"), network.endpoint_slice
    ),
    "autoscaling/horizontalpodautoscalers": Printed(
        columns("Name,Reference,Targets,MinPods,MaxPods,Replicas,Age"), workloads.autoscaler
    ),
    "policy/poddisruptionbudgets": Printed(
        columns("Name,Min Available,Max Unavailable,Allowed Disruptions#,Age"), workloads.budget
    ),
    "coordination.k8s.io/leases": Printed(columns("Name,Holder,Age"), core.lease),
    "networking.k8s.io/networkpolicies": Printed(columns("Name,Pod-Selector,Age"), network.policy),
    f"{_ADMISSION}/validatingadmissionpolicies": Printed(
        columns("Name,Validations#,ParamKind,Age"), core.admission_policy
    ),
    f"{_ADMISSION}/validatingadmissionpolicybindings": Printed(
        columns("Name,PolicyName,ParamRef,Age"), core.admission_binding
    ),
    "apiextensions.k8s.io/customresourcedefinitions": _CREATED,
    f"{_RBAC}/roles": _CREATED,
    f"{_RBAC}/clusterroles": _CREATED,
    f"{_RBAC}/rolebindings": _BINDINGS,
    f"{_RBAC}/clusterrolebindings": _BINDINGS,
}
