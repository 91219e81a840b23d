{{/* What a ServiceMonitor and a PodMonitor have in common: root, values (of that monitor). */}}
{{- define "nexhealth-exporter.endpoint" -}}
port: http
path: /metrics
scheme: {{ .values.scheme | default (include "nexhealth-exporter.scheme" .root) | quote }}
{{- with .values.interval }}
interval: {{ . | quote }}
{{- end }}
{{- with .values.scrapeTimeout }}
scrapeTimeout: {{ . | quote }}
{{- end }}
honorLabels: {{ .values.honorLabels }}
{{- with .values.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "nexhealth-exporter.monitorMetadata" -}}
name: {{ include "nexhealth-exporter.fullname" .root | quote }}
namespace: {{ .values.namespace | default .root.Release.Namespace | quote }}
labels:
  {{- include "nexhealth-exporter.labels" (list .root .values.additionalLabels) | nindent 2 }}
{{- with .values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "nexhealth-exporter.monitorTarget" -}}
jobLabel: {{ .values.jobLabel | quote }}
namespaceSelector:
  matchNames:
    - {{ .root.Release.Namespace | quote }}
selector:
  matchLabels:
    {{- include "nexhealth-exporter.selectorLabels" .root | nindent 4 }}
{{- with .values.targetLabels }}
targetLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.podTargetLabels }}
podTargetLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.sampleLimit }}
sampleLimit: {{ int64 . }}
{{- end }}
{{- end }}
