"""How the proxy's processes log: on stdout, a line for each thing, by the name of who says it."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from supervisor.link import handover, log_lines
from supervisor.secrets import masked, secret_values
from supervisor.settings import table
from supervisor.settings.values import early

#: The levels of the SDK's own logger that have other names in `logging`.
_LEVELS = {"TRACE": logging.DEBUG, "WARN": logging.WARNING, "TIP": logging.INFO}
_MOST = 4096  # characters of a line of the SDK's, as there

log = logging.getLogger("proxy")


def configure(env: Mapping[str, str]) -> None:
    """Log so from here on; a process that inherits this already is left as it is.

    Args:
        env: LOG_FORMAT, what the supervisor wants before each object, and what is secret. Where
            there is a supervisor it masks the lines itself.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a job asks may hold half a character, and LOG_CONTENT writes it down.
        sys.stdout.reconfigure(errors="backslashreplace")
    secrets = secret_values(env)
    supervised = handover.LOG_SIGNATURE in env
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        log_lines.Lines(
            as_json=early(env, table.LOG_FORMAT) == "json",
            mask=str if supervised else lambda text: masked("", text, secrets),
            before=env.get(handover.LOG_SIGNATURE, ""),
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)  # they are lines as others are
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sys.excepthook = _end_of_the_proxy


def of_the_sdk() -> None:
    """Let what the SDK logs come as lines of ours do, under its name.

    By itself it prints it, in one of two forms. Called once the SDK has been imported; it stays as
    it is where it has not what this needs.
    """
    from runpod.serverless.modules import rp_logger

    logger = getattr(rp_logger, "RunPodLogger", None)
    order = getattr(rp_logger, "LOG_LEVELS", None)
    if not callable(getattr(logger, "log", None)) or not isinstance(order, list):
        return
    runpod = logging.getLogger("runpod")
    runpod.setLevel(logging.DEBUG)  # RUNPOD_LOG_LEVEL says what is logged

    def logged(
        self: Any, message: object, message_level: str = "INFO", job_id: str | None = None
    ) -> None:
        least = order.index(self.level)
        if self.level == "NOTSET" or (
            message_level != "TIP" and least > order.index(message_level)
        ):
            return
        level = _LEVELS.get(message_level) or logging.getLevelNamesMapping()[message_level]
        said = f"job {job_id}: {message}" if job_id else str(message)
        runpod.log(level, "%s", said[:_MOST], extra={"job": job_id})

    setattr(logger, "log", logged)  # noqa: B010 - to mypy a method is no variable


def _end_of_the_proxy(
    kind: type[BaseException], fault: BaseException, where: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("a fault in the worker itself", exc_info=(kind, fault, where))
