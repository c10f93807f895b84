"""Claims: a statement of a paper with its variants, each a check that returns evidence.

A statement is one function with the decorator `statement`; its docstring is what the report shows: a summary
line, the statement in LaTeX under ``.. math::``, then prose (derivation of a repaired form, second opinions). Two
paragraphs have names: one that starts with ``Hypotheses:`` and one that starts with ``Consequence:``, what the
verdict means for the theorems that use the statement.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from verify.evidence import Evidence, outside

if TYPE_CHECKING:
    from verify.context import Context
    from verify.sharpness import Sharpness

Check = Callable[["Context"], Evidence | Sequence[Evidence]]
"""Computes the evidence for one variant."""


class Kind(Enum):
    """What a variant is; the value explains it."""

    PRINTED = "as the paper prints it, under a plausible reading"
    READING = "a further reading or nearby form, for comparison"
    REPAIRED = "the nearest true statement we know"
    SOURCE = "the cited original, where it differs"
    CONTROL = "a deliberately wrong form that the same check must refute"


@dataclass(frozen=True)
class Variant:
    """One form of a statement with its check.

    Attributes:
        kind: what it is.
        label: short name within the kind; empty for the only one.
        text: this form in words.
        check: computes the evidence.
        part: which line of a statement with several lines this is about; readings of the same part are
            alternatives, parts stand or fall together.
        recheck: evidence from the witness alone, in exact arithmetic and under a second; None if `check` is that.
        sharpness: of a repaired form, how far it could still be strengthened.
    """

    kind: Kind
    label: str
    text: str
    check: Check
    part: str = ""
    recheck: Check | None = None
    sharpness: Sharpness | None = None

    @property
    def name(self) -> str:
        """Stable key, such as ``printed``, ``printed[td-error]`` or ``control[no 1/(1-gamma)]``."""
        kind = self.kind.name.lower()
        return f"{kind}[{self.label}]" if self.label else kind


@dataclass(frozen=True)
class Claim:
    """A statement of a paper.

    Attributes:
        paper: key of the paper, such as ``zeng2022``.
        id: key of the statement in the paper's coverage list.
        summary: one line.
        latex: the statement as printed, LaTeX without dollars; may be empty.
        text: prose from the docstring, its two named paragraphs aside.
        variants: the forms that are checked, printed ones first.
        uses: statements that this one rests on, as the paper uses them: ids of the same paper, or ``paper/id``.
        hypotheses: the paragraph of that name.
        consequence: the paragraph of that name.
    """

    paper: str
    id: str
    summary: str
    latex: str
    text: str
    variants: tuple[Variant, ...]
    uses: tuple[str, ...] = ()
    hypotheses: str = ""
    consequence: str = ""

    @property
    def key(self) -> str:
        """``paper/id``."""
        return f"{self.paper}/{self.id}"

    @property
    def used_keys(self) -> tuple[str, ...]:
        """`uses` as full keys."""
        return tuple(id if "/" in id else f"{self.paper}/{id}" for id in self.uses)


def statement(
    paper: str, id: str, *, uses: Sequence[str] = ()
) -> Callable[[Callable[[], tuple[Variant, ...]]], Callable[[], Claim]]:
    """Decorator: turn a documented function that returns variants into one that returns a `Claim`.

    Args:
        paper: key of the paper.
        id: key of the statement in its coverage list.
        uses: statements it rests on.

    Raises:
        ValueError: when the claim is built: no docstring, no printed variant, no negative control (out of scope
            aside), or two variants of one name.
    """

    def decorate(build: Callable[[], tuple[Variant, ...]]) -> Callable[[], Claim]:
        def claim() -> Claim:
            variants = build()
            summary, latex, text = _parse(inspect.getdoc(build) or "")
            text, hypotheses = _named_paragraph(text, "Hypotheses:")
            text, consequence = _named_paragraph(text, "Consequence:")
            key = f"{paper}/{id}"
            if not summary:
                raise ValueError(f"{key} has no docstring")
            kinds = {v.kind for v in variants}
            decidable = any(v.kind is Kind.PRINTED and not isinstance(v.check, Outside) for v in variants)
            for needed in (Kind.PRINTED, Kind.CONTROL) if decidable else (Kind.PRINTED,):
                if needed not in kinds:
                    raise ValueError(f"{key} has no {needed.name.lower()} variant")
            names = [v.name for v in variants]
            if len(set(names)) < len(names):
                raise ValueError(f"{key} has two variants of one name: {names}")
            return Claim(paper, id, summary, latex, text, variants, tuple(uses), hypotheses, consequence)

        claim.__doc__, claim.__name__, claim.__module__ = build.__doc__, build.__name__, build.__module__
        return claim

    return decorate


@dataclass(frozen=True)
class Outside:
    """The check of a form that nothing here can decide.

    Attributes:
        why: why, and what could decide it.
    """

    why: str

    def __call__(self, context: Context) -> Evidence:
        """Evidence that says so.

        Args:
            context: not used.
        """
        return outside(self.why)


def out_of_scope(text: str, why: str, label: str = "", part: str = "") -> Variant:
    """A printed variant that nothing here can decide.

    Args:
        text: this form in words.
        why: why, and what could decide it.
        label: short name.
        part: which line of the statement.
    """
    return Variant(Kind.PRINTED, label, text, Outside(why), part)


def printed(check: Check, text: str, label: str = "", part: str = "", recheck: Check | None = None) -> Variant:
    """A printed variant (arguments as `Variant`).

    Args:
        check: computes the evidence.
        text: this form in words.
        label: short name.
        part: which line of the statement.
        recheck: the witness alone.
    """
    return Variant(Kind.PRINTED, label, text, check, part, recheck)


def reading(check: Check, text: str, label: str, part: str = "", recheck: Check | None = None) -> Variant:
    """A further reading (arguments as `Variant`).

    Args:
        check: computes the evidence.
        text: this form in words.
        label: short name.
        part: which line of the statement.
        recheck: the witness alone.
    """
    return Variant(Kind.READING, label, text, check, part, recheck)


def repaired(check: Check, text: str, label: str = "", part: str = "") -> Variant:
    """A repaired variant (arguments as `Variant`).

    Args:
        check: computes the evidence.
        text: this form in words.
        label: short name.
        part: which line of the statement.
    """
    return Variant(Kind.REPAIRED, label, text, check, part)


def source(check: Check, text: str, label: str = "") -> Variant:
    """The cited original (arguments as `Variant`).

    Args:
        check: computes the evidence.
        text: this form in words.
        label: short name.
    """
    return Variant(Kind.SOURCE, label, text, check)


def control(check: Check, text: str, label: str) -> Variant:
    """A negative control (arguments as `Variant`).

    Args:
        check: computes the evidence.
        text: the deliberately wrong form in words.
        label: short name.
    """
    return Variant(Kind.CONTROL, label, text, check)


def _named_paragraph(text: str, name: str) -> tuple[str, str]:
    """The prose without the paragraph that starts with `name`, and that paragraph without its name."""
    paragraphs = text.split("\n\n")
    found = [p for p in paragraphs if p.startswith(name)]
    if len(found) > 1:
        raise ValueError(f"two paragraphs start with {name!r}")
    rest = "\n\n".join(p for p in paragraphs if not p.startswith(name))
    return rest, found[0][len(name) :].strip() if found else ""


def _parse(doc: str) -> tuple[str, str, str]:
    """Summary line, LaTeX under ``.. math::``, and the remaining prose of a docstring."""
    lines = doc.splitlines()
    summary = lines[0].strip() if lines else ""
    latex: list[str] = []
    prose: list[str] = []
    inside = False
    for line in lines[1:]:
        if line.strip().startswith(".. math::"):
            inside = True
            rest = line.strip()[len(".. math::") :].strip()
            if rest:
                latex.append(rest)
        elif inside and (not line.strip() or line.startswith(" ")):
            if line.strip():
                latex.append(line.strip())
        else:
            inside = False
            prose.append(line)
    return summary, " ".join(latex), "\n".join(prose).strip()
