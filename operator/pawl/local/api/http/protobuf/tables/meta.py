"""Messages of k8s.io/apimachinery (how to read it: see the package)."""

from __future__ import annotations

META_V1 = """
Condition: type status observedGeneration lastTransitionTime reason message
DeleteOptions: gracePeriodSeconds? preconditions orphanDependents? propagationPolicy? dryRun
    ignoreStoreReadErrorWithClusterBreakingPotential?
FieldSelectorRequirement: key operator values
FieldsV1: raw
LabelSelector: matchLabels matchExpressions
LabelSelectorRequirement: key operator values
ManagedFieldsEntry: manager operation apiVersion time 6 fieldsType fieldsV1 subresource
MicroTime: seconds nanos
ObjectMeta: name generateName namespace selfLink uid resourceVersion generation creationTimestamp
    deletionTimestamp deletionGracePeriodSeconds? labels annotations ownerReferences finalizers 17
    managedFields
OwnerReference: kind 3 name uid apiVersion controller? blockOwnerDeletion?
Preconditions: uid? resourceVersion?
Time: seconds nanos
"""

QUANTITY = """
Quantity: string
"""

INTSTR = """
IntOrString: type intVal strVal
"""

RUNTIME = """
TypeMeta: apiVersion kind
Unknown: typeMeta raw contentEncoding contentType
"""
