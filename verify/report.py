"""The report: one folder that opens from disk, with a page, figures, and the data behind them.

Same results, same bytes: nothing here depends on time, path, or number of workers. All text of claims and
data passes through autoescaping; the only markup made in Python is built by the functions of this file. It is
longer than most because turning LaTeX, prose, numbers and matrices into safe HTML belongs in one place.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jinja2
import latex2mathml.converter
import numpy as np
from markupsafe import Markup, escape

from rates.sweep import save
from verify.claim import Kind
from verify.context import Context
from verify.evidence import Number, Relation, Rigor, Scope, Verdict, exact_text, judge
from verify.figures import Figure, Strip, rate_figure, strip_figure
from verify.runner import ClaimResult, VariantResult

TONES = {
    Verdict.PROVED: "good", Verdict.HOLDS: "good", Verdict.CONSISTENT: "good",
    Verdict.REFUTED: "bad", Verdict.UNSATISFIABLE: "bad", Verdict.VACUOUS: "bad",
    Verdict.AMBIGUOUS: "open", Verdict.INCONCLUSIVE: "open", Verdict.OUT_OF_SCOPE: "aside",
}  # fmt: skip
"""Colour class of a verdict; the badge also carries its name and a sign."""

RELATIONS = {
    Relation.AT_MOST: "≤", Relation.AT_LEAST: "≥", Relation.EQUAL: "=",
    Relation.NOT_SLOWER: "decays at least like exponent",
}  # fmt: skip
"""Relations as printed before the claimed value."""

LONG = 28
"""Characters of an exact number above which it is folded away behind its decimal value; ours."""


@dataclass(frozen=True)
class PlacedFigure:
    """A figure and where it lies.

    Attributes:
        figure: the figure.
        name: what it belongs to.
        svg: path from the page.
        csv: path from the page.
    """

    figure: Figure
    name: str
    svg: str
    csv: str


@dataclass(frozen=True)
class Section:
    """A statement as the page shows it.

    Attributes:
        anchor: fragment of its address.
        result: its outcome.
        rates: figures of the rate fits by variant name.
        strip: figure of the samples, if there are any.
    """

    anchor: str
    result: ClaimResult
    rates: Mapping[str, tuple[PlacedFigure, ...]]
    strip: PlacedFigure | None

    def of(self, *kinds: str) -> list[VariantResult]:
        """Results of the variants of some kinds.

        Args:
            *kinds: names of members of `Kind`.
        """
        return [v for v in self.result.variants if v.variant.kind in {Kind[k] for k in kinds}]

    @property
    def refuted_controls(self) -> int:
        """How many negative controls came out refuted."""
        return sum(v.verdict is Verdict.REFUTED for v in self.of("CONTROL"))


@dataclass(frozen=True)
class DataFile:
    """A dataset beside the page.

    Attributes:
        key: its key in the context.
        path: path from the page.
        sizes: dimensions in words.
        variables: names of its variables.
    """

    key: str
    path: str
    sizes: str
    variables: str


def write_report(results: Sequence[ClaimResult], context: Context, out: Path) -> Path:
    """Write the report of a run of the ledger.

    Files of an earlier report in the same folder are overwritten; others are left alone.

    Args:
        results: outcomes in the order to show.
        context: what they were computed with; its datasets are saved beside the page.
        out: folder, made if needed.

    Returns:
        The path of ``index.html``.

    Raises:
        OSError: the folder cannot be written.
    """
    (out / "figures").mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    sections = [_section(result, out, names) for result in results]
    page = _environment().get_template("report.html.j2")
    by_paper = [(paper, list(group)) for paper, group in groupby(sections, lambda s: s.result.claim.paper)]
    text = page.render(
        sections=sections,
        by_paper=by_paper,
        counts=_counts(results),
        verdicts=[v for v in Verdict if any(r.verdict is v for r in results)],
        context=context,
        versions={name: version(name) for name in ("lemmata", "numpy", "scipy", "numba")},
        data=_save_datasets(context, out),
    )
    index = out / "index.html"
    index.write_text(text, encoding="utf-8", newline="\n")
    return index


def mathml(latex: str, display: str = "block") -> Markup | None:
    r"""LaTeX as MathML, or None where the converter does not understand it.

    Lines separated by ``\\``, alignment marks and the ``aligned`` family become a table of lines.

    Args:
        latex: formula without dollars.
        display: ``block`` or ``inline``.
    """
    # the converter takes an unescaped % for a comment and would drop the rest of the statement in silence
    bare = re.sub(r"\\.", "", latex, flags=re.DOTALL)
    if not latex.strip() or "%" in bare or bare.count("{") != bare.count("}"):
        return None
    try:
        text = latex2mathml.converter.convert(_in_lines(latex), display=display)
        # it leaves & and < of the input as they are
        root = ElementTree.fromstring(re.sub(r"&(?!#x[0-9A-Fa-f]+;)", "&amp;", text))
    except Exception:  # its errors share no base class, and malformed input raises IndexError and others
        return None
    if not all(_clean(node) for node in root.iter()):
        return None
    for parent in list(root.iter()):
        _group_fences(parent)
        _space_functions(parent)
    root.set("alttext", " ".join(latex.split()))
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=False))


def prose(text: str) -> Markup:
    """Paragraphs, lists and preformatted blocks of a docstring as HTML.

    Args:
        text: prose; indented blocks are preformatted, ``- `` starts an item of a list.
    """
    parts: list[Markup] = []
    for block in re.split(r"\n[ \t]*\n", text.strip("\n")):
        if re.match(r"[-*] ", block):
            items = (inline(item[2:]) for item in re.split(r"\n(?=[-*] )", block))
            parts.append(Markup("<ul>%s</ul>") % Markup("").join(Markup("<li>%s</li>") % i for i in items))
            continue
        for indented, run in groupby(block.splitlines(), lambda line: line[:1].isspace()):
            lines = "\n".join(run)
            if indented:
                parts.append(Markup('<pre tabindex="0">%s</pre>') % textwrap.dedent(lines))
            elif lines.strip():
                parts.append(Markup("<p>%s</p>") % inline(re.sub(r"::$", ":", lines)))
    return Markup("\n").join(parts)


def inline(text: str) -> Markup:
    """Text with ``:math:`` roles, code in backticks and ``*emphasis*`` as HTML, everything else escaped.

    Args:
        text: one paragraph.
    """
    done, position = Markup(""), 0
    marks = r":math:`([^`]+)`|``(.+?)``|(?::\w+:)?`([^`]+)`|(?<![^\s(])\*(\w[^*]*)(?<=\S)\*(?!\w)"
    for found in re.finditer(marks, text, re.DOTALL):
        latex, literal, role, emphasis = found.groups()
        markup = (latex and mathml(latex, "inline")) or Markup("<code>%s</code>") % (latex or literal or role)
        done += escape(text[position : found.start()])
        done += Markup("<em>%s</em>") % emphasis if emphasis else markup
        position = found.end()
    return done + escape(text[position:])


def number(value: Number) -> Markup:
    """A number as HTML: exact ones as p/q beside a decimal value, floats to six digits, true minus signs.

    Args:
        value: the number.
    """
    exact = _exact(value)
    if not isinstance(value, Fraction | int) or (len(exact) <= LONG and "/" not in exact):
        return _typeset(exact)
    fraction = Fraction(value)
    # Decimal has no overflow where float(fraction) has
    decimal = f"{Decimal(fraction.numerator) / Decimal(fraction.denominator):.6g}"
    sign = "=" if Fraction(decimal) == fraction else "≈"
    if "e" not in decimal:
        decimal = decimal.rstrip("0").rstrip(".") if "." in decimal else decimal
    short = Markup("%s&nbsp;%s") % (sign, _typeset(decimal))
    if len(exact) <= LONG:
        return _typeset(exact) + Markup(' <span class="approx">%s</span>') % short
    digits = Markup('<span class="digits">%s</span>') % exact
    return Markup('%s <details class="exact"><summary>exact</summary>%s</details>') % (short, digits)


def matrices(name: str, value: Any) -> list[tuple[str, list[list[str]]]]:
    """A value as labelled matrices of exact text: one for vectors and matrices, a stack for more dimensions.

    Args:
        name: its name; ``P[s,a,t]`` names the axes too.
        value: number, text, or (nested) sequence or array of numbers.

    Returns:
        Label and rows of each matrix; empty for a scalar, text, or ragged value, which is printed in line.
    """
    nested = value.tolist() if hasattr(value, "tolist") and not isinstance(value, np.ndarray) else value
    if not isinstance(nested, np.ndarray | list | tuple):
        return []
    try:
        array = np.array(nested, dtype=object)
    except ValueError:  # ragged beyond the first level, which the next line catches
        return []
    if array.ndim == 0 or array.size == 0 or any(isinstance(x, list | tuple) for x in array.flat):
        return []
    if array.ndim == 1:
        return [("", [[_exact(x) for x in array]])]
    axes = re.search(r"\[([^\[\]]*)\]$", name)
    letters = axes.group(1).split(",") if axes else []
    stack = []
    for index in np.ndindex(array.shape[:-2]):
        if len(letters) == array.ndim:
            label = ", ".join(f"{letter.strip()} = {k}" for letter, k in zip(letters, index, strict=False))
        else:
            label = f"[{', '.join(map(str, index))}, ·, ·]" if index else ""
        stack.append((label, [[_exact(x) for x in row] for row in array[index]]))
    return stack


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("verify", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        mathml=mathml, prose=prose, inline=inline, number=number, exact=_exact, judge=judge,
        tone=TONES.__getitem__,
    )
    environment.globals.update(
        matrices=matrices, relations=RELATIONS, Scope=Scope, Rigor=Rigor, Verdict=Verdict, Kind=Kind
    )
    return environment


def _counts(results: Sequence[ClaimResult]) -> dict[str, Counter[Verdict]]:
    counts: dict[str, Counter[Verdict]] = {}
    for result in results:
        counts.setdefault(result.claim.paper, Counter())[result.verdict] += 1
    return counts


def _section(result: ClaimResult, out: Path, names: set[str]) -> Section:
    anchor = _unique(f"{result.claim.paper}-{result.claim.id}", names)
    rates: dict[str, tuple[PlacedFigure, ...]] = {}
    strips = []
    for outcome in result.variants:
        variant, placed = outcome.variant, list[PlacedFigure]()
        for evidence in outcome.evidence:
            if evidence.fit is not None:
                name = f"{variant.name}, {evidence.quantity}"
                stem = _unique(f"{anchor}-{variant.name}", names)
                placed.append(_place(rate_figure(evidence.fit), name, stem, out))
            if evidence.sample:
                strips.append(
                    Strip(
                        variant.name, variant.kind, evidence.quantity, evidence.relation, evidence.claimed,
                        evidence.sample,
                    )
                )
        rates[variant.name] = tuple(placed)
    strip = None
    if strips:
        strip = _place(strip_figure(strips), "samples", _unique(f"{anchor}-samples", names), out)
    return Section(anchor, result, rates, strip)


def _place(figure: Figure, name: str, stem: str, out: Path) -> PlacedFigure:
    svg, table = f"figures/{stem}.svg", f"figures/{stem}.csv"
    (out / svg).write_text(figure.svg, encoding="utf-8", newline="\n")
    (out / table).write_text(figure.csv, encoding="utf-8", newline="\n")
    return PlacedFigure(figure, name, svg, table)


def _save_datasets(context: Context, out: Path) -> list[DataFile]:
    files, names = [], set[str]()
    for key, dataset in sorted(context.datasets.items()):
        (out / "data").mkdir(exist_ok=True)
        path = f"data/{_unique(key, names)}.nc"
        save(dataset, out / path)
        sizes = ", ".join(f"{name} {size}" for name, size in dataset.sizes.items())
        files.append(DataFile(key, path, sizes, ", ".join(map(str, dataset.data_vars))))
    return files


def _unique(text: str, taken: set[str]) -> str:
    """A file name and fragment made from `text`, not yet in `taken`, to which it is added."""
    stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80] or "unnamed"
    name, k = stem, 1
    while name in taken:
        k += 1
        name = f"{stem}-{k}"
    taken.add(name)
    return name


def _exact(value: Any) -> str:
    """`exact_text`, for anything a witness may hold."""
    try:
        return exact_text(value)
    except (TypeError, ValueError):  # not a number, or more digits than Python prints
        return str(value)


def _typeset(text: str) -> Markup:
    """Text of a number with minus signs, infinity, and powers of ten."""
    found = re.fullmatch(r"(.*\d)e([+-]\d+)", text)
    if found:
        power = str(int(found.group(2))).replace("-", "−")
        factor = Markup("%s&nbsp;×&nbsp;") % found.group(1).replace("-", "−")
        return (Markup("") if found.group(1) == "1" else factor) + Markup("10<sup>%s</sup>") % power
    # only undecided evidence has no value
    return escape("–" if text == "nan" else text.replace("-", "−").replace("inf", "∞"))


_LINES = r"(?:aligned|alignedat|align|split|gathered|gather|multlined|multline|flalign|eqnarray)\*?"


def _in_lines(latex: str) -> str:
    """LaTeX with every construct for several lines written as ``align*``, which the converter knows."""
    text = re.sub(r"\\(?:label|tag)\*?\{[^{}]*\}|\\(?:nonumber|notag)(?![A-Za-z])", "", latex)
    text = re.sub(r"\\(begin|end)\{equation\*?\}", "", text)
    text = re.sub(rf"\\(begin|end)\{{{_LINES}\}}", r"\\\1{align*}", text)
    text = re.sub(r"\\\\\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm)\s*\]", r"\\\\", text)
    text = re.sub(r"(?:\\\\\s*)+(\\end\{align\*\}|$)", r" \1", text.strip())
    text = re.sub(r"\\arg\s*\\(max|min)(?![A-Za-z])", r"\\arg\1", text)
    text = text.replace(r"\operatorname*", r"\operatorname")
    text = re.sub(r"\\mathop\{\\(?:mathrm|text|rm)\{(\w+)\}\}", r"\\operatorname{\1}", text)
    text = re.sub(r":\s*=", r"\\coloneqq ", text)
    depth = 0
    for token in re.findall(r"\\begin\{[^{}]*\}|\\end\{[^{}]*\}|\\.|[{}&]", text, re.DOTALL):
        if depth == 0 and token in (r"\\", "&"):
            return rf"\begin{{align*}}{text}\end{{align*}}"
        depth += (token == "{" or token.startswith(r"\begin{")) - (token == "}" or token.startswith(r"\end{"))
    return text


_ELEMENTS = {
    "math", "mrow", "mi", "mo", "mn", "mtext", "mspace", "mstyle", "mpadded", "mphantom", "mfrac", "msqrt",
    "mroot", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "menclose",
}  # fmt: skip
_ATTRIBUTES = {
    "display", "displaystyle", "scriptlevel", "fence", "stretchy", "form", "width", "height", "depth",
    "lspace", "rspace", "accent", "accentunder", "minsize", "maxsize", "largeop", "movablelimits",
    "linethickness", "columnalign", "rowspacing", "columnspacing", "notation",
}  # fmt: skip


_DELIMITERS = {
    r"\|": "‖", r"\Vert": "‖", r"\lVert": "‖", r"\rVert": "‖",
    r"\vert": "|", r"\lvert": "|", r"\rvert": "|",
    r"\langle": "⟨", r"\rangle": "⟩", r"\lfloor": "⌊", r"\rfloor": "⌋", r"\lceil": "⌈", r"\rceil": "⌉",
    r"\{": "{", r"\}": "}",
}  # fmt: skip
"""Delimiters that the converter leaves as commands after ``\\big``."""

_LIMITS = {
    "∑", "∏", "⋃", "⋂", "max", "min", "sup", "inf", "argmax", "argmin", "limsup", "liminf", "lim", "Pr",
}  # fmt: skip
"""Operators whose scripts go above and below in a display."""

_FUNCTIONS = {"log", "ln", "exp", "sin", "cos", "tan", "tanh", "det", "dim", "ker", "deg", "sgn"}
"""Names that stand off from an argument without brackets."""

_ACCENTS = {"¯", "^", "~", "˙", "→", "―"}


def _clean(node: ElementTree.Element) -> bool:
    """Reduce an element to what browsers draw and nothing that acts; False if it cannot be trusted."""
    node.tag = node.tag.removeprefix("{http://www.w3.org/1998/Math/MathML}")
    text = node.text or ""
    token = node.tag in ("mi", "mo", "mn", "mtext")
    if node.tag not in _ELEMENTS or (token and len(node)):
        return False
    if node.get("minsize") and text in _DELIMITERS:
        node.text = _DELIMITERS[text]
        node.set("stretchy", "true")
    elif token and node.tag != "mtext" and node.get("stretchy") is None and text in ("&", "{", "}", "$"):
        return False  # a mark or brace that it could not place
    elif token and text.startswith("\\"):
        return False  # a command that it does not know
    style = node.attrib.pop("mathvariant", "")
    if style == "normal":
        node.set("mathvariant", style)
    elif style:
        node.text = "".join(_alphabet(letter, style) for letter in text)
    for name in set(node.attrib) - _ATTRIBUTES - {"mathvariant"}:
        del node.attrib[name]
    _place_scripts(node)
    return True


def _place_scripts(node: ElementTree.Element) -> None:
    """Limits below and above their operator in a display, accents close to their letter."""
    if node.tag in ("msub", "msubsup", "munder", "munderover") and node[0].tag.endswith("mo"):
        operator = node[0]
        name = re.sub(r"\s", "", operator.text or "")
        if name in _LIMITS:
            node.tag = {"msub": "munder", "msubsup": "munderover"}.get(node.tag, node.tag)
            operator.set("movablelimits", "true")
            if name.isalpha():
                operator.attrib.update(lspace="0.1em", rspace="0.17em")
    if node.tag in ("mover", "munder") and len(node) > 1 and node[1].text in _ACCENTS:
        node.set("accent", "true")
        if node[1].text == "―":  # a dash does not stretch, a macron and a low line do
            node[1].text = "¯" if node.tag == "mover" else "_"


_OPENING = {")": "(", "]": "[", "}": "{", "⟩": "⟨", "⌋": "⌊", "⌉": "⌈", "‖": "‖", "|": "|"}


def _group_fences(parent: ElementTree.Element) -> None:
    """Put scripts of a large closing delimiter on its group: browsers do not enlarge it under a script."""
    if parent.tag not in ("math", "mrow", "mtd", "mstyle", "mpadded"):
        return
    for script in list(parent):
        if script.tag not in ("msub", "msup", "msubsup") or not script[0].get("minsize"):
            continue
        closing, before = script[0], list(parent)[: list(parent).index(script)]
        opening = [
            k
            for k, node in enumerate(before)
            if node.text == _OPENING.get(closing.text or "") and node.get("minsize") == closing.get("minsize")
        ]
        if opening:
            inside = before[opening[-1] :]
            script[0] = group = ElementTree.Element("mrow")
            group.extend([*inside, closing])
            for node in inside:
                parent.remove(node)


def _space_functions(parent: ElementTree.Element) -> None:
    """Make function names operators, with the space of those, except next to brackets and operators."""
    if parent.tag not in ("math", "mrow", "mtd", "mstyle", "mpadded"):
        return
    row = list(parent)
    for before, node, after in zip([None, *row], row, [*row[1:], None], strict=False):
        core = node[0] if node.tag in ("msub", "msup", "msubsup") else node
        if core.tag == "mi" and core.text in _FUNCTIONS:
            core.tag = "mo"
            for side, neighbour in (("lspace", before), ("rspace", after)):
                close = neighbour is None or neighbour.tag in ("mo", "mspace")
                core.set(side, "0" if close else "0.17em")


def _alphabet(letter: str, style: str) -> str:
    """The letter in a mathematical alphabet: browsers no longer take the style from an attribute."""
    # GREEK SMALL LETTER THETA, bold-italic: MATHEMATICAL BOLD ITALIC SMALL THETA
    words = re.sub(r"^(?:LATIN|GREEK) (\w+) LETTER ", r"\1 ", unicodedata.name(letter, ""))
    alphabet = style.upper().replace("BOLD-", "BOLD ")
    for name in (f"MATHEMATICAL {alphabet} {words}", f"{alphabet} {words}"):
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return letter
