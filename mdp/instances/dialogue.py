"""Dialogues over a few tokens: every prefix is a state, so that multi-agent RLHF has a finite twin.

Not among the bundled `INSTANCES`: the turns make the chain periodic, and it is here as an anchor for
`algorithms.deep.rlhf` (zhang2025 Sec. 6.2), which fills it with the probabilities of small language models.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule, full_average
from mdp.policy import LogLinearPolicy, Policy
from mdp.problem import Problem
from mdp.validate import as_float_array, require_shape

KERNEL_LIMIT = 20_000_000
"""Most entries of a dense kernel; ours: 160 MB."""

Words = tuple[int, ...]
"""A message: tokens from 0 to V - 1."""

Exchange = tuple[tuple[Words, ...], Words]
"""One response per agent, and the user's reply."""


@dataclass(frozen=True)
class DialogueTree:
    """All dialogues of N agents and a user whose messages have fixed lengths.

    A state is what was said after the opening question: a tuple of at most ``turns - 1`` exchanges. States are in
    the order of their length, then of their contents; so are responses, joint actions (agent 0 slowest) and replies.

    Attributes:
        n_agents: N.
        vocabulary: number of tokens, V.
        response_length: tokens of a response; an agent has ``V ** response_length`` actions.
        reply_length: tokens of a user's message.
        turns: prompt-response exchanges of a dialogue.

    Raises:
        ValueError: on construction: a number below 1, or a dense kernel above `KERNEL_LIMIT` entries.
    """

    n_agents: int
    vocabulary: int
    response_length: int = 1
    reply_length: int = 1
    turns: int = 2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value != int(value) or value < 1:
                raise ValueError(f"{name} is {value}; it is a whole number of at least 1")
        joint = self.vocabulary ** (self.response_length * self.n_agents)
        entries = self.n_states**2 * joint
        if entries > KERNEL_LIMIT:
            raise ValueError(
                f"{self.n_states:,} dialogues and {joint:,} joint actions make a kernel of {entries:,} entries, above "
                f"{KERNEL_LIMIT:,}"
            )

    @property
    def responses(self) -> list[Words]:
        """Every response of one agent: its actions."""
        return list(product(range(self.vocabulary), repeat=self.response_length))

    @property
    def replies(self) -> list[Words]:
        """Every message of the user."""
        return list(product(range(self.vocabulary), repeat=self.reply_length))

    @property
    def joint_responses(self) -> list[tuple[Words, ...]]:
        """Every joint action, agent 0 slowest."""
        return list(product(self.responses, repeat=self.n_agents))

    @property
    def branching(self) -> int:
        """Number of exchanges."""
        power: int = self.vocabulary ** (self.response_length * self.n_agents + self.reply_length)
        return power

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return sum(self.branching**t for t in range(self.turns))

    @property
    def states(self) -> list[tuple[Exchange, ...]]:
        """Every state, in order."""
        exchanges = list(product(self.joint_responses, self.replies))
        return [s for t in range(self.turns) for s in product(exchanges, repeat=t)]

    @property
    def turn(self) -> np.ndarray:
        """Turn of every state, from 0, shape (S,)."""
        return np.repeat(np.arange(self.turns), [self.branching**t for t in range(self.turns)])


def dialogue_mdp(
    tree: DialogueTree, reply_law: Float[np.ndarray, "S A R"], rewards: Float[np.ndarray, "N S K"], gamma: float
) -> FiniteMDP:
    """The finite MDP of a dialogue.

    After the last turn the next state is the opening question, with probability one: original and restart kernel
    agree there, and J is that of dialogues without end, ``J_dialogue / (1 - gamma^turns)``.

    Args:
        tree: what can be said.
        reply_law: probabilities of the user's next message, by state and joint action; rows of the last turn's states
            are not used.
        rewards: agent i's reward of its own response k in a state, as zhang2025 Sec. 3.1 has ``r^i(s, a^i)``.
        gamma: discount factor.

    Raises:
        ValueError: shapes, NaN, laws that do not sum to one.
    """
    S, N, K, R = tree.n_states, tree.n_agents, len(tree.responses), len(tree.replies)
    A = K**N
    law, paid = as_float_array("reply_law", reply_law, 3), as_float_array("rewards", rewards, 3)
    require_shape("reply_law", law, (S, A, R), "(S, A, R)")
    require_shape("rewards", paid, (N, S, K), "(N, S, K)")
    P, turn = np.zeros((S, A, S)), tree.turn
    first = np.concatenate([[0], np.cumsum(np.bincount(turn))])
    for s in range(S):
        if turn[s] == tree.turns - 1:
            P[s, :, 0] = 1.0
            continue
        place = first[turn[s] + 1] + (s - first[turn[s]]) * A * R
        for a in range(A):
            P[s, a, place + a * R : place + (a + 1) * R] = law[s, a]
    own = np.array(list(product(range(K), repeat=N)))
    r = np.stack([paid[i][:, own[:, i]] for i in range(N)])
    return FiniteMDP(P, r, np.eye(S)[0], gamma, (K,) * N, name=f"dialogue-{N}x{K}")


def dialogue(gamma: float = 0.5) -> Problem:
    """Two agents, two tokens, two turns, and a user whom agreement pleases.

    Good for: closed forms of a dialogue. The opening counts as token 0. An agent is paid for repeating the user's last
    token: 1 for token 0 and 2 for token 1. The user says 1 with probability 3/4 if the responses agree, else 1/4. So
    ``J* = (1 + 7/4 gamma) / (1 - gamma^2)``, 5/2 at gamma = 1/2: agree on 0, then repeat what the user said.

    Policies: one logit per prefix and response. The chain has period two.

    Args:
        gamma: discount factor.
    """
    tree = DialogueTree(n_agents=2, vocabulary=2)
    pleased = np.array([0.75 if one == other else 0.25 for one, other in tree.joint_responses])
    law = np.broadcast_to(np.stack([1 - pleased, pleased], axis=1), (tree.n_states, 4, 2))
    last = np.array([state[-1][1][0] if state else 0 for state in tree.states])
    paid = np.eye(2)[last] * (1.0 + last[:, None])
    mdp = dialogue_mdp(tree, law, np.stack([paid, paid]), gamma)
    policy = LogLinearPolicy.tabular(mdp.n_states, mdp.n_actions)
    return problem_of(mdp, policy, name="dialogue")


def problem_of(mdp: FiniteMDP, policy: Policy, *, name: str) -> Problem:
    """A problem with the least features that are valid: one constant for values and one for rewards.

    Args:
        mdp: the dialogue.
        policy: a policy class on its states.
        name: for tables.
    """
    S, N = mdp.n_states, mdp.n_agents
    features = Features(np.ones((S, 1)), np.ones((S, mdp.n_joint_actions, 1)))
    return Problem(mdp, policy, features, Schedule.static(full_average(N)), name=name)
