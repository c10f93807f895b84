"""`lemmata experiment rates`: slopes, exact and fitted floors, and how asymptotic the runs are, on a small budget."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from verify.cli import app
from verify.experiments.rates import runs as experiment
from verify.experiments.rates.runs import Budget, run_case

SMALL = Budget(last=100_000, seeds=3, far_seeds=2)


def test_far_horizons_get_fewer_seeds() -> None:
    budget = Budget(last=10_000_000, seeds=24, far_seeds=8)
    assert budget.n_seeds[1_000_000] == 24
    assert budget.n_seeds[10_000_000] == 8
    assert list(budget.n_seeds) == budget.horizons


@pytest.fixture(scope="module")
def case():
    return run_case("ring3", "double", SMALL)


def test_a_case_stands_beside_what_is_computed_without_sampling(case) -> None:
    assert case.floor < 1e-20  # ring3 is realisable and double sampling has no mismatch
    assert case.critic.slope < -0.3
    violation = (case.data["shared_gradient"] + case.data["personal_gradient"]).isel(horizon=-1)
    row = case.row()
    assert row["leading_ratio"][1] < row["leading_ratio"][0] < row["leading_ratio"][2]
    # the ratio is the mean violation over the leading term I / (alpha_0 T^0.4) with the I of the slow ODE
    leading = float(violation.mean()) / row["leading_ratio"][0]
    assert leading == pytest.approx(3.310 / (2.0 * 100_000**0.4), rel=1e-3)
    assert json.loads(json.dumps(row))["instance"] == "ring3"


def test_same_seed_same_numbers(case) -> None:
    again = run_case("ring3", "double", SMALL, jobs=2)
    assert again.row() == case.row()
    other = run_case("ring3", "double", SMALL, seed=1)
    assert other.row() != case.row()


def test_the_command_writes_figures_and_a_summary(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(experiment, "BUDGETS", {"quick": SMALL})
    monkeypatch.setattr(experiment, "CASES", (("ring3", "double"),))
    done = CliRunner().invoke(app, ["experiment", "rates", "--jobs", "1", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "measured / leading" in done.output
    stored = json.loads((tmp_path / "rates.json").read_text())
    assert stored["format"] == "lemmata-experiment-rates-1"
    assert np.isfinite(stored["cases"][0]["exact_floor"])
    assert (tmp_path / "ring3-double-actor.svg").read_text().startswith("<?xml")
    assert (tmp_path / "ring3-double" / "cells").is_dir()


@pytest.mark.parametrize(("arguments", "message"), [
    (["--profile", "huge"], "profile 'huge' is not one of"), (["--jobs", "-1"], "jobs is -1"),
])
def test_wrong_input_is_an_error_before_any_run(arguments, message) -> None:
    done = CliRunner().invoke(app, ["experiment", "rates", *arguments])
    assert done.exit_code == 2
    assert message in done.output
