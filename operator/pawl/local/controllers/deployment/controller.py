"""The shell around the Deployment planner."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from pawl.local.api.registry import Registry
from pawl.local.controllers.changes import Shell
from pawl.local.controllers.claims import controlled, plan_claims
from pawl.local.controllers.deployment.plan import (
    DEPLOYMENTS,
    REPLICA_SETS,
    Observed,
    plan_deployment,
)
from pawl.local.controllers.deployment.revisions import TYPE
from pawl.local.controllers.objects import (
    Key,
    Obj,
    controller_of,
    deleting,
    key_of,
    labels,
    matches,
    name,
    namespace,
    spec,
    uid,
)


class DeploymentController:
    name = "deployment"

    def __init__(self, registry: Registry) -> None:
        self._shell = Shell(registry, "deployment-controller")

    @property
    def watches(self) -> Mapping[str, Callable[[Obj], Iterable[Key]]]:
        return {
            DEPLOYMENTS: lambda deployment: [key_of(deployment)],
            REPLICA_SETS: self._above,
            "pods": self._of_ended_pod,
        }

    def reconcile(self, key: Key, now: datetime) -> float | None:
        deployment = self._shell.find(DEPLOYMENTS, key)
        if deployment is None:
            return None
        candidates = self._replica_sets(key)
        claims = plan_claims(deployment, candidates, resource=REPLICA_SETS, owner_type=TYPE)
        if claims:
            self._shell.apply(claims)
            candidates = self._replica_sets(key)
        mine = controlled(deployment, candidates)
        known = {uid(rs) for rs in mine}
        observed = Observed(
            deployment,
            tuple(mine),
            {one: self._pods(one) for one in known},
            frozenset(name(rs) for rs in candidates if uid(rs) not in known),
        )
        plan = plan_deployment(observed, now)
        self._shell.apply(plan.changes)
        return plan.requeue_after

    def _replica_sets(self, key: Key) -> list[Obj]:
        return self._shell.registry.list(REPLICA_SETS, key.namespace)

    def _pods(self, owner: str) -> tuple[Obj, ...]:
        owned = self._shell.registry.owned(owner)
        return tuple(obj for resource, obj in owned if resource == "pods")

    def _above(self, replica_set: Obj) -> list[Key]:
        ref = controller_of(replica_set)
        if ref is not None:
            mine = ref["kind"] == "Deployment"
            return [Key(namespace(replica_set), ref["name"])] if mine else []
        return [
            key_of(deployment)
            for deployment in self._shell.registry.list(DEPLOYMENTS, namespace(replica_set))
            if matches(spec(deployment).get("selector"), labels(replica_set))
        ]

    def _of_ended_pod(self, pod: Obj) -> list[Key]:
        """Recreate waits for the last old pod to be gone, which no ReplicaSet's status tells."""
        ref = controller_of(pod)
        if ref is None or ref["kind"] != "ReplicaSet" or not deleting(pod):
            return []
        above = self._shell.find(REPLICA_SETS, Key(namespace(pod), ref["name"]))
        return self._above(above) if above is not None else []
