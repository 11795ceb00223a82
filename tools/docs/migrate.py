"""`docs/migrate.md`: what the settings of worker-vllm become, by the tables of the warnings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from supervisor.catalog import Catalog, store
from supervisor.command import plan, translate
from supervisor.settings.table import TABLE, Setting
from tools.docs import known, older, page

_OWN: dict[str, Setting[object]] = {row.name: row for row in TABLE}
_FORMER = {row.former: row.name for row in TABLE if row.former}
#: A value that means something, for names whose meaning lies in it.
_VALUES = {"TASK": "embed"}
_NOWHERE = "no effect: neither this worker nor vLLM knows the name"
#: Defaults that stand in no table, because the engine decides them at its start.
_DECIDED = {
    "MODEL_NAME": "none",
    "MODEL_REVISION": "the repository's main branch",
    "TENSOR_PARALLEL_SIZE": "all GPUs, or as many as can share the model's attention heads",
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
    newest = store.with_elsewhere(known.catalogs()[known.DEFAULT])
    template = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    return template.format(
        version=newest.version,
        memory=_option_default(newest, "GPU_MEMORY_UTILIZATION"),
        one=_rows("setting of 1.x", older.ONE, newest),
        between=_rows("setting of 1.x or 2.x", older.BETWEEN, newest),
        two_own=_rows("setting of 2.x", older.TWO_OWN, newest),
        two_other=_two_other(newest),
        passed_on=len(older.TWO),
        sampling=", ".join(_without(known.catalogs().values(), "GENERATION_CONFIG")),
    )


def _rows(head: str, names: Mapping[str, str], catalog: Catalog) -> str:
    rows = [
        (f"`{name}`", _code(default), today(name, catalog), default_now(name, catalog))
        for name, default in names.items()
    ]
    return page.table((head, "default there", "today", "default today"), rows)


def _two_other(catalog: Catalog) -> str:
    """Only what differs: the rest are options of the same name in both."""
    rows = []
    for name in sorted(older.TWO | older.TWO_DROPS):
        here = today(name, catalog)
        if name in older.TWO and here in (_same(name), "the same"):
            continue
        rows.append((f"`{name}`", "dropped" if name in older.TWO_DROPS else "passed on", here))
    return page.table(("name", "worker-vllm 2.25", "here"), rows)


def today(name: str, catalog: Catalog) -> str:
    """What becomes of a setting of older workers."""
    if name in _OWN:
        return "the same"
    if name in _FORMER:
        return f"`{_FORMER[name]}`"
    option = catalog.by_variable.get(name)
    if option and (why := translate.guard(name, option[0])):
        return f"not passed on: {why}"
    known_here = page.becomes(name, catalog)
    return _said(name, catalog) if known_here == "no equivalent" else known_here


def default_now(name: str, catalog: Catalog) -> str:
    """What counts where nothing is set; empty for nothing."""
    if name in _DECIDED:
        return _DECIDED[name]
    if (own := _FORMER.get(name, name)) in _OWN:
        return _code(_OWN[own].default_text)
    return _code(_option_default(catalog, name))


def _said(name: str, catalog: Catalog) -> str:
    """What a start says of a name that no table of options has."""
    env = {"MODEL_NAME": "org/model", name: _VALUES.get(name, "1")}
    made = plan.make(env, catalog).findings
    if carried := [f"`{row.flag}`" for row in made.applied if row.env == name and row.flag]:
        return " and ".join(carried) + (
            f", by its value (`{env[name]}`)" if name in _VALUES else ""
        )
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
