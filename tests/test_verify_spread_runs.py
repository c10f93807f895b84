"""Runs of the Simple Spread study: lines, resumable sweeps, pictures, the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from algorithms.neural.spread import SpreadSettings, spread_run
from rates.atomic import unseal
from rates.sweep import SweepConfigurationError, SweepInterrupted
from verify.experiments.simple_spread.command import simple_spread_command
from verify.experiments.simple_spread.exact import policy_reward
from verify.experiments.simple_spread.figure import spread_figure
from verify.experiments.simple_spread.lines import FIGURES, Line, lines_of
from verify.experiments.simple_spread.runs import Budget, distinct, game_of, levels, run_lines
from verify.experiments.simple_spread.summary import spread_summaries

SMALL = SpreadSettings(actor="softmax", width=4, depth=1)
LINES = (
    Line("printed: a", SMALL), Line("printed: b", replace(SMALL, gossip_rounds=0, rewards="local")),
    Line("repaired: a", replace(SMALL, reading="repaired", radius=10.0)), Line("repaired: again", SMALL),
)  # fmt: skip
BUDGET = Budget(3, 60, 2)


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of all cells below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("cells/*.json"))}


def test_one_seed_gives_the_same_bits_in_pieces_and_on_any_number_of_threads() -> None:
    one = run_lines(LINES, BUDGET, jobs=1)
    assert one.identical(run_lines(LINES, BUDGET, jobs=2))
    ends = one["exact"].isel(checkpoint=-1)
    assert (ends == run_lines(LINES, Budget(3, 60, 3))["exact"].isel(checkpoint=-1)).all()
    assert (ends.sel(run=[0, 1]) == run_lines(LINES, Budget(2, 60, 1))["exact"].isel(checkpoint=-1)).all()


def test_repetition_k_is_the_run_with_that_key_whatever_the_horizon() -> None:
    data = run_lines(LINES[:1], Budget(2, 60, 2), seed=5)
    for k in range(2):
        trace = spread_run(game_of(2), SMALL, 60, np.random.SeedSequence(5, spawn_key=(k,)), checkpoints=2)
        assert data["earned"].values[0, k].tolist() == trace.reward.tolist()
        exact = [policy_reward(game_of(2), trace.tables(j)) for j in range(3)]
        assert [float(data["start"][0, k]), *data["exact"].values[0, k]] == exact


def test_equal_lines_are_run_once() -> None:
    count = [0]
    data = run_lines(LINES, BUDGET, on_run=lambda: count.__setitem__(0, count[0] + 1))
    assert len(distinct(LINES)) == 3
    assert count[0] == 9
    assert (data["exact"].sel(line="printed: a") == data["exact"].sel(line="repaired: again")).all()


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = run_lines(LINES, BUDGET, out=tmp_path / "whole")
    stop = iter(range(4))

    def interrupt() -> None:
        if next(stop) == 3:
            raise KeyboardInterrupt

    with pytest.raises(SweepInterrupted, match="1 of 3 cells are finished and kept"):
        run_lines(LINES, BUDGET, out=tmp_path / "cut", on_run=interrupt)
    before = contents(tmp_path / "cut")
    assert len(before) == 4
    resumed = run_lines(LINES, BUDGET, jobs=2, out=tmp_path / "cut")
    assert resumed.identical(whole)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_damaged_run_is_found_and_computed_again(tmp_path: Path) -> None:
    whole = run_lines(LINES[:2], BUDGET, out=tmp_path)
    before = contents(tmp_path)
    first, second = sorted(tmp_path.rglob("cells/*.json"))[:2]
    first.write_bytes(first.read_bytes()[:-40])
    second.write_bytes(second.read_bytes().replace(b"earned", b"Earned"))
    assert run_lines(LINES[:2], BUDGET, out=tmp_path).identical(whole)
    assert contents(tmp_path) == before


def test_a_folder_with_runs_of_other_settings_is_refused(tmp_path: Path) -> None:
    run_lines(LINES[:1], BUDGET, out=tmp_path)
    with pytest.raises(SweepConfigurationError, match=r"n_seeds: stored \[3\], requested \[4\]"):
        run_lines(LINES[:1], Budget(4, 60, 2), out=tmp_path)
    with pytest.raises(SweepConfigurationError, match="root_seed: stored 0, requested 1"):
        run_lines(LINES[:1], BUDGET, seed=1, out=tmp_path)


def results(folder: Path) -> dict[str, object]:
    """What all cells say but for the versions, which name the sources and may differ where those were edited."""
    found = {name: unseal(raw) for name, raw in contents(folder).items()}
    return {name: {k: v for k, v in content.items() if k != "versions"} for name, content in found.items()}


@pytest.mark.slow
def test_a_killed_command_resumes_to_the_same_files(tmp_path: Path) -> None:
    def command(out: Path) -> list[str]:
        code = "import sys; from verify.cli import main; sys.exit(main())"
        figure = ["--figure", "9", "--runs", "4", "--horizon", "1500", "--actor", "softmax", "--jobs", "1", "--quiet"]
        return [sys.executable, "-c", code, "experiment", "simple-spread", *figure, "--out", str(out)]

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(command(whole), check=True)
    killed = subprocess.Popen(command(cut))
    limit = time.monotonic() + 300
    while len(contents(cut)) < 3 and time.monotonic() < limit and killed.poll() is None:
        time.sleep(0.005)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert 3 <= len(contents(cut)) < len(contents(whole))
    assert not list(cut.glob("spread-9.*"))
    subprocess.run(command(cut), check=True)
    assert results(cut) == results(whole)
    for ending in ("svg", "csv", "json"):
        assert (cut / f"spread-9.{ending}").read_bytes() == (whole / f"spread-9.{ending}").read_bytes()


def test_every_figure_has_the_printed_settings() -> None:
    wanted = {
        "5": ("gossip_rounds", {0, 10, 20}), "6": ("width", {10, 20, 40}), "7": ("depth", {5, 20, 40}),
    }  # fmt: skip
    for figure in FIGURES:
        lines = [line for line in lines_of(figure) if line.label.startswith("printed")]
        for line in lines:
            assert line.settings.alpha == 0.005
            assert line.settings.beta == 0.001
            assert line.settings.episode == 10
        if figure in wanted:
            name, values = wanted[figure]
            assert {getattr(line.settings, name) for line in lines} == values
    assert {line.agents for line in lines_of("8")} == {2, 3, 4}
    pairs = {(line.settings.critic_iterations, line.settings.batch) for line in lines_of("9")}
    assert pairs == {(1, 1), (1, 5), (5, 1)}


def test_lines_have_printed_and_repaired_forms_and_distinct_folders() -> None:
    every = [line for actor in ("network", "cell network", "softmax") for figure in FIGURES
             for rewards in ("shared", "local") for line in lines_of(figure, actor, rewards)]  # type: ignore[arg-type]  # fmt: skip
    found = distinct(every)
    assert len({line.slug for line in found}) == len(found)
    for figure in FIGURES:
        panels = {line.label.split(":")[0] for line in lines_of(figure)}
        assert panels == {"printed", "repaired"} | ({"printed, local", "repaired, local"} if figure == "5" else set())
    assert {line.agents for line in lines_of("8") if line.label.startswith("repaired")} == {2, 3, 4}
    with pytest.raises(ValueError, match="figure is '4'"):
        lines_of("4")
    with pytest.raises(ValueError, match="runs is 1"):
        Budget(1)
    with pytest.raises(ValueError, match="runs is nan"):
        Budget(float("nan"))  # type: ignore[arg-type]


def invoke(*arguments: str):  # type: ignore[no-untyped-def]
    app = typer.Typer()
    app.command()(simple_spread_command)
    return CliRunner().invoke(app, list(arguments))


def test_command_writes_figure_curves_summary_and_runs(tmp_path: Path) -> None:
    arguments = ["--figure", "10", "--runs", "2", "--horizon", "20", "--actor", "softmax", "--out", str(tmp_path)]
    done = invoke(*arguments, "--jobs", "1")
    assert done.exit_code == 0, done.output
    assert {p.name for p in tmp_path.iterdir()} == {"spread-2.svg", "spread-2.csv", "spread-2.json", "runs"}
    again = {p.name: p.read_bytes() for p in tmp_path.glob("spread-2.*")}
    assert invoke(*arguments, "--jobs", "2", "--quiet").output == ""
    assert {p.name: p.read_bytes() for p in tmp_path.glob("spread-2.*")} == again
    other = invoke(*arguments, "--seed", "1")
    assert other.exit_code == 2
    assert "root_seed" in other.output


@pytest.mark.parametrize(
    "arguments",
    [["--figure", "11"], ["--runs", "1"], ["--actor", "tree"], ["--rewards", "mine"], ["--horizon", "0"],
     ["--jobs", "-1"], ["--seed", "-1"], ["--profile", "slow"]],
    ids=lambda a: a[0],
)  # fmt: skip
def test_wrong_options_are_refused_before_any_run(arguments: list[str]) -> None:
    assert invoke(*arguments).exit_code == 2


def test_summary_and_picture_have_every_line() -> None:
    lines = tuple(replace(line, settings=replace(line.settings, width=4, depth=1)) for line in lines_of("9", "softmax"))
    data = run_lines(lines, Budget(2, 20, 2))
    found = spread_summaries(data)
    assert [s.line for s in found] == [line.label for line in lines]
    for s in found:
        assert s.exact
        assert s.reward_low <= s.reward <= s.reward_high < s.best == float(levels(2).best)
        assert s.regret_low <= s.regret <= s.regret_high
        assert s.regret == pytest.approx(s.best - s.reward)
    picture = spread_figure(data, "9")
    assert picture.csv.count("\n") == 1 + 3 * len(lines)
    assert ET.fromstring(picture.svg).tag.endswith("svg")
    assert all(line.label in picture.alt for line in lines)


def test_three_agents_that_see_the_state_are_exact_at_the_ends_only() -> None:
    line = Line("printed: N = 3", SpreadSettings(width=2, depth=1), 3)
    data = run_lines((line,), Budget(2, 20, 2))
    assert np.isfinite(data["start"]).all()
    assert np.isfinite(data["exact"]).values[0].tolist() == [[False, True]] * 2
    assert np.isfinite(data["earned"]).all()
    (summary,) = spread_summaries(data)
    assert summary.exact
    assert np.isfinite(summary.gain)
    assert "earned" in spread_figure(data, "8").caption
