{{- define "seem.readiness" -}}
{{- if .Values.tls.existingSecret -}}
httpGet: { path: /readyz, port: metrics }
{{- else -}}
grpc: { port: 50051 }
{{- end -}}
{{- end }}

{{/* A number as a person writes it: Helm reads 8589934592 as 8.589934592e+09. */}}
{{- define "seem.plain" -}}
{{- if kindIs "float64" . }}{{ if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end -}}
{{- end }}

{{- define "seem.resources" -}}
{{- $resources := deepCopy .Values.resources -}}
{{- if .Values.gpu.enabled -}}
{{- $_ := set $resources.limits .Values.gpu.resource .Values.gpu.count -}}
{{- end -}}
{{ toYaml $resources }}
{{- end }}
