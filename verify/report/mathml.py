"""LaTeX as MathML that browsers show without a network.

The converter has gaps: it leaves ``&`` and ``<`` raw, drops what follows a percent sign, and writes what it does not
know as text. So its output is repaired and then checked against a list of what MathML may contain; anything else is
None, and the report shows the LaTeX source instead.
"""

from __future__ import annotations

import re
import unicodedata
from xml.etree import ElementTree

import latex2mathml.converter
from markupsafe import Markup


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
