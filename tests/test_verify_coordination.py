"""The coordination game experiment: its runs, intervals and outcomes, the figure's data, and the command."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binomtest, norm
from typer.testing import CliRunner

from algorithms.baselines import ConstantSteps, mdac
from algorithms.cac import cac
from mdp.exact import exact
from mdp.instances import coordination_game
from verify.commands.experiment import app
from verify.experiments.coordination.figure import coordination_figure
from verify.experiments.coordination.runs import (
    ALGORITHMS,
    METRIC_EVERY,
    OPEN,
    OUTCOMES,
    READINGS,
    Budget,
    coordination,
    game_equilibria,
    measured,
    outcome,
)
from verify.experiments.coordination.summary import CURVE_COLUMNS, as_json, curve_rows, student_interval, summaries

SMALL = Budget(runs=4, horizon=400, checkpoints=12)


@pytest.fixture(scope="module")
def data() -> xr.Dataset:
    return coordination((2, 3), budget=SMALL, seed=3)


# --- runs -----------------------------------------------------------------------------------------------
def test_a_run_is_the_algorithm_at_the_papers_steps(data: xr.Dataset) -> None:
    for k, (name, run) in ((0, ("CAC", cac)), (3, ("MDAC", mdac))):
        problem = coordination_game(3)
        seed = np.random.SeedSequence(3, spawn_key=(3, k, 2))
        trace = run(problem, 400, seed, steps=ConstantSteps(0.05, 0.1, 0.1))  # type: ignore[operator]
        cell = data.sel(agents=3, algorithm=name, run=2)
        assert float(cell["final_reward"]) == pytest.approx(exact(problem, trace["theta"].values).J, rel=1e-12)


def test_curves_are_exact_at_their_iterations(data: xr.Dataset) -> None:
    """The policy at iteration t is the last one of a run of t iterations with the same stream."""
    problem = coordination_game(2)
    cell = data.sel(agents=2, algorithm="CAC", run=1)
    assert data["t"].values[-1] > 390
    for t, reward in zip(data["t"].values, cell["reward"].values, strict=True):
        seed = np.random.SeedSequence(3, spawn_key=(2, 0, 1))
        theta = cac(problem, t, seed, steps=ConstantSteps())["theta"].values
        assert reward == pytest.approx(exact(problem, theta).J, rel=1e-10)
        seed = np.random.SeedSequence(3, spawn_key=(2, 0, 1))
        later = cac(problem, t + 20, seed, steps=ConstantSteps())["theta"].values
        assert reward != pytest.approx(exact(problem, later).J, rel=1e-10)


@pytest.mark.parametrize("n_checkpoints", [1, 5, 40])
@pytest.mark.parametrize("horizon", [1, 3, 5, 17, 1000])
def test_measured_iterations_are_those_of_the_trace(horizon: int, n_checkpoints: int) -> None:
    problem = coordination_game(2)
    thin = cac(problem, horizon, 1, steps=ConstantSteps(), n_checkpoints=n_checkpoints, metric_every=METRIC_EVERY)
    times, rows = measured(thin["t"].values)
    assert (np.diff(times) > 0).all()
    dense = cac(problem, horizon, 1, steps=ConstantSteps(), n_checkpoints=100_000)  # every iteration
    at = {int(t) - 1: float(J) for t, J in zip(dense["t"].values, dense["J_now"].values, strict=True)}
    assert len(at) == horizon
    for t, row in zip(times, rows, strict=True):
        assert float(thin["J_now"][row]) == at[int(t)]


def test_runs_depend_on_their_place_alone(data: xr.Dataset) -> None:
    xr.testing.assert_identical(coordination((2, 3), budget=SMALL, seed=3, jobs=2), data)
    alone = coordination((3,), budget=SMALL, seed=3)
    xr.testing.assert_identical(alone, data.sel(agents=[3]))
    more = coordination((2,), budget=Budget(6, 400, 12), seed=3, readings=True)
    assert list(more["algorithm"].values) == [*ALGORITHMS, *READINGS]
    first = more.sel(algorithm=list(ALGORITHMS)).isel(run=slice(4))
    xr.testing.assert_identical(first, data.sel(agents=[2]))
    assert not coordination((2,), budget=SMALL, seed=4)["reward"].equals(data.sel(agents=[2])["reward"])


def test_all_start_alike_and_learn(data: xr.Dataset) -> None:
    for N in (2, 3):
        uniform = exact(coordination_game(N), np.zeros((N, 16))).J
        rewards = data["reward"].sel(agents=N)
        assert (rewards.max("checkpoint") <= data["best"].sel(agents=N) + 1e-12).all()
        assert float(rewards.isel(checkpoint=-1).mean("run").min()) > uniform + 4


def test_samples_count_the_tuples(data: xr.Dataset) -> None:
    per_iteration = (data["samples"] / data["t"]).isel(checkpoint=-1).values
    assert per_iteration.tolist() == [1, 1, 1, 6]


def test_discount_scales_no_reward(data: xr.Dataset) -> None:
    discounted = coordination((2,), budget=SMALL, seed=3, gamma=0.5)
    best = float(data["best"].sel(agents=2))
    assert float(discounted["best"][0]) == best
    assert float(discounted["reward"].max()) <= best + 1e-9
    assert not discounted["reward"].equals(data["reward"].sel(agents=[2]))


# --- outcomes and intervals -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("profile", "certainty", "want"),
    [
        (((0,),) * 3, 0.95, "efficient"),
        (((7,),) * 3, 0.9, "efficient"),
        (((7,),) * 3, 0.89, "undecided"),
        (((7,), (7,), (0,)), 0.99, "no equilibrium"),
        (((1,),) * 3, 0.99, "no equilibrium"),
    ],
    ids=["zeros", "sevens", "unsure", "split", "common-1"],
)
def test_outcomes(profile: tuple[tuple[int, ...], ...], certainty: float, want: str) -> None:
    assert OUTCOMES[outcome(game_equilibria(3), profile, certainty)] == want


def test_wilson_interval_is_wilsons(data: xr.Dataset) -> None:
    """Wilson (1927): the shares p whose score statistic (x/n - p) / sqrt(p (1-p) / n) is within the normal quantile."""
    z = norm.ppf(0.975)
    for s in summaries(data):
        assert sum(s.counts) == s.runs == SMALL.runs
        assert s.probability == s.counts[0] / s.runs
        for end in (s.low, s.high):
            if 0 < end < 1:
                score = abs(s.probability - end) / np.sqrt(end * (1 - end) / s.runs)
                assert score == pytest.approx(z, rel=1e-9)
        exact_ends = binomtest(s.counts[0], s.runs).proportion_ci(method="exact")
        assert (s.low, s.high) != (exact_ends.low, exact_ends.high)


def test_student_interval_covers() -> None:
    draws = np.random.default_rng(0).normal(3.0, 2.0, size=(10, 4000))
    mean, half = student_interval(draws)
    covered = float((np.abs(mean - 3.0) <= half).mean())
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 4000)
    normal = float((np.abs(mean - 3.0) <= half * norm.ppf(0.975) / 2.262157).mean())
    assert abs(normal - 0.95) > 4 * np.sqrt(0.95 * 0.05 / 4000), "ten runs need Student's quantile"


def test_cac_beats_independent_agents_at_coordination() -> None:
    """The paper's claim, on the printed game: at 30 runs the two Wilson intervals are apart."""
    found = {s.algorithm: s for s in summaries(coordination((3,), budget=Budget(30, 1500, 2), seed=0))}
    assert found["CAC"].low > found["IAC"].high


# --- outputs --------------------------------------------------------------------------------------------
def test_figure_and_csv_hold_the_data(data: xr.Dataset) -> None:
    figure = coordination_figure(data)
    again = coordination_figure(data)
    assert figure == again
    assert figure.svg.startswith("<?xml")
    rows = list(csv.DictReader(io.StringIO(figure.csv)))
    assert tuple(rows[0]) == CURVE_COLUMNS
    assert len(rows) == len(curve_rows(data)) == 2 * 4 * data.sizes["checkpoint"]
    last = [r for r in rows if r["agents"] == "3" and r["algorithm"] == "DAC"][-1]
    values = data["reward"].sel(agents=3, algorithm="DAC").isel(checkpoint=-1).values
    assert float(last["reward"]) == pytest.approx(values.mean())
    half = 3.182446 * values.std(ddof=1) / 2  # Student's quantile for 4 runs
    assert float(last["high"]) - float(last["low"]) == pytest.approx(2 * half, rel=1e-6)
    for name in ALGORITHMS:
        assert f"N = 3, {name}: final reward" in figure.alt


def test_summary_names_equilibria_and_open_points(data: xr.Dataset) -> None:
    summary = json.loads(json.dumps(as_json(data)))
    assert summary["equilibria"]["3"]["nash"] == [[0, 0, 0], [7, 7, 7]]
    assert summary["open"] == list(OPEN)
    assert any("discount" in line for line in OPEN)
    assert any("features" in line for line in OPEN)
    settings = summary["settings"]
    assert (settings["actor_step"], settings["critic_step"], settings["mdac_batch"]) == (0.05, 0.1, 5)
    assert len(summary["results"]) == 8


def test_command_writes_and_prints(tmp_path: Path) -> None:
    out = tmp_path / "made" / "here"
    done = CliRunner().invoke(app, ["coordination", "--agents", "2", "--runs", "2", "--out", str(out), "--jobs", "1"])
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in out.iterdir()) == ["coordination.csv", "coordination.json", "coordination.svg"]
    text = " ".join(done.output.split())
    assert "pure Nash equilibria of the agents' rewards 00, 77" in text
    assert "discount factor: not in the text" in text
    for name in ALGORITHMS:
        assert name in text
    printed = CliRunner().invoke(app, ["coordination", "--agents", "2", "--runs", "2", "--json"])
    stored = json.loads((out / "coordination.json").read_text())
    assert json.loads(printed.stdout) == {k: v for k, v in stored.items() if k not in ("caption", "alt")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agents", "7"], "agents has 7"),
        (["--agents", "3", "--agents", "3"], "distinct numbers of agents"),
        (["--runs", "1"], "runs is 1; it is a whole number of at least 2"),
        (["--profile", "slow"], "profile 'slow' is not one of quick, full"),
        (["--jobs", "-1"], "jobs is -1"),
        (["--seed", "-1"], "seed is -1"),
        (["--gamma", "1.0"], "gamma"),
    ],
    ids=lambda x: "".join(x) if isinstance(x, list) else "",
)
def test_bad_arguments_stop_before_any_run(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["coordination", *arguments])
    assert done.exit_code == 2
    text = " ".join(done.output.replace("│", " ").split())
    assert message in text


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(app, ["coordination", "--out", str(tmp_path / "file" / "x")])
    assert done.exit_code == 2
    assert "cannot write into" in done.output
