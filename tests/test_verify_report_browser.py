"""The report in a real browser: filters, search, colours, links, width, print, and accessibility.

Needs Chromium (Debian's package ``chromium``) and playwright with axe (the extra ``dev``); skipped without them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_examples import context, paper_results, results

from verify.report.site import write_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
axe_package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
AXE = (Path(axe_package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
# without preload: axe would fetch the style sheet, which a page from disk may not
RUN_AXE = "axe.run({preload: false, resultTypes: ['violations']})"
KINDS = (
    "index.html", "statements.html", "counterexamples.html", "experiments.html", "words.html", "guides/zeng2022.html",
    "experiments/rates.html", "statements/paper-a-theorem-1.html", "statements/zeng2022-theorem-3-critic.html",
)  # fmt: skip
"""One page of every kind, the richest of each."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report; LEMMATA_REPORT names a finished one to look at instead."""
    if "LEMMATA_REPORT" in os.environ:
        return Path(os.environ["LEMMATA_REPORT"]).resolve()
    return write_report([*results(), *paper_results()], context(), tmp_path_factory.mktemp("report")).parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as tool:
        started = tool.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), timeout=120_000)
        yield started
        started.close()


class Tab:
    """A page of the browser that remembers every complaint."""

    def __init__(self, browser: Any, root: Path, width: int = 1280, scheme: str = "light", script: bool = True) -> None:
        self.root, self.complaints = root, list[str]()
        self.window = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        self.page = self.window.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        self.page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if not url.startswith("file:"):
            self.complaints.append(f"asked for {url}")

    def open(self, path: str) -> Any:
        self.page.goto(f"{self.root.as_uri()}/{path}")
        return self.page

    def unfold(self) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


@pytest.fixture
def tab(browser: Any, root: Path, request: pytest.FixtureRequest) -> Iterator[Tab]:
    opened = Tab(browser, root, **getattr(request, "param", {}))
    yield opened
    opened.window.close()
    assert opened.complaints == []


def shown_rows(page: Any) -> list[str]:
    visible = "rows => rows.filter(r => r.offsetParent !== null).map(r => r.dataset.text.split(' ')[0])"
    return page.eval_on_selector_all("tbody tr[data-text]", visible)


@pytest.mark.parametrize("tab", [{"width": 400}, {"width": 400, "scheme": "dark"}, {"width": 1280}], indirect=True,
                         ids=["phone", "phone-dark", "desktop"])  # fmt: skip
def test_no_page_overflows_or_complains(tab: Tab, root: Path) -> None:
    wide = {}
    for path in sorted(root.rglob("*.html")):
        page = tab.open(path.relative_to(root).as_posix())
        tab.unfold()
        excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if excess > 0:
            wide[path.name] = excess
        assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)"), path
    assert wide == {}


@pytest.mark.parametrize("tab", [{"scheme": "light"}, {"scheme": "dark", "width": 400}], indirect=True,
                         ids=["light", "dark-phone"])  # fmt: skip
@pytest.mark.parametrize("path", KINDS)
def test_axe_finds_no_violation(tab: Tab, root: Path, path: str) -> None:
    if not (root / path).is_file():
        pytest.skip(f"this report has no {path}")
    page = tab.open(path)
    tab.unfold()
    page.evaluate(AXE)
    found = page.evaluate(RUN_AXE)["violations"]
    assert [(v["id"], [node["html"][:200] for node in v["nodes"]][:3]) for v in found] == []


@pytest.mark.parametrize("tab", [{"scheme": "light"}, {"scheme": "dark"}], indirect=True, ids=["light", "dark"])
def test_axe_would_find_bad_contrast_and_unnamed_images(tab: Tab) -> None:
    page = tab.open("words.html")
    bad = "<p style='color: var(--rule)'>some words that can hardly be read</p><img>"
    page.evaluate("html => document.querySelector('main').insertAdjacentHTML('beforeend', html)", bad)
    page.evaluate(AXE)
    assert {v["id"] for v in page.evaluate(RUN_AXE)["violations"]} >= {"color-contrast", "image-alt"}


def test_filters_and_search_choose_rows(tab: Tab, root: Path) -> None:
    page = tab.open("statements.html")
    everything = shown_rows(page)
    assert len(everything) > 3
    page.select_option("select[name=verdict]", "refuted")
    refuted = shown_rows(page)
    assert "zeng2022/proposition-1" in refuted
    assert len(refuted) < len(everything)
    assert page.inner_text("[data-count]") == f"{len(refuted)} of {len(everything)} statements"
    assert page.url.endswith("#verdict=refuted")
    page.click("button[type=reset]")
    page.wait_for_function("!location.hash")
    assert shown_rows(page) == everything
    page.fill("input[name=text]", "PROPOSITION sec. 4")
    assert "zeng2022/proposition-1" in shown_rows(page)
    assert "zeng2022/eq-1" not in shown_rows(page)
    page.fill("input[name=text]", "no such words anywhere")
    assert shown_rows(page) == []
    assert page.is_visible("[data-empty]")
    page.fill("input[name=text]", "")
    page.select_option("select[name=rigor]", "statistical")
    assert "zeng2022/theorem-3-critic" in shown_rows(page)
    page.select_option("select[name=paper]", "zeng2022")
    assert {key.split("/")[0] for key in shown_rows(page)} == {"zeng2022"}


def test_counts_lead_to_their_statements(tab: Tab) -> None:
    page = tab.open("index.html")
    cell = page.locator("table.counts tbody a").first
    expected, address = int(cell.inner_text()), cell.get_attribute("href")
    cell.click()
    page.wait_for_url("**/statements.html#*")
    assert len(shown_rows(page)) == expected, address
    page.evaluate("location.hash = '#verdict=nonsense'")
    page.wait_for_function("document.querySelector('select[name=verdict]').value === ''")


def test_counterexamples_can_be_searched_and_followed(tab: Tab) -> None:
    page = tab.open("counterexamples.html")
    page.fill("input[name=text]", "proposition-1")
    assert set(shown_rows(page)) == {"zeng2022/proposition-1"}
    page.locator("tbody tr:visible th a").first.click()
    page.wait_for_url("**/zeng2022-proposition-1.html#form-*")
    assert page.locator("tbody:target").count() == 1


def test_boxes_of_the_graph_lead_to_statements(tab: Tab) -> None:
    page = tab.open("index.html")
    page.click("#graph-zeng2022 a[aria-label^='proposition-1,']")
    page.wait_for_url("**/statements/zeng2022-proposition-1.html")
    assert "proposition-1" in page.inner_text("h1")


def background(page: Any) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


@pytest.mark.parametrize("tab", [{"scheme": "light"}, {"scheme": "dark"}], indirect=True, ids=["light", "dark"])
def test_colours_follow_the_system_and_then_the_reader(tab: Tab) -> None:
    page = tab.open("index.html")
    before = background(page)
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (before == "rgb(22, 23, 21)") is dark
    page.click("[data-theme-button]")
    after = background(page)
    assert after != before
    page = tab.open("statements/zeng2022-proposition-1.html")
    assert background(page) == after, "the choice holds on the next page"
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 27, 26)", "paper is white"
    page.emulate_media(media="screen")


@pytest.mark.parametrize("tab", [{"script": False}], indirect=True, ids=["no-script"])
def test_without_script_the_tables_are_whole(tab: Tab) -> None:
    page = tab.open("statements.html")
    assert page.locator("tbody tr[data-text]:visible").count() == page.locator("tbody tr[data-text]").count() > 3
    assert page.locator("form:visible, [data-theme-button]:visible").count() == 0


def test_a_page_prints_with_everything_unfolded(tab: Tab, root: Path) -> None:
    page = tab.open("statements/zeng2022-proposition-1.html")
    assert page.locator("details:not([open])").count() > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
    assert page.pdf().startswith(b"%PDF")
