"""Multi-agent RLHF (zhang2025 Fig. 4): runs, figure, command, recorded runs and their verdicts."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from verify.cli import app
from verify.context import PROFILES, Context
from verify.evidence import Verdict
from verify.experiments.rlhf import record
from verify.experiments.rlhf.figure import COLUMNS, blocks, curve_rows, miniature_csv, rlhf_figure
from verify.experiments.rlhf.record import LINES, RECORDED, Recorded, read, write
from verify.experiments.rlhf.runs import GOSSIP, Budget, Checkpoints, Line, Source, device_of, run_anchor, run_lines
from verify.experiments.rlhf.summary import as_json, ends, gains
from verify.runner import ClaimResult, run_claims
from verify.zhang2025.rlhf import figure
from verify.zhang2025.rlhf.figure import figure_4

LINES_RUN = (Line("printed"), Line("repaired"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The smallest models, hardly trained: enough to see that everything fits together."""
    for name in ("torch", "transformers", "peft"):
        pytest.importorskip(name)
    from algorithms.deep.rlhf.materials import build_materials, bundle, reward_models
    from algorithms.deep.rlhf.materials.pretraining import Size

    place: Path = tmp_path_factory.mktemp("rlhf") / "models"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "SIZES", {"tiny": Size(16, 1, 3, 2, 8, 3, 2, 1e-2, 1e-2)})
        patch.setattr(reward_models, "LEAST_ACCURACY", 0.0)
        build_materials(place, size="tiny")
    return Source(place, "tiny")


def simulated(runs: int = 3, episodes: int = 50) -> xr.Dataset:
    """Rewards with known gains: agent i of the repaired line rises by i over the whole run, the printed line falls."""
    rng = np.random.default_rng(0)
    rise = np.linspace(0, 1, episodes)[:, None] * np.array([1.0, 2.0, 3.0])
    table = np.stack([-rise + np.zeros((runs, 1, 1)), rise + np.zeros((runs, 1, 1))])
    table = table + 0.01 * rng.standard_normal(table.shape)
    return xr.Dataset(
        {"reward": (("line", "run", "episode", "agent"), table)},
        coords={"line": ["printed", "repaired"], "run": range(runs), "episode": range(1, episodes + 1),
                "agent": [1, 2, 3]},
    )  # fmt: skip


# numbers and pictures, without the extra


def test_the_core_does_not_import_the_extra() -> None:
    code = (
        "import sys, verify.cli, verify.zhang2025.rlhf.figure as f; f.figure_4(); "
        "print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_blocks_are_means_of_successive_episodes() -> None:
    rewards = np.arange(22.0).reshape(2, 11)
    np.testing.assert_array_equal(blocks(rewards, 5), [[2, 7], [13, 18]])
    np.testing.assert_array_equal(blocks(rewards[:, :3], 5), [[1], [12]])


def test_gains_are_those_that_were_put_in() -> None:
    found = {(g.line, g.agent): g for g in gains(simulated())}
    for agent, rise in ((0, 2.0), (1, 1.0), (2, 2.0), (3, 3.0)):
        # means over the first and last tenth lie 45/49 of the whole run apart
        assert found["repaired", agent].gain == pytest.approx(rise * 45 / 49, abs=0.03)
        assert found["repaired", agent].gain_low > 0
        assert found["printed", agent].gain_high < 0
        assert found["printed", agent].runs == 3
    start, end = ends(np.array([[1.0, 2.0, 4.0]]))
    assert (start[0], end[0]) == (1.0, 4.0)


def test_curve_rows_have_student_intervals() -> None:
    data = simulated()
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in curve_rows(data)]
    assert len(rows) == 2 * 4 * 10
    row = next(r for r in rows if r["line"] == "repaired" and r["agent"] == 2 and r["first_episode"] == 46)
    values = data["reward"].sel(line="repaired", agent=2, episode=slice(46, 50)).mean("episode").values
    half = 4.302652729911275 * values.std(ddof=1) / np.sqrt(3)  # 97.5 % point of Student's t with 2 degrees
    assert row["reward"] == pytest.approx(values.mean())
    assert row["high"] - row["reward"] == pytest.approx(half)  # type: ignore[operator]


@pytest.mark.parametrize("with_miniature", [False, True])
def test_the_figure_says_in_words_what_it_shows(with_miniature: bool) -> None:
    curves = np.linspace(0.1, 0.5, 3)[None, None] + np.zeros((2, 2, 3))
    anchor = xr.Dataset(
        {"J": (("direction", "seed", "episode"), curves)},
        coords={"direction": ["printed", "repaired"], "seed": [0, 1], "episode": [0, 10, 20]}, attrs={"J_star": 0.75},
    )  # fmt: skip
    found = rlhf_figure(simulated(), anchor if with_miniature else None)
    assert found.svg.startswith("<?xml")
    assert found.csv.count("\n") == 1 + 2 * 4 * 10
    assert "repaired, agent 3: from" in found.alt
    assert ("best 0.7500" in found.alt) == with_miniature
    assert rlhf_figure(simulated(), anchor if with_miniature else None).svg == found.svg
    if with_miniature:
        assert miniature_csv(anchor).splitlines()[1] == "printed,0,0,0.1,0.75"
        row = as_json(simulated(), anchor)["miniature"][1]
        assert (row["direction"], row["start"], row["end"], row["best"]) == ("repaired", 0.1, 0.5, 0.75)


# recorded runs and verdicts, without the extra


def test_recorded_runs_come_back(tmp_path: Path) -> None:
    path, data = tmp_path / "runs.json", simulated()
    write(path, data, LINES_RUN, {"opening": "how ?"})
    found = read(path)
    assert (found.lines, found.seeds, found.about) == (LINES_RUN, (0, 1, 2), {"opening": "how ?"})
    np.testing.assert_allclose(found.of(Line("repaired")), blocks(data["reward"].values[1]), atol=5.1e-5)
    assert (found.first == data["reward"].values[:, :, : record.FIRST]).all()
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"seeds": [0, 1]}))
    with pytest.raises(ValueError, match=r"rewards has shape \(2, 3, 10, 3\); it .* \(lines, seeds\) = \(2, 2\)"):
        read(path)
    path.write_text(json.dumps(content | {"format": "other"}))
    with pytest.raises(ValueError, match="format 'other'"):
        read(path)


def test_the_projects_runs_are_those_of_the_paper_settings() -> None:
    found = read()
    assert found.lines == LINES
    assert len(set(found.seeds)) == len(found.seeds) >= 8
    settings = found.about["settings"]
    printed = {"gamma": 0.5, "alpha": 1e-4, "beta": 1e-4, "gossip_rounds": GOSSIP, "lora_rank": 8, "width": 256}
    assert {name: settings[name] for name in printed} == printed
    assert (settings["dialogues"], settings["turns"], settings["depth"], settings["optimiser"]) == (1, 3, 3, "adam")
    assert found.rewards.shape[2] * 5 == settings["episodes"]
    accuracy = [float(v) for k, v in found.about["models"].items() if "accuracy" in k]
    assert len(accuracy) == 3
    assert min(accuracy) > 0.9
    # block means belong to the first episodes, which are kept to the last bit
    first = found.first.mean(axis=2)
    assert np.abs(first * record.FIRST / 5 - found.rewards[:, :, 0]).max() < 2.0
    assert RECORDED.stat().st_size < 300_000


def result(monkeypatch: pytest.MonkeyPatch | None = None, data: Recorded | None = None) -> ClaimResult:
    if monkeypatch is not None:
        monkeypatch.setattr(figure, "recorded", lambda: data)
    return run_claims([figure_4()], Context(PROFILES["quick"]), {})[0]


def test_figure_4_is_decided_from_the_recorded_runs() -> None:
    found = result()
    verdicts = {v.variant.name: str(v.verdict) for v in found.variants}
    assert verdicts["printed[its own models]"] == "out-of-scope"
    assert verdicts["printed[listed, mean]"] == verdicts["printed[listed, every agent]"] == "refuted"
    assert verdicts["printed[descent, mean]"] == verdicts["printed[descent, every agent]"] == "consistent"
    assert verdicts["repaired"] == verdicts["repaired[without gossip]"] == "consistent"
    assert verdicts["reading[descent, thanks to gossip]"] == "refuted"
    assert found.verdict is Verdict.AMBIGUOUS
    assert found.controls_refuted


def test_the_check_reads_the_runs_and_not_its_expectation(monkeypatch: pytest.MonkeyPatch) -> None:
    data = read()
    order = [data.lines.index(Line(d, k)) for d, k in (("repaired", 20), ("printed", 20))]
    swapped = data.rewards.copy()
    swapped[order] = swapped[order[::-1]]
    verdicts = {v.variant.name: str(v.verdict) for v in result(monkeypatch, replace(data, rewards=swapped)).variants}
    assert verdicts["printed[listed, mean]"] == "consistent"
    assert verdicts["repaired"] == "refuted"


def test_the_entry_explains_itself() -> None:
    claim = figure_4()
    assert claim.hypotheses
    assert claim.consequence


# runs, with the extra


def test_the_same_seeds_give_the_same_bits_on_any_number_of_workers(source: Source, tmp_path: Path) -> None:
    shares: list[float] = []
    once = run_lines(source, LINES_RUN, Budget(2, 2), jobs=1, on_share=shares.append)
    again = run_lines(source, LINES_RUN, Budget(2, 2), jobs=2, out=tmp_path)
    assert once.identical(again)
    assert once["reward"].shape == (2, 2, 2, 3)
    assert np.isfinite(once["reward"].values).all()
    assert (once["reward"].sel(run=0) != once["reward"].sel(run=1)).any()
    resumed = run_lines(source, LINES_RUN, Budget(2, 2), jobs=1, out=tmp_path)
    assert resumed.identical(again)
    assert all(0 <= share <= 1 for share in shares)


def test_the_miniature_has_exact_curves_below_its_optimum() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("peft")
    found = run_anchor(seeds=(0, 1), changes={"episodes": 2, "dialogues": 2})
    assert found["J"].shape == (2, 2, 2)
    assert float(found["J"].max()) < found.attrs["J_star"]
    assert (found["J"].isel(episode=0) == found.attrs["J_base"]).all()


def invoke(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["experiment", "rlhf", *arguments])
    return done.exit_code, " ".join(done.output.replace("│", " ").split())


def test_command_writes_figure_curves_and_summary(source: Source, tmp_path: Path) -> None:
    code, said = invoke(
        "--models", str(source.models), "--size", "tiny", "--runs", "2", "--episodes", "2", "--no-miniature",
        "--jobs", "1", "--out", str(tmp_path), "--direction", "repaired", "--device", "cpu",
    )  # fmt: skip
    assert code == 0, said
    assert {p.name for p in tmp_path.iterdir()} == {"rlhf.svg", "rlhf.csv", "rlhf.json", "runs"}
    summary = json.loads((tmp_path / "rlhf.json").read_text())
    assert summary["format"] == "lemmata-experiment-rlhf-1"
    assert [row["agent"] for row in summary["results"]] == [0, 1, 2, 3]
    assert "What the paper's text leaves open" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runs", "1"], "runs is 1"), (["--episodes", "0"], "episodes is 0"), (["--gossip", "-1"], "gossip is -1"),
        (["--direction", "printd"], "printd"), (["--size", "huge"], "huge"), (["--opening", " "], "opening is empty"),
        (["--actor", "x"], "--reward was given 0 times"), (["--user", "x", "--models", "y"], "--models is for the"),
        (["--profile", "slow"], "slow"), (["--seed", "-1"], "seed is -1"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(arguments: list[str], message: str) -> None:
    code, said = invoke(*arguments)
    assert code == 2
    assert message in said


def test_models_that_cannot_be_used_are_named(source: Source, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    models = ["--models", str(source.models), "--size", "tiny"]
    for arguments, message in (
        (["--models", str(tmp_path)], "has no materials.json"),
        (["--models", str(source.models)], "not 'small'"),
        ([*models, "--opening", "how do i threaten others ?"], "'threaten', 'others'"),
        ([*models, "--device", "abacus"], "device is 'abacus'"),
        (["--actor", "a", "--user", "b", "--reward", "c", "--reward", "d", "--reward", "e"], "is not there"),
    ):
        code, said = invoke(*arguments)
        assert code == 2
        assert message in said.replace(" ", "") or message in said, said


def test_a_missing_extra_is_an_error_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    from algorithms.deep.rlhf import errors

    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    code, said = invoke("--runs", "2")
    assert code == 2
    assert 'pip install "lemmata[rlhf]"' in said


def test_sizes_and_sources_are_checked() -> None:
    with pytest.raises(ValueError, match="runs is 1"):
        Budget(1, 10)
    with pytest.raises(ValueError, match="episodes is 1"):
        Budget(2, 1)
    assert Line("repaired", 0).label == "repaired, t_gossip = 0"
    assert Source(Path("x"), checkpoints=Checkpoints(Path("a"), Path("b"), ())).checkpoints is not None


def test_devices() -> None:
    pytest.importorskip("torch")
    assert device_of("cpu") == "cpu"
    assert device_of("auto") in ("cpu", "cuda")


@pytest.mark.slow
def test_the_recorded_runs_begin_as_recorded() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("peft")
    found = figure._again(Context(PROFILES["full"]))
    if not found:
        pytest.skip("another processor or other versions than those of the record")
    assert found[0].measured == 0
