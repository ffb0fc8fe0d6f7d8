{{/* The operator's variables; docs/install.md tells what each means. Images that are the operator's
own choice are not named, so that PAWL_IMAGE_PREFIX can be set where this is patched. */}}
{{- define "pawl.env" -}}
{{- $root := . }}
- {name: PAWL_STORE, value: {{ .Values.store.uri | quote }}}
- {name: PAWL_INSTALLATION, value: {{ .Values.installation | quote }}}
- {name: PAWL_LIVENESS_URL, value: "http://0.0.0.0:8080/healthz"}
- {name: PAWL_METRICS_ADDRESS, value: "0.0.0.0:8081"}
- {name: PAWL_IDENTITY, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: PAWL_LEASE, value: $(POD_NAMESPACE)/{{ include "pawl.name" . }}}
- {name: PAWL_LEASE_OWNER, value: {{ include "pawl.name" . }}}
- {name: HOME, value: /tmp}
{{- with .Values.store.claim }}
- {name: PAWL_STORE_CLAIM, value: {{ . | quote }}}
{{- end }}
{{- with .Values.namespaces }}
- {name: PAWL_NAMESPACES, value: {{ join "," . | quote }}}
{{- end }}
{{- range $key, $name := dict "server" "server" "serverSklearn" "server-sklearn" "trainer" "trainer" "router" "router" }}
{{- $image := include "pawl.image" (list $root $key) }}
{{- if ne $image (printf "pawl/%s:%s" $name $root.Chart.AppVersion) }}
- {name: PAWL_IMAGE_{{ $name | upper | replace "-" "_" }}, value: {{ $image | quote }}}
{{- end }}
{{- end }}
- {name: PAWL_IMAGE_PULL_POLICY, value: {{ .Values.image.pullPolicy }}}
{{- with .Values.operator }}
- {name: PAWL_WORKERS, value: {{ int .workers | quote }}}
- {name: PAWL_CLUSTER_DOMAIN, value: {{ .clusterDomain | quote }}}
- {name: PAWL_SERVER_DRAIN_SECONDS, value: {{ int .serverDrainSeconds | quote }}}
{{- with .allowedEstimators }}
- {name: PAWL_ALLOWED_ESTIMATORS, value: {{ join "," . | quote }}}
{{- end }}
{{- with .allowedUris }}
- {name: PAWL_ALLOWED_URIS, value: {{ toJson . | quote }}}
{{- end }}
{{- with .prometheus }}
- {name: PAWL_PROMETHEUS, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- if .Values.notify.allowPrivate }}
- {name: PAWL_NOTIFY_PRIVATE, value: "true"}
{{- end }}
{{- if .Values.policy.requestedBy }}
- {name: PAWL_TRUST_REQUESTED_BY, value: "true"}
{{- end }}
{{- with .Values.retention }}
{{- if .versions }}
- {name: PAWL_RETAIN_VERSIONS, value: {{ int .versions | quote }}}
- {name: PAWL_RETAIN_AGE, value: {{ .age | quote }}}
{{- end }}
{{- end }}
{{- with .Values.signatures }}
{{- if .secretName }}
- name: PAWL_VERIFY_KEYS
  valueFrom:
    secretKeyRef: {name: {{ .secretName }}, key: {{ .secretKey | quote }}}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
