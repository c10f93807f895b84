"""The report as a folder of pages: links, escaping, bytes, what is removed, guides, experiments, counterexamples."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import xarray as xr
from report_examples import HUGE, NASTY, Frame, Page, context, decay, files, paper_results, results
from typer.testing import CliRunner

from rates.fit import fit_rate
from rates.sweep import load
from verify.cli import app
from verify.context import PROFILES, Context
from verify.experiments.pursuit.recorded import read_recorded
from verify.experiments.pursuit.summary import Interval, end_of
from verify.experiments.rlhf.figure import blocks
from verify.experiments.rlhf.record import LINES
from verify.experiments.rlhf.record import read as recorded_dialogues
from verify.report.datasets import LISTING, stored_datasets
from verify.report.experiment_folders import FolderError, read_folder
from verify.report.experiments import EXPERIMENTS
from verify.report.figures import rate_figure
from verify.report.folder import MANIFEST, ReportFolder
from verify.report.site import write_report
from verify.runner import ClaimResult

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="300pt" height="200pt"><path d="M0 0L9 9"/></svg>'
FIXED = {"index.html", "statements.html", "counterexamples.html", "experiments.html", "words.html"}


def write_figure(folder: Path, stem: str, svg: str = SVG, **words: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}.svg").write_text(svg, encoding="utf-8")
    (folder / f"{stem}.csv").write_text("t,value\n1,2\n2,3\n", encoding="utf-8")
    if words:
        (folder / f"{stem}.json").write_text(json.dumps(words), encoding="utf-8")
    return folder


def nasty_folder(base: Path) -> Path:
    words = {"alt": f"Words {NASTY}, 1", "caption": f"Caption {NASTY}", "title": NASTY}
    folder = write_figure(base / "runs <b>", "spread-5", **words)
    return write_figure(folder, "unheard-of")


def read(root: Path, path: str) -> str:
    return (root / path).read_text(encoding="utf-8")


def text_of(page: str) -> str:
    return " ".join("".join(Page(page).text).split())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nasty claims, claims with real ids, and a folder of an experiment."""
    base = tmp_path_factory.mktemp("report")
    folder = nasty_folder(base)
    out = base / "deep" / "out"
    assert write_report([*results(), *paper_results()], context(), out, [folder]) == out / "index.html"
    return out


@pytest.fixture(scope="module")
def pages(root: Path) -> dict[str, Page]:
    found = {p.relative_to(root).as_posix(): Page(p.read_text(encoding="utf-8")) for p in root.rglob("*.html")}
    return dict(sorted(found.items()))


def test_there_is_a_page_for_everything(pages: dict[str, Page]) -> None:
    assert set(pages) >= FIXED
    assert {p for p in pages if p.startswith("statements/")} == {
        "statements/paper-a-theorem-1.html", "statements/paper-b-lemma-2-3.html", "statements/zeng2022-eq-1.html",
        "statements/zeng2022-assumption-3.html", "statements/zeng2022-proposition-1.html",
        "statements/zeng2022-theorem-3-critic.html",
    }  # fmt: skip
    assert {p for p in pages if p.startswith(("guides/", "experiments/"))} == {
        "guides/zeng2022.html", "experiments/rates.html", "experiments/simple-spread.html",
        "experiments/folder-runs-b.html",
    }  # fmt: skip


def test_no_text_of_a_claim_or_folder_becomes_markup(root: Path, pages: dict[str, Page]) -> None:
    for path, page in pages.items():
        tags = {tag for tag, _ in page.tags}
        assert {"iframe", "object", "embed", "base", "b onerror"}.isdisjoint(tags), path
        assert page.all("script") == [{"src": "../" * path.count("/") + "site.js"}], path
        assert [a["rel"] for a in page.all("link")] == ["stylesheet"], path
        assert not [(tag, name) for tag, a in page.tags for name in a if name.startswith("on")], path
        assert "style" not in {name for tag, a in page.tags for name in a}, path
        assert "@import" not in read(root, path), path
    # and it is shown rather than dropped: summary, prose, form, note, undecided, witness, label, value, caption
    shown = sum("".join(page.text).count('<script>alert("x")</script>') for page in pages.values())
    assert shown >= 12


def test_every_link_resolves_within_the_folder(root: Path, pages: dict[str, Page]) -> None:
    ids = {}
    for path, page in pages.items():
        found = [a["id"] for _, a in page.tags if "id" in a]
        assert len(found) == len(set(found)), path
        ids[(root / path).resolve()] = set(found)
    count = 0
    for path, page in pages.items():
        addresses = [a[name] for _, a in page.tags for name in ("href", "src", "srcset", "data") if name in a]
        for address in addresses:
            assert address, path
            assert ":" not in address, path
            assert not address.startswith("/"), path
            file, _, fragment = address.partition("#")
            target = ((root / path).parent / unquote(file)).resolve() if file else (root / path).resolve()
            assert target.is_relative_to(root.resolve()), (path, address)
            assert target.is_file(), (path, address)
            if fragment and "=" not in fragment:  # with "=" it sets filters
                assert unquote(fragment) in ids[target], (path, address)
            count += 1
    assert count > 200


def test_every_page_can_be_reached_from_the_overview(root: Path, pages: dict[str, Page]) -> None:
    seen, waiting = set(), ["index.html"]
    while waiting:
        path = waiting.pop()
        if path in seen or path not in pages:
            continue
        seen.add(path)
        for a in pages[path].all("a"):
            file = unquote((a.get("href") or "").split("#")[0])
            if file.endswith(".html"):
                waiting.append(((root / path).parent / file).resolve().relative_to(root.resolve()).as_posix())
    assert seen == set(pages)


def test_figures_name_no_outside_address(root: Path) -> None:
    figures = sorted((root / "figures").glob("*.svg"))
    assert len(figures) == 5  # the two of the folder are the same
    for figure in figures:
        assert figure.with_suffix(".csv").is_file()
        for node in ET.parse(figure).iter():
            assert not [v for k, v in node.attrib.items() if k.endswith("href") and not v.startswith("#")]


def test_every_image_is_described_in_words_and_numbers(pages: dict[str, Page]) -> None:
    images = [image for page in pages.values() for image in page.all("img")]
    assert len(images) >= 8
    for image in images:
        alt = image["alt"] or ""
        assert len(alt) > 40
        assert any(character.isdigit() for character in alt)


def test_headings_descend_one_level_at_a_time(root: Path, pages: dict[str, Page]) -> None:
    for path in pages:
        levels = [level for level, _ in Frame(read(root, path)).headings]
        assert levels[0] == 1, path
        assert levels.count(1) == 1, path
        assert all(after <= before + 1 for before, after in pairwise(levels)), path


def test_two_runs_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    folder = nasty_folder(tmp_path)
    again = write_report([*results(), *paper_results()], context(), tmp_path / "out", [folder])
    first, second = files(root), files(again.parent)
    assert list(first) == list(second)
    for path, content in first.items():
        assert content == second[path], path


def test_wall_time_is_not_shown(tmp_path: Path) -> None:
    slow = [ClaimResult(r.claim, tuple(replace(v, seconds=9e9) for v in r.variants)) for r in results()]
    for name, found in (("a", results()), ("b", slow)):
        write_report(found, context(), tmp_path / name)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_statement_is_mathml_or_else_its_source(root: Path, pages: dict[str, Page]) -> None:
    page = pages["statements/paper-a-theorem-1.html"]
    assert [m["display"] for m in page.all("math")].count("block") == 1
    assert len(page.all("mtr")) == 2
    assert r"\nosuchmacro{&lt;script&gt;}" in read(root, "statements/paper-b-lemma-2-3.html")


def test_the_overview_names_versions_and_departures(root: Path) -> None:
    html = read(root, "index.html")
    assert f"<dt>numpy</dt><dd>{np.__version__}</dd>" in html
    assert "Not as recorded: 1 of 6." in text_of(html)
    lemma = text_of(read(root, "statements/paper-b-lemma-2-3.html"))
    assert "Recorded as holds." in lemma
    assert "Not recorded yet." in lemma


def test_the_overview_says_when_all_is_as_recorded(tmp_path: Path) -> None:
    html = write_report(results()[:1], context(), tmp_path).read_text(encoding="utf-8")
    assert "All 1 as recorded" in html
    assert "Not as recorded" not in html


def test_no_results_is_a_report_too(tmp_path: Path) -> None:
    html = write_report([], Context(PROFILES["quick"]), tmp_path).read_text(encoding="utf-8")
    assert "No statement was run." in html
    assert "No printed form of this run is refuted." in read(tmp_path, "counterexamples.html")
    assert "This run has no experiment." in read(tmp_path, "experiments.html")


def test_a_witness_is_printed_exactly(root: Path, pages: dict[str, Page]) -> None:
    page = pages["statements/paper-a-theorem-1.html"]
    shown = [a["aria-label"] for a in page.all("table") if a.get("class") == "matrix"]
    assert shown == [
        "theta, 1 × 2", "pi, 2 × 2", "P[s,a,t] at s = 0, 2 × 2", "P[s,a,t] at s = 1, 2 × 2",
    ]  # fmt: skip
    for entry in ("-1/3", "6/7", "8/9", "1/2"):
        assert entry in page.text
    assert str(HUGE) in page.text


def test_rows_carry_what_the_filters_need(pages: dict[str, Page]) -> None:
    rows = {a["data-text"].split()[0]: a for a in pages["statements.html"].all("tr") if "data-text" in a}  # type: ignore[union-attr]
    assert len(rows) == 6
    row = rows["zeng2022/proposition-1"]
    assert (row["data-paper"], row["data-verdict"], row["data-rigor"]) == ("zeng2022", "refuted", "rational")
    assert "sec. 4, proposition 1" in (row["data-text"] or "")
    assert rows["zeng2022/theorem-3-critic"]["data-rigor"] == "statistical"
    assert [a for a in pages["statements.html"].all("form") if "hidden" in a], "without the script there is no form"


def test_counterexamples_are_the_refuted_printed_forms(root: Path, pages: dict[str, Page]) -> None:
    rows = [a for a in pages["counterexamples.html"].all("tr") if "data-text" in a]
    assert len(rows) == 1  # the refuted reading of paper-a is none: its printed form stands
    text = text_of(read(root, "counterexamples.html"))
    assert "printed[a <b>]" in text
    assert "gamma = 1/2" in text
    assert "P[s,a,t] = [[[1/5, 4/5], [1/9, 8/9]], [[0, 1], [1, 0]]]" in text
    assert "one state; <script>" in text


def test_a_statement_shows_what_is_around_it(root: Path) -> None:
    html = read(root, "statements/zeng2022-proposition-1.html")
    text = text_of(html)
    assert "Sec. 4, Proposition 1 · rate" in text
    assert re.search(r"Rests on.*eq-1.*assumption-3.*Directly above it.*theorem-3-critic", text)
    theorem = read(root, "statements/zeng2022-theorem-3-critic.html")
    assert "eq-13-target (not in this run)" in text_of(theorem)
    assert '<a href="../statements/zeng2022-proposition-1.html"><code>proposition-1</code></a> says' in theorem
    assert "<code>eq-99</code>" in theorem
    assert re.search(r"do not simply stand as printed.*proposition-1.*refuted", text_of(theorem))
    assert "experiments/rates.html" in theorem


def test_the_guide_answers_its_five_questions_from_the_run(root: Path) -> None:
    html = read(root, "guides/zeng2022.html")
    headings = Frame(html).headings
    assert [h for level, h in headings if level == 2] == ["Proposition 1", "Theorem 3"]
    questions = ["What it says", "What it needs", "Whether its proof stands", "What is true instead",
                 "What the experiments show"]  # fmt: skip
    assert [h for level, h in headings if level == 3] == 2 * questions
    theorem = text_of(html.partition('id="theorem-3"')[2])
    assert "Hypotheses of theorem-3-critic." in theorem
    assert re.search(r"Assumptions on which it rests.*assumption-3 proved", theorem)
    assert "Statements below it, assumptions aside: 2." in theorem
    assert "As printed 1 of them stands and 1 does not: 1 refuted. Repaired forms that stand: 1." in theorem
    assert "Not in this run: zeng2022/eq-13-target." in theorem
    assert re.search(r"proved theorem-3-critic repaired\[better\] a better theorem", theorem)
    assert re.search(r"consistent theorem-3-critic printed: exponent of the gap −0\.\d+ \[", theorem)
    assert "consequence of theorem-3-critic" in theorem


def test_the_guide_names_readings_that_stand_beside_one_that_falls(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["verify", "zhang2025/lemma-4.3", "--out", str(tmp_path), "--quiet"])
    assert done.exit_code == 0, done.output
    guide = text_of(read(tmp_path, "guides/zhang2025.html"))
    assert "No nearby form is known" not in guide
    assert re.search(r"What is true instead .*lemma-4.3 printed\[original\]", guide)
    assert "lemma-4.3 printed[restart]" not in guide


def test_a_verdict_that_changes_changes_the_guide(tmp_path: Path) -> None:
    standing = paper_results()
    refuted = standing[2]
    standing[2] = ClaimResult(refuted.claim, refuted.variants[1:])
    write_report(standing, context(), tmp_path)
    theorem = text_of(read(tmp_path, "guides/zeng2022.html").partition('id="theorem-3"')[2])
    assert "All 2 statements below it, assumptions aside, stand as printed." in theorem


def test_datasets_lie_beside_the_pages_and_find_their_way_back(root: Path) -> None:
    xr.testing.assert_identical(load(root / "data" / "actor-gap.nc"), decay())
    found = stored_datasets(root, "quick", 3)
    assert list(found) == ["actor/gap"]
    xr.testing.assert_identical(found["actor/gap"], decay())
    assert stored_datasets(root, "full", 3) == {}
    assert stored_datasets(root, "quick", 4) == {}
    assert stored_datasets(root / "nowhere", "quick", 3) == {}


def test_damaged_datasets_are_named(tmp_path: Path) -> None:
    write_report([], context(), tmp_path)
    (tmp_path / "data" / "actor-gap.nc").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"actor-gap\.nc is missing or damaged; remove .*datasets\.json"):
        stored_datasets(tmp_path, "quick", 3)
    listing = json.loads((tmp_path / LISTING).read_text())
    listing["files"] = {"../x.nc": {"key": "x", "sha256": "0"}}
    (tmp_path / LISTING).write_text(json.dumps(listing))
    with pytest.raises(ValueError, match=r"lists '\.\./x\.nc', which is not in its folder"):
        stored_datasets(tmp_path, "quick", 3)
    (tmp_path / LISTING).write_text("[]")
    with pytest.raises(ValueError, match="is no listing of datasets"):
        stored_datasets(tmp_path, "quick", 3)


def test_stale_pages_go_and_everything_else_stays(tmp_path: Path) -> None:
    write_report(results(), context(), tmp_path)
    before = set(files(tmp_path))
    changed = tmp_path / "statements" / "paper-b-lemma-2-3.html"
    changed.write_text("mine now")
    (tmp_path / "statements" / "notes.html").write_text("mine")
    write_report(paper_results(), Context(PROFILES["quick"]), tmp_path)
    after = set(files(tmp_path))
    gone = {path.as_posix() for path in before - after}
    assert "statements/paper-a-theorem-1.html" in gone
    assert "figures/paper-a-theorem-1-printed.svg" in gone
    assert changed.read_text() == "mine now"
    assert (tmp_path / "statements" / "notes.html").read_text() == "mine"
    assert (tmp_path / "data" / "actor-gap.nc").is_file()
    listed = json.loads((tmp_path / MANIFEST).read_text())["files"]
    assert set(listed) <= {path.as_posix() for path in after}
    assert "data/actor-gap.nc" not in listed


@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"format": "other", "files": {}}'])
def test_without_our_manifest_nothing_goes(tmp_path: Path, manifest: str | None) -> None:
    (tmp_path / "statements").mkdir()
    mine = tmp_path / "statements" / "old.html"
    mine.write_text("old")
    if manifest is not None:
        (tmp_path / MANIFEST).write_text(manifest)
    folder = ReportFolder(tmp_path)
    folder.write("new.html", "new")
    assert folder.finish() == []
    assert mine.read_text() == "old"


def test_a_manifest_cannot_reach_outside(tmp_path: Path) -> None:
    outside, out = tmp_path / "victim.txt", tmp_path / "out"
    outside.write_text("x")
    folder = ReportFolder(out)
    folder.write("a.html", "x")  # the digest of the victim
    folder.finish()
    manifest = json.loads((out / MANIFEST).read_text())
    digest = manifest["files"]["a.html"]
    manifest["files"] = {"../victim.txt": digest, str(outside): digest, "link/victim.txt": digest}
    (out / MANIFEST).write_text(json.dumps(manifest))
    (out / "link").symlink_to(tmp_path, target_is_directory=True)
    assert ReportFolder(out).finish() == []
    assert outside.is_file()


def test_figures_of_folders_join_the_experiment_they_belong_to(root: Path) -> None:
    spread = read(root, "experiments/simple-spread.html")
    assert "Caption &lt;script&gt;" in spread
    assert 'width="400"' in spread  # 300 pt
    own = text_of(read(root, "experiments/folder-runs-b.html"))
    assert "unheard of." in own
    page = read(root, "experiments/folder-runs-b.html")
    assert "Figure unheard-of without a description; its data has 2 rows of t, value." in page


@pytest.mark.parametrize(
    ("svg", "message"),
    [
        ("<svg><script>alert(1)</script></svg>", "holds <script>"),
        ('<svg onload="alert(1)"/>', "<svg> has onload"),
        ('<svg><a href="https://example.org/">x</a></svg>', "<a> has href"),
        ('<svg xmlns:x="http://www.w3.org/1999/xlink"><image x:href="file:///x"/></svg>', "<image> has href"),
        ("<svg><foreignObject/></svg>", "holds <foreignobject>"),
        ("<svg><style>@import 'x.css';</style></svg>", "holds @import"),
        ("<svg><style>p { fill: url(http://x) }</style></svg>", r"holds url\("),
        ('<!DOCTYPE svg [<!ENTITY a "b">]><svg/>', "holds <!ENTITY"),
        ("<html/>", "is <html>, not <svg>"),
        ("<svg>", "is not XML"),
    ],
    ids=["script", "event", "link", "xlink", "foreign", "import", "url", "entity", "html", "broken"],
)
def test_a_picture_that_could_act_is_refused(tmp_path: Path, svg: str, message: str) -> None:
    folder = write_figure(tmp_path / "runs", "x", svg)
    with pytest.raises(FolderError, match=message):
        write_report([], Context(PROFILES["quick"]), tmp_path / "out", [folder])


def test_folders_that_cannot_be_shown_are_named(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        write_report([], Context(PROFILES["quick"]), tmp_path / "out", [folder])

    with pytest.raises(FolderError, match="nowhere is not a folder"):
        write(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FolderError, match=r"empty has no \.svg"):
        write(tmp_path / "empty")
    folder = write_figure(tmp_path / "lone", "x")
    (folder / "x.csv").unlink()
    with pytest.raises(FolderError, match=r"there is no x\.csv beside it"):
        write(folder)
    folder = write_figure(tmp_path / "words", "x")
    (folder / "x.json").write_text("{")
    with pytest.raises(FolderError, match=r"x\.json is not JSON"):
        write(folder)


def test_the_files_of_a_figure_are_read_back_as_they_were(tmp_path: Path) -> None:
    figure = rate_figure(fit_rate(decay(), "gap", 0.5, floor=0.2))
    for name, content in figure.files("ring3-gap").items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    ((stem, read_back),) = read_folder(tmp_path)
    assert stem == "ring3-gap"
    assert read_back.figure == figure


def test_a_list_beside_a_figure_is_no_description(tmp_path: Path) -> None:
    folder = write_figure(tmp_path / "runs", "x")
    (folder / "x.json").write_text("[1]")
    write_report([], Context(PROFILES["quick"]), tmp_path / "out", [folder])
    assert "without a description" in read(tmp_path / "out", "experiments/folder-runs.html")


def test_the_registry_names_known_statements_and_distinct_pages() -> None:
    from verify.ledger import known_keys

    slugs = [entry.slug for entry in EXPERIMENTS]
    assert len(set(slugs)) == len(slugs)
    assert {key for entry in EXPERIMENTS for key in entry.statements} <= known_keys()
    stems = [stem for entry in EXPERIMENTS for stem in entry.stems]
    assert not [(a, b) for a in stems for b in stems if a != b and a.startswith(b)]


def test_the_command_line_shows_folders_of_experiments(tmp_path: Path) -> None:
    folder, out = write_figure(tmp_path / "runs", "coordination", alt="Two curves, 1 and 2."), tmp_path / "out"
    runner = CliRunner()
    done = runner.invoke(app, ["verify", "eq-8-cases", "--out", str(out), "--experiments", str(folder)])
    assert done.exit_code == 0
    assert "Two curves, 1 and 2." in read(out, "experiments/coordination.html")
    assert runner.invoke(app, ["report", str(out)]).exit_code == 0
    assert not (out / "experiments").exists(), "a report without the folder has no page of it"
    for arguments, message in (
        (["verify", "eq-8-cases", "--experiments", str(folder)], "--experiments needs --out"),
        (["report", str(out), "--experiments", str(tmp_path / "no")], "is not a folder"),
    ):
        done = runner.invoke(app, arguments)
        assert done.exit_code == 2
        assert message in " ".join(done.output.replace("│", " ").split())


def test_shipped_runs_have_curves_of_their_own(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["verify", "pursuit-figure", "figure-4", "--out", str(tmp_path), "--quiet"])
    assert done.exit_code == 0, done.output
    shown = read(tmp_path, "experiments.html")
    assert "experiments/pursuit.html" in shown
    assert "experiments/rlhf.html" in shown
    assert "simple-spread.html" not in shown
    pursuit = read_recorded()
    text = text_of(read(tmp_path, "experiments/pursuit.html"))
    assert f"CAC: return at the end {Interval.of(end_of(pursuit.returns['CAC']))}" in alt_texts(tmp_path, "pursuit")
    assert "Mean return of an episode on PettingZoo's board." in text
    assert "miniature; the grey line" not in text
    curves = recorded_dialogues().curves(LINES[:1])["reward"].values
    assert curves.shape == (1, 8, 150, 3)
    assert blocks(curves[0]) == pytest.approx(recorded_dialogues().of(LINES[0]), rel=1e-12)


def alt_texts(root: Path, slug: str) -> str:
    return unescape(" ".join(re.findall(r'alt="([^"]*)"', read(root, f"experiments/{slug}.html"))))
