"""Reads `corpus.txt`: conversations with several phrasings of each question. Its head says how."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_ALTERNATIVES = re.compile(r"\(([^()]*\|[^()]*)\)")


@dataclass
class Turn:
    """One answer, and the questions that ask for it: those to train on and those held out."""

    questions: list[str] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)
    answer: str = ""


@dataclass(frozen=True)
class Corpus:
    """Conversations, each a list of turns, and system messages that may stand before them."""

    conversations: list[list[Turn]]
    systems: list[str]

    @property
    def topics(self) -> list[Turn]:
        """The first turn of every conversation that has only one."""
        return [turns[0] for turns in self.conversations if len(turns) == 1]

    def texts(self) -> Iterator[str]:
        """Everything that is said, for the tokenizer to learn from; each answer counts eightfold,
        because it is the answers that should be made of few tokens.
        """
        yield from self.systems
        for turn in itertools.chain.from_iterable(self.conversations):
            yield from turn.questions
            yield from [turn.answer] * 8


def read(path: Path) -> Corpus:
    """The corpus in this file; ValueError names the line that is none of the known kinds."""
    conversations: list[list[Turn]] = []
    systems: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        kind, _, text = line.partition(" ")
        match kind:
            case "" | "#":
                continue
            case "==":
                conversations.append([])
            case "S:":
                systems.append(text)
            case "Q:":
                _open_turn(conversations[-1]).questions += expand(text)
            case "?:":
                _open_turn(conversations[-1]).held_out += expand(text)
            case "A:":
                _open_turn(conversations[-1]).answer = text
            case _:
                raise ValueError(f"{path.name}:{number}: a line begins with ==, S:, Q:, ?: or A:")
    return Corpus([turns for turns in conversations if turns], systems)


def expand(text: str) -> list[str]:
    """Every sentence that `text` stands for: "(a|b) c" is "a c" and "b c"."""
    pieces: list[Sequence[str]] = [
        piece.split("|") if place % 2 else [piece]
        for place, piece in enumerate(_ALTERNATIVES.split(text))
    ]
    return [_tidy("".join(choice)) for choice in itertools.product(*pieces)]


def _tidy(text: str) -> str:
    """Without the blanks that an empty alternative leaves."""
    return re.sub(r" +([?.,]|$)", r"\1", re.sub(r" +", " ", text)).strip()


def _open_turn(turns: list[Turn]) -> Turn:
    """The turn whose answer is still to come."""
    if not turns or turns[-1].answer:
        turns.append(Turn())
    return turns[-1]
