"""`lemmata mdp check` and `lemmata mdp exact` on good and on damaged files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mdp import exact, ring3
from mdp.instances import periodic_trap
from mdp.io import write_drn, write_json, write_npz
from verify.cli import app


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["mdp", *arguments])
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize("suffix", ["json", "npz", "drn"])
def test_check_and_exact(tmp_path: Path, suffix: str) -> None:
    write = {"json": write_json, "npz": write_npz, "drn": write_drn}[suffix]
    path, problem = tmp_path / f"ring3.{suffix}", ring3()
    write(path, problem if suffix != "drn" else problem.mdp)
    code, text = run("check", str(path))
    assert (code, "3 states, 3 agents with actions (3, 3, 3), 27 joint actions, gamma = 0.75" in text) == (0, True)
    code, text = run("exact", str(path), "--json")
    found = json.loads(text)["values"]
    assert found["J"] == pytest.approx(exact(problem, np.zeros((3, 2))).J, rel=1e-12)
    assert found["J_star"][0] <= found["J_star"][1]


def test_exact_says_why_a_law_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "cycle.json"
    write_json(path, periodic_trap(3).mdp)
    code, text = run("exact", str(path))
    assert code == 0
    assert "stationary: none: P_pi is periodic with period 3" in text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("x.txt", "", "none of .json"), ("x.json", "{", "x.json"), ("x.npz", "PK", "x.npz"), ("gone.json", None, "gone")],
)
def test_bad_files_are_clear_errors(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    code, text = run("check", str(tmp_path / name))
    assert code == 2
    assert message in text.replace(" ", "") or message in text
