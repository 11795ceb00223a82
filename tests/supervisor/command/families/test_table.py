"""The table of families: names that vLLM has, and no model in two rows by its architecture."""

from __future__ import annotations

from collections import Counter

from supervisor.command.families.table import FAMILIES
from tests.supervisor.command.test_translate import catalog


def test_every_parser_is_one_of_vllms() -> None:
    option = catalog("0.33.0").option("--tool-call-parser")
    assert option is not None
    named = {parser for family in FAMILIES for parser in family.parsers}
    assert named <= set(option.names)


def test_an_architecture_belongs_to_one_family_alone() -> None:
    count = Counter(each for family in FAMILIES for each in family.architectures)
    assert {name for name, number in count.items() if number > 1} == set()
    # other families are made of these
    assert not count.keys() & {"LlamaForCausalLM", "DeepseekV3ForCausalLM", "Qwen2ForCausalLM"}
