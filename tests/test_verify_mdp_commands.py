"""`lemmata mdp check` and `lemmata mdp exact` on good and on damaged files."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mdp import FiniteMDP, exact, ring3
from mdp.instances import periodic_trap
from mdp.io import read_json, write_drn, write_json, write_npz
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


BY_HAND = {
    "format": "lemmata", "schema": 1, "kind": "mdp",
    "mdp": {
        "P": [[[1, 0], [1, 0]], [[0, 1], [0, 1]]], "r": [[[1, 0], ["1/2", 0.5]]], "initial": [1, 0],
        "gamma": "999999/1000000", "n_actions": [2],
    },
}
"""Two absorbing states that pay 1/2 on average: J is 500,000, and in doubles off by 1e-5 (gamma is rounded)."""


def test_fractions_of_a_small_file_are_taken_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "by-hand.json"
    path.write_text(json.dumps(BY_HAND), encoding="utf-8")
    rounded = read_json(path)
    assert isinstance(rounded, FiniteMDP)
    V = np.linalg.solve(np.eye(2) - rounded.gamma * rounded.P.mean(axis=1), rounded.r[0].mean(axis=1))
    assert abs(V[0] - 500_000) > 1e-7
    code, text = run("exact", str(path), "--json")
    document = json.loads(text)
    assert (code, document["values"]["J"], document["values"]["J_error"]) == (0, 500_000, 0)
    assert document["exactly"] == {"J": "500000", "J_star": "1000000"}
    assert "J: 500000.0 exactly 500000" in run("exact", str(path))[1]


def test_bounds_hold_for_the_numbers_of_the_file(tmp_path: Path) -> None:
    thirds = json.loads(json.dumps(BY_HAND))
    thirds["mdp"] |= {"r": [[["1/3", 0], ["1/7", 0.1]]], "gamma": "2/3"}
    path = tmp_path / "thirds.json"
    path.write_text(json.dumps(thirds), encoding="utf-8")
    document = json.loads(run("exact", str(path), "--json")[1])
    J, best = (Fraction(document["exactly"][name]) for name in ("J", "J_star"))
    assert (J, best) == (Fraction(1, 2), 1)
    values = document["values"]
    assert abs(Fraction(values["J"]) - J) <= Fraction(values["J_error"])
    assert Fraction(values["J_star"][0]) <= best <= Fraction(values["J_star"][1])
    # rows that sum to one up to rounding only: the doubles are the problem, and no exact number is claimed
    thirds["mdp"]["P"][0][0] = [0.3333333333333333, 0.6666666666666666]
    path.write_text(json.dumps(thirds), encoding="utf-8")
    assert json.loads(run("exact", str(path), "--json")[1])["exactly"] == {}


def test_larger_files_are_evaluated_in_doubles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "by-hand.json"
    path.write_text(json.dumps(BY_HAND), encoding="utf-8")
    monkeypatch.setattr("verify.commands.mdp.MOST_EXACT", 7)  # P has eight entries
    document = json.loads(run("exact", str(path), "--json")[1])
    assert document["exactly"] == {}
    assert document["values"]["J"] != 500_000


def test_the_optimum_is_printed_as_an_enclosure() -> None:
    text = run("exact", "ring3")[1]
    low, high = map(float, re.search(r"J\* between: (\S+) and (\S+)", text).groups())  # type: ignore[union-attr]
    found = json.loads(run("exact", "ring3", "--json")[1])["values"]["J_star"]
    assert [low, high] == found
    assert text.startswith("at the uniform policy")


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
