"""Simple Spread (zhang2025 Appendix D.1): kernels against plain Python, exact rewards, verdicts and controls."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from algorithms._linalg import compiled
from algorithms.neural import CriticNetwork
from algorithms.neural._critics import _value
from algorithms.neural._state import _reward, _successor
from algorithms.neural.spread import SpreadSettings, _critic, board, spread_run, spread_view
from mdp.large import SimpleSpread, episode, episode_optimum, simple_spread
from mdp.networks.schedule import full_average
from verify.context import PROFILES, Context
from verify.evidence import Verdict
from verify.experiments.simple_spread.bounds import assignment_reward, solo_reward
from verify.experiments.simple_spread.command import simple_spread_command
from verify.experiments.simple_spread.figure import spread_figure, spread_summaries
from verify.experiments.simple_spread.runs import FIGURES, Budget, Line, lines_of, run_lines
from verify.mathml import mathml
from verify.runner import ClaimResult, run_claims
from verify.zhang2025.simple_spread.gossip_figure import d1_defaults, figure_5
from verify.zhang2025.simple_spread.other_figures import figure_2_10, figure_6, figure_7, figure_8, figure_9

EXACT = {
    "d1-defaults": {
        "printed[actor step]": "refuted", "printed[critic step]": "refuted", "printed[iterations]": "refuted",
        "printed[kernel]": "refuted", "printed[one-hot]": "refuted", "printed[coordinates]": "holds",
        "reading[path]": "refuted", "repaired": "holds",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def small() -> SimpleSpread:
    return simple_spread(3, 2, 2, landmarks=[(0, 0), (2, 1)], reward_time="after")


@compiled
def _probe(rng, env, i, s, a):  # type: ignore[no-untyped-def]
    return _reward(rng, env, i, s, a), _successor(rng, env, s, a)


@compiled
def _critic_value(critic, w, s, a):  # type: ignore[no-untyped-def]
    return _value(critic, w, s, a)


@pytest.mark.parametrize("time", ["before", "after"])
def test_moves_and_rewards_of_the_kernel_are_those_of_the_model(time: str) -> None:
    game = simple_spread(3, 2, 2, landmarks=[(0, 0), (2, 1)], reward_time=time)  # type: ignore[arg-type]
    rng, successors = np.random.default_rng(0), game.successors(np.arange(game.n_states))
    shared, local = board(game), board(game, "local")
    for s, a in itertools.product(range(game.n_states), range(game.n_joint_actions)):
        rewards = [_probe(rng, local, i, s, a)[0] for i in range(2)]
        reward, after = _probe(rng, shared, 1, s, a)
        assert after == successors[s, a]
        assert reward == game.r_bar[s, a]
        assert np.mean(rewards) == game.r_bar[s, a]


def test_critic_inputs_are_unit_one_hot_rows(small: SimpleSpread) -> None:
    rng = np.random.default_rng(1)
    settings = SpreadSettings(width=6, depth=3)
    critic = _critic(small, settings, np.random.default_rng(1))
    N, C = small.n_agents, small.n_cells
    net = CriticNetwork.draw(np.eye(1, N * (C + 5)), width=6, depth=3, seed=rng)
    for s, a in ((0, 0), (7, 13), (35, 24)):
        x = np.zeros(N * (C + 5))
        cells, moves = divmod(s, C), divmod(a, 5)
        for i in range(N):
            x[i * C + cells[i]] = x[N * C + i * 5 + moves[i]] = 1 / np.sqrt(2 * N)
        layer = net.H @ x
        for W in net.W0:
            layer = np.maximum(W @ layer, 0) / np.sqrt(6)
        assert _critic_value(critic, net.W0, s, a) == pytest.approx(float(net.b @ layer), rel=1e-12)


def test_exact_reward_is_what_frozen_policies_earn(small: SimpleSpread) -> None:
    settings = SpreadSettings(actor="softmax", alpha=0.0, width=2, depth=1)
    trace = spread_run(small, settings, 40_000, 3)
    assert (trace.tables[0] == trace.tables[-1]).all()
    exact = episode(spread_view(small, trace.tables[0])).mean_reward
    assert trace.reward[0] == pytest.approx(exact, abs=0.03)  # about 4 standard errors


@pytest.mark.parametrize("actor", ["softmax", "network"])
def test_one_reward_for_all_leaves_gossip_nothing_to_change(small: SimpleSpread, actor: str) -> None:
    def end(rounds: int, rewards: str) -> np.ndarray:
        settings = SpreadSettings(
            actor=actor, gossip_rounds=rounds, rewards=rewards, width=4, depth=2, alpha=0.05,  # type: ignore[arg-type]
        )  # fmt: skip
        return spread_run(small, settings, 500, 0, consensus=full_average(2)).theta

    assert (end(0, "shared") == end(10, "shared")).all()
    assert (end(0, "local") != end(10, "local")).any()


def test_one_seed_gives_the_same_bits_in_pieces_and_on_any_number_of_threads() -> None:
    settings = SpreadSettings(actor="softmax", width=4, depth=1)
    lines = (Line("a", settings), Line("b", replace(settings, gossip_rounds=0, rewards="local")))
    one = run_lines(lines, Budget(2, 300, 1), jobs=1)
    assert one.identical(run_lines(lines, Budget(2, 300, 1), jobs=2))
    assert (one["exact"].isel(checkpoint=-1) == run_lines(lines, Budget(2, 300, 3))["exact"].isel(checkpoint=-1)).all()


def test_a_run_that_leaves_the_floats_is_reported(small: SimpleSpread) -> None:
    trace = spread_run(small, SpreadSettings(reading="repaired", beta=1e200, width=4, depth=2), 50, 0, checkpoints=5)
    assert "not finite" in trace.failure
    assert np.isnan(trace.tables[-1]).all()


@pytest.mark.parametrize(
    ("name", "critic", "least", "most"),
    [("repaired", "exact", 0.8, 1.0), ("printed", "exact", -1.0, 0.05), ("printed", "network", -1.0, 0.05)],
)
def test_only_the_repaired_direction_learns(
    small: SimpleSpread, name: str, critic: str, least: float, most: float
) -> None:
    settings = SpreadSettings(reading=name, critic=critic, actor="softmax", width=4, depth=1, alpha=0.05)  # type: ignore[arg-type]
    tables = spread_run(small, settings, 4_000, 0).tables
    first, last = (episode(spread_view(small, t)).mean_reward for t in (tables[0], tables[-1]))
    gap = episode_optimum(small).mean_reward - first
    assert least * gap < last - first < most * gap


@pytest.mark.parametrize("agents", [2, 3])
@pytest.mark.parametrize("time", ["before", "after"])
def test_bounds_hold_the_exact_optimum(agents: int, time: str) -> None:
    game = simple_spread(5, 3, agents, reward_time=time)  # type: ignore[arg-type]
    best = episode_optimum(game).mean_reward
    low, error = assignment_reward(game, 2_000, np.random.default_rng(0))
    assert low - 4 * error <= best <= solo_reward(game)


def test_solo_bound_against_every_start() -> None:
    game = simple_spread(3, 2, 2, reward_time="after")
    total = 0.0
    for landmark in game.landmarks:
        d = [abs(x - landmark[0]) + abs(y - landmark[1]) for x in range(3) for y in range(2)]
        for c, e in itertools.product(d, d):
            total -= sum(max(0, min(c, e) - h) for h in range(1, 11)) / 10 / 36
    assert solo_reward(game) == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reading": "other"}, "reading is 'other'"), ({"rewards": "mine"}, "rewards is 'mine'"),
        ({"actor": "tree"}, "actor is 'tree'"), ({"depth": 0}, "depth is 0"), ({"width": 0}, "width is 0"),
        ({"critic_iterations": 0}, "critic_iterations is 0"), ({"beta": -1.0}, "beta is -1"),
        ({"critic": "perfect"}, "critic is 'perfect'"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpreadSettings(**change)  # type: ignore[arg-type]


def test_wrong_runs_are_named(small: SimpleSpread) -> None:
    with pytest.raises(ValueError, match="horizon is 5 and checkpoints 6"):
        spread_run(small, SpreadSettings(), 5, 0, checkpoints=6)
    with pytest.raises(ValueError, match="consensus"):
        spread_run(small, SpreadSettings(), 5, 0, consensus=full_average(3))
    with pytest.raises(ValueError, match="not uniform"):
        spread_run(simple_spread(3, 2, 2, start=[(0, 0), (1, 1)]), SpreadSettings(), 5, 0)
    with pytest.raises(ValueError, match="figure is '4'"):
        lines_of("4")
    with pytest.raises(ValueError, match="runs is 1"):
        Budget(1)


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


def test_command_writes_figure_curves_and_summary(tmp_path) -> None:  # type: ignore[no-untyped-def]
    app = typer.Typer()
    app.command()(simple_spread_command)
    arguments = ["--figure", "10", "--runs", "2", "--horizon", "20", "--out", str(tmp_path), "--jobs", "1"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert {p.name for p in tmp_path.iterdir()} == {"spread-2.svg", "spread-2.csv", "spread-2.json"}
    assert CliRunner().invoke(app, ["--figure", "11"]).exit_code == 2
    assert CliRunner().invoke(app, ["--runs", "1"]).exit_code == 2


def test_summary_and_picture_have_every_line() -> None:
    lines = tuple(line for line in lines_of("9") if line.label.startswith("printed"))
    data = run_lines(lines, Budget(2, 20, 2))
    found = spread_summaries(data)
    assert [s.line for s in found] == [line.label for line in lines]
    for s in found:
        assert s.reward_low <= s.reward <= s.reward_high < s.best_low == s.best_high
    assert spread_figure(data, "9").csv.count("\n") >= 1 + 2 * len(lines)


def result(build) -> ClaimResult:  # type: ignore[no-untyped-def]
    return run_claims([build()], Context(PROFILES["quick"]), {})[0]


def test_defaults_against_the_theorem() -> None:
    found = result(d1_defaults)
    assert {v.variant.name: str(v.verdict) for v in found.variants if v.variant.kind.name != "CONTROL"} == EXACT[
        "d1-defaults"
    ]
    assert found.controls_refuted
    assert found.verdict is Verdict.REFUTED
    # the same conditions between integers, by hand
    assert 2 * 1**2 < 49 * 200**2
    assert 1 < 5**4
    assert 10 != 100
    assert 20**2 * 5**11 >= 51**6
    assert 20**2 * 5**11 < 52**6
    assert Fraction(1, 25) ** 2 * 625 == 1
    assert 2 * 5**2 >= 49


def test_gossip_changes_nothing_for_one_reward() -> None:
    found = result(figure_5)
    verdicts = {v.variant.name: str(v.verdict) for v in found.variants}
    assert verdicts["printed"] == "refuted"
    assert verdicts["repaired"] == "holds"
    assert verdicts["reading[local rewards]"] == "refuted"
    assert found.controls_refuted
    witness = next(v for v in found.variants if v.variant.name == "printed").evidence[0].witness
    assert witness is not None
    rewards = [[Fraction(str(x)) for x in row] for row in witness.values["rewards by tuple and agent"]]
    assert all(len(set(row)) == 1 for row in rewards)
    matrix = [[Fraction(str(x)) for x in row] for row in witness.values["A"]]
    assert all(sum(row) == 1 for row in matrix)


@pytest.mark.parametrize("build", [d1_defaults, figure_5, figure_6, figure_7, figure_8, figure_9, figure_2_10])
def test_entries_explain_themselves(build) -> None:  # type: ignore[no-untyped-def]
    claim = build()
    assert claim.hypotheses
    assert claim.consequence
    assert mathml(claim.latex)


FIGURE_VERDICTS = {
    figure_6: ("consistent", {"printed": "consistent"}),
    figure_7: (
        "ambiguous",
        {"printed[visibly]": "refuted", "printed[at all]": "consistent", "repaired": "consistent",
         "reading[exact critic]": "consistent"},
    ),
    figure_8: (
        "consistent",
        {"printed": "consistent", "reading[uniform policies]": "holds", "reading[per landmark]": "refuted"},
    ),
    figure_9: (
        "refuted",
        {"printed[K]": "refuted", "printed[M]": "refuted", "printed[M, at all]": "refuted", "repaired": "consistent",
         "reading[exact critic]": "consistent"},
    ),
    figure_2_10: (
        "refuted",
        {
            "printed[TD]": "refuted", "printed[TD, at all]": "refuted", "printed[Q]": "consistent",
            "printed[TD above Q]": "refuted",
            "reading[network actors]": "refuted", "reading[flipped]": "refuted",
            "reading[printed, exact critic]": "refuted", "reading[exact critic]": "consistent",
            "repaired": "consistent",
        },
    ),
}  # fmt: skip


@pytest.mark.slow
def test_verdicts_of_the_figures() -> None:
    context = Context(PROFILES["quick"], jobs=2)
    for build, (verdict, variants) in FIGURE_VERDICTS.items():
        found = run_claims([build()], context, {})[0]
        assert str(found.verdict) == verdict, found.claim.key
        assert {v.variant.name: str(v.verdict) for v in found.variants if v.variant.kind.name != "CONTROL"} == variants
        assert found.controls_refuted, found.claim.key
