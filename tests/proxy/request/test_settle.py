"""What of an engine is asked for a request, and what becomes of the request."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import settings
from proxy.errors import InvalidInput, JobError
from proxy.request import forms, schema, settle
from proxy.request.schema import Schema
from proxy.request.unknown import Settled
from tests.proxy.request.test_schema import REAL


class Engine:
    """Says what it is told to say, and notes what it was asked."""

    def __init__(self, version: str = "0.32.0") -> None:
        self.asked: list[str] = []
        self._version = version

    async def version(self) -> str | None:
        self.asked.append("version")
        return self._version

    async def schema(self) -> Schema | None:
        self.asked.append("schema")
        return schema.parsed(REAL)


SETTINGS = settings.read({"ALLOWED_ROUTES": "/invocations /metrics"})


def read(given: Any) -> forms.Request:
    return forms.read({"id": "1", "input": given}, SETTINGS)


async def test_nothing_is_asked_for_a_usual_request() -> None:
    engine = Engine()
    request = read({"openai_input": {"messages": [{}], "temperature": 0}})
    assert (await settle.settled(request, engine, strict=True)).request is request
    assert engine.asked == []


async def test_what_changes_nothing_is_left_out_of_what_is_sent() -> None:
    engine = Engine()
    request = read({"prompt": "x", "sampling_params": {"best_of": 2, "n": 2}})
    found = await settle.settled(request, engine, strict=True)
    assert found.request.body == {"max_tokens": 16, "n": 2, "prompt": "x"}
    assert json.loads(found.request.content or b"") == found.request.body
    assert engine.asked == ["version"]


async def test_a_parameter_that_is_gone_has_its_own_remedy() -> None:
    """Before it is looked for among the names that are known."""
    given = {"prompt": "x", "sampling_params": {"guided_json": {}, "temprature": 1}}
    with pytest.raises(InvalidInput, match="guided_json has no effect") as caught:
        await settle.settled(read(given), Engine(), strict=False)
    assert caught.value.param == "guided_json"


async def test_a_name_that_is_not_known() -> None:
    engine = Engine()
    found = await settle.settled(read({"prompt": "x", "zzz": 1}), engine, strict=False)
    assert found.request.body["zzz"] == 1
    assert "does not know zzz" in (found.remark or "")
    assert engine.asked == ["schema"]


# --- whatever a job holds ---

ODD = st.sampled_from(
    [0, 1, -1, 2**64, 10**400, 0.5, math.inf, math.nan, "", "3", "true", "get", "\ud83d", [], {}]
)
VALUES = st.recursive(
    ODD | st.none() | st.booleans() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
BODY = st.dictionaries(
    st.sampled_from(
        """
        model messages prompt stream stream_options n best_of early_stopping guided_json logprobs
        max_tokens temprature extra_body top_k
        """.split()
    )
    | st.text(max_size=3),
    VALUES,
    max_size=5,
)
ROUTE = st.sampled_from(
    """
    /v1/chat/completions /v1/completions /openai/v1/models /v1/models /v1/embeddings /invocations
    /metrics /v1/responses/render /ping
    """.split()
)
INPUT = st.fixed_dictionaries(
    {},
    optional={
        "openai_route": ROUTE | VALUES,
        "openai_input": BODY | VALUES,
        "route": ROUTE | VALUES,
        "body": BODY | VALUES,
        "method": st.sampled_from(["get", "POST"]) | VALUES,
        "prompt": st.just("x") | VALUES,
        "messages": st.just([{"role": "user", "content": "x"}]) | VALUES,
        "sampling_params": BODY | VALUES,
        "stream": VALUES,
        "apply_chat_template": VALUES,
        "min_batch_size": VALUES,
        "max_batch_size": VALUES,
        "batch_size_growth_factor": VALUES,
        "max_tokens": VALUES,
    },
)


@given(INPUT | VALUES, st.booleans())
@hypothesis.settings(max_examples=400, deadline=None)
def test_any_job_becomes_a_request_or_an_error_of_the_callers(job: Any, strict: bool) -> None:
    found = _become(job, strict)
    if isinstance(found, JobError):
        assert found.status in {400, 403}
        assert len(found.as_json().encode()) < 1500
        return
    request = found.request
    assert 1 <= request.ramp.begin <= 10**9
    assert request.stream in {True, False}
    if request.method == "POST" and request.content is not None:
        assert json.loads(request.content) == request.body
    (found.remark or "").encode()


def _become(job: Any, strict: bool) -> Settled | JobError:
    try:
        return asyncio.run(settle.settled(read(job), Engine(), strict=strict))
    except JobError as error:
        return error
