{{/* What the program is told, by the name of the setting: what the chart decides, then settings. A
demo is its own NexHealth and has its own past. */}}
{{- define "nexhealth-exporter.told" -}}
{{- if not .Values.demo }}
api_key_file: {{ .Values.apiKeyFile | default "/etc/nexhealth-exporter/secret/api-key" | quote }}
config_file: /etc/nexhealth-exporter/config/config.yaml
shards: {{ include "nexhealth-exporter.word" .Values.shards | quote }}
state_file: /var/lib/nexhealth-exporter/state.db
{{- end }}
{{- if include "nexhealth-exporter.webSecretName" . }}
web_config_file: /etc/nexhealth-exporter/web/web-config.yaml
{{- end }}
{{- $settings := .Values.settings | default dict }}
{{- range $name, $value := .Values.demo | ternary (omit $settings "apiUrl" "prometheusUrl") $settings }}
{{- $word := include "nexhealth-exporter.word" $value }}
{{- if and (not (kindIs "invalid" $value)) $word }}
{{ snakecase $name }}: {{ $word | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Environment. A demo looks at none, because there may be a real key in it. */}}
{{- define "nexhealth-exporter.env" -}}
{{- if not .Values.demo }}
- name: NEXHEALTH_EXPORTER_SHARD
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['apps.kubernetes.io/pod-index']
{{- range $name, $word := include "nexhealth-exporter.told" . | fromYaml }}
- name: NEXHEALTH_EXPORTER_{{ upper $name }}
  value: {{ quote $word }}
{{- end }}
{{- end }}
{{- end }}

{{/* Arguments: the command, for a demo what it is told, then the operator's own. */}}
{{- define "nexhealth-exporter.args" -}}
- {{ ternary "demo" "serve" .Values.demo }}
{{- if .Values.demo }}
{{- range $name, $word := include "nexhealth-exporter.told" . | fromYaml }}
- {{ printf "--%s=%s" (replace "_" "-" $name) $word | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The same with the operator's own, which must not name one a second time. */}}
{{- define "nexhealth-exporter.allEnv" -}}
{{- $own := include "nexhealth-exporter.env" . | fromYamlArray }}
{{- range $one := .Values.extraEnv }}
{{- range $own }}
{{- if eq .name $one.name }}
{{- fail (printf "extraEnv: %s is set by the chart already: see settings" .name) }}
{{- end }}
{{- end }}
{{- end }}
{{- with concat $own (.Values.extraEnv | default list) }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* Whole folders are mounted, never single files: those would not follow a change. */}}
{{- define "nexhealth-exporter.volumeMounts" -}}
{{- if include "nexhealth-exporter.keyFromSecret" . }}
- name: secret
  mountPath: /etc/nexhealth-exporter/secret
  readOnly: true
{{- end }}
{{- if not .Values.demo }}
- name: config
  mountPath: /etc/nexhealth-exporter/config
  readOnly: true
{{- end }}
{{- if include "nexhealth-exporter.webSecretName" . }}
- name: web
  mountPath: /etc/nexhealth-exporter/web
  readOnly: true
{{- end }}
{{- if .Values.tlsSecretName }}
- name: tls
  mountPath: /etc/nexhealth-exporter/tls
  readOnly: true
{{- end }}
- name: state
  mountPath: {{ ternary "/tmp" "/var/lib/nexhealth-exporter" .Values.demo }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "nexhealth-exporter.volumes" -}}
{{- $fullname := include "nexhealth-exporter.fullname" . }}
{{- if include "nexhealth-exporter.keyFromSecret" . }}
- name: secret
  secret:
    secretName: {{ include "nexhealth-exporter.secretName" . | quote }}
    defaultMode: 0440
    items:
      - key: {{ if (.Values.existingSecret).name }}{{ .Values.existingSecret.key | quote }}{{ else }}api-key{{ end }}
        path: api-key
{{- end }}
{{- if not .Values.demo }}
- name: config
  configMap:
    name: {{ $fullname | quote }}
{{- end }}
{{- with include "nexhealth-exporter.webSecretName" . }}
- name: web
  secret:
    secretName: {{ . | quote }}
    defaultMode: 0440
    items:
      - key: {{ if ($.Values.webConfigSecret).name }}{{ $.Values.webConfigSecret.key | quote }}{{ else }}web-config.yaml{{ end }}
        path: web-config.yaml
{{- end }}
{{- with .Values.tlsSecretName }}
- name: tls
  secret:
    secretName: {{ . | quote }}
    defaultMode: 0440
{{- end }}
{{- if not (include "nexhealth-exporter.persistent" .) }}
- name: state
  emptyDir:
    sizeLimit: {{ include "nexhealth-exporter.word" .Values.persistence.size | quote }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Not empty if the state is on a claim of its own: a demo has nothing to keep. */}}
{{- define "nexhealth-exporter.persistent" -}}
{{- if and .Values.persistence.enabled (not .Values.demo) }}yes{{ end }}
{{- end }}

{{/*
A probe as it can work: root, probe. It follows the scheme unless it names one. The kubelet has
neither name and password nor a certificate: where the pages ask for them, whether the port is
open must do.
*/}}
{{- define "nexhealth-exporter.probe" -}}
{{- $probe := deepCopy .probe }}
{{- if and (include "nexhealth-exporter.asksFor" .root) $probe.httpGet (not $probe.httpGet.httpHeaders) }}
{{- $_ := set $probe "tcpSocket" (dict "port" $probe.httpGet.port) }}
{{- $_ := unset $probe "httpGet" }}
{{- else if and $probe.httpGet (not $probe.httpGet.scheme) }}
{{- $_ := set $probe.httpGet "scheme" (include "nexhealth-exporter.scheme" .root | upper) }}
{{- end }}
{{- toYaml $probe }}
{{- end }}

{{/* Spread constraints; one without a selector gets that of the release. */}}
{{- define "nexhealth-exporter.topologySpreadConstraints" -}}
{{- $labels := include "nexhealth-exporter.selectorLabels" . | fromYaml }}
{{- range .Values.topologySpreadConstraints }}
{{- $constraint := deepCopy . }}
{{- if not $constraint.labelSelector }}
{{- $_ := set $constraint "labelSelector" (dict "matchLabels" $labels) }}
{{- end }}
{{ list $constraint | toYaml }}
{{- end }}
{{- end }}

{{/* Secrets to pull with: those of the parent chart, as names or maps, then our own. */}}
{{- define "nexhealth-exporter.imagePullSecrets" -}}
{{- range concat ((.Values.global).imagePullSecrets | default list) (.Values.imagePullSecrets | default list) }}
- name: {{ if kindIs "map" . }}{{ .name | quote }}{{ else }}{{ . | quote }}{{ end }}
{{- end }}
{{- end }}

{{/* Not empty if the key comes from a Secret, ours or the operator's. */}}
{{- define "nexhealth-exporter.keyFromSecret" -}}
{{- if not (or .Values.demo .Values.apiKeyFile) }}yes{{ end }}
{{- end }}
