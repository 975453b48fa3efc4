{{- define "vestibule.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "vestibule.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "vestibule.labels" -}}
{{ include "vestibule.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "vestibule.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "vestibule.fullname" .) .Values.serviceAccount.name }}{{ else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "vestibule.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{/* The settings: what the chart mounts and opens, over what values say. */}}
{{- define "vestibule.config" -}}
{{- $made := dict "listen" "0.0.0.0:50051" "metrics_listen" "0.0.0.0:9464" }}
{{- if .Values.http.enabled }}{{ $_ := set $made "http_listen" "0.0.0.0:8443" }}{{ end }}
{{- if .Values.insecure }}{{ $_ := set $made "insecure" true }}{{ end }}
{{- if .Values.tls.secretName }}
{{- $tls := dict "cert_file" "/run/vestibule/tls/tls.crt" "key_file" "/run/vestibule/tls/tls.key" }}
{{- if .Values.tls.clientCaKey }}{{ $_ := set $tls "client_ca_file" (printf "/run/vestibule/tls/%s" .Values.tls.clientCaKey) }}{{ end }}
{{- $_ := set $made "tls" $tls }}
{{- end }}
{{- if .Values.continuationKeys.secretName }}
{{- $_ := set $made "continuation" (dict "keys_file" (printf "/run/vestibule/keys/%s" .Values.continuationKeys.key)) }}
{{- end }}
{{- if .Values.storeKeys.secretName }}
{{- $_ := set $made "catalog" (dict "keys_file" (include "vestibule.storeKeysFile" .)) }}
{{- end }}
{{- $all := mergeOverwrite (deepCopy .Values.config) $made }}
{{- /* As JSON: TOML reads it alike, and a whole number stays one, which toToml would write as 5.0. */}}
{{- range $key, $value := $all }}
{{- if not (kindIs "map" $value) }}
{{ $key }} = {{ toRawJson $value }}
{{- end }}
{{- end }}
{{- range $table, $keys := $all }}
{{- if kindIs "map" $keys }}

[{{ $table }}]
{{- range $key, $value := $keys }}
{{ $key }} = {{ toRawJson $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "vestibule.storeKeysFile" -}}
/run/vestibule/store-keys/{{ .Values.storeKeys.key }}
{{- end }}

{{- define "vestibule.probeScheme" -}}
{{ if (default (dict) .Values.config.tls).metrics }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{/* Above drain.delay_s + drain_s, so that no login is cut. */}}
{{- define "vestibule.grace" -}}
{{- $drain := default (dict) .Values.config.drain }}
{{- add (default 1 $drain.delay_s) (default 10 .Values.config.drain_s) 10 }}
{{- end }}

{{- define "vestibule.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
{{- if .Values.namespacesSeccompProfile }}
  type: Localhost
  localhostProfile: {{ .Values.namespacesSeccompProfile }}
{{- else }}
  type: RuntimeDefault
{{- end }}
{{- end }}

{{- define "vestibule.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "vestibule.env" -}}
- name: VESTIBULE_CONFIG
  value: /run/vestibule/config/vestibule.toml
- name: VESTIBULE_STORE
  valueFrom:
    secretKeyRef:
      name: {{ required "store.secretName: name the secret with the setting `store`, for all replicas need one store" .Values.store.secretName }}
      key: {{ .Values.store.key }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "vestibule.mounts" -}}
- name: config
  mountPath: /run/vestibule/config
  readOnly: true
- name: tmp
  mountPath: /tmp
- name: state
  mountPath: /var/lib/vestibule
{{- if .Values.tls.secretName }}
- name: tls
  mountPath: /run/vestibule/tls
  readOnly: true
{{- end }}
{{- if .Values.continuationKeys.secretName }}
- name: keys
  mountPath: /run/vestibule/keys
  readOnly: true
{{- end }}
{{- include "vestibule.storeKeysMount" . }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Files of secrets belong to root and our group, and no other user reads them. */}}
{{- define "vestibule.volumes" -}}
- name: config
  configMap:
    name: {{ include "vestibule.fullname" . }}
- name: tmp
  emptyDir:
    medium: Memory
    sizeLimit: 64Mi
- name: state
  emptyDir:
    sizeLimit: 64Mi
{{- if .Values.tls.secretName }}
- name: tls
  secret:
    secretName: {{ .Values.tls.secretName }}
    defaultMode: 0440
{{- end }}
{{- if .Values.continuationKeys.secretName }}
- name: keys
  secret:
    secretName: {{ .Values.continuationKeys.secretName }}
    defaultMode: 0440
{{- end }}
{{- include "vestibule.storeKeysVolume" . }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of pods that open the store: each begins with a line's end, or is nothing. */}}
{{- define "vestibule.storeKeysMount" -}}
{{- if .Values.storeKeys.secretName }}
- name: store-keys
  mountPath: /run/vestibule/store-keys
  readOnly: true
{{- end }}
{{- end }}

{{- define "vestibule.storeKeysVolume" -}}
{{- if .Values.storeKeys.secretName }}
- name: store-keys
  secret:
    secretName: {{ .Values.storeKeys.secretName }}
    defaultMode: 0440
{{- end }}
{{- end }}
