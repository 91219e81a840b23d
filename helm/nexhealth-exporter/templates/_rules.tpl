{{/*
The groups of the project's rule files, as an array: without the alerts that are switched off,
with the operator's labels and addresses, and after them the operator's own groups. The files are
read as data and never run as templates: what is in their braces is Prometheus'.
*/}}
{{- define "nexhealth-exporter.ruleGroups" -}}
{{- $values := .Values.prometheusRule }}
{{- include "nexhealth-exporter.complete" (list . "alerts") }}
{{- range $path, $content := .Files.Glob "alerts/*.yaml" }}
{{- $file := $.Files.Get $path | fromYaml }}
{{- if hasKey $file "Error" }}{{ fail (printf "%s: %s" $path (get $file "Error")) }}{{ end }}
{{- range $group := $file.groups }}
{{- $rules := list }}
{{- range $rule := $group.rules }}
{{- if not (get ($values.disabled | default dict) ($rule.alert | default "")) }}
{{- $rules = append $rules (dict "rule" $rule "root" $ | include "nexhealth-exporter.rule" | fromYaml) }}
{{- end }}
{{- end }}
{{- if $rules }}
{{ list (set (deepCopy $group) "rules" $rules) | toYaml }}
{{- end }}
{{- end }}
{{- end }}
{{- with $values.additionalGroups }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
One rule as the operator wants it: rule, root. The files are written for a job and an exporter
called nexhealth-exporter and for runbooks at an address that does not exist. Alerts that outlive
their condition for another time than 15m have a reason of their own, and keep it.
*/}}
{{- define "nexhealth-exporter.rule" -}}
{{- $values := .root.Values.prometheusRule }}
{{- $job := $values.job | default (include "nexhealth-exporter.name" .root) }}
{{- $address := include "nexhealth-exporter.address" .root }}
{{- $rule := deepCopy .rule }}
{{- $_ := set $rule "expr" ($rule.expr | replace "job=\"nexhealth-exporter\"" (printf "job=%q" $job)) }}
{{- if $rule.alert }}
{{- $_ := set $rule "labels" (merge ($rule.labels | default dict) ($values.additionalRuleLabels | default dict)) }}
{{- if and $values.keepFiringFor (eq "15m" ($rule.keep_firing_for | default "")) }}
{{- $_ := set $rule "keep_firing_for" $values.keepFiringFor }}
{{- end }}
{{- range $name, $text := $rule.annotations }}
{{- $text = $text | replace "http://nexhealth-exporter:10639" $address }}
{{- $text = $text | replace "https://runbooks.example/nexhealth-exporter" ($values.runbookUrl | default "" | trimSuffix "/") }}
{{- $_ := set $rule.annotations $name $text }}
{{- end }}
{{- if not $values.runbookUrl }}
{{- $_ := unset $rule.annotations "runbook_url" }}
{{- end }}
{{- end }}
{{- toYaml $rule }}
{{- end }}

{{/* Where people reach the exporter's pages. */}}
{{- define "nexhealth-exporter.address" -}}
{{- $scheme := include "nexhealth-exporter.scheme" . }}
{{- $service := printf "%s://%s.%s:%d" $scheme (include "nexhealth-exporter.fullname" .) .Release.Namespace (int .Values.service.port) }}
{{- (.Values.settings).externalUrl | default $service | trimSuffix "/" }}
{{- end }}

{{/*
Fails if a folder of the chart has no files: list of root and folder. In the repository it is a
link, and a copy that lost its links would watch over nobody.
*/}}
{{- define "nexhealth-exporter.complete" -}}
{{- $folder := last . }}
{{- if not ((first .).Files.Glob (printf "%s/*" $folder)) }}
{{- printf "this copy of the chart lacks its folder %s: copy it with its links followed (cp -rL), or run helm package" $folder | fail }}
{{- end }}
{{- end }}
