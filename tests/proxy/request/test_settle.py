"""What of an engine is asked for a request, and what becomes of the request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy import settings
from proxy.errors import InvalidInput
from proxy.request import forms, schema, settle
from proxy.request.schema import Schema
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


def read(given: Any) -> forms.Request:
    return forms.read({"id": "1", "input": given}, settings.read({}))


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
