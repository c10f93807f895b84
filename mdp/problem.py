"""A problem: an MDP with a policy class, critic and reward features, and a communication schedule."""

from __future__ import annotations

from dataclasses import dataclass

from mdp.features import Features
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule
from mdp.policy import Policy


@dataclass(frozen=True, eq=False)
class Problem:
    """What an algorithm runs on and what `mdp.exact` evaluates.

    Attributes:
        mdp: the finite MDP.
        policy: the policy class.
        features: critic and reward features.
        schedule: consensus matrices over time.
        name: for tables and files.

    Raises:
        ValueError: on construction, when the parts disagree on S, A, N or the actions per agent.
    """

    mdp: FiniteMDP
    policy: Policy
    features: Features
    schedule: Schedule
    name: str = ""

    def __post_init__(self) -> None:
        mdp = self.mdp
        if self.policy.n_actions != mdp.n_actions:
            raise ValueError(f"the policy has actions {self.policy.n_actions} and the MDP {mdp.n_actions}")
        pairs = {
            "policy states": (self.policy.n_states, mdp.n_states),
            "rows of phi_state": (self.features.phi_state.shape[0], mdp.n_states),
            "joint actions of phi_joint": (self.features.phi_joint.shape[1], mdp.n_joint_actions),
            "agents of the schedule": (self.schedule.n_agents, mdp.n_agents),
        }
        for what, (got, want) in pairs.items():
            if got != want:
                raise ValueError(f"{what}: {got}, but the MDP has {want}")
