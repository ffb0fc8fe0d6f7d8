"""Messages of the groups networking, discovery, events and coordination."""

from __future__ import annotations

NETWORKING_V1 = """
IPBlock: cidr except
NetworkPolicy: metadata spec
NetworkPolicyEgressRule: ports to
NetworkPolicyIngressRule: ports from
NetworkPolicyPeer: podSelector namespaceSelector ipBlock
NetworkPolicyPort: protocol? port endPort?
NetworkPolicySpec: podSelector ingress egress policyTypes
"""

DISCOVERY_V1 = """
Endpoint: addresses conditions hostname? targetRef deprecatedTopology nodeName? zone? hints
EndpointConditions: ready? serving? terminating?
EndpointHints: forZones forNodes
EndpointPort: name? protocol? port? appProtocol?
EndpointSlice: metadata endpoints ports addressType
ForNode: name
ForZone: name
"""

EVENTS_V1 = """
Event: metadata eventTime series reportingController reportingInstance action reason regarding
    related note type deprecatedSource deprecatedFirstTimestamp deprecatedLastTimestamp
    deprecatedCount
EventSeries: count lastObservedTime
"""

COORDINATION_V1 = """
Lease: metadata spec
LeaseSpec: holderIdentity? leaseDurationSeconds? acquireTime renewTime leaseTransitions? strategy?
    preferredHolder?
"""
