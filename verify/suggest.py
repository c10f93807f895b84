"""What a mistyped name may have meant; needs nothing but the standard library, so that it can be used anywhere."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

CUTOFF = 0.6
"""Least similarity of `difflib` that is worth a suggestion; ours: one wrong letter in four is still found."""


def near(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Known names that `word` may have meant, the likeliest first.

    Args:
        word: what was typed.
        known: what there is.
        most: how many at most.

    Returns:
        Names that differ in case and punctuation only, or else those that begin with the word, or else those that are
        similar or contain it.
    """
    names, bare = list(dict.fromkeys(known)), _bare(word)
    if not bare:
        return []
    same = [name for name in names if _bare(name) == bare]
    if not same and "/" in word:  # the right statement of the wrong paper
        same = [name for name in names if "/" in name and _last(name) == _last(word)]
    begins = [name for name in names if _bare(name).startswith(bare)]
    if same or begins:
        return (same or begins)[:most]
    similar = difflib.get_close_matches(word, names, n=most, cutoff=CUTOFF)
    return (similar or [name for name in names if len(bare) > 2 and bare in _bare(name)])[:most]


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of an error message, such as "; did you mean ring3?" - or another if nothing is near.

    Args:
        word: what was typed.
        known: what there is.
        otherwise: what to say if nothing is near, such as ``; `lemmata list` shows all``.
    """
    found = near(word, known)
    return f"; did you mean {' or '.join(found)}?" if found else otherwise


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """The message about a name that is not one of a few, "profile 'ful' is not one of quick, full; did you mean full?".

    Args:
        what: the argument.
        word: what was typed.
        known: what there is.
    """
    names = list(known)
    return f"{what} {word!r} is not one of {', '.join(names)}{did_you_mean(word, names)}"


def _last(key: str) -> str:
    """The part after the slash, bare."""
    return _bare(key.rpartition("/")[2])


def _bare(text: str) -> str:
    """Letters and digits in lower case."""
    return re.sub(r"[\W_]+", "", text.lower())
