"""The known name that an unknown one resembles. Pure.

A name is only held against the known ones where it is long, where its beginning or end is the
same, and where it differs by little; or where its words are theirs, cut short.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_SHORTEST = 7  # characters: below, everything resembles something
_ALIKE = 0.86  # difflib's ratio without underscores; MAX_MODEL_LENGTH to MAX_MODEL_LEN has 0.88
_EDGE = 3  # characters of the beginning or the end that a misspelling keeps
_CUT = 3  # characters of a word that is cut short: MEM for MEMORY
_LONG = 12  # characters of a name that is still meant with a word too many


def meant(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Each of `names` that looks like a known one -> that one."""
    long_enough = [name for name in names if len(name) >= _SHORTEST]
    squeezed = {name: name.upper().replace("_", "").replace("-", "") for name in long_enough}
    edges = {edge for text in squeezed.values() for edge in _edges(text)}
    near: list[tuple[str, str]] = []  # the known ones that come into question
    for name in known:
        text = name.replace("_", "")
        if not edges.isdisjoint(_edges(text)):
            near.append((text, name))
    found = {name: _nearest(text, near) or _by_words(name, near) for name, text in squeezed.items()}
    return {name: known_one for name, known_one in found.items() if known_one}


def _nearest(text: str, near: Sequence[tuple[str, str]]) -> str | None:
    edges = set(_edges(text))
    candidates = {
        known: name
        for known, name in near
        if abs(len(known) - len(text)) <= _EDGE and not edges.isdisjoint(_edges(known))
    }
    if not candidates:
        return None
    import difflib  # only now: most starts have nothing to compare, and need not wait for it

    alike = difflib.get_close_matches(text, candidates, n=1, cutoff=_ALIKE)
    return candidates[alike[0]] if alike else None


def _by_words(name: str, near: Sequence[tuple[str, str]]) -> str | None:
    words = name.upper().replace("-", "_").split("_")
    found = {
        known
        for _text, known in near
        if known.startswith(words[0][:_CUT])
        and (_is_cut_short(words, known.split("_")) or _has_one_more(words, known.split("_")))
    }
    return found.pop() if len(found) == 1 else None


def _edges(squeezed: str) -> tuple[str, str]:
    return f"{squeezed[:_EDGE]}-", f"-{squeezed[-_EDGE:]}"


def _is_cut_short(words: Sequence[str], known: Sequence[str]) -> bool:
    """GPU_MEM_UTIL for GPU_MEMORY_UTILIZATION. Of two words, LOG_CONFIG is anybody's."""
    return 2 < len(words) == len(known) and all(
        whole == word or (len(word) >= _CUT and whole.startswith(word))
        for word, whole in zip(words, known, strict=True)
    )


def _has_one_more(words: Sequence[str], known: Sequence[str]) -> bool:
    """MODEL_NAME_REVISION for MODEL_REVISION. A word before it would be another program's name."""
    if len(words) != len(known) + 1 or len(known) < 2 or len("".join(known)) < _LONG:
        return False
    return any([*words[:at], *words[at + 1 :]] == list(known) for at in range(1, len(words)))
