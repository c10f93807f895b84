"""Pieces of the report: numbers, prose, formulas, and figures with their words and data."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from report_examples import decay

from rates.fit import RateOutcome, fit_rate
from verify.claim import Kind
from verify.evidence import Relation
from verify.report.figures import DRAWN, Strip, rate_figure, strip_figure
from verify.report.markup import inline, matrices, number, prose
from verify.report.mathml import mathml


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


def test_ids_in_backticks_become_links_and_nothing_else_does() -> None:
    links = {"eq-1": 'x.html"><script>'}
    assert inline("see `eq-1`, `eq-2` and eq-1", links) == (
        'see <a href="x.html&#34;&gt;&lt;script&gt;"><code>eq-1</code></a>, <code>eq-2</code> and eq-1'
    )
    assert "<a href" in prose("- `eq-1`", links)
    assert "<a href" not in inline(":math:`eq-1`", links)


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
