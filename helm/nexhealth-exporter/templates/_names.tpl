{{/* The chart's name, in labels and, with the release's, in names. */}}
{{- define "nexhealth-exporter.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/*
Name of every object of the release. 52 characters, because the label controller-revision-hash of
a StatefulSet's pods is its name and 11 characters more, and a label has 63.
*/}}
{{- define "nexhealth-exporter.fullname" -}}
{{- $name := include "nexhealth-exporter.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels that never change during the life of a release. */}}
{{- define "nexhealth-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "nexhealth-exporter.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Labels of the test's pod: not the selector's, or the Service would send scrapes to it. */}}
{{- define "nexhealth-exporter.testLabels" -}}
app.kubernetes.io/name: {{ printf "%s-test" (include "nexhealth-exporter.name" .) | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Labels of an object: list of root and its own additional labels; the chart's win. */}}
{{- define "nexhealth-exporter.labels" -}}
{{- $root := first . }}
{{- $standard := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63)
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $selector := include "nexhealth-exporter.selectorLabels" $root | fromYaml }}
{{- toYaml (merge dict $selector $standard (last .) ($root.Values.commonLabels | default dict)) }}
{{- end }}

{{/* Account of the pods. */}}
{{- define "nexhealth-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "nexhealth-exporter.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{/* Reference of the image: a digest wins over a tag, the global registry over the chart's. */}}
{{- define "nexhealth-exporter.image" -}}
{{- with (.Values.global).imageRegistry | default .Values.image.registry }}{{ . }}/{{ end }}
{{- .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}
{{- else }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Secret with the API key. */}}
{{- define "nexhealth-exporter.secretName" -}}
{{- (.Values.existingSecret).name | default (include "nexhealth-exporter.fullname" .) }}
{{- end }}

{{/* Port to listen on, from the address. */}}
{{- define "nexhealth-exporter.port" -}}
{{- (.Values.settings).listenAddress | default "10639" | regexFind "[0-9]+$" }}
{{- end }}

{{/*
The web configuration file that the chart makes, if the operator has none; a certificate alone is
enough to serve HTTPS.
*/}}
{{- define "nexhealth-exporter.webConfig" -}}
{{- $config := .Values.webConfig | default dict | deepCopy }}
{{- if (.Values.webConfigSecret).name }}
{{- if $config }}{{ fail "webConfigSecret.name and webConfig: remove one of them" }}{{ end }}
{{- else if .Values.tlsSecretName }}
{{- $folder := "/etc/nexhealth-exporter/tls" }}
{{- $files := dict "cert_file" (print $folder "/tls.crt") "key_file" (print $folder "/tls.key") }}
{{- $config = set $config "tls_server_config" (merge ($config.tls_server_config | default dict) $files) }}
{{- end }}
{{- with $config }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* Secret with the web configuration file, the operator's or ours; empty if there is none. */}}
{{- define "nexhealth-exporter.webSecretName" -}}
{{- if include "nexhealth-exporter.webConfig" . }}{{ include "nexhealth-exporter.fullname" . }}-web
{{- else }}{{ (.Values.webConfigSecret).name }}
{{- end }}
{{- end }}

{{/* http or https. */}}
{{- define "nexhealth-exporter.scheme" -}}
{{- if or .Values.tlsSecretName (.Values.webConfig).tls_server_config }}https{{ else }}http{{ end }}
{{- end }}

{{/* What the pages ask a visitor for: certificate, password or nothing. */}}
{{- define "nexhealth-exporter.asksFor" -}}
{{- $config := include "nexhealth-exporter.webConfig" . | fromYaml }}
{{- if eq "RequireAndVerifyClientCert" (dig "tls_server_config" "client_auth_type" "" $config) }}certificate
{{- else if or $config.basic_auth_users (.Values.webConfigSecret).name }}password
{{- end }}
{{- end }}

{{/* Not empty if `helm test` has a pod: it knows no certificate, and the password from a monitor. */}}
{{- define "nexhealth-exporter.tested" -}}
{{- $auth := .Values.serviceMonitor.basicAuth | default .Values.podMonitor.basicAuth }}
{{- $asked := include "nexhealth-exporter.asksFor" . }}
{{- if and .Values.tests.enabled (or (not $asked) (and $auth (eq "password" $asked))) }}yes{{ end }}
{{- end }}

{{/* A value as people write it: numbers without exponent, whole ones without point. */}}
{{- define "nexhealth-exporter.word" -}}
{{- if not (kindIs "float64" .) }}{{ . }}
{{- else if eq . (floor .) }}{{ int64 . }}
{{- else }}{{ regexReplaceAll "0+$" (printf "%f" .) "" }}
{{- end }}
{{- end }}
