"""What one process names is what the other one reads."""

from __future__ import annotations

from proxy import settings
from supervisor.link import handover


def test_the_proxy_reads_what_it_is_handed() -> None:
    env = {handover.REPORT_FD: "7", handover.JOBS_FD: "8", handover.FITNESS_CHECKS: "memory"}
    env[handover.MODELS_FOLDER] = "/models"
    found = settings.read(env)
    assert (found[settings.REPORT_FD], found[settings.JOBS_FD]) == (7, 8)
    assert found[settings.FITNESS_CHECKS] == "memory"
    assert found[settings.MODELS_FOLDER] == "/models"
