"""Papers are found through entry points, one broken package spoils no other, and a template package runs green."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from verify.commands.new_paper import new_paper_command
from verify.context import PROFILES, Context
from verify.ledger import record, select
from verify.new_paper import write_paper
from verify.paper import BUNDLED, GROUP, Paper, PaperError, broken_papers, find_paper, forget_papers, papers
from verify.runner import run_claims

ROOT = Path(__file__).parent.parent


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path in which packages can be installed by hand, and a fresh look at the papers."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    forget_papers()
    yield folder
    forget_papers()
    for name in [n for n, m in sys.modules.items() if str(folder) in str(getattr(m, "__file__", ""))]:
        del sys.modules[name]


def install(site: Path, distribution: str, points: dict[str, str], group: str = GROUP) -> None:
    """What an installer leaves behind: metadata with entry points."""
    folder = site / f"{distribution}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (folder / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")
    forget_papers()


def install_template(site: Path, name: str) -> Path:
    """A template package, installed by its own pyproject.toml."""
    folder = site.parent / name
    write_paper(name, folder)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    (package,) = (p for p in folder.iterdir() if (p / "__init__.py").is_file())
    (site / package.name).symlink_to(package, target_is_directory=True)
    install(site, project["name"], project["entry-points"][GROUP])
    return folder


def environment(site: Path) -> dict[str, str]:
    path = os.pathsep.join([str(site), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "140"}


def test_entry_points_of_the_project_are_the_bundled_ones() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][GROUP] == BUNDLED
    assert project["entry-points"]["pytest11"] == {"lemmata": "verify.plugin"}


def test_bundled_papers_are_found_with_their_titles() -> None:
    assert list(papers())[:3] == ["zeng2022", "zhang2025", "bhandari2018"]
    assert not broken_papers()
    assert "Temporal Difference" in find_paper("bhandari2018").title


def test_the_template_verifies_and_its_tests_pass(site: Path) -> None:
    folder = install_template(site, "smith-2026")
    assert find_paper("smith-2026").title == "smith-2026"
    options = {"cwd": folder, "env": environment(site), "capture_output": True, "text": True, "check": False}
    command = "from verify.cli import main; main()"
    verified = subprocess.run([sys.executable, "-c", command, "verify", "smith-2026"], **options)  # type: ignore[call-overload]
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "4 of 4 statements as recorded" in verified.stdout
    run = [sys.executable, "-m", "pytest", "-q", "-p", "verify.plugin", "tests", "--lemmata", "smith-2026"]
    tested = subprocess.run(run, **options)  # type: ignore[call-overload]
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "21 passed" in tested.stdout  # 11 tests and 10 variants


def test_a_wrong_record_of_the_template_is_noticed(site: Path) -> None:
    folder = install_template(site, "smith2026")
    path = folder / "smith2026" / "verdicts.toml"
    path.write_text(path.read_text().replace('"repaired" = "holds"', '"repaired" = "proved"'))
    forget_papers()
    claims = select(["smith2026/lemma-1", "smith2026/eq-1"])
    paper = find_paper("smith2026")
    known = {f"smith2026/{id}": verdicts for id, verdicts in paper.recorded().items()}
    results = run_claims(claims, Context(PROFILES["quick"]), known)
    assert [r.as_recorded for r in results] == [False, True]
    assert record(results) == [paper.verdicts]  # beside the package, not among the bundled papers
    assert paper.recorded()["lemma-1"]["repaired"] == "holds"
    assert paper.recorded()["assumption-1"]["repaired"] == "proved"  # not run, so kept


BROKEN = {
    "raises": ("1 / 0", "cannot be loaded: ZeroDivisionError"),
    "other": ("PAPER = 3", "is a int, not a verify.Paper"),
    "rename": ("PAPER = Paper.beside('another', __file__, ())", "its key is 'another'"),
    "nofile": ("PAPER = Paper.beside('nofile', __file__, ())", r"statements\.toml is missing"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_package_is_reported_and_leaves_the_others_alone(site: Path, name: str) -> None:
    body, message = BROKEN[name]
    (site / f"{name}.py").write_text(f"from verify.paper import Paper\n{body}\n")
    install(site, f"lemmata-{name}", {name: f"{name}:PAPER"})
    assert set(BUNDLED) <= set(papers())
    assert name not in papers()
    with pytest.raises(PaperError, match=message):
        find_paper(name)
    with pytest.raises(KeyError, match=f"of lemmata-{name}"):
        select([f"{name}/eq-1"])
    assert len(select(["bhandari2018"])) == 4


def test_a_key_claimed_twice_is_neither_and_a_bundled_one_stays(site: Path) -> None:
    install(site, "one", {"jones2026": "a:PAPER", "zeng2022": "a:PAPER"})
    install(site, "two", {"jones2026": "b:PAPER"})
    assert "jones2026" not in papers()
    assert "a:PAPER of one and b:PAPER of two" in broken_papers()["jones2026"]
    assert papers()["zeng2022"].ledger
    assert "a:PAPER of one" in broken_papers()["zeng2022"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no \[\[statement\]\]"),
        ("[[statement]]\nid = 'a'\nwhere = 'b'\ntext = 'c'\n", "statement 1 of statements.toml has no kind"),
        ("[[statement]]\nid='a'\nwhere=''\nkind=''\ntext=''\n" * 2, "has a twice"),
        ("[[", "statements.toml"),
    ],
    ids=["empty", "no kind", "twice", "not toml"],
)
def test_a_bad_coverage_list_is_a_clear_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "statements.toml").write_text(text)
    with pytest.raises(PaperError, match=message):
        Paper.beside("a", str(tmp_path / "__init__.py"), ()).coverage()


def test_claims_of_another_paper_or_outside_the_list_are_errors(tmp_path: Path) -> None:
    ledger = find_paper("bhandari2018").ledger
    (tmp_path / "statements.toml").write_text("[[statement]]\nid='lemma-1'\nwhere=''\nkind=''\ntext=''\n")
    file = str(tmp_path / "__init__.py")
    with pytest.raises(PaperError, match="a statement of another paper"):
        Paper.beside("mine", file, ledger[:1]).claims()
    with pytest.raises(PaperError, match="lemma-3 is not in the coverage list"):
        Paper.beside("bhandari2018", file, ledger[:2]).claims()
    with pytest.raises(PaperError, match="the ledger has lemma-1 twice"):
        Paper.beside("bhandari2018", file, ledger[:1] * 2).claims()


@pytest.mark.parametrize("name", ["Smith", "2026smith", "a--b", "../x", "", "zeng2022", "class", "numpy"])
def test_names_that_cannot_be_packages_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"name is {name!r}"):
        write_paper(name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_command(tmp_path: Path) -> None:
    app = Typer()
    app.command()(new_paper_command)
    out = tmp_path / "out"
    first = CliRunner().invoke(app, ["smith2026", "--out", str(out)])
    assert first.exit_code == 0
    assert "lemmata verify smith2026" in first.output
    before = sorted(p.read_bytes() for p in out.rglob("*") if p.is_file())
    assert CliRunner().invoke(app, ["smith2026", "--out", str(out)]).exit_code == 2
    assert sorted(p.read_bytes() for p in out.rglob("*") if p.is_file()) == before
    assert not any("@" in p.read_text().replace("@statement", "").replace("@ ", "").replace("@pytest", "")
                   for p in out.rglob("*") if p.is_file())  # fmt: skip
