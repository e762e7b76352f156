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

{{- /* The address of --web.listen-address. */}}
{{- define "listen-queue-exporter.listenHost" -}}
{{- if eq .Values.listenAddress "nodeIP" -}}
$(NODE_IP)
{{- else if eq .Values.listenAddress "nodeIPv6" -}}
[$(NODE_IP)]
{{- else -}}
{{- .Values.listenAddress -}}
{{- end -}}
{{- end -}}

{{- /* What is asked there: the address of the pod, which is that of its node, unless another one is given. */}}
{{- define "listen-queue-exporter.probedHost" -}}
{{- if not (hasPrefix "nodeIP" .Values.listenAddress) -}}
{{- .Values.listenAddress | trimPrefix "[" | trimSuffix "]" -}}
{{- end -}}
{{- end -}}

{{- define "listen-queue-exporter.podSecurityContext" -}}
{{- $given := deepCopy .Values.podSecurityContext -}}
{{- with .Values.seLinuxOptions -}}
{{- $given = mergeOverwrite $given (dict "seLinuxOptions" .) -}}
{{- end -}}
{{- toYaml (mergeOverwrite (include "listen-queue-exporter.defaultPodSecurityContext" . | fromYaml) $given) -}}
{{- end -}}

{{- define "listen-queue-exporter.defaultPodSecurityContext" -}}
{{- if .Values.allPods.enabled -}}
# Added capabilities are effective for root only, unless the program's file has them. No process stays root.
runAsNonRoot: false
runAsUser: 0
runAsGroup: 0
{{- else -}}
runAsNonRoot: true
runAsUser: 65534
runAsGroup: 65534
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "listen-queue-exporter.securityContext" -}}
{{- $own := include "listen-queue-exporter.defaultSecurityContext" . | fromYaml -}}
{{- toYaml (mergeOverwrite $own (deepCopy .Values.securityContext)) -}}
{{- end -}}

{{- define "listen-queue-exporter.defaultSecurityContext" -}}
readOnlyRootFilesystem: true
{{- if .Values.allPods.enabled }}
# allowPrivilegeEscalation is unset: with SYS_ADMIN Kubernetes treats it as true anyway.
# containerd's AppArmor profile hides the processes outside of the container.
appArmorProfile:
  type: Unconfined
{{- else }}
allowPrivilegeEscalation: false
{{- end }}
capabilities:
  drop:
    - ALL
  {{- if .Values.allPods.enabled }}
  add:
    - SYS_ADMIN
    - SYS_PTRACE
    - DAC_READ_SEARCH
    # To become another user than root. Dropped with that.
    - SETUID
    - SETGID
  {{- end }}
{{- end -}}

{{- /* What the kubelet asks. */}}
{{- define "listen-queue-exporter.probe" -}}
{{- if eq .probes "TCP" -}}
tcpSocket:
  port: metrics
  {{- with .host }}
  host: {{ . | quote }}
  {{- end }}
{{- else -}}
httpGet:
  path: {{ .path }}
  port: metrics
  {{- with .host }}
  host: {{ . | quote }}
  {{- end }}
  {{- if eq .probes "HTTPS" }}
  scheme: HTTPS
  {{- end }}
{{- end -}}
{{- end }}
