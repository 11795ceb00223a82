"""Who says what is exported: this worker, by OpenTelemetry's names."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from .. import __version__
from .instance import instance


def resource(env: Mapping[str, str]) -> Resource:
    """What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, and what they leave out.

    The SDK reads those two from the process's own environment; `env` has the platform's.
    """
    said = OTELResourceDetector().detect().attributes
    own = {
        "service.name": "vllm-supervisor",
        "service.version": __version__,
        "service.namespace": env.get("RUNPOD_ENDPOINT_ID", ""),
        "service.instance.id": instance(env),
    }
    return Resource.create({k: text for k, text in own.items() if text and k not in said})
