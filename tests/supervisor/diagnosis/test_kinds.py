"""What a diagnosis is."""

from __future__ import annotations

from supervisor.diagnosis import kinds


def test_a_sentence_has_a_cause_and_a_remedy_and_nothing_else() -> None:
    one = kinds.Diagnosis("the disk is full", "give it more", said="anything")
    assert str(one) == "the disk is full; give it more"
    assert kinds.OUT_OF_MEMORY_DIED.kind == kinds.OUT_OF_MEMORY
    assert not kinds.LOST.final
