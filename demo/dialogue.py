"""Turns the corpus into token sequences to train on: single questions, longer chats, plain text."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from corpus import Corpus, Turn
from transformers import PreTrainedTokenizerFast
from variations import nonsense, vary
from vocabulary import END, START

#: The first tokens of an answer decide which one it is; the others follow from them.
_DECIDING = 3
_DECIDING_WEIGHT = 4.0
_BEGINNING = 10  # tokens
#: The first phrasings of a topic are those that people use most.
_USUAL = 3
_USUAL_SHARE = 0.12
#: The last topic of one turn is what lies out of range. It has no limits, so it comes most often.
_OUT_OF_RANGE_SHARE = 0.28


@dataclass
class Sample:
    """Tokens, and for each the weight of having predicted it: 0 for what others say."""

    ids: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)


class Dialogues:
    """An endless supply of samples, the same for the same seed."""

    def __init__(self, corpus: Corpus, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
        self._corpus = corpus
        self._topics = corpus.topics
        self._chats = [turns for turns in corpus.conversations if len(turns) > 1]
        self._tokenizer = tokenizer
        self._rng = random.Random(seed)  # noqa: S311 - the same on every run is what is wanted

    def draw(self) -> Sample:
        """One sample."""
        kind = self._rng.random()
        if kind < 0.08:
            return self._plain()
        if kind < 0.12:
            return self._tour()
        if kind < 0.23:
            return self._chat(self._rng.choice(self._chats))
        turns = 1 if kind < 0.80 else self._rng.randint(2, 3)
        return self._chat([self._topic() for _ in range(turns)])

    def _topic(self) -> Turn:
        if self._rng.random() < _OUT_OF_RANGE_SHARE:
            return self._topics[-1]
        return self._rng.choice(self._topics[:-1])

    def _chat(self, turns: Sequence[Turn]) -> Sample:
        sample = Sample()
        if self._rng.random() < 0.25:
            self._say(sample, f"{START}system\n{self._rng.choice(self._corpus.systems)}{END}\n")
        for turn in turns[:-1]:
            self._exchange(sample, turn)
            self._say(sample, "\n")
        # To choose the right answer is the hard part: half of the time only that is practised.
        self._exchange(sample, turns[-1], self._rng.choice((None, _BEGINNING)))
        return sample

    def _exchange(self, sample: Sample, turn: Turn, limit: int | None = None) -> None:
        self._say(sample, f"{START}user\n{self._question(turn)}{END}\n{START}assistant\n")
        self._answer(sample, f"{turn.answer}{END}", limit)

    def _plain(self) -> Sample:
        """What `/v1/completions` sends: a question without any marks."""
        sample, turn = Sample(), self._topic()
        self._say(sample, self._question(turn))
        self._answer(sample, f"\n{turn.answer}{END}")
        return sample

    def _tour(self) -> Sample:
        """One answer after the other, which is what a request with `ignore_eos` goes on to read."""
        sample, first = Sample(), self._rng.randrange(len(self._topics))
        start = self._topics[first]
        self._say(sample, f"{START}user\n{self._question(start)}{END}\n{START}assistant\n")
        for step in range(3):
            answer = self._topics[(first + step) % len(self._topics)].answer
            self._answer(sample, f"{answer}{END}\n")
        return sample

    def _question(self, turn: Turn) -> str:
        usual = self._rng.random() < _USUAL_SHARE
        question = self._rng.choice(turn.questions[:_USUAL] if usual else turn.questions)
        if turn is self._topics[-1] and self._rng.random() < 0.3:
            words = question.split()
            words[self._rng.randrange(len(words) // 2, len(words))] = nonsense(self._rng)
            question = " ".join(words)
        return vary(question, self._rng)

    def _say(self, sample: Sample, text: str) -> None:
        ids = self._tokenizer.encode(text)
        sample.ids += ids
        sample.weights += [0.0] * len(ids)

    def _answer(self, sample: Sample, text: str, limit: int | None = None) -> None:
        ids = self._tokenizer.encode(text)[:limit]
        sample.ids += ids
        deciding = min(_DECIDING, len(ids))
        sample.weights += [_DECIDING_WEIGHT] * deciding + [1.0] * (len(ids) - deciding)
