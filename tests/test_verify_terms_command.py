"""`lemmata experiment terms` and `lemmata experiment proof`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from verify.cli import app
from verify.experiments.terms.sizes import PROFILES, Profile


def test_terms_prints_slopes_and_writes_the_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROFILES, "quick", Profile((8, 16, 32), (1, 2, 3, 4), 3))
    done = CliRunner().invoke(app, ["experiment", "terms", "--jobs", "1", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "[-0.500]" in done.output  # M^-1/2 and K^-1/2 of a fixed problem
    for part in ("floor (2)", "floor (3)", "(6) m", "(7) D, B = 1", "(4) N", "(5) eta"):
        assert part in done.output
    assert (tmp_path / "terms.svg").read_text().startswith("<?xml")
    assert len((tmp_path / "terms.csv").read_text().splitlines()) > 50
    verdicts = (tmp_path / "verdicts.csv").read_text().splitlines()
    assert any(line.startswith('"(1) T","printed, circle","-1.000","0.000') and "refuted" in line for line in verdicts)


def test_an_unknown_profile_is_an_error() -> None:
    done = CliRunner().invoke(app, ["experiment", "terms", "--profile", "slow"])
    assert done.exit_code == 2
    assert "profile 'slow' is not one of quick, full" in " ".join(done.output.split())


def test_proof_sets_every_bound_beside_its_value() -> None:
    done = CliRunner().invoke(app, ["experiment", "proof", "--times", "1,3", "--width", "6"])
    assert done.exit_code == 0, done.output
    for equation in ("(15)", "(20)", "(26)", "(33)", "(34)"):
        assert equation in done.output


@pytest.mark.parametrize(("arguments", "message"), [
    (["--reading", "best"], "reading 'best' is not one of printed"), (["--times", "3,1"], "increases"),
    (["--times", "a"], "times is 'a'"), (["--width", "0"], "width"),
])
def test_wrong_input_is_an_error(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["experiment", "proof", *arguments])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
