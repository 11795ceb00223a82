"""`deploy/`: boards, alerts and manifests, made from the lists of metrics, panels and alerts."""

from __future__ import annotations

from tools.docs.boards import grafana, kubernetes, prometheus
from tools.docs.boards.panels import BOARDS


def rendered() -> dict[str, str]:
    """Every file: its path in the checkout -> its text."""
    return {
        **{f"deploy/grafana/{board.name}.json": grafana.text(board) for board in BOARDS},
        "deploy/prometheus/prometheus.yml": prometheus.scrape(),
        f"deploy/prometheus/{prometheus.RULES}": prometheus.rules(),
        "deploy/kubernetes/podmonitor.yaml": kubernetes.pod_monitor(),
        "deploy/kubernetes/prometheusrule.yaml": kubernetes.rule(),
        "deploy/kubernetes/scaledobject.yaml": kubernetes.scaled_object(),
    }
