"""`lemmata experiment terms` and `lemmata experiment proof`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from verify.cli import app


def test_terms_prints_slopes_and_writes_the_figure(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["experiment", "terms", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "[-0.500]" in done.output  # M^-1/2 and K^-1/2 of a fixed problem
    assert (tmp_path / "terms.svg").read_text().startswith("<?xml")
    assert len((tmp_path / "terms.csv").read_text().splitlines()) > 50


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
