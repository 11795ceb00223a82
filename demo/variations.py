"""Says a question the way people type it: small letters, no question mark, typing errors."""

from __future__ import annotations

import random

_OPENINGS = (
    "Please,|Hey,|Hi,|Hello,|So|OK,|Well,|And|Excuse me,|Can you tell me:|I want to know:|Tell me,"
    "|Quick question:|Sorry,|One question:|Could you tell me:"
).split("|")
_CLOSINGS = "please|thanks|exactly|again|now|then|actually|here|thank you".split("|")
_SHORTER = {
    "What is": ("What's", "Whats", "what s"),
    "Who is": ("Who's",),
    "How do I": ("How to", "How can I", "how would I", "How could I", "how do you", "How should I"),
    "How can I": ("How to", "How do I", "how would I", "How could I"),
    "can I": ("could I",),
    "can you": ("could you",),
    "are you": ("r u",),
    "do not": ("don't",),
    "Which": ("What",),
}
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def vary(question: str, rng: random.Random) -> str:
    """`question` as somebody else would have typed it; often unchanged."""
    if rng.random() < 0.25:
        return question
    for step, share in (
        (_shorten, 0.3),
        (_open, 0.2),
        (_close, 0.08),
        (_drop_word, 0.12),
        (_mistype, 0.25),
        (_mistype, 0.1),
        (_punctuate, 0.4),
        (_recase, 0.55),
    ):
        if rng.random() < share:
            question = step(question, rng)
    return question


def nonsense(rng: random.Random) -> str:
    """A word that exists in no language, so that unknown words become a class of their own."""
    return "".join(rng.choices(_LETTERS, k=rng.randint(3, 9)))


def _shorten(text: str, rng: random.Random) -> str:
    for long, short in _SHORTER.items():
        if long in text:
            return text.replace(long, rng.choice(short), 1)
    return text


def _open(text: str, rng: random.Random) -> str:
    return f"{rng.choice(_OPENINGS)} {text[:1].lower()}{text[1:]}"


def _close(text: str, rng: random.Random) -> str:
    mark = text[-1:] if text[-1:] in "?.!" else ""
    return f"{text.removesuffix(mark)} {rng.choice(_CLOSINGS)}{mark}"


def _drop_word(text: str, rng: random.Random) -> str:
    words = text.split()
    small = [place for place, word in enumerate(words) if word in {"a", "an", "the", "do", "is"}]
    if small:
        del words[rng.choice(small)]
    return " ".join(words)


def _mistype(text: str, rng: random.Random) -> str:
    """One letter is left out, doubled, swapped with the next or hit beside."""
    if len(text) < 6:
        return text
    place = rng.randrange(1, len(text) - 1)
    before, letter, after = text[:place], text[place], text[place + 1 :]
    changed = ("", letter * 2, rng.choice(_LETTERS))
    if rng.random() < 0.3:
        return before + after[:1] + letter + after[1:]
    return before + rng.choice(changed) + after


def _punctuate(text: str, rng: random.Random) -> str:
    return text.rstrip("?.!") + rng.choice(("", "", "", "?", ".", "!", "??", " ?"))


def _recase(text: str, rng: random.Random) -> str:
    return rng.choice((text.lower(), text.lower(), text.lower(), text.capitalize(), text.upper()))
