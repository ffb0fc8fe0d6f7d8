{{/* What the operator may do in each namespace that it watches: in the ClusterRole, or in a Role of
each of `namespaces`. operator/pawl/control/rights.py says the same. */}}
{{- define "pawl.rules" -}}
- apiGroups: [pawl.dev]
  resources: [modeldeployments]
  verbs: [list, watch]
# those that drift starts are made, marked and removed
- apiGroups: [pawl.dev]
  resources: [trainingjobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [pawl.dev]
  resources: [modelversions]
  verbs: [get, list, watch, create, import, approve{{ if .Values.retention.versions }}, delete{{ end }}]
- apiGroups: [pawl.dev]
  resources: [trainingjobs/status, modelversions/status, modeldeployments/status]
  verbs: [patch]
# blockOwnerDeletion on children (OwnerReferencesPermissionEnforcement)
- apiGroups: [pawl.dev]
  resources: [trainingjobs/finalizers, modeldeployments/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch, delete]
# the key that seals feedback tokens: made once, never read
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
{{- with .Values.notify.secretNames }}
# the key that signs notifications (spec.notify)
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson . }}
  verbs: [get]
{{- end }}
{{- with .Values.tracking.secretNames }}
# with which runs are recorded at MLflow servers (spec.tracking)
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson . }}
  verbs: [get]
{{- end }}
{{- if .Values.gateway.enabled }}
# routing.gateway
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways]
  verbs: [get]
{{- end }}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch]
# what train tells on the way: how far it is, and what prunes a trial
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [events]
  # list: why a Job has no pods
  verbs: [create, list]
{{- end }}

{{/* The Lease by which one of the operator's pods works; in the operator's own namespace. */}}
{{- define "pawl.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "pawl.name" . }}]
  verbs: [get, patch]
# the owner of the Lease, which goes with it
- apiGroups: [apps]
  resources: [deployments]
  resourceNames: [{{ include "pawl.name" . }}]
  verbs: [get]
{{- end }}

{{/* What it reads that belongs to no namespace; nothing of it is needed without gateways when
`namespaces` are named. */}}
{{- define "pawl.clusterRules" -}}
{{- if .Values.gateway.enabled }}
# what the class of a gateway can do
- apiGroups: [gateway.networking.k8s.io]
  resources: [gatewayclasses]
  verbs: [get]
{{- end }}
{{- end }}
