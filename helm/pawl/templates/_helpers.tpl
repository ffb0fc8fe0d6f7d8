{{/* What everything is called: the release's name with -operator. */}}
{{- define "pawl.name" -}}
{{ printf "%s-operator" (.Release.Name | trunc 54 | trimSuffix "-") }}
{{- end }}

{{/* Belongs to no namespace, so the name has to say of which installation it is. */}}
{{- define "pawl.clusterName" -}}
{{- if .Values.namespaces }}{{ printf "%s-%s" (include "pawl.name" .) .Release.Namespace | trunc 63 | trimSuffix "-" }}
{{- else }}{{ include "pawl.name" . }}
{{- end }}
{{- end }}

{{/* In front of the names of what people and the API server use, which belongs to no namespace. */}}
{{- define "pawl.prefix" -}}
{{- if .Values.namespaces }}{{ printf "%s-%s" .Release.Name .Release.Namespace | trunc 50 | trimSuffix "-" }}
{{- else }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "pawl.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "pawl.name" .) }}
{{- end }}

{{/* Of everything that the chart makes. */}}
{{- define "pawl.labels" -}}
{{ include "pawl.selector" . }}
app.kubernetes.io/part-of: pawl
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Cannot be changed once it is there: nothing that an upgrade changes. */}}
{{- define "pawl.selector" -}}
app.kubernetes.io/name: {{ include "pawl.name" . }}
{{- end }}

{{/* [root, key of images] -> the reference of an image. */}}
{{- define "pawl.image" -}}
{{- $root := index . 0 }}
{{- $image := index $root.Values.images (index . 1) }}
{{- with $root.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}
{{- $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}
{{- else }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Answers wrong combinations that a schema cannot see. */}}
{{- define "pawl.check" -}}
{{- $file := hasPrefix "file:///" .Values.store.uri }}
{{- if and $file (not .Values.store.claim) }}
{{- fail "store.claim: a file:// store lies on a PersistentVolumeClaim; name it" }}
{{- else if and .Values.store.claim (not $file) }}
{{- fail "store.claim: only a file:///path store lies on a PersistentVolumeClaim; set store.uri or leave the claim out" }}
{{- else if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
{{- fail "serviceAccount.name: name the one to use, or let serviceAccount.create be true" }}
{{- end }}
{{- end }}
