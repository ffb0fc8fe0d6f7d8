"""EndpointSlices and Endpoints of services with a selector (k8s.io/endpointslice)."""
