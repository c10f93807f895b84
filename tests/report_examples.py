"""Results, folders and pages that the tests of the report share: every text of them tries to become markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import xarray as xr
from flint import fmpq

from rates.fit import fit_rate
from verify.claim import Claim, Kind, Variant
from verify.context import PROFILES, Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, combine, exact_evidence
from verify.runner import ClaimResult, VariantResult

NASTY = '<script>alert("x")</script> & <img src=http://example.org/x onerror=alert(1)> \'"'
HUGE = Fraction(10**40 + 1, 3**50)
TWO_LINES = r"\begin{aligned} J^\star - J(\theta) &\le \frac{C}{\sqrt{T}} \\ &\quad + \epsilon \end{aligned}"
PROSE = rf"""Prose with :math:`\gamma < 1` and ``code <b>``. {NASTY}

Derivation::

    x < y
      <script>
"""


def variant(kind: Kind, label: str, text: str = "in words") -> Variant:
    return Variant(kind, label, text, lambda _: ())


def outcome(form: Variant, *evidence: Evidence, recorded: str | None = "") -> VariantResult:
    """`recorded` is the verdict found unless it is given."""
    verdict = combine(evidence)
    return VariantResult(form, evidence, verdict, 0.1, str(verdict) if recorded == "" else recorded)


def decay(floor: float = 0.2, slope: float = 0.5) -> xr.Dataset:
    rng = np.random.default_rng(7)
    T = np.array([1_000, 3_162, 10_000, 31_623, 100_000])
    values = floor + 3 * T[:, None] ** -slope * rng.normal(1, 0.05, size=(5, 8))
    return xr.Dataset({"gap": (("horizon", "seed"), values)}, coords={"horizon": T, "seed": np.arange(8)})


def refutation(quantity: str = "the gap") -> Evidence:
    witness = Witness(
        f"one state; {NASTY}",
        {
            "gamma": fmpq(1, 2),
            "theta": [Fraction(-1, 3), Fraction(2)],
            "pi": np.array([[fmpq(1, 3), fmpq(2, 3)], [fmpq(1, 7), fmpq(6, 7)]], dtype=object),
            "P[s,a,t]": np.array([[["1/5", "4/5"], ["1/9", "8/9"]], [["0", "1"], ["1", "0"]]], dtype=object),
            NASTY: NASTY,
        },
    )
    return exact_evidence(
        quantity, fmpq(-1, 6), 0, Relation.AT_LEAST, instances=3, witness=witness, note=NASTY
    )


def results() -> list[ClaimResult]:
    fit = fit_rate(decay(), "gap", 0.5, floor=0.2)
    rate = Evidence(
        "exponent of the gap", fit.slope, fit.low, fit.high, -0.5, Relation.NOT_SLOWER, Rigor.STATISTICAL,
        instances=8, fit=fit,
    )
    undecided = Evidence(
        "undecidable gap", float("nan"), float("nan"), float("nan"), 0, Relation.AT_MOST, Rigor.FLOAT,
        undecided=f"too few seeds {NASTY}",
    )
    sampled = Evidence(
        "ratio $x", 0.75, 0.75, 0.75, 1, Relation.AT_MOST, Rigor.FLOAT, instances=3, sample=(0.25, 0.5, 0.75)
    )
    too_large = Evidence(
        "ratio $x", 4.0, 4.0, 4.0, 1, Relation.AT_MOST, Rigor.FLOAT, instances=2, sample=(0.5, 4.0)
    )
    proved = exact_evidence(
        "certificate", HUGE, HUGE, Relation.EQUAL, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS
    )
    first = Claim("paper-a", "theorem-1", f"A rate {NASTY}", TWO_LINES, PROSE, ())
    second = Claim("paper-b", "lemma 2/3", "A lemma", r"\nosuchmacro{<script>}", "", ())
    return [
        ClaimResult(
            first,
            (
                outcome(variant(Kind.PRINTED, "", NASTY), rate, sampled),
                outcome(variant(Kind.READING, NASTY), refutation()),
                outcome(variant(Kind.REPAIRED, ""), proved),
                outcome(variant(Kind.CONTROL, "k = 0"), too_large),
            ),
        ),
        ClaimResult(
            second,
            (
                outcome(variant(Kind.PRINTED, ""), undecided, recorded="holds"),
                outcome(variant(Kind.CONTROL, "sign"), sampled, recorded=None),
            ),
        ),
    ]


def files(folder: Path) -> dict[Path, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in found}


def context() -> Context:
    return Context(PROFILES["quick"], seed=3, datasets={"actor/gap": decay()})


class Page(HTMLParser):
    """Start tags with attributes, and the text inside chosen elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def paper_results() -> list[ClaimResult]:
    """A theorem of zeng2022 above a refuted proposition, a definition, an assumption: ids are real, the rest is not."""
    rate = results()[0].variants[0].evidence[0]
    stands = exact_evidence("residual", 0, 0, Relation.EQUAL, scope=Scope.CLASS)
    wrong = outcome(variant(Kind.CONTROL, "wrong"), exact_evidence("residual", 1, 0, Relation.EQUAL))

    def result(id: str, *outcomes: VariantResult, uses: tuple[str, ...] = (), text: str = "") -> ClaimResult:
        claim = Claim(
            "zeng2022", id, f"Summary of {id}", r"x \le y", text, tuple(o.variant for o in outcomes), uses,
            f"Hypotheses of {id}.", f"consequence of {id}, see `proposition-1`.",
        )  # fmt: skip
        return ClaimResult(claim, (*outcomes, wrong))

    return [
        result("eq-1", outcome(variant(Kind.PRINTED, ""), stands)),
        result("assumption-3", outcome(variant(Kind.PRINTED, ""), stands)),
        result(
            "proposition-1",
            outcome(variant(Kind.PRINTED, "a <b>", NASTY), refutation()),
            outcome(replace(variant(Kind.PRINTED, "b", "another line"), part="second"), stands),
            outcome(variant(Kind.REPAIRED, "", "the nearest true form"), stands),
            uses=("eq-1", "assumption-3"),
        ),
        result(
            "theorem-3-critic",
            outcome(variant(Kind.PRINTED, ""), rate),
            outcome(variant(Kind.REPAIRED, "better", "a better theorem"), stands),
            uses=("proposition-1", "eq-13-target"), text="As `proposition-1` says; not `eq-99`.",
        ),
    ]  # fmt: skip


class Frame(HTMLParser):
    """Headings of a page in order, with their levels."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[tuple[int, str]] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag in ("h1", "h2", "h3", "h4"):
            self._inside = True
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside &= tag not in ("h1", "h2", "h3", "h4")

    def handle_data(self, data: str) -> None:
        if self._inside:
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
