"""`lemmata doctor`: what it finds, and that it finds what is broken."""

from __future__ import annotations

import json
import os
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from verify import doctor
from verify.cli import app
from verify.doctor import (
    Finding,
    Level,
    cache_findings,
    dependency,
    disk,
    examine,
    extra,
    requirements,
)


def test_every_section_is_examined_and_this_installation_is_healthy() -> None:
    found = examine()
    sections = [f.section for f in found]
    assert list(dict.fromkeys(sections)) == [
        "system", "dependencies", "extras", "papers", "threads", "numerics", "compiler", "browser", "cache", "disk",
    ]  # fmt: skip
    assert [f for f in found if f.level is Level.PROBLEM] == []


def test_versions_are_those_of_the_packages_themselves() -> None:
    import numpy
    import scipy

    found = {f.name: f.value for f in examine() if f.section == "dependencies"}
    assert found["numpy"] == numpy.__version__
    assert found["scipy"] == scipy.__version__
    declared = {line.split(">=")[0] for line in metadata.requires("lemmata") or [] if "extra" not in line}
    assert set(found) == declared


@pytest.mark.parametrize(
    ("text", "said"), [("numpy>=999", "needs >=999"), ("no-such-package>=1", "missing, needs >=1")]
)
def test_unmet_requirements_are_problems(text: str, said: str) -> None:
    found = dependency(text)
    assert found.level is Level.PROBLEM
    assert said in found.value
    assert text.split(">=")[0] in found.advice


def test_extras_are_told_from_the_core() -> None:
    marked = ['c[x]>=3; extra == "io"', "d>=4 ; python_version > '3' and extra == 'io'"]
    core, extras = requirements(["b>=1", "A>=2", *marked])
    assert core == ["A>=2", "b>=1"]
    assert extras == {"io": ["c[x]>=3", "d>=4"]}


@pytest.mark.parametrize(
    ("texts", "value", "level"),
    [
        (["numpy>=1"], f"present: numpy {metadata.version('numpy')}", Level.FINE),
        (["no-such-package>=1"], "absent", Level.FINE),
        (["numpy>=1", "no-such-package>=1"], "in part; without no-such-package", Level.NOTE),
    ],
    ids=["present", "absent", "half"],
)
def test_extras(texts: list[str], value: str, level: Level) -> None:
    found = extra("io", texts)
    assert (found.value, found.level) == (value, level)


def test_cache_counts_kernels_and_sees_old_ones(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    for name, seconds in (("a.nbi", 100), ("a.nbc", 100), ("b.nbi", 300)):
        path = tmp_path / "__pycache__" / name
        path.write_bytes(b"x" * 500_000)
        os.utime(path, (seconds, seconds))
    (kernels,) = cache_findings(tmp_path, {})
    assert kernels.value.startswith("2 compiled, 1.5 MB")
    shared = tmp_path / "_linalg.py"
    shared.touch()
    os.utime(shared, (200, 200))
    assert [(f.name, f.level) for f in cache_findings(tmp_path, {})] == [("kernels", Level.FINE), ("age", Level.NOTE)]
    os.utime(shared, (50, 50))
    assert [f.name for f in cache_findings(tmp_path, {})] == ["kernels"]


def test_disabled_compilation_and_another_cache_folder_are_seen(tmp_path: Path) -> None:
    found = cache_findings(tmp_path, {"NUMBA_DISABLE_JIT": "1", "NUMBA_CACHE_DIR": str(tmp_path)})
    assert [(f.name, f.level) for f in found] == [("compilation", Level.NOTE), ("kernels", Level.FINE)]
    assert str(tmp_path) in found[1].value
    assert [f.name for f in cache_findings(tmp_path, {"NUMBA_DISABLE_JIT": "0"})] == ["kernels"]


def test_a_full_disk_is_a_problem(tmp_path: Path) -> None:
    assert disk("here", tmp_path, least=1).level is Level.FINE
    assert disk("here", tmp_path, least=2**80).level is Level.PROBLEM


def test_json_agrees_with_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for level, code in ((Level.FINE, 0), (Level.NOTE, 0), (Level.PROBLEM, 1)):
        monkeypatch.setattr(doctor, "examine", lambda level=level: [Finding("disk", "here", "[odd] text", level, "do")])
        result = CliRunner().invoke(app, ["doctor", "--json"])
        data = json.loads(result.stdout)
        assert result.exit_code == code
        assert data["healthy"] is (code == 0)
        assert data["findings"][0] == {
            "section": "disk", "name": "here", "value": "[odd] text", "level": level.name.lower(), "advice": "do",
        }  # fmt: skip
        plain = CliRunner().invoke(app, ["doctor"])
        assert plain.exit_code == code
        assert "[odd] text" in plain.stdout
        assert "\x1b" not in plain.stdout
        assert ("problem:" in plain.stdout) is (code == 1)


def test_help_has_an_example_and_the_exit_code() -> None:
    text = CliRunner().invoke(app, ["doctor", "--help"]).stdout
    assert "Example: lemmata doctor" in text
    assert "Exit codes: 0 healthy; 1 " in text
    assert "Args:" not in text
