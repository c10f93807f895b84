"""The pursuit experiment: runs that resume, what the command says and writes, the recorded runs and their verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp
from typer.testing import CliRunner

from algorithms.deep.pursuit import extras
from algorithms.deep.pursuit.settings import Board, Miniature, Settings
from mdp import occupancy_lp
from mdp.instances import mini_pursuit
from rates.atomic import seal, unseal
from verify.cli import app
from verify.context import PROFILES, Context
from verify.evidence import Verdict
from verify.experiments.pursuit import folder as folders
from verify.experiments.pursuit import recorded as data
from verify.experiments.pursuit.folder import CheckpointError
from verify.experiments.pursuit.plan import Line, Plan, make_plan
from verify.experiments.pursuit.summary import Interval, curve, end_after, end_of, gain, start_of
from verify.ledger import recorded as verdicts
from verify.runner import run_claims
from verify.zeng2022.experiments import pursuit as entry

TINY = Settings(Board(5, 5, 2, 1, 5, 12), episodes=4, n_envs=1, segment=2)
MINI = Settings(Miniature(1, 3, 12), episodes=4, gamma=0.9, n_envs=2, segment=2)
PLAN = Plan((Line("CAC", "CAC", TINY, 2), Line("MDAC", "MDAC", TINY, 2), Line("CAC, listing", "CAC", MINI, 2)), 3)


def needs_extra() -> None:
    for name in extras.PACKAGES:
        pytest.importorskip(name)


def same(first, second) -> bool:
    return all(
        np.array_equal(a.returns, b.returns) and all(np.array_equal(a.measured[k], b.measured[k]) for k in a.measured)
        for a, b in zip(first, second, strict=True)
    )


@pytest.fixture(scope="module")
def undisturbed():
    needs_extra()
    from verify.experiments.pursuit.runs import run_plan

    return run_plan(PLAN)


def test_the_command_line_does_not_import_torch() -> None:
    code = (
        "import sys, verify.cli, verify.zeng2022, verify.experiments.pursuit.runs, verify.experiments.pursuit.command; "
        "print([m for m in ('torch', 'pettingzoo', 'pygame') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_results_do_not_depend_on_the_number_of_workers(undisturbed) -> None:
    from verify.experiments.pursuit.runs import run_plan

    assert same(run_plan(PLAN, jobs=2), undisturbed)


@pytest.mark.parametrize("after", [1, 9], ids=["early", "late"])
def test_a_stopped_experiment_goes_on_with_the_same_bits(after: int, undisturbed, tmp_path: Path) -> None:
    from verify.experiments.pursuit.runs import run_plan

    seen = []

    def stop(blocks: int) -> None:
        seen.append(blocks)
        if sum(seen) >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(PLAN, folder=tmp_path, on_blocks=stop)
    found: list[int] = []
    assert same(run_plan(PLAN, folder=tmp_path, on_blocks=found.append), undisturbed)
    assert sum(found) == PLAN.blocks
    assert max(found[:6]) > 0  # something was kept
    assert not list(tmp_path.glob("*.tmp"))


def test_the_miniature_is_measured_exactly_along_the_run(undisturbed) -> None:
    board, _, mini = undisturbed
    assert board.measured == {}
    assert np.isnan(board.optimum)
    assert mini.measured["J"].shape == (2, 5)
    assert mini.measured["agreement"].max() < 1e-13
    np.testing.assert_allclose(mini.measured["anchored"], 1.0, atol=1e-10)
    assert (mini.measured["J"] < mini.optimum).all()
    program = occupancy_lp(mini_pursuit(1, 3, 0.9).mdp)  # the run has it from policy iteration
    assert program.low - 1e-9 <= mini.optimum <= program.high + 1e-9


def test_broken_folders_are_refused(undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from verify.experiments.pursuit.runs import run_plan

    run_plan(PLAN, folder=tmp_path)
    with pytest.raises(CheckpointError, match=r"another experiment .seed is 3 there and 4 here"):
        run_plan(replace(PLAN, seed=4), folder=tmp_path)
    with pytest.raises(CheckpointError, match="begun on cpu, and this is cuda:0"):
        folders.create(tmp_path, PLAN, "cuda:0")
    path = tmp_path / "MDAC-001.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"run":1', b'"run":0'))
    with pytest.raises(CheckpointError, match=r"MDAC-001.json: the checksum .* delete it"):
        run_plan(PLAN, folder=tmp_path)
    content = unseal(whole)
    path.write_bytes(seal({**content, "run": 0}))
    with pytest.raises(CheckpointError, match="is run 0 of MDAC, seed 3"):
        run_plan(PLAN, folder=tmp_path)
    path.write_bytes(seal({**content, "actor": content["critic"]}))
    with pytest.raises(CheckpointError, match="networks of other sizes"):
        run_plan(PLAN, folder=tmp_path)
    path.unlink()  # that run starts afresh, and the rest is kept
    assert same(run_plan(PLAN, folder=tmp_path), undisturbed)
    monkeypatch.setattr(folders, "versions", lambda: {"torch": "0.0"})
    with pytest.raises(CheckpointError, match=r"begun with torch .* and this is torch 0.0"):
        run_plan(PLAN, folder=tmp_path)


@pytest.mark.parametrize(("build", "message"), [
    (lambda: Plan(()), "at least one"),
    (lambda: Plan((PLAN.lines[0],) * 2), "distinct names"),
    (lambda: Plan((replace(PLAN.lines[0], runs=1),)), "runs is 1"),
    (lambda: make_plan("slow"), "profile 'slow' is not one of quick, full"),
    (lambda: make_plan(algorithms=["IAC"]), "algorithm 'IAC' is not one of CAC, DAC, MDAC"),
    (lambda: make_plan(runs=0), "runs is 0"),
    (lambda: make_plan(seed=-1), "seed is -1"),
    (lambda: Plan.from_json({"lines": [{}]}), "this is no plan"),
    (lambda: folders.read_plan(Path("nowhere")), "nowhere is not a folder"),
])  # fmt: skip
def test_bad_plans_are_named(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_plans_survive_json(profile: str) -> None:
    plan = make_plan(profile)
    assert Plan.from_json(json.loads(json.dumps(plan.as_json()))) == plan


def test_intervals_and_summaries_of_known_returns() -> None:
    returns = np.arange(80.0) + np.array([[0.0], [1.0], [5.0]])
    assert start_of(returns).tolist() == [3.5, 4.5, 8.5]
    assert end_of(returns).tolist() == [75.5, 76.5, 80.5]
    assert end_after(returns, 1 / 6)[0] == np.arange(5, 13).mean()
    assert gain(returns) == Interval(72.0, 72.0, 72.0)
    blocks, mean, _ = curve(returns)
    assert (len(blocks), blocks[0], mean[0]) == (20, 2.0, 3.5)
    values = np.random.default_rng(0).standard_normal(9)
    reference = ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = Interval.of(values)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))


def test_the_command_writes_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_extra()
    monkeypatch.setattr("verify.experiments.pursuit.plan.PROFILES", {"quick": (TINY, 2, 2)})
    monkeypatch.setattr("verify.experiments.pursuit.plan.MINIATURE", replace(MINI, entropy=0.05))
    out = tmp_path / "p"
    command = ["experiment", "pursuit", "--out", str(out), "--jobs", "1", "--json", "--device", "cpu"]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    summary = json.loads(first.stdout)
    assert summary["format"] == "lemmata-experiment-pursuit-1"
    assert [row["line"] for row in summary["results"]] == ["CAC", "DAC", "MDAC", "CAC, listing", "CAC, entropy"]
    assert set(summary["end_of_CAC_minus"]) == {"DAC", "MDAC"}
    for ending in ("svg", "csv", "json"):
        assert (out / f"pursuit.{ending}").stat().st_size > 500
    assert "J at the end" in summary["alt"]
    rows = (out / "pursuit.csv").read_text().splitlines()
    assert rows[0] == "line,quantity,tuples,mean,low,high,runs"
    (out / "runs" / "DAC-001.json").unlink()
    again = CliRunner().invoke(app, ["experiment", "pursuit", "--resume", str(out), "--jobs", "1", "--json"])
    assert again.stdout == first.stdout


@pytest.mark.parametrize(("arguments", "message"), [
    (["--resume", "nowhere"], "nowhere"),
    (["--resume", "nowhere", "--seed", "1", "--runs", "3"], "drop --runs, --seed"),
    (["--algorithms", "IAC"], "algorithm 'IAC'"),
    (["--runs", "1"], "runs is 1"),
    (["--seed", "-1"], "seed is -1"),
    (["--profile", "slow"], "profile 'slow'"),
    (["--device", "warp"], "device 'warp' cannot be used"),
], ids=["no folder", "resume with more", "algorithm", "runs", "seed", "profile", "device"])  # fmt: skip
def test_the_command_refuses(arguments: list[str], message: str) -> None:
    needs_extra()
    result = CliRunner().invoke(app, ["experiment", "pursuit", *arguments], env={"COLUMNS": "400"})
    assert result.exit_code == 2
    assert message in result.output


def test_the_command_names_the_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    result = CliRunner().invoke(app, ["experiment", "pursuit"], env={"COLUMNS": "400"})
    assert result.exit_code == 2
    assert 'pip install "lemmata[pursuit]"' in result.output


def test_the_recorded_runs_are_whole_and_are_those_of_this_program() -> None:
    runs = data.read_recorded()
    assert set(runs.returns) == {"CAC", "DAC", "MDAC"}
    assert min(table.shape[0] for table in runs.returns.values()) >= 10
    assert runs.settings == make_plan("quick").lines[0].settings
    needs_extra()
    off = data.run_again(runs, blocks=1)
    assert off is not None
    assert max(off.values()) <= data.TOLERANCE


def test_recorded_runs_come_from_a_finished_folder(tmp_path: Path) -> None:
    needs_extra()
    from verify.experiments.pursuit.runs import run_plan

    plan = Plan((Line("CAC", "CAC", TINY, 2), Line("DAC", "DAC", TINY, 2)), 5)
    run_plan(plan, folder=tmp_path / "runs")
    data.write_recorded(data.from_folder(tmp_path), tmp_path / "data.json")
    runs = data.read_recorded(tmp_path / "data.json")
    assert (runs.seed, runs.settings, runs.returns["DAC"].shape) == (5, TINY, (2, 4))
    assert max((data.run_again(runs, blocks=2) or {}).values()) <= 1e-6
    path = tmp_path / "data.json"
    path.write_bytes(path.read_bytes().replace(b'"seed":5', b'"seed":6'))
    with pytest.raises(ValueError, match=r"data.json: the checksum"):
        data.read_recorded(path)
    (tmp_path / "runs" / "DAC-001.json").unlink()
    with pytest.raises(ValueError, match="run 1 of DAC is not finished"):
        data.from_folder(tmp_path)


@pytest.mark.parametrize("installed", [True, False], ids=["with torch", "without torch"])
def test_the_entry_has_its_recorded_verdicts(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if installed:
        needs_extra()
    else:
        monkeypatch.setattr(extras, "find_spec", lambda name: None)
    entry._again.cache_clear()
    (result,) = run_claims([entry.pursuit_figure()], Context(PROFILES["quick"]), verdicts())
    assert result.controls_refuted
    assert {v.variant.name: str(v.verdict) for v in result.variants if v.variant.kind.name != "CONTROL"} == EXPECTED
    pieces = [e for v in result.variants for e in v.evidence if e.corroborates]
    assert bool(pieces) == installed


def test_other_data_give_other_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = data.read_recorded()
    swapped = replace(runs, returns={**runs.returns, "CAC": runs.returns["MDAC"], "MDAC": runs.returns["CAC"]})
    monkeypatch.setattr(entry, "recorded", lambda: swapped)
    monkeypatch.setattr(entry, "_again", lambda: ())
    (result,) = run_claims([entry.pursuit_figure()], Context(PROFILES["quick"]), {})
    found = {v.variant.name: v.verdict for v in result.variants}
    assert found["printed[end]"] is Verdict.REFUTED


def test_data_of_another_program_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "run_again", lambda runs: {"CAC": 0.3})
    entry._again.cache_clear()
    (result,) = run_claims([entry.pursuit_figure()], Context(PROFILES["quick"]), {})
    entry._again.cache_clear()
    assert {v.variant.name: v.verdict for v in result.variants}["printed[end]"] is Verdict.INCONCLUSIVE


EXPECTED = {
    "printed[end]": "consistent",
    "printed[whole]": "consistent",
    "reading[iterations]": "consistent",
    "reading[CAC learns]": "consistent",
    "reading[baselines learn]": "consistent",
}
