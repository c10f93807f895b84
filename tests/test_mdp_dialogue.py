"""Dialogues as finite MDPs: the tree, closed forms, restarts, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mdp import J_star, LogLinearPolicy, exact
from mdp.instances.dialogue import DialogueTree, dialogue, dialogue_mdp, problem_of


@pytest.mark.parametrize(
    ("tree", "states", "joint"),
    [
        (DialogueTree(3, 3), 82, 27),
        (DialogueTree(2, 2), 9, 4),
        (DialogueTree(2, 3, response_length=2), 244, 81),
        (DialogueTree(1, 2, turns=4), 1 + 4 + 16 + 64, 2),
    ],
    ids=["three agents", "two agents", "two tokens", "four turns"],
)
def test_the_tree_counts_every_dialogue_once(tree: DialogueTree, states: int, joint: int) -> None:
    listed = tree.states
    assert tree.n_states == len(listed) == len(set(listed)) == states
    assert len(tree.joint_responses) == joint
    assert [len(s) for s in listed] == list(tree.turn)


def test_each_exchange_leads_to_its_own_prefix() -> None:
    tree = DialogueTree(2, 2, turns=3)
    rng = np.random.default_rng(0)
    law = rng.dirichlet(np.ones(2), size=(tree.n_states, 4))
    mdp = dialogue_mdp(tree, law, rng.random((2, tree.n_states, 2)), 0.5)
    index = {state: k for k, state in enumerate(tree.states)}
    for s, state in enumerate(tree.states):
        for a, answers in enumerate(tree.joint_responses):
            expected = np.zeros(tree.n_states)
            if len(state) == tree.turns - 1:
                expected[0] = 1.0
            else:
                for u, reply in enumerate(tree.replies):
                    expected[index[(*state, (answers, reply))]] = law[s, a, u]
            np.testing.assert_array_equal(mdp.P[s, a], expected)


def test_rewards_are_of_the_agents_own_responses() -> None:
    tree = DialogueTree(3, 2)
    paid = np.random.default_rng(1).random((3, tree.n_states, 2))
    law = np.full((tree.n_states, 8, 2), 0.5)
    mdp = dialogue_mdp(tree, law, paid, 0.5)
    for a, answers in enumerate(tree.joint_responses):
        for i in range(3):
            np.testing.assert_array_equal(mdp.r[i, :, a], paid[i, :, answers[i][0]])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9])
def test_the_bundled_dialogue_has_its_closed_form(gamma: float) -> None:
    best = J_star(dialogue(gamma).mdp)
    value, expected = float(best.J), (1 + 7 / 4 * gamma) / (1 - gamma**2)
    assert value == pytest.approx(expected, abs=1e-12)
    assert not best.unique or best.actions[0] == 0


def test_value_is_that_of_one_dialogue_repeated_and_the_restart_law_is_the_visitation() -> None:
    problem = dialogue()
    view = exact(problem, np.random.default_rng(2).normal(size=(2, 18)))
    law, once = view.initial, 0.0
    for turn in range(2):
        once += 0.5**turn * law @ view.r_pi
        law = law @ view.P_pi
    assert law @ np.eye(9)[0] == pytest.approx(1.0)
    value = view.J
    assert value == pytest.approx(once / (1 - 0.5**2), rel=1e-13)
    np.testing.assert_allclose(view.restart_stationary, view.visitation, atol=1e-15)
    np.testing.assert_allclose(view.grad_J, view.grad_J_by_solve, atol=1e-14)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"n_agents": 0}, "n_agents is 0"),
        ({"vocabulary": 0}, "vocabulary is 0"),
        ({"turns": 0}, "turns is 0"),
        ({"response_length": 1.5}, r"response_length is 1\.5"),
        ({"response_length": 3}, "19,683 joint actions make a kernel of 68,632,701,907,500 entries"),
    ],
    ids=["agents", "tokens", "turns", "length", "too large"],
)
def test_trees_that_cannot_be_are_refused(change: dict[str, float], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        DialogueTree(**({"n_agents": 3, "vocabulary": 3} | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("law", "rewards", "match"),
    [
        (np.full((9, 4, 3), 1 / 3), np.zeros((2, 9, 2)), "reply_law"),
        (np.full((9, 4, 2), 0.5), np.zeros((2, 9, 4)), "rewards"),
        (np.full((9, 4, 2), 0.4), np.zeros((2, 9, 2)), r"sums to 0\.8"),
        (np.full((9, 4, 2), np.nan), np.zeros((2, 9, 2)), "reply_law"),
    ],
    ids=["replies", "own responses", "sum", "NaN"],
)
def test_bad_tables_are_refused(law: np.ndarray, rewards: np.ndarray, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        dialogue_mdp(DialogueTree(2, 2), law, rewards, 0.5)


def test_a_policy_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="policy"):
        problem_of(dialogue().mdp, LogLinearPolicy.tabular(8, (2, 2)), name="wrong")


def test_the_dialogue_needs_no_torch() -> None:
    code = "import sys, mdp.instances.dialogue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
