from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import xarray as xr
from flint import fmpq

from rates.fit import RateOutcome, fit_rate
from rates.sweep import load
from verify.claim import Claim, Kind, Variant
from verify.context import PROFILES, Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, combine, exact_evidence
from verify.figures import DRAWN, Strip, rate_figure, strip_figure
from verify.markup import inline, matrices, number, prose
from verify.mathml import mathml
from verify.report import write_report
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


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(results(), context(), tmp_path_factory.mktemp("report") / "deep" / "out")


@pytest.fixture(scope="module")
def page(index: Path) -> Page:
    return Page(index.read_text(encoding="utf-8"))


def test_returns_the_page(index: Path) -> None:
    assert index.name == "index.html"
    assert index.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_no_text_of_a_claim_becomes_markup(index: Path, page: Page) -> None:
    assert "<script" not in index.read_text(encoding="utf-8").lower()
    assert {"script", "iframe", "link", "object", "b onerror"}.isdisjoint(tag for tag, _ in page.tags)
    assert not [(tag, name) for tag, attributes in page.tags for name in attributes if name.startswith("on")]
    # and it is shown rather than dropped: summary, prose, form, note, undecided, witness, label, value
    assert "".join(page.text).count('<script>alert("x")</script>') >= 8


def test_every_address_lies_in_the_folder(index: Path, page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    addresses = [a[name] for _, a in page.tags for name in ("href", "src", "srcset", "data") if name in a]
    assert len(addresses) > 10
    for address in addresses:
        assert address
        assert ":" not in address
        assert not address.startswith("/")
        path, _, fragment = address.partition("#")
        if fragment:
            assert fragment in ids
        if path:
            target = (index.parent / unquote(path)).resolve()
            assert target.is_relative_to(index.parent.resolve())
            assert target.is_file()
    assert "url(" not in index.read_text(encoding="utf-8")
    assert "@import" not in index.read_text(encoding="utf-8")


def test_figures_name_no_outside_address(index: Path) -> None:
    figures = sorted((index.parent / "figures").glob("*.svg"))
    assert len(figures) == 3
    for figure in figures:
        for node in ET.parse(figure).iter():
            outside = [v for k, v in node.attrib.items() if k.endswith("href") and not v.startswith("#")]
            assert not outside


def test_every_image_is_described_in_words_and_numbers(page: Page) -> None:
    images = page.all("img")
    assert len(images) == 3
    for image in images:
        assert len(image["alt"] or "") > 60
        assert any(character.isdigit() for character in image["alt"] or "")


def test_two_runs_give_the_same_bytes(index: Path, tmp_path: Path) -> None:
    again = write_report(results(), context(), tmp_path)
    first, second = (files(root.parent) for root in (index, again))
    assert list(first) == list(second)
    assert len(first) == 8
    for path, content in first.items():
        assert content == second[path], path


def test_wall_time_is_not_shown(tmp_path: Path) -> None:
    slow = [ClaimResult(r.claim, tuple(replace(v, seconds=9e9) for v in r.variants)) for r in results()]
    fast = write_report(results(), context(), tmp_path / "a").read_bytes()
    assert write_report(slow, context(), tmp_path / "b").read_bytes() == fast


def test_statement_is_mathml_or_else_its_source(index: Path, page: Page) -> None:
    math = page.all("math")
    assert [m["display"] for m in math].count("block") == 1
    assert len(page.all("mtr")) == 2
    assert r"\nosuchmacro{&lt;script&gt;}" in index.read_text(encoding="utf-8")


def test_head_names_versions_and_departures(index: Path, page: Page) -> None:
    assert f"<dt>numpy</dt><dd>{np.__version__}</dd>" in index.read_text(encoding="utf-8")
    text = " ".join("".join(page.text).split())
    assert "Not as recorded: 1 of 2." in text
    assert "Recorded as holds." in text
    assert "Not recorded yet." in text


def test_head_says_when_all_is_as_recorded(tmp_path: Path) -> None:
    text = write_report(results()[:1], context(), tmp_path).read_text(encoding="utf-8")
    assert "All 1 as recorded" in text
    assert "Not as recorded" not in text


def test_no_results_is_a_page_too(tmp_path: Path) -> None:
    text = write_report([], Context(PROFILES["quick"]), tmp_path).read_text(encoding="utf-8")
    assert "No statement was run." in text


def test_datasets_lie_beside_the_page(index: Path) -> None:
    xr.testing.assert_identical(load(index.parent / "data" / "actor-gap.nc"), decay())


def test_witness_is_printed_exactly(page: Page) -> None:
    matrices_shown = [a["aria-label"] for a in page.all("table") if a.get("class") == "matrix"]
    assert matrices_shown == [
        "theta, 1 × 2", "pi, 2 × 2", "P[s,a,t] at s = 0, 2 × 2", "P[s,a,t] at s = 1, 2 × 2",
    ]  # fmt: skip
    for entry in ("-1/3", "6/7", "8/9", "1/2"):
        assert entry in page.text
    assert str(HUGE) in page.text


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("gamma", fmpq(1, 2), []),
        ("text", "abc", []),
        ("empty", [], []),
        ("ragged", [[1], [1, 2]], []),
        ("v", (Fraction(1, 2), 3), [("", [["1/2", "3"]])]),
        ("M", np.eye(2), [("", [["1", "0"], ["0", "1"]])]),
        ("r[i,s,a]", np.zeros((2, 1, 1), dtype=int), [("i = 0", [["0"]]), ("i = 1", [["0"]])]),
        ("P", np.zeros((1, 1, 1, 1), dtype=int), [("[0, 0, ·, ·]", [["0"]])]),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_matrices(name: str, value: object, expected: list[tuple[str, list[list[str]]]]) -> None:
    assert matrices(name, value) == expected


@pytest.mark.parametrize(
    ("latex", "rows"),
    [
        (r"x^2", 0),
        (r"a = b \\ c = d", 2),
        (r"a &= b \\[4pt] &= c \\", 2),
        (r"\begin{aligned} a &= b \\ &= c \\ &= d \end{aligned}", 3),
        (r"f = \begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}", 2),
        (r"x = y, \quad \begin{split} a \\ b \end{split}", 2),
        (r"\arg\min_\omega \tfrac1N", 0),
        (r"\{ x : y \} \mid \operatorname*{arg\,max}_x", 0),
    ],
)
def test_mathml_rows(latex: str, rows: int) -> None:
    text = mathml(latex)
    assert text is not None
    tree = ET.fromstring(text)
    assert len(tree.findall(".//mtr")) == rows
    assert tree.get("alttext") == latex
    assert not [node for node in tree.iter() if (node.text or "") in ("&", "\\\\")]


@pytest.mark.parametrize(
    "latex",
    ["", "  ", r"\nosuchmacro x", r"\frac{a", "a_b_c", r"\begin{aligned} a", "50 % of x", "a } b", r"\left("],
)
def test_latex_that_is_not_understood_is_refused(latex: str) -> None:
    assert mathml(latex) is None


def test_latex_cannot_smuggle_markup() -> None:
    assert "<script" not in str(mathml(r"\text{<script>alert(1)</script>}"))
    for latex in (r"\href{javascript:alert(1)}{x}", r"\style{color:red}{x}"):
        assert "href" not in ET.fromstring(str(mathml(latex)))[0][0].attrib
        assert "style" not in ET.fromstring(str(mathml(latex)))[0][0].attrib


def test_delimiters_of_every_size_are_drawn() -> None:
    text = str(mathml(r"\big\| x \Big\rVert \|y\| \big\langle \bigg\{"))
    assert "\\" not in text.partition(">")[2]
    assert text.count("‖") == 4


def test_scripts_of_large_delimiters_belong_to_the_group() -> None:
    tree = ET.fromstring(str(mathml(r"a \Big( b + \Big\| c \Big\|_2 \Big)^2 + \big[ d \big]")))
    assert "".join(tree.find(".//msup")[0].itertext()) == "(b+‖c‖2)"  # type: ignore[index]
    assert "".join(tree.find(".//msub")[0].itertext()) == "‖c‖"  # type: ignore[index]
    assert "".join(tree.itertext()) == "a(b+‖c‖2)2+[d]"


def test_functions_stand_off_from_an_argument_without_brackets() -> None:
    tree = ET.fromstring(str(mathml(r"x \log^2 T + \log(T)")))
    first, second = (node for node in tree.iter("mo") if node.text == "log")
    assert (first.get("lspace"), first.get("rspace")) == ("0.17em", "0.17em")
    assert (second.get("lspace"), second.get("rspace")) == ("0", "0")


def test_limits_go_below_their_operator() -> None:
    tree = ET.fromstring(str(mathml(r"\max_x \sum_{k=1}^n \operatorname*{argmax}_y \bar V_t")))
    assert [node[0].text for node in tree.iter("munder")] == ["max", "argmax"]
    assert [node[0].text for node in tree.iter("munderover")] == ["∑"]
    assert len(tree.findall(".//msub")) == 1


def test_styled_letters_become_letters_of_their_alphabet() -> None:
    assert "𝔼" in str(mathml(r"\mathbb E"))
    assert "ℝ" in str(mathml(r"\mathbb R"))
    assert "𝜽" in str(mathml(r"\boldsymbol{\theta}"))
    assert "𝟏" in str(mathml(r"\mathbf{1}"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Fraction(2), "2"),
        (-3, "−3"),
        (0.5, "0.5"),
        (-1.5e-16, "−1.5&nbsp;×&nbsp;10<sup>−16</sup>"),
        (1e-10, "10<sup>−10</sup>"),
        (float("-inf"), "−∞"),
        (float("nan"), "–"),
        (Fraction(1, 2), '1/2 <span class="approx">=&nbsp;0.5</span>'),
        (Fraction(2, 10**9), '1/500000000 <span class="approx">=&nbsp;2&nbsp;×&nbsp;10<sup>−9</sup></span>'),
        (Fraction("0.17000001"), '17000001/100000000 <span class="approx">≈&nbsp;0.17</span>'),
        (Fraction(-1, 3), '−1/3 <span class="approx">≈&nbsp;−0.333333</span>'),
    ],
)
def test_number(value: float | Fraction, expected: str) -> None:
    assert number(value) == expected


def test_number_folds_long_fractions_and_survives_their_size() -> None:
    tiny = Fraction(1, 7**500)
    assert str(tiny) in number(tiny)
    assert "10<sup>−423</sup>" in number(tiny)
    assert "<details" in number(tiny)


def test_inline_and_prose() -> None:
    assert inline("a ``b < c`` & `d`") == "a <code>b &lt; c</code> &amp; <code>d</code>"
    assert inline("the *actor's* part of (omega*, lambda*), 2 * 3 * 4") == (
        "the <em>actor&#39;s</em> part of (omega*, lambda*), 2 * 3 * 4"
    )
    assert inline(r":math:`\nosuchmacro`") == r"<code>\nosuchmacro</code>"
    assert prose("One\nline.\n\nThus::\n\n    x\n     y\n\nEnd.").splitlines() == [
        "<p>One", "line.</p>", "<p>Thus:</p>", '<pre tabindex="0">x', " y</pre>", "<p>End.</p>",
    ]  # fmt: skip
    assert prose("- a\n  b\n- c") == "<ul><li>a\n  b</li><li>c</li></ul>"


def test_rate_figure_data_and_words() -> None:
    fit = fit_rate(decay(), "gap", 0.5, floor=0.2)
    figure = rate_figure(fit)
    rows = list(csv.DictReader(figure.csv.splitlines()))
    assert [int(row["horizon"]) for row in rows] == fit.horizons.tolist()
    np.testing.assert_allclose([float(row["excess"]) for row in rows], fit.excess)
    half = [(float(row["excess_high"]) - float(row["excess_low"])) / 2 for row in rows]
    np.testing.assert_allclose(half, 1.96 * fit.standard_error)
    x = np.log(fit.horizons)
    guide = np.log([float(row["guide"]) for row in rows])
    np.testing.assert_allclose(np.diff(guide) / np.diff(x), -0.5)
    fitted = np.log([float(row["fitted"]) for row in rows[fit.tail :]])
    np.testing.assert_allclose(np.diff(fitted) / np.diff(x[fit.tail :]), fit.slope)
    assert all(row["fitted"] == "" for row in rows[: fit.tail])
    for part in (f"−{abs(fit.slope):.3f}", f"−{abs(fit.low):.3f}", "floor 0.2", "claimed: −1/2", "1,000"):
        assert part in figure.alt


@pytest.mark.parametrize(
    ("centre", "outcome"),
    [(0.5, RateOutcome.NO_SIGNAL), (0.2, RateOutcome.BELOW_FLOOR)],
    ids=["inside the noise", "below the floor"],
)
def test_rate_figure_without_a_slope(centre: float, outcome: RateOutcome) -> None:
    dataset = decay()
    noise = np.random.default_rng(0).normal(size=dataset["gap"].shape)
    dataset["gap"] = dataset["gap"] * 0 + centre + 0.01 * noise
    dataset["gap"][0, 0] = 0.6
    fit = fit_rate(dataset, "gap", 0.5, floor=0.5)
    assert fit.outcome is outcome
    figure = rate_figure(fit)
    assert "No slope could be fitted" in figure.alt
    assert all(row["fitted"] == "" for row in csv.DictReader(figure.csv.splitlines()))


def strip(sample: tuple[float, ...], claimed: float = 1.0, relation: Relation = Relation.AT_MOST) -> Strip:
    return Strip("printed", Kind.PRINTED, "ratio", relation, claimed, sample)


@pytest.mark.parametrize(
    "sample",
    [(0.0,), (1.0, 1.0), (-1e6, -1e-3, 1e-3, 2e-3), (1e-9, 1.0), (np.nan, 2.0), (np.inf,), (0.0, 5e-324)],
    ids=str,
)
def test_strip_figure_takes_any_sample(sample: tuple[float, ...]) -> None:
    figure = strip_figure([strip(sample)])
    assert len(list(csv.reader(figure.csv.splitlines()))) == 1 + len(sample)
    ET.fromstring(figure.svg)


def test_strip_figure_words() -> None:
    alt = strip_figure([strip((0.25, 0.5, -2.0))]).alt
    assert alt == "printed, ratio: 3 values from −2 to 0.5, median 0.25; claimed at most 1."


def test_strip_figure_draws_a_claimed_value_but_not_a_claimed_slope() -> None:
    assert "Dashed" in strip_figure([strip((0.5,))]).caption
    assert "Dashed" not in strip_figure([strip((0.5,), -0.5, Relation.NOT_SLOWER)]).caption


def test_strip_figure_thins_the_drawing_only() -> None:
    figure = strip_figure([strip(tuple(np.linspace(0, 1, 2 * DRAWN)))])
    assert len(figure.csv.splitlines()) == 1 + 2 * DRAWN
    assert figure.svg.count("<use ") < 1.5 * DRAWN
    assert str(DRAWN) in figure.caption


def test_strip_figure_needs_a_strip() -> None:
    with pytest.raises(ValueError, match="at least one strip"):
        strip_figure([])
