"""Custom resources for the deployment of docs/deploy.md: who asks its workers, how many run."""

from __future__ import annotations

from textwrap import indent

from supervisor.settings import table
from supervisor.worker.metrics import names
from tools.docs.boards.alerts import JOB
from tools.docs.boards.prometheus import HEAD, MADE, groups
from tools.docs.boards.promql import series, summed

_NAME = "llm"  # of the deployment, its label and its secret in docs/deploy.md
_HELP = f"{MADE}# For the deployment of docs/deploy.md; docs/monitoring.md says how to use it.\n"
#: Requests in a worker's hands, with which another one is started.
_MOST = 32
_NAMESPACE = "default"
#: The deployment's own pods: what a monitor's targets are labelled with.
CHOSEN = f'namespace="{_NAMESPACE}", pod=~"{_NAME}-[^-]+-[^-]+"'
_IN_HAND = " + ".join(summed(series(one, CHOSEN)) for one in (names.RUNNING, names.WAITING))
#: Those in the hands of all; none while no engine tells any, as in a start, but a worker answers.
REQUESTS = f"({_IN_HAND}) or 0 * {summed(series(names.READY, CHOSEN))}"


def pod_monitor() -> str:
    """For Prometheus' operator: where to ask, and with which token; and that it is let in."""
    return f"""{_HELP}apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {JOB}
spec:
  selector:
    matchLabels: {{app: {_NAME}}}
  podMetricsEndpoints:
    - port: control
      path: /metrics
      interval: 15s
      authorization:
        type: Bearer
        credentials: {{name: {_NAME}, key: control-token}}  # what {table.CONTROL_TOKEN.name} is
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy  # beside the deployment's own, which lets nobody ask that port
metadata:
  name: {_NAME}-monitoring
spec:
  podSelector:
    matchLabels: {{app: {_NAME}}}
  policyTypes: [Ingress]
  ingress:
    - from:
        - namespaceSelector:
            matchLabels: {{kubernetes.io/metadata.name: monitoring}}  # where Prometheus runs
      ports:
        - {{protocol: TCP, port: control}}
"""


def rule() -> str:
    """The alerts, for Prometheus' operator."""
    return f"""{_HELP}{HEAD}apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {JOB}
spec:
{indent(groups(), "  ")}"""


def scaled_object() -> str:
    """For KEDA: as many workers as the requests in their hands need."""
    return f"""{_HELP}apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {_NAME}
spec:
  scaleTargetRef: {{name: {_NAME}}}
  minReplicaCount: 1  # a request to none would wait for nobody
  maxReplicaCount: 4
  pollingInterval: 15
  # After ten minutes without figures: while an image is pulled there are none either.
  fallback: {{failureThreshold: 40, replicas: 2}}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown:  # a start is dear: one worker fewer in five minutes
          stabilizationWindowSeconds: 600
          policies: [{{type: Pods, value: 1, periodSeconds: 300}}]
  triggers:
    - type: prometheus
      metricType: AverageValue  # of each worker
      metadata:
        serverAddress: http://prometheus-operated.monitoring:9090
        query: {REQUESTS}  # "{_NAMESPACE}" and "{_NAME}": yours
        threshold: "{_MOST}"
        ignoreNullValues: "false"  # no figures are not no requests
"""
