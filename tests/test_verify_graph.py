"""The picture of what rests on what: complete, layered, described in words, and in the report."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from verify.claim import Claim, control, printed, statement
from verify.context import PROFILES, Context
from verify.dependencies import dependency_graph
from verify.evidence import Relation, Verdict, exact_evidence
from verify.ledger import PAPERS, coverage, known_keys, ledger
from verify.report.figures import TONES, Figure
from verify.report.graph import SIGNS, graph_figure
from verify.report.layout import HEIGHT, MARGIN, ROW_GAP, WIDTH, layers, ordered_layers
from verify.report.site import write_report
from verify.runner import ClaimResult, run_claims

SVG = "{http://www.w3.org/2000/svg}"
BOX = re.compile(r"[-\d.]+")


def small() -> tuple[nx.DiGraph, dict[str, Verdict]]:
    """Theorem on two lemmas, one of them on an equation of another paper, and a remark apart."""
    graph = nx.DiGraph()
    graph.add_edges_from([("p/thm", "p/lem-1"), ("p/thm", "p/lem-2"), ("p/lem-1", "q/eq"), ("p/thm", "p/old")])
    graph.add_nodes_from(["p/remark", "q/other"])
    verdicts = {
        "p/thm": Verdict.HOLDS, "p/lem-1": Verdict.REFUTED, "p/lem-2": Verdict.AMBIGUOUS, "q/eq": Verdict.PROVED,
        "p/remark": Verdict.OUT_OF_SCOPE,
    }
    return graph, verdicts


def large(seed: int) -> nx.DiGraph:
    """84 statements with 150 lines, as many as a paper has."""
    rng = np.random.default_rng(seed)
    graph = nx.DiGraph()
    graph.add_nodes_from(f"p/statement-{k}-{'x' * int(rng.integers(0, 12))}" for k in range(84))
    keys = list(graph)
    while graph.number_of_edges() < 150:
        low, high = sorted(int(k) for k in rng.choice(84, size=2, replace=False))
        graph.add_edge(keys[high], keys[low])
    return graph


def drawn(figure: Figure) -> tuple[dict[str, tuple[float, float, float]], list[list[float]]]:
    """Left, top and width of every box by label, and the numbers of every line."""
    root = ET.fromstring(figure.svg)
    boxes = {}
    for group in root.iter(f"{SVG}g"):
        rect, text = group.find(f".//{SVG}rect"), group.find(f".//{SVG}text")
        assert rect is not None
        assert text is not None
        label = (text.text or "").split(" ", 1)[1]
        boxes[label] = (float(rect.attrib["x"]), float(rect.attrib["y"]), float(rect.attrib["width"]))
    lines = [[float(x) for x in BOX.findall(path.attrib["d"])] for path in root.iter(f"{SVG}path")]
    return boxes, lines


def joined(figure: Figure) -> set[tuple[str, str]]:
    """Pairs of labels that a line joins, from the geometry alone."""
    boxes, lines = drawn(figure)
    starts = {(round(x + w / 2, 1), y + HEIGHT): label for label, (x, y, w) in boxes.items()}
    ends = {(round(x + w / 2, 1), y): label for label, (x, y, w) in boxes.items()}
    return {(starts[line[0], line[1]], ends[line[-2], line[-1]]) for line in lines}


def test_every_statement_and_every_line_is_there() -> None:
    graph, verdicts = small()
    figure = graph_figure(graph, "p", verdicts)
    assert set(drawn(figure)[0]) == {"thm", "lem-1", "lem-2", "old", "q/eq", "remark"}
    assert joined(figure) == {("thm", "lem-1"), ("thm", "lem-2"), ("thm", "old"), ("lem-1", "q/eq")}


@pytest.mark.parametrize("seed", range(3))
def test_a_graph_of_the_size_of_a_paper_is_complete_and_readable(seed: int) -> None:
    graph = large(seed)
    figure = graph_figure(graph, "p", {})
    boxes, _ = drawn(figure)
    assert set(boxes) == {key.removeprefix("p/") for key in graph}
    assert joined(figure) == {(a.removeprefix("p/"), b.removeprefix("p/")) for a, b in graph.edges}
    for a, b in graph.edges:
        assert boxes[a.removeprefix("p/")][1] + HEIGHT + ROW_GAP <= boxes[b.removeprefix("p/")][1], (a, b)
    rows: dict[float, list[tuple[float, float]]] = {}
    for x, y, width in boxes.values():
        rows.setdefault(y, []).append((x, x + width))
    assert min(np.diff(sorted(rows))) >= HEIGHT + ROW_GAP
    for row in rows.values():
        row.sort()
        assert row[0][0] >= MARGIN
        assert row[-1][1] <= WIDTH - MARGIN + 0.1
        assert all(b[0] - a[1] >= 4 for a, b in pairwise(row))
    assert max(rows) + HEIGHT <= figure.height


def test_layers_put_a_statement_above_all_it_rests_on() -> None:
    graph = nx.DiGraph([("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")])
    assert layers(graph) == {"c": 0, "b": 1, "d": 1, "a": 2}


def test_the_order_uncrosses_lines() -> None:
    graph = nx.DiGraph([("a", "z"), ("b", "y"), ("c", "x")])  # alphabetical layers would cross three times
    top, bottom = (ordered_layers(graph)[layer] for layer in (1, 0))
    partner = {"a": "z", "b": "y", "c": "x"}
    assert [partner[key] for key in top] == bottom


def test_verdicts_show_in_colour_and_sign_and_corner() -> None:
    graph, verdicts = small()
    root = ET.fromstring(graph_figure(graph, "p", verdicts).svg)
    looks = {}
    for group in root.iter(f"{SVG}g"):
        text, rect = group.find(f"{SVG}text"), group.find(f"{SVG}rect")
        assert text is not None
        assert rect is not None
        sign, label = (text.text or "").split(" ", 1)
        looks[label] = (group.attrib["class"].split()[0], sign, rect.attrib["rx"])
    assert looks == {
        "thm": ("good", "✓", "12"), "lem-1": ("bad", "✗", "0"), "lem-2": ("open", "?", "5"),
        "q/eq": ("good", "✓", "12"), "remark": ("aside", "○", "5"), "old": ("none", "·", "5"),
    }
    assert len(set(SIGNS.values())) == len(SIGNS)
    assert {*TONES.values(), "none"} == set(SIGNS)
    kinds = [path.attrib["class"].split()[1:-2] for path in root.iter(f"{SVG}path")]
    assert sorted(kinds) == [[], [], ["bad"], ["open"]]


def test_the_description_counts_and_names_what_does_not_stand() -> None:
    graph, verdicts = small()
    figure = graph_figure(graph, "p", verdicts)
    assert figure.alt.startswith("Graph of p: 6 statements, 4 lines to what they rest on, 3 layers. ")
    assert "lem-1 (refuted, under 1), lem-2 (ambiguous, under 1)" in figure.alt
    assert "remark" not in figure.alt
    root = ET.fromstring(figure.svg)
    words = root.find(f"{SVG}desc")
    assert words is not None
    assert words.text == figure.alt
    assert root.attrib["aria-labelledby"] == words.attrib["id"]
    titles = {(t.text or "").split(":")[0]: t.text for t in root.iter(f"{SVG}title")}
    assert titles["lem-1"] == "lem-1: refuted; rests on eq"
    sound = graph_figure(graph, "p", {"p/thm": Verdict.HOLDS})
    assert "No statement rests on one that does not stand." in sound.alt


def test_the_table_has_every_statement_and_every_line() -> None:
    graph, verdicts = small()
    rows = list(csv.DictReader(io.StringIO(graph_figure(graph, "p", verdicts).csv)))
    assert {(r["statement"], r["rests_on"]) for r in rows if r["rests_on"]} == {
        (a, b) for a, b in graph.edges if a.startswith("p/")
    }
    alone = {r["statement"]: (r["verdict"], r["layer"]) for r in rows if not r["rests_on"]}
    assert alone == {
        "p/thm": ("holds", "2"), "p/lem-1": ("refuted", "1"), "p/lem-2": ("ambiguous", "0"), "q/eq": ("proved", "0"),
        "p/old": ("not checked", "0"), "p/remark": ("out-of-scope", ""),
    }


def test_names_never_become_markup() -> None:
    nasty = "p q/<script>&\"'"
    graph = nx.DiGraph([(nasty, "p q/b")])
    figure = graph_figure(graph, "p q", {}, {nasty: '#x"><script>'})
    root = ET.fromstring(figure.svg)
    assert not list(root.iter("script"))
    assert "<script>" not in figure.svg
    assert root.attrib["id"] == "graph-p-q"  # it goes into selectors


def test_an_unknown_paper_and_a_cycle_are_errors() -> None:
    graph, verdicts = small()
    with pytest.raises(ValueError, match="no statement of 'r'"):
        graph_figure(graph, "r", verdicts)
    with pytest.raises(ValueError, match="rest on themselves"):
        graph_figure(nx.DiGraph([("p/a", "p/b"), ("p/b", "p/a")]), "p", {})


def test_the_bytes_do_not_depend_on_hashing() -> None:
    code = (
        "import sys, networkx as nx; from verify.report.graph import graph_figure; "
        "graph = nx.DiGraph([line.split() for line in sys.stdin]); f = graph_figure(graph, 'p', {}); "
        "sys.stdout.write(f.svg + f.csv + f.alt)"
    )
    lines = [f"{a} {b}" for a, b in large(0).edges]
    other = str(1 + int(os.environ.get("PYTHONHASHSEED", "0").replace("random", "0")))
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, input="\n".join(lines).encode(),
        cwd=Path(__file__).parents[1], env={**os.environ, "PYTHONHASHSEED": other, "PYTHONUTF8": "1"},
    )
    here = graph_figure(nx.DiGraph([line.split() for line in lines]), "p", {})
    assert run.stdout.decode() == here.svg + here.csv.replace("\n", os.linesep) + here.alt


@pytest.mark.parametrize("paper", PAPERS)
def test_the_bundled_ledgers_can_be_drawn(paper: str) -> None:
    graph = dependency_graph(ledger(), known_keys())
    graph.add_nodes_from(f"{paper}/{row['id']}" for row in coverage(paper))
    boxes, _ = drawn(graph_figure(graph, paper, {}))
    assert {row["id"] for row in coverage(paper)} <= set(boxes)


# --- in the report -------------------------------------------------------------------------------------------


class Links(HTMLParser):
    """Ids, and links inside the inline picture."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.inside, self.links = False, list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.inside |= tag == "svg"
        self.ids += [values["id"] or ""] if "id" in values else []
        if tag == "a" and self.inside:
            self.links.append(values["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        self.inside &= tag != "svg"


def _claim(id: str, measured: int, *uses: str) -> Claim:
    def build() -> tuple:
        """A summary."""
        value = exact_evidence("value", measured, 0, Relation.EQUAL)
        wrong = exact_evidence("value", 1, 0, Relation.EQUAL)
        return printed(lambda c: value, "x"), control(lambda c: wrong, "y", "wrong")

    return statement("zeng2022", id, uses=uses)(build)()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[list[Claim]], str]:
    def run(claims: list[Claim]) -> str:
        context = Context(PROFILES["quick"])
        results: list[ClaimResult] = list(run_claims(claims, context, {}))
        return write_report(results, context, tmp_path).read_text(encoding="utf-8")

    return run


def test_the_report_has_the_picture_with_links_and_files(write: Callable[[list[Claim]], str], tmp_path: Path) -> None:
    text = write([_claim("eq-3", 0, "eq-2", "eq-1"), _claim("eq-2", 1, "eq-1")])
    page = Links(text)
    assert "What rests on what" in text
    assert page.links
    assert set(page.links) == {"statements/zeng2022-eq-3.html", "statements/zeng2022-eq-2.html"}
    assert all((tmp_path / link).is_file() for link in page.links)
    assert len(page.ids) == len(set(page.ids))
    assert "eq-2 (refuted, under 1)" in text
    beside = (tmp_path / "figures" / "zeng2022-graph.svg").read_text(encoding="utf-8")
    assert "href" not in beside  # on its own it has nowhere to lead
    lines = {("eq-3", "eq-2"), ("eq-3", "eq-1"), ("eq-2", "eq-1")}
    assert joined(Figure(beside, "", "", "", 0, 0)) == lines
    assert (tmp_path / "figures" / "zeng2022-graph.csv").is_file()


def test_no_picture_where_nothing_rests_on_anything(write: Callable[[list[Claim]], str], tmp_path: Path) -> None:
    assert "What rests on what" not in write([_claim("eq-3", 0), _claim("eq-2", 1)])
    assert not list((tmp_path / "figures").glob("*graph*"))
