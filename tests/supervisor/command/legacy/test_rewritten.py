"""An environment in today's names is a value: each change gives a new one."""

from __future__ import annotations

from supervisor.command.legacy import Origin, Rewritten


def test_a_change_gives_a_new_value() -> None:
    before = Rewritten({"OLD": "1", "OTHER": "  "})
    origin = Origin(("OLD",), "alias")
    after = before.without("OLD").saying("NEW", "1", origin)
    assert (after.env, after.origins) == ({"OTHER": "  ", "NEW": "1"}, {"NEW": origin})
    assert (before.env, before.origins) == ({"OLD": "1", "OTHER": "  "}, {})


def test_text_is_without_white_space_around_it() -> None:
    found = Rewritten({"A": " a b ", "B": " "})
    assert [found.text(name) for name in "ABC"] == ["a b", "", ""]
