"""QuantEcon, Gymnasium, PettingZoo and Storm as independent oracles; each is skipped when it is not installed."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdp import FiniteMDP, Problem, coordination_game, exact, ring3
from mdp.chain import stationary_law
from mdp.families import random_problem, random_rational_point
from mdp.io import from_quantecon, from_toy_text, read_drn, to_pettingzoo, to_quantecon, write_drn
from mdp.linear import to_float
from mdp.optimal import J_star

TABLE = {
    0: {0: [(0.5, 0, 1.0, False), (0.5, 1, 3.0, False)], 1: [(1.0, 2, 7.0, True)]},
    1: {0: [(1.0, 0, 0.0, False)], 1: [(0.25, 1, 4.0, False), (0.75, 2, 0.0, True)]},
    2: {0: [(1.0, 0, 9.0, False)], 1: [(1.0, 2, 9.0, True)]},
}


def plain_values(table: dict[int, dict[int, list[Any]]], gamma: float, sweeps: int) -> np.ndarray:
    """Value iteration straight on a Gymnasium table: no successor value after termination."""
    rows = [(s, a, p, t, r, done) for s, actions in table.items() for a, entries in actions.items()
            for p, t, r, done in entries]
    s, a, p, t, r, done = (np.array(column) for column in zip(*rows, strict=True))
    V = np.zeros(len(table))
    for _ in range(sweeps):
        Q = np.zeros((len(table), len(table[0])))
        np.add.at(Q, (s, a), p * (r + gamma * V[t] * ~done))
        V = Q.max(axis=1)
    return V


# --- QuantEcon ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(8))
def test_quantecon_agrees_on_random_problems(seed: int) -> None:
    markov = pytest.importorskip("quantecon.markov")
    problem, theta = random_problem(np.random.default_rng(seed))
    view = exact(problem, theta)
    (law,) = markov.MarkovChain(np.array(view.P_pi)).stationary_distributions
    assert view.stationary == pytest.approx(law, abs=1e-13)
    # a stochastic policy is the only action of a Markov reward process
    process = markov.DiscreteDP(view.r_pi[:, None], view.P_pi[:, None, :], view.gamma)
    assert pytest.approx(process.evaluate_policy(np.zeros(len(law), dtype=int)), rel=1e-10, abs=1e-10) == view.V
    solution = to_quantecon(problem.mdp).solve(method="policy_iteration")
    optimum = J_star(problem.mdp)
    assert pytest.approx(solution.v, rel=1e-9, abs=1e-9) == optimum.V
    assert optimum.low - 1e-9 <= problem.mdp.initial @ solution.v <= optimum.high + 1e-9


def test_quantecon_agrees_on_a_nearly_decomposable_chain() -> None:
    markov = pytest.importorskip("quantecon.markov")
    e = 1e-12
    P = np.array([[0.5, 0.5, 0, 0], [0.5 - e, 0.5, e, 0], [0, 2 * e, 0.25 - 2 * e, 0.75], [0, 0, 0.5, 0.5]])
    (law,) = markov.MarkovChain(P).stationary_distributions
    assert stationary_law(P) == pytest.approx(law, rel=1e-12)


def test_quantecon_round_trip() -> None:
    pytest.importorskip("quantecon")
    problem, _ = random_problem(np.random.default_rng(4), n_agents=2)
    mdp = problem.mdp
    back = from_quantecon(to_quantecon(mdp), n_actions=mdp.n_actions, initial=mdp.initial)
    assert (back.P == mdp.P).all()
    assert (back.r == mdp.r_bar[None]).all()
    assert (back.r.shape, back.gamma, back.n_actions) == (mdp.r.shape, mdp.gamma, mdp.n_actions)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_quantecon_pairs_with_an_infeasible_action(sparse: bool) -> None:
    """Puterman (2005), Sec. 3.1: v* = (-60/7, -20) at discount 0.95, as in QuantEcon's own documentation."""
    markov = pytest.importorskip("quantecon.markov")
    from scipy.sparse import csr_matrix

    Q = np.array([[0.5, 0.5], [0, 1], [0, 1]])
    pairs = markov.DiscreteDP([5, 10, -1], csr_matrix(Q) if sparse else Q, 0.95, [0, 0, 1], [0, 1, 0])
    product = markov.DiscreteDP([[5.0, 10], [-1, -np.inf]], [[[0.5, 0.5], [0, 1]], [[0, 1], [0.5, 0.5]]], 0.95)
    for ddp in (pairs, product):
        with pytest.raises(ValueError, match=r"action 1 is infeasible in state 1"):
            from_quantecon(ddp)
        mdp = from_quantecon(ddp, pad_actions=True)
        assert pytest.approx([-60 / 7, -20], rel=1e-12) == J_star(mdp).V
    with pytest.raises(ValueError, match=r"make 4 joint actions; the DiscreteDP has 2"):
        from_quantecon(pairs, n_actions=(2, 2), pad_actions=True)


def test_quantecon_without_discounting_is_refused() -> None:
    markov = pytest.importorskip("quantecon.markov")
    with pytest.warns(UserWarning, match="beta=1"):
        ddp = markov.DiscreteDP([[1.0]], [[[1.0]]], 1)
    with pytest.raises(ValueError, match=r"gamma is 1; the discount factor lies in \[0, 1\)"):
        from_quantecon(ddp)


# --- Gymnasium ---------------------------------------------------------------------------------------------
def test_table_by_hand() -> None:
    """State 2 is entered by termination alone: absorbing, its own row dropped; r(0, 0) = (1 + 3)/2, r(1, 1) = 1."""
    mdp = from_toy_text(TABLE, gamma=0.5, initial=np.array([1.0, 0, 0]))
    assert mdp.r[0].tolist() == [[2.0, 7.0], [0.0, 1.0], [0.0, 0.0]]
    assert mdp.P[2].tolist() == [[0, 0, 1], [0, 0, 1]]
    assert mdp.P[1, 1].tolist() == [0, 0.25, 0.75]
    assert pytest.approx([7.0, 3.5, 0.0]) == J_star(mdp).V


def test_table_with_a_state_entered_both_ways_gets_a_sink() -> None:
    table = {**TABLE, 0: {0: TABLE[0][0], 1: [(0.5, 2, 7.0, True), (0.5, 2, 1.0, False)]}}
    mdp = from_toy_text(table, gamma=0.5, initial=np.array([1.0, 0, 0]))
    assert mdp.n_states == 4
    assert mdp.P[0, 1].tolist() == [0, 0, 0.5, 0.5]
    assert mdp.P[3].tolist() == [[0, 0, 0, 1]] * 2
    assert J_star(mdp).V[:3] == pytest.approx(plain_values(table, 0.5, 80), rel=1e-12)


@pytest.mark.parametrize(("change", "message"), [
    ({1: {0: TABLE[1][0]}}, r"P\[1\] has actions .*, not 0\.\.1"),
    ({2: {0: [(1.0, 3, 0.0, False)], 1: TABLE[2][1]}}, r"P\[2\]\[0\]\[0\] is .*successor"),
    ({2: {0: [(1.0, 0, float("nan"), False)], 1: TABLE[2][1]}}, r"P\[2\]\[0\]\[0\] is .*reward"),
    ({0: {0: [(0.4, 0, 0.0, False)], 1: TABLE[0][1]}}, r"P\[0, 0\] sums to 0\.4, not 1"),
    ({0: {0: [(1.0, 0)], 1: TABLE[0][1]}}, r"P\[0\]\[0\]\[0\] is .*, not \(probability, successor"),
    ({4: TABLE[0]}, r"states of P are not 0\.\.3: 4"),
], ids=["actions", "successor", "nan", "row", "entry", "states"])
def test_bad_tables_are_refused(change: dict[int, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_toy_text({**TABLE, **change}, gamma=0.5, initial=np.array([1.0, 0, 0]))


def test_table_needs_an_initial_law_and_a_table() -> None:
    with pytest.raises(ValueError, match="has no initial law; pass initial="):
        from_toy_text(TABLE, gamma=0.5)
    with pytest.raises(ValueError, match="int has no transition table P"):
        from_toy_text(3, gamma=0.5)


def make(name: str, **options: Any) -> Any:
    """The newest version of an environment: Gymnasium removes older ones (Taxi-v3 gave way to Taxi-v4 in 1.3)."""
    gymnasium = pytest.importorskip("gymnasium")
    versions = [spec.version for spec in gymnasium.envs.registry.values() if spec.name == name]
    return gymnasium.make(f"{name}-v{max(versions)}", **options)


@pytest.mark.parametrize(("name", "options", "n_states"), [
    ("FrozenLake", {"map_name": "4x4", "is_slippery": True}, 16),
    ("FrozenLake", {"map_name": "4x4", "is_slippery": False}, 16),
    ("FrozenLake", {"map_name": "8x8", "is_slippery": True}, 64),
    ("FrozenLake", {"map_name": "8x8", "is_slippery": False}, 64),
    ("CliffWalking", {}, 48), ("Taxi", {}, 501),
], ids=["lake4-slippery", "lake4", "lake8-slippery", "lake8", "cliff", "taxi"])
def test_toy_text_optimal_values(name: str, options: dict[str, Any], n_states: int) -> None:
    """Against value iteration on the table itself, and QuantEcon on the import."""
    env, gamma = make(name, **options), 0.9
    table = env.unwrapped.P
    mdp = from_toy_text(env, gamma=gamma)
    env.close()
    assert mdp.n_states == n_states
    values = J_star(mdp).V
    ending = {t for actions in table.values() for entries in actions.values() for _, t, _, done in entries if done}
    compared = sorted(set(range(len(table))) - ending) if n_states == len(table) else list(range(len(table)))
    assert values[compared] == pytest.approx(plain_values(table, gamma, 200)[compared], abs=20 * gamma**200 + 1e-9)
    pytest.importorskip("quantecon")
    assert values == pytest.approx(to_quantecon(mdp).solve(method="policy_iteration").v, abs=1e-9)


def test_frozen_lake_value_is_the_known_one() -> None:
    """At discount 0.99 the slippery 4 x 4 lake is worth 0.5420 from its start, as is commonly reported."""
    env = make("FrozenLake")
    mdp = from_toy_text(env, gamma=0.99)
    env.close()
    assert pytest.approx(0.5420, abs=5e-5) == J_star(mdp).J


# --- PettingZoo --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("max_steps", [None, 1, 25], ids=["endless", "one-step", "truncated"])
@pytest.mark.parametrize("build", [ring3, coordination_game], ids=["ring3", "noisy-game"])
def test_pettingzoo_own_tests(build: Any, max_steps: int | None) -> None:
    checks = pytest.importorskip("pettingzoo.test")
    problem = build()
    checks.parallel_api_test(to_pettingzoo(problem, max_steps=max_steps), num_cycles=60)
    checks.parallel_seed_test(lambda: to_pettingzoo(problem, max_steps=max_steps), num_cycles=60)


def test_pettingzoo_spaces_and_truncation() -> None:
    pytest.importorskip("pettingzoo")
    env = to_pettingzoo(ring3(), max_steps=2)
    observations, infos = env.reset(seed=1)
    assert observations == {"agent_0": 0, "agent_1": 0, "agent_2": 0}
    assert infos == {agent: {} for agent in observations}
    assert env.action_space("agent_1").n == 3
    assert env.observation_space("agent_1").n == 3
    joint = {"agent_0": 2, "agent_1": 0, "agent_2": 1}
    _, rewards, _, truncated, _ = env.step(joint)
    assert list(rewards.values()) == pytest.approx(ring3().mdp.r[:, 0, 2 * 9 + 0 * 3 + 1])
    assert not any(truncated.values())
    _, _, terminated, truncated, _ = env.step(joint)
    assert all(truncated.values())
    assert not any(terminated.values())
    assert env.agents == []
    with pytest.raises(ValueError, match="call reset first"):
        env.step(joint)
    env.reset()
    with pytest.raises(ValueError, match=r"agent_1 plays 3, not in Discrete\(3\)"):
        env.step({**joint, "agent_1": 3})
    with pytest.raises(ValueError, match="agent_2 plays None"):
        env.step({"agent_0": 0, "agent_1": 0})


def test_pettingzoo_samples_follow_the_model() -> None:
    """Frequencies of successors and mean noisy rewards of one joint action, within 4.5 standard errors."""
    pytest.importorskip("pettingzoo")
    problem, _ = random_problem(np.random.default_rng(2), n_states=4, n_agents=2)
    base = problem.mdp
    mdp = FiniteMDP(base.P, base.r, base.initial, base.gamma, base.n_actions, reward_noise="gumbel")
    env, runs = to_pettingzoo(mdp, max_steps=1), 4000
    rng = np.random.default_rng(3)
    visits, rewards = np.zeros((4, 4)), [[], [], [], []]
    joint = 2
    actions = dict(zip(env.possible_agents, map(int, np.unravel_index(joint, mdp.n_actions)), strict=True))
    env.reset(seed=int(rng.integers(2**31)))
    for _ in range(runs):
        observations, _ = env.reset()
        s = int(observations["agent_0"])
        after, reward, *_ = env.step(actions)
        visits[s, int(after["agent_1"])] += 1
        rewards[s].append(list(reward.values()))
    counts = visits.sum(axis=1)
    assert (np.abs(counts / runs - mdp.initial) < 4.5 * np.sqrt(mdp.initial * (1 - mdp.initial) / runs)).all()
    for s in np.flatnonzero(counts > 100):
        law = mdp.P[s, joint]
        assert (np.abs(visits[s] / counts[s] - law) < 4.5 * np.sqrt(law * (1 - law) / counts[s])).all()
        error = np.pi / np.sqrt(6 * counts[s])  # standard deviation pi/sqrt(6) of a standard Gumbel variable
        assert (np.abs(np.mean(rewards[s], axis=0) - mdp.r[:, s, joint]) < 4.5 * error).all()


def test_pettingzoo_max_steps_is_checked() -> None:
    pytest.importorskip("pettingzoo")
    with pytest.raises(ValueError, match="max_steps is 0; an episode has at least one step"):
        to_pettingzoo(ring3(), max_steps=0)


# --- absence ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("call", "package"), [
    (lambda: to_quantecon(ring3().mdp), "quantecon"), (lambda: to_pettingzoo(ring3()), "gymnasium"),
], ids=["quantecon", "pettingzoo"])
def test_absent_packages_are_named_with_their_extra(
    call: Any, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    def absent(name: str, *rest: Any, **options: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return real(name, *rest, **options)

    real = builtins.__import__
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(builtins, "__import__", absent)
    monkeypatch.setattr("mdp.io.errors.import_module", lambda name: absent(name))
    with pytest.raises(ImportError, match=rf'{package} is not installed.*pip install "lemmata\[io\]"'):
        call()


# --- Storm ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(3))
def test_storm_reads_what_is_written_exactly(seed: int, tmp_path: Path) -> None:
    """Storm's rational MDP has the same entries, rewards and names; what Storm writes is read back the same."""
    stormpy = pytest.importorskip("stormpy")
    from stormpy.io import DirectEncodingParserOptions, export_to_drn

    point = random_rational_point(np.random.default_rng(seed), n_states=4, n_actions=(2, 3), point_start=True)
    path, again = tmp_path / "model.drn", tmp_path / "storm.drn"
    write_drn(path, point, labels={"goal": [1, 3], "two words": [2]})
    options = DirectEncodingParserOptions()
    options.build_choice_labeling = True
    model = stormpy.build_model_from_drn[stormpy.Rational](str(path), options=options)
    assert (model.nr_states, model.nr_choices) == (4, 24)
    for s, a in np.ndindex(4, 6):
        row = {entry.column: str(entry.value) for entry in model.transition_matrix.get_row(6 * s + a)}
        assert row == {t: str(x) for t, x in enumerate(point.P[s, a]) if x != 0}
        for i in range(2):
            assert str(model.reward_models[f"r{i}"].state_action_rewards[6 * s + a]) == str(point.r[i, s, a])
    assert model.choice_labeling.get_labels_of_choice(5) == {"1_2"}
    export_to_drn(model, str(again))
    back = read_drn(again, gamma=point.gamma)
    assert (back.P == point.P).all()
    assert (back.r == point.r).all()
    assert (back.initial == point.initial).all()
    assert back.n_actions == (2, 3)
    assert back.labels == {"goal": (1, 3), "two words": (2,)}


def test_storm_finds_the_same_discounted_optimum(tmp_path: Path) -> None:
    stormpy = pytest.importorskip("stormpy")
    point = random_rational_point(np.random.default_rng(7), n_states=5, n_actions=(3,))
    path = tmp_path / "model.drn"
    write_drn(path, point)
    model = stormpy.build_model_from_drn(str(path))
    formula = stormpy.parse_properties(f'R{{"r0"}}max=? [ Cdiscount={float(point.gamma.p) / float(point.gamma.q)} ]')
    values = list(stormpy.model_checking(model, formula[0]).get_value_vector())
    assert to_float(J_star(read_drn(path)).V) == pytest.approx(values, rel=1e-4)  # Storm's default is 1e-6, relative


def test_a_problem_and_its_mdp_make_the_same_environment(ring: Problem) -> None:
    pytest.importorskip("pettingzoo")
    assert to_pettingzoo(ring).mdp is to_pettingzoo(ring.mdp).mdp
