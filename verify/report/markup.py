"""Prose, numbers and matrices as safe HTML: everything is escaped, the only markup is made here."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from verify.evidence import Number, exact_text
from verify.report.mathml import mathml

LONG = 28
"""Characters of an exact number above which it is folded away behind its decimal value; ours."""


def prose(text: str, links: Mapping[str, str] | None = None) -> Markup:
    """Paragraphs, lists and preformatted blocks of a docstring as HTML.

    Args:
        text: prose; indented blocks are preformatted, ``- `` starts an item of a list.
        links: as for `inline`.
    """
    parts: list[Markup] = []
    for block in re.split(r"\n[ \t]*\n", text.strip("\n")):
        if re.match(r"[-*] ", block):
            items = (inline(item[2:], links) for item in re.split(r"\n(?=[-*] )", block))
            parts.append(Markup("<ul>%s</ul>") % Markup("").join(Markup("<li>%s</li>") % i for i in items))
            continue
        for indented, run in groupby(block.splitlines(), lambda line: line[:1].isspace()):
            lines = "\n".join(run)
            if indented:
                parts.append(Markup('<pre tabindex="0">%s</pre>') % textwrap.dedent(lines))
            elif lines.strip():
                parts.append(Markup("<p>%s</p>") % inline(re.sub(r"::$", ":", lines), links))
    return Markup("\n").join(parts)


def inline(text: str, links: Mapping[str, str] | None = None) -> Markup:
    """Text with ``:math:`` roles, code in backticks and ``*emphasis*`` as HTML, everything else escaped.

    Args:
        text: one paragraph.
        links: addresses by what stands in backticks, such as ids of statements.
    """
    done, position = Markup(""), 0
    marks = r":math:`([^`]+)`|``(.+?)``|(?::\w+:)?`([^`]+)`|(?<![^\s(])\*(\w[^*]*)(?<=\S)\*(?!\w)"
    for found in re.finditer(marks, text, re.DOTALL):
        latex, literal, role, emphasis = found.groups()
        code = latex or literal or role
        markup = (latex and mathml(latex, "inline")) or Markup("<code>%s</code>") % code
        if links and not latex and code in links:
            markup = Markup('<a href="%s">%s</a>') % (links[code], markup)
        done += escape(text[position : found.start()])
        done += Markup("<em>%s</em>") % emphasis if emphasis else markup
        position = found.end()
    return done + escape(text[position:])


def number(value: Number) -> Markup:
    """A number as HTML: exact ones as p/q beside a decimal value, floats to six digits, true minus signs.

    Args:
        value: the number.
    """
    exact = exact_or_text(value)
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
        return [("", [[exact_or_text(x) for x in array]])]
    axes = re.search(r"\[([^\[\]]*)\]$", name)
    letters = axes.group(1).split(",") if axes else []
    stack = []
    for index in np.ndindex(array.shape[:-2]):
        if len(letters) == array.ndim:
            label = ", ".join(f"{letter.strip()} = {k}" for letter, k in zip(letters, index, strict=False))
        else:
            label = f"[{', '.join(map(str, index))}, ·, ·]" if index else ""
        stack.append((label, [[exact_or_text(x) for x in row] for row in array[index]]))
    return stack


def exact_or_text(value: Any) -> str:
    """`verify.evidence.exact_text`, for anything a witness may hold.

    Args:
        value: a number, or anything else, which is printed by `str`.
    """
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
