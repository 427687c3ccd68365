{{- define "seem.name" -}}
{{- $name := .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- if contains "seem" $name }}{{ $name }}{{ else }}{{ $name }}-seem{{ end -}}
{{- end }}

{{/* What picks the pods of a component: call with (list $ "server"). */}}
{{- define "seem.selector" -}}
app.kubernetes.io/name: seem-server
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "seem.labels" -}}
{{ include "seem.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{- define "seem.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}
{{- else }}{{ $image.repository }}:{{ $image.tag | default (printf "%s-%s" .Chart.AppVersion (ternary "cuda" "cpu" .Values.gpu.enabled)) }}
{{- end -}}
{{- end }}

{{- define "seem.callersSecret" -}}
{{- .Values.callers.existingSecret.name | default (ternary (printf "%s-callers" (include "seem.name" .)) "" (not (empty .Values.callers.lines))) -}}
{{- end }}

{{- define "seem.hasStore" -}}
{{- if or .Values.valkey.bundled.enabled .Values.valkey.url .Values.valkey.urlSecret.name }}yes{{ end -}}
{{- end }}

{{/* How long a server may take to stop: the pause, its streams, its calls (grace_s each), the batch that runs (10 s). */}}
{{- define "seem.stopSeconds" -}}
{{- add .Values.preStopSeconds (mul 2 (ceil (.Values.settings.grace_s | default 5))) 10 5 -}}
{{- end }}

{{- define "seem.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "seem.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* What cannot work is refused here, before anything is installed. */}}
{{- define "seem.check" -}}
{{- $values := .Values -}}
{{- $asks := or (include "seem.callersSecret" .) $values.tls.clientCaKey -}}
{{- if not (or $values.insecure (and $values.tls.existingSecret $asks)) }}
{{- fail "strangers could use the servers: set tls.existingSecret, and callers or tls.clientCaKey; or insecure: true, behind something that has both" }}
{{- end }}
{{- if and $values.tls.clientCaKey (not $values.tls.existingSecret) }}{{ fail "tls.clientCaKey needs tls.existingSecret" }}{{ end }}
{{- if and (not (include "seem.hasStore" .)) (or (gt (int $values.replicas) 1) (ne $values.autoscaling.kind "none")) }}
{{- fail "several servers need a store that they share: set valkey.bundled.enabled, valkey.url or valkey.urlSecret" }}
{{- end }}
{{- if gt (len (compact (list (ternary "bundled" "" $values.valkey.bundled.enabled) $values.valkey.url $values.valkey.urlSecret.name))) 1 }}
{{- fail "there is one store: set one of valkey.bundled.enabled, valkey.url and valkey.urlSecret" }}
{{- end }}
{{- if and $values.envoy.enabled (not $values.envoy.tlsSecret) }}{{ fail "envoy.enabled needs envoy.tlsSecret, or strangers could listen" }}{{ end }}
{{- if and $values.envoy.enabled (not (and $values.envoy.config $values.envoy.tlsConfig)) }}{{ fail "envoy.enabled needs its configuration: --set-file envoy.config=deploy/envoy/envoy.yaml --set-file envoy.tlsConfig=deploy/envoy/tls.yaml" }}{{ end }}
{{- if and $values.envoy.enabled $values.tls.existingSecret }}{{ fail "with envoy.enabled the servers have no TLS of their own: leave out tls, set insecure and networkPolicy.enabled" }}{{ end }}
{{- end }}
