"""What Prometheus is given: where to ask, and the alerts."""

from __future__ import annotations

import json
from textwrap import indent

from supervisor.settings import table
from tools.docs.boards.alerts import ALERTS, JOB, Alert

MADE = "# Made by `make docs` (tools/docs/boards): what is changed here is lost.\n"
#: What the files of rules say of `runbook_url`; docs/monitoring.md has the same line.
HEAD = r"""# A runbook_url is a path in this repository. To make it a link, put the address
# of your copy before it:
# sed -i 's|^\( *runbook_url: "\)docs/|\1https://git.example.com/me/vllm/blob/main/docs/|' FILE
"""
TOKEN_FILE = "/etc/prometheus/control-token"
RULES = "alerts.yml"


def scrape() -> str:
    """The scrape configuration; the workers' addresses are the reader's to put in."""
    return f"""{MADE}# docs/monitoring.md says how to use it.
global:
  scrape_interval: 15s
  evaluation_interval: 15s

rule_files: [{RULES}]

scrape_configs:
  - job_name: {JOB}  # the alerts know this name
    authorization:
      type: Bearer
      credentials_file: {TOKEN_FILE}  # what {table.CONTROL_TOKEN.name} is in the workers
    static_configs:
      - targets: ["worker:{table.PORT_HEALTH.default}"]  # {table.PORT_HEALTH.name} of each worker
"""


def rules() -> str:
    """The alerts, as a file of rules."""
    return f"{MADE}{HEAD}{groups()}"


def groups() -> str:
    """The alerts alone."""
    return f"groups:\n  - name: {JOB}\n    rules:\n" + "".join(map(_rule, ALERTS))


def _rule(alert: Alert) -> str:
    return f"""      - alert: {alert.name}
        expr: |-
{indent(alert.expression, " " * 10)}
        for: {alert.pending}
        labels: {{severity: {alert.severity}}}
        annotations:
          summary: {json.dumps(alert.summary)}
          runbook_url: {json.dumps(alert.runbook)}
"""
