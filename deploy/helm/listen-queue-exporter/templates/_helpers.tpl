{{- define "listen-queue-exporter.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "listen-queue-exporter.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "listen-queue-exporter.labels" -}}
{{ include "listen-queue-exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "listen-queue-exporter.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "listen-queue-exporter.name" .) -}}
{{- end -}}

{{- define "listen-queue-exporter.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if .Values.allPods.enabled -}}
{{- $config = mergeOverwrite $config (deepCopy .Values.allPods.config) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "listen-queue-exporter.resources" -}}
{{- $resources := deepCopy .Values.resources -}}
{{- if .Values.allPods.enabled -}}
{{- $resources = mergeOverwrite $resources (deepCopy .Values.allPods.resources) -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}

{{- /* What the kubelet asks. */}}
{{- define "listen-queue-exporter.probe" -}}
{{- if eq .probes "TCP" -}}
tcpSocket:
  port: metrics
{{- else -}}
httpGet:
  path: {{ .path }}
  port: metrics
  {{- if eq .probes "HTTPS" }}
  scheme: HTTPS
  {{- end }}
{{- end -}}
{{- end }}
