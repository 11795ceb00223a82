"""`docs/migrate.md`: what the settings of worker-vllm become, by the tables of the warnings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from supervisor.catalog import Catalog
from supervisor.command import plan, translate
from supervisor.settings.table import TABLE, Setting
from tools.docs import known, older, page

_OWN: dict[str, Setting[object]] = {row.name: row for row in TABLE}
_NOWHERE = "no effect: neither this worker nor vLLM knows the name"
#: Defaults that stand in no table, because the engine decides them at its start.
_DECIDED = {
    "MODEL_NAME": "none",
    "MODEL_REVISION": "the repository's main branch",
    "MAX_NUM_SEQS": "the engine decides, by the GPU",
    "ENABLE_PREFIX_CACHING": "on for models that can",
    "ENABLE_CHUNKED_PREFILL": "on for models that can",
    "BLOCK_SIZE": "the engine decides",
    "GUIDED_DECODING_BACKEND": "auto",
    "DISABLE_LOG_REQUESTS": "true: requests are not logged",
    "DISABLE_LOGGING_REQUEST": "true: requests are not logged",
}


def text() -> str:
    """The whole page."""
    newest = known.catalogs()[known.DEFAULT]
    template = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    return template.format(
        version=newest.version,
        memory=_option_default(newest, "GPU_MEMORY_UTILIZATION"),
        one=_one(newest),
        two_own=_two_own(newest),
        two_other=_two_other(newest),
        passed_on=len(older.TWO),
        sampling=", ".join(_without(known.catalogs().values(), "GENERATION_CONFIG")),
    )


def _one(catalog: Catalog) -> str:
    rows = [
        (f"`{name}`", _code(default), today(name, catalog), default_now(name, catalog))
        for name, default in older.ONE.items()
    ]
    return page.table(("setting of 1.x", "default there", "today", "default today"), rows)


def _two_own(catalog: Catalog) -> str:
    rows = [
        (f"`{name}`", _code(default), today(name, catalog), default_now(name, catalog))
        for name, default in older.TWO_OWN.items()
    ]
    return page.table(("setting of 2.x", "default there", "today", "default today"), rows)


def _two_other(catalog: Catalog) -> str:
    """Only what differs: the rest are options of the same name in both."""
    rows = []
    for name in sorted(older.TWO | older.TWO_DROPS):
        here = today(name, catalog)
        if name in older.TWO and here == _same(name):
            continue
        rows.append((f"`{name}`", "dropped" if name in older.TWO_DROPS else "passed on", here))
    return page.table(("name", "worker-vllm 2.25", "here"), rows)


def today(name: str, catalog: Catalog) -> str:
    """What becomes of a setting of older workers."""
    if name in _OWN:
        return "the same"
    option = catalog.by_variable.get(name)
    if option and (why := translate.guard(name, option[0])):
        return f"not passed on: {why}"
    known_here = page.becomes(name, catalog)
    return _said(name, catalog) if known_here == "no equivalent" else known_here


def default_now(name: str, catalog: Catalog) -> str:
    """What counts where nothing is set; empty for nothing."""
    if name in _DECIDED:
        return _DECIDED[name]
    if name in _OWN:
        return _code(_OWN[name].default_text)
    return _code(_option_default(catalog, name))


def _said(name: str, catalog: Catalog) -> str:
    """What a start says of a name that no table of options has."""
    made = plan.make({"MODEL_NAME": "org/model", name: "1"}, catalog).findings
    remarks = [remark for remark in made.warnings if remark.env == name]
    faults = [fault for fault in made.errors if fault.env == name]
    told = [(fault.message, fault.suggestion) for fault in faults]
    told += [(remark.message, remark.suggestion) for remark in remarks]
    told += [(ignored.reason, None) for ignored in made.ignored if ignored.env == name]
    sentences = [f"{said}; {remedy}" if remedy else said for said, remedy in told]
    return " ".join(_clause(name, sentence) for sentence in sentences) or _NOWHERE


def _clause(name: str, message: str) -> str:
    """A sentence about `name` without its subject, which stands in the row already."""
    return re.sub(rf"^{name}(=\S+)? ", "", message)


def _same(name: str) -> str:
    return f"`--{name.lower().replace('_', '-')}`"


def _option_default(catalog: Catalog, name: str) -> str:
    option = catalog.by_variable.get(name)
    return page.shown_default(option[0]) if option else ""


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _without(catalogs: Iterable[Catalog], name: str) -> list[str]:
    return [catalog.version for catalog in catalogs if name not in catalog.by_variable]
