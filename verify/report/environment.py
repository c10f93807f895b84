"""Templates of the report with their filters. Autoescaping is on; filters that build markup return Markup."""

from __future__ import annotations

import jinja2
from markupsafe import Markup

from verify.claim import Kind
from verify.dependencies import FALLEN
from verify.evidence import Relation, Rigor, Scope, Verdict, judge
from verify.report import markup
from verify.report.figures import TONES
from verify.report.guide import stands_repaired
from verify.report.mathml import mathml
from verify.report.sections import decisive, rigor_of

RELATIONS = {
    Relation.AT_MOST: "≤", Relation.AT_LEAST: "≥", Relation.EQUAL: "=",
    Relation.NOT_SLOWER: "decays at least like exponent",
}  # fmt: skip
"""Relations as printed before the claimed value."""


def environment() -> jinja2.Environment:
    """The templates in ``verify/templates``."""
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("verify", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        mathml=mathml, prose=_prose, inline=_inline, number=markup.number, exact=markup.exact_or_text, judge=judge,
        tone=TONES.__getitem__, fragment=fragment, decisive=decisive, rigor=rigor_of, repairs=stands_repaired,
    )
    found.globals.update(
        matrices=markup.matrices, relations=RELATIONS, Scope=Scope, Rigor=Rigor, Verdict=Verdict, Kind=Kind,
        FALLEN=FALLEN,
    )
    return found


def fragment(name: str) -> str:
    """Fragment of an address for the name of a variant.

    Args:
        name: such as ``printed[td-error]``.
    """
    return "form-" + "".join(
        c if c.isascii() and c.isalnum() else "_" if c in "[] " else f"-{ord(c):x}-" for c in name
    )


@jinja2.pass_context
def _inline(context: jinja2.runtime.Context, text: str) -> Markup:
    return markup.inline(text, _links(context))


@jinja2.pass_context
def _prose(context: jinja2.runtime.Context, text: str) -> Markup:
    return markup.prose(text, _links(context))


def _links(context: jinja2.runtime.Context) -> dict[str, str]:
    """Addresses by what prose may call a statement: its key, or its id on a page of the same paper."""
    own, root, here = f"{context['paper']}/", context["root"], context["here"]
    links = {key: f"{root}{address}" for key, address in context["addresses"].items() if address != here}
    return links | {key.removeprefix(own): address for key, address in links.items() if key.startswith(own)}
