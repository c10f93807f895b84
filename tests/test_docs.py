"""The documentation: every block of code runs and prints what the page shows, links and navigation are whole."""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from verify.cli import app
from verify.new_paper import write_paper
from verify.paper import GROUP, forget_papers

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md"))
EXECUTED = [path for path in PAGES if path.name not in ("rate-fitting.md", "verdicts.md")]
"""`rate-fitting.md` shows calls on data that the reader has; `verdicts.md` is written by a program and has no code."""

SITE = Path("site-packages")
"""Where a page's packages are installed, in the folder in which the page runs."""

LANGUAGES = {"python", "sh", "text", "json", "toml", "makefile"}
"""What a block may be: python and sh are executed, text after one of them is its output, the rest is data."""


@dataclass(frozen=True)
class Block:
    """A fenced block that is executed, with the output the page shows below it; or a file to be written."""

    language: str
    code: str
    line: int
    expected: str | None
    title: str = ""


AT_THE_END = " (at the end)"
"""What the title of a block says if it is not a whole file."""


def fences(page: str) -> list[tuple[str, str, int, int, str]]:
    """Language, content, first and last line, and title of every fenced block, at any indentation."""
    pattern = re.compile(
        r"^( *)```(\w*)(?: title=\"([^\"\n]*)\")?[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL
    )
    found = []
    for m in pattern.finditer(page):
        first = page.count("\n", 0, m.start()) + 1
        code = re.sub(rf"^{m[1]}", "", m[4], flags=re.MULTILINE)
        found.append((m[2], code, first, first + m[0].count("\n"), m[3] or ""))
    return found


def blocks(page: str) -> list[Block]:
    """The blocks to execute or to write; a text block is the output of the block that ends right above it."""
    all_ = fences(page)
    found = []
    for k, (language, code, first, last, title) in enumerate(all_):
        if language in ("python", "sh") or title:
            below = all_[k + 1] if k + 1 < len(all_) else None
            shown = below is not None and below[0] == "text" and below[2] <= last + 2 and not title
            found.append(Block(language, code, first, below[1] if below is not None and shown else None, title))
    return found


def write_block(block: Block) -> None:
    """Do what a reader does with a block that has a title: make that file, or add to its end."""
    path = Path(block.title.removesuffix(AT_THE_END))
    more = block.title.endswith(AT_THE_END)
    assert path.is_file() or not more, f"line {block.line}: there is no {path} to add to"
    assert path.parent.is_dir(), f"line {block.line}: there is no folder {path.parent}"
    path.write_text((path.read_text(encoding="utf-8") if more else "") + block.code, encoding="utf-8")


def install(folder: Path) -> None:
    """What ``pip install -e`` does, without a network: the package on the path `site`, and its entry points."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, value in project["entry-points"][GROUP].items():
        package = value.partition(":")[0]
        (SITE / package).symlink_to((folder / package).resolve(), target_is_directory=True)
        info = SITE / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {value}\n")
    forget_papers()


def run_pytest(words: list[str]) -> str:
    """Run the tests of a package in a process of its own, as a reader does; they must pass."""
    path = os.pathsep.join([str(SITE.resolve()), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "140"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "verify.plugin", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_block(block: Block, namespace: dict[str, Any]) -> str:
    """Output of a block; commands must succeed, unless the page announces the code as in ``# exit code 1``."""
    if block.language == "python":
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(block.code, f"<block at line {block.line}>", "exec"), namespace)
        return out.getvalue()
    said = ""
    for line in filter(None, (text.strip() for text in block.code.replace("\\\n", " ").splitlines())):
        words = shlex.split(line, comments=True)
        if words[:3] == ["pip", "install", "-e"]:
            install(Path(words[3]))
            continue
        if words[:3] == ["python", "-m", "pytest"]:
            said += run_pytest(words[3:])
            continue
        announced = re.search(r"# exit code (\d+)", line)
        assert words[0] == "lemmata", f"line {block.line}: {line} is no command of ours"
        result = CliRunner().invoke(app, words[1:])
        assert result.exit_code == (int(announced[1]) if announced else 0), f"{line}: {result.output}"
        said += result.output
    return said


def agrees(expected: str, got: str) -> bool:
    """Whether output is as shown: ``...`` stands for anything, runs of blanks and frames of tables do not matter."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(expected.strip(), got.strip(), flags)


def hook_module(name: str) -> ModuleType:
    """A module of `docs/hooks`, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / "hooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder in which packages can be installed; they are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    SITE.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / SITE))
    yield tmp_path
    for name in [n for n, m in sys.modules.items() if str(tmp_path) in str(getattr(m, "__file__", ""))]:
        del sys.modules[name]
    monkeypatch.undo()
    forget_papers()


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: str(path.relative_to(DOCS)))
def test_every_block_runs_and_prints_what_is_shown(path: Path, folder: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks(path.read_text(encoding="utf-8")):
        if block.title:
            write_block(block)
            continue
        got = run_block(block, namespace)
        if block.expected is not None:
            assert agrees(block.expected, got), f"line {block.line} shows\n{block.expected}\nand prints\n{got}"


def test_the_runner_of_blocks_sees_wrong_output_and_failing_commands() -> None:
    page = "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\nText.\n\n```sh\nlemmata show no-such-statement\n```\n"
    arithmetic, command = blocks(page)
    assert arithmetic.expected == "3\n"
    assert not agrees(arithmetic.expected, run_block(arithmetic, {}))
    assert agrees("2", run_block(arithmetic, {}))
    assert command.expected is None
    (titled,) = blocks('```toml title="a/b.toml (at the end)"\nx = 1\n```\n\n```text\nno output\n```\n')
    assert titled == Block("toml", "x = 1\n", 1, None, f"a/b.toml{AT_THE_END}")
    with pytest.raises(AssertionError, match=r"there is no a/b\.toml to add to"):
        write_block(titled)
    with pytest.raises(AssertionError, match="no-such-statement"):
        run_block(command, {})
    with pytest.raises(AssertionError, match="no command of ours"):
        run_block(Block("sh", "rm nothing", 1, None), {})


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: str(path.relative_to(DOCS)))
def test_blocks_name_their_language_and_printed_output_is_shown(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert {language for language, *_ in fences(page)} <= LANGUAGES
    assert not re.search(r"^#+ .*\$", page, re.MULTILINE), "a formula in a heading is raw in the table of contents"
    for block in blocks(page):
        if block.language == "python" and "print(" in block.code and not block.title:
            assert (block.expected or "").strip(), f"line {block.line} prints something that the page does not show"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_links_between_pages_resolve(path: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    generated = generated_paths()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        found = (path.parent / target.partition("#")[0]).resolve()
        assert found.exists() or str(found.relative_to(DOCS.resolve())) in generated, f"{path.name} links to {target}"


def generated_paths() -> set[str]:
    """Pages and files that the build generates."""
    pages = {
        f"reference/{path.relative_to(ROOT).with_suffix('')}.md".replace("/__init__.md", ".md")
        for package in ("mdp", "algorithms", "rates", "verify")
        for path in (ROOT / package).rglob("*.py")
    }
    return pages | {"assets/example-rate.svg"}


def test_an_inequality_with_its_search_takes_at_most_forty_lines(tmp_path: Path) -> None:
    page = (DOCS / "how-to" / "add-an-inequality.md").read_text(encoding="utf-8")
    given = {str(path.relative_to(tmp_path)): path for path in write_paper("smith2026", tmp_path / "smith2026")}
    own = []
    for block in blocks(page):
        template = given.get(block.title)
        there = template.read_text(encoding="utf-8").splitlines() if template else []
        if block.title:
            own += [line for line in block.code.splitlines() if line.strip() and line not in there]
    assert any("@statement" in line for line in own)
    assert any("find_counterexample(" in line for line in own)
    assert len(own) <= 40
    assert f"That is all: {len(own)} lines" in page
    assert f"You write {len(own)} lines" in page


def test_navigation_names_every_page_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = re.findall(r"^\s+- .*: (\S+\.md)$", text.split("\nnav:", 1)[1], re.MULTILINE)
    assert sorted(named) == sorted(str(path.relative_to(DOCS)) for path in PAGES)


def test_make_targets_named_in_the_docs_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {t for path in PAGES for t in re.findall(r"`make (\w+)`", path.read_text(encoding="utf-8"))}
    assert named
    assert named <= targets


def test_every_command_is_in_the_table_of_the_command_line() -> None:
    page = (DOCS / "how-to" / "command-line.md").read_text(encoding="utf-8")
    names = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback is not None}
    names |= {group.name for group in app.registered_groups if group.name}
    assert {name for name in names if f"`lemmata {name}" not in page} == set()


def test_formulas_and_tables_of_docstrings_become_markdown() -> None:
    pytest.importorskip("griffe")
    markdown_of = hook_module("docstrings").markdown_of
    formula = "A line.\n\n.. math:: a < b, \\quad\n    c\n\nMore."
    assert markdown_of(formula).split() == ["A", "line.", "\\[a", "<", "b,", "\\quad", "c\\]", "More."]
    table = "Text.\n\n====  =====\nx     y\n====  =====\n``P`` a|b\n      c\nq     d\n====  =====\n\nEnd."
    assert [line for line in markdown_of(table).splitlines() if line] == [
        "Text.", "| x | y |", "|---|---|", "| ``P`` | a\\|b c |", "| q | d |", "End.",
    ]  # fmt: skip
    assert markdown_of("Plain ``code`` and omega*.") == "Plain ``code`` and omega*."


def test_the_build_notices_what_a_page_would_load_from_elsewhere() -> None:
    pytest.importorskip("mkdocs")
    remote = hook_module("site").remote_resources
    assert remote('<script src="https://cdn.example/x.js"></script><img src=//img.example/a.png>') == [
        "//img.example/a.png", "https://cdn.example/x.js",
    ]  # fmt: skip
    assert remote('<link rel="stylesheet" href="https://fonts.example/f.css">') == ["https://fonts.example/f.css"]
    assert remote('<a href="https://elsewhere.example/">read</a><script src="local.js"></script>') == []
    assert remote("@import 'https://a.example/x.css'; b { background: url(https://b.example/i.png) }", css=True) == [
        "https://a.example/x.css", "https://b.example/i.png",
    ]  # fmt: skip
    assert remote("a { background: url(data:image/png;base64,xx) }", css=True) == []


def test_every_public_module_gets_a_page() -> None:
    pytest.importorskip("mkdocs")
    site = hook_module("site")
    modules = [m for package in site.PACKAGES for m in site.public_modules(package)]
    named = {"mdp", "mdp.exact", "rates.moments.linear", "algorithms.cac", "verify.zeng2022.setting.consensus"}
    assert named <= set(modules)
    assert not [m for m in modules if "._" in m]
    assert len(set(modules)) == len(modules)
    assert {site.source_of(m) for m in modules} <= generated_paths()


def commands(command: Any, names: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Words of every command below one, groups left out."""
    if not hasattr(command, "commands"):
        return [names]
    return [found for name, below in command.commands.items() for found in commands(below, (*names, name))]


@pytest.mark.parametrize("words", commands(typer.main.get_command(app)), ids=" ".join)
def test_every_command_explains_itself_with_an_example_and_without_colour(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    assert f"Example: lemmata {' '.join(words)}" in " ".join(result.output.split())
    assert "\x1b" not in result.output
