"""Where pods may run: fields of a pod spec, as in core/v1, passed through as they are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pawl.api.base import ApiModel, cel

Key = Annotated[str, Field(min_length=1, max_length=316)]
Value = Annotated[str, Field(max_length=63)]
Values = Annotated[tuple[Value, ...], Field(max_length=32)]
Weight = Annotated[int, Field(ge=1, le=100)]
#: A label of nodes by which they are told apart, like kubernetes.io/hostname.
TopologyKey = Annotated[str, Field(min_length=1, max_length=316)]
LabelKeys = Annotated[tuple[Key, ...], Field(max_length=8)]


class Toleration(ApiModel):
    """A toleration, as in core/v1."""

    key: Annotated[str, Field(max_length=316)] | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: Value | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = None


class LabelRequirement(ApiModel):
    """What a label of pods must be."""

    model_config = cel(
        (
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "values are for the operators In and NotIn, which need some",
        ),
    )
    key: Key
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: Values = ()


class LabelSelector(ApiModel):
    """Pods by their labels; all of it must hold."""

    match_labels: Annotated[dict[str, Value], Field(max_length=32)] | None = None
    match_expressions: Annotated[tuple[LabelRequirement, ...], Field(max_length=16)] = ()


class NodeRequirement(ApiModel):
    """What a label (or field) of nodes must be."""

    model_config = cel(
        (
            "self.operator in ['Exists', 'DoesNotExist'] ? !has(self.values) || "
            "size(self.values) == 0 : has(self.values) && size(self.values) > 0 && "
            "(self.operator in ['In', 'NotIn'] || size(self.values) == 1)",
            "In and NotIn need values, Gt and Lt one, Exists and DoesNotExist none",
        ),
    )
    key: Key
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: Values = ()


class NodeTerm(ApiModel):
    """Nodes; all of it must hold."""

    match_expressions: Annotated[tuple[NodeRequirement, ...], Field(max_length=16)] = ()
    match_fields: Annotated[tuple[NodeRequirement, ...], Field(max_length=4)] = ()


class NodeTerms(ApiModel):
    """Nodes; one of the terms must hold."""

    node_selector_terms: Annotated[tuple[NodeTerm, ...], Field(min_length=1, max_length=8)]


class PreferredNodes(ApiModel):
    """Nodes that are better than others by that weight."""

    weight: Weight
    preference: NodeTerm


class NodeAffinity(ApiModel):
    """Which nodes."""

    required_during_scheduling_ignored_during_execution: NodeTerms | None = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredNodes, ...], Field(max_length=8)
    ] = ()


class PodTerm(ApiModel):
    """Pods, and what the node has in common with theirs."""

    topology_key: TopologyKey
    label_selector: LabelSelector | None = None
    match_label_keys: LabelKeys = ()
    namespaces: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=63)], ...], Field(max_length=8)
    ] = Field((), description="Default: the namespace of the object.")


class PreferredPods(ApiModel):
    """Such places are better (or worse) than others by that weight."""

    weight: Weight
    pod_affinity_term: PodTerm


class PodAffinity(ApiModel):
    """Beside which pods, or away from which."""

    required_during_scheduling_ignored_during_execution: Annotated[
        tuple[PodTerm, ...], Field(max_length=8)
    ] = ()
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredPods, ...], Field(max_length=8)
    ] = ()


class Affinity(ApiModel):
    """As in core/v1."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class Spread(ApiModel):
    """How evenly pods are spread, as in core/v1."""

    model_config = cel(
        (
            "!has(self.minDomains) || self.whenUnsatisfiable == 'DoNotSchedule'",
            "minDomains is for whenUnsatisfiable: DoNotSchedule",
        ),
    )
    max_skew: Annotated[int, Field(ge=1, le=1000)]
    topology_key: TopologyKey
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    label_selector: LabelSelector | None = None
    match_label_keys: LabelKeys = ()
    min_domains: Annotated[int, Field(ge=1, le=1000)] | None = None
    node_affinity_policy: Literal["Honor", "Ignore"] | None = None
    node_taints_policy: Literal["Honor", "Ignore"] | None = None


class Placement(ApiModel):
    """Where pods may run."""

    node_selector: Annotated[dict[str, Value], Field(max_length=32)] | None = Field(
        None, description="Labels that a node must have."
    )
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = Field(
        (), description="Taints that the pods put up with."
    )
    affinity: Affinity | None = Field(
        None, description="Which nodes, beside which pods, and away from which."
    )
    topology_spread_constraints: Annotated[tuple[Spread, ...], Field(max_length=8)] = Field(
        (),
        description="How evenly the pods are spread over zones or nodes.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["topologyKey", "whenUnsatisfiable"],
        },
    )
