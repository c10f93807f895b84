"""`lemmata sweep`: options, dry run, results, exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from algorithms.cac import METRICS
from rates.sweep import SweepWriteError, load
from verify.commands import sweep_request
from verify.commands.sweep import sweep_command
from verify.commands.sweep_request import EXPERIMENTS, parse_horizons, parse_seeds
from verify.experiments.cac import run_cac

app = typer.Typer()
app.command()(sweep_command)


def toy(instance: str, sampling: str, horizon: int, seed: np.random.SeedSequence) -> Mapping[str, float]:
    return {"x": np.random.default_rng(seed).standard_normal(), "y": float(horizon)}


@pytest.fixture
def experiments(monkeypatch: pytest.MonkeyPatch) -> dict[str, sweep_request.Experiment]:
    table = {"toy": sweep_request.Experiment(toy, ("single",), ("x", "y"), {"a": 1}, 1)}
    monkeypatch.setattr(sweep_request, "EXPERIMENTS", table)
    return table


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "300"})
    return done.exit_code, " ".join(done.output.split())


def run_toy(out: Path, *arguments: str) -> tuple[int, str]:
    grid = ("--horizons", "10,100", "--seeds", "3:10,2")
    return run("ring3", "--algorithm", "toy", *grid, "--out", str(out), *arguments)


@pytest.mark.usefixtures("experiments")
def test_sweep_writes_a_dataset_and_resumes(tmp_path: Path) -> None:
    code, text = run_toy(tmp_path, "--dry-run", "--json")
    assert code == 0, text
    assert (json.loads(text)["cells"], json.loads(text)["done"]) == (5, 0)
    code, text = run_toy(tmp_path, "--json")
    assert code == 0, text
    found, data = json.loads(text), load(tmp_path / "data.nc")
    assert (found["horizon"], found["n_seeds"]) == ([10, 100], [3, 2])
    assert found["metrics"]["y"] == {"mean": [10.0, 100.0], "standard_error": [0.0, 0.0]}
    assert found["metrics"]["x"]["mean"][1] == pytest.approx(float(data["x"][1, :2].mean()), rel=1e-15)
    before = (tmp_path / "data.nc").read_bytes()
    code, text = run_toy(tmp_path, "--dry-run")
    assert "5 cells done; the rest takes about 0 s" in text
    assert run_toy(tmp_path)[0] == 0
    assert (tmp_path / "data.nc").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--horizons", "100,10"), "horizons[1] = 10 does not exceed"),
        (("--horizons", "1:2:3:4"), "a grid is first:last"),
        (("--horizons", "ten"), "horizons contains 'ten', which is not a whole number"),
        (("--seeds", "0"), "a sweep needs at least one seed"),
        (("--seeds", "3,2"), "it is a number, or as 24:1e6,8"),
        (("--seed", "-1"), "seed is -1"),
        (("--jobs", "-1"), "jobs is -1"),
        (("--jobs", "99999"), "at most 1024 workers"),
        (("--block", "0"), "block is 0"),
        (("--horizons", "nan"), "horizons contains 'nan', which is not a whole number"),
        (("--horizons", "1e3:1e30"), "horizons contains 1e30; at most 1e+12"),
        (("--seeds", "1e15"), "seeds contains 1e15; at most 1e+06"),
        (("--metric", "z"), "metric 'z' is not one of x, y"),
        (("--sampling", "triple"), "sampling 'triple' is not one of single"),
        (("--algorithm", "none"), "algorithm 'none' is not one of toy"),
        (("--backend", "spark"), "backend 'spark' is not one of loky, threading, dask"),
        (("--backend", "dask"), "--backend dask and --scheduler ADDRESS go together"),
    ],
)
def test_wrong_options_are_errors_before_any_cell(
    tmp_path: Path, experiments: dict[str, sweep_request.Experiment], arguments: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "out"
    code, text = run_toy(out, *arguments)
    assert code == 2, text
    assert message in text.replace("│ ", "")
    assert not out.exists()


@pytest.mark.usefixtures("experiments")
def test_other_requests_and_wrong_folders_have_exit_codes(tmp_path: Path) -> None:
    assert run("nowhere", "--algorithm", "toy", "--out", str(tmp_path))[0] == 2
    run_toy(tmp_path / "out")
    code, text = run_toy(tmp_path / "out", "--seed", "5")
    assert (code, "root_seed: stored 0, requested 5" in text) == (2, True)
    (tmp_path / "file").write_text("")
    assert run_toy(tmp_path / "file")[0] == 2
    code, text = run_toy(tmp_path / "file" / "below")
    assert (code, "cannot write into" in text) == (2, True)


@pytest.mark.usefixtures("experiments")
def test_a_disk_that_fills_up_has_its_own_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise SweepWriteError("cannot write cell 3: No space left on device")

    monkeypatch.setattr(sys.modules["rates.sweep"], "sweep", full)  # the package has a function of that name
    code, text = run_toy(tmp_path)
    assert (code, text) == (74, "error: cannot write cell 3: No space left on device")


@pytest.mark.usefixtures("experiments")
def test_quiet_prints_nothing_on_success(tmp_path: Path) -> None:
    assert run_toy(tmp_path, "--dry-run", "--quiet") == (0, "")
    assert run_toy(tmp_path, "-q") == (0, "")
    assert (tmp_path / "data.nc").is_file()


def test_interrupt_exits_130_and_says_how_to_go_on(
    tmp_path: Path, experiments: dict[str, sweep_request.Experiment]
) -> None:
    def interrupted(instance: str, sampling: str, horizon: int, seed: np.random.SeedSequence) -> Mapping[str, float]:
        if horizon == 10:  # the longest horizon comes first
            raise KeyboardInterrupt
        return toy(instance, sampling, horizon, seed)

    interrupted.__qualname__ = "toy"
    experiments["toy"] = sweep_request.Experiment(interrupted, ("single",), ("x", "y"), {}, 1)
    code, text = run_toy(tmp_path)
    assert code == 130
    assert f"2 of 5 cells are finished and kept in {tmp_path}; the same call goes on from there" in text
    experiments["toy"] = sweep_request.Experiment(toy, ("single",), ("x", "y"), {}, 1)
    assert run_toy(tmp_path)[0] == 0


def test_cac_reports_the_declared_metrics_and_refuses_unsuitable_instances(tmp_path: Path) -> None:
    experiment = EXPERIMENTS["cac"]
    assert tuple(run_cac("ring3", "single", experiment.trial_horizon, np.random.SeedSequence(0))) == experiment.metrics
    assert set(METRICS) < set(experiment.metrics)
    code, text = run("periodic-trap", "--horizons", "100,200", "--out", str(tmp_path / "out"))
    assert (code, "cac does not run on periodic-trap: P_pi is periodic" in text) == (2, True), text
    assert not (tmp_path / "out").exists()


def test_horizons_and_seeds_are_read() -> None:
    assert parse_horizons("1e3:1e5") == parse_horizons("1000:100000:2") == [1000, 3162, 10000, 31623, 100000]
    assert parse_horizons("10,1e2") == [10, 100]
    assert parse_seeds("24:1e6,8", [10**5, 10**6, 10**7]) == [24, 24, 8]
    assert parse_seeds("9:10,6:1e3,3", [10, 100, 10_000]) == [9, 6, 3]
    assert parse_seeds("4", [1, 2]) == [4, 4]
