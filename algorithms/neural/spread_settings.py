"""Settings of zhang2025's Simple Spread experiment (Appendix D.1): its printed defaults, and what it leaves open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal, get_args

from algorithms.neural.loop import Steps
from algorithms.neural.readings import PRINTED, REPAIRED, Reading
from mdp.large import EPISODE

Rewards = Literal["shared", "local"]
Actor = Literal["network", "cell network", "softmax"]
SpreadCritic = Literal["network", "exact"]

LISTED = replace(PRINTED, data_kernel="original", target_kernel="original")
"""Algorithm 1 as listed with the environment of Appendix D.1, where resets every ten steps replace the restart kernel.
A reset moves the data, not the target: s' of a TD error is where the moves led."""

LEARNING = replace(REPAIRED, data_kernel="original", critic_start="previous", hand_over="last")
"""The repaired reading with the same resets, and a critic that goes on from what it knows. Line 2 of Algorithm 2 takes
every critic back to W(0); at K = 1 no reading of the actor's signal can learn from that."""

SPREAD_READINGS: dict[str, Reading] = {
    "printed": LISTED,
    "printed, Q-value": replace(LISTED, actor_signal="q"),
    "printed, flipped": replace(LISTED, flipped=True),
    "repaired": LEARNING,
    "repaired, Q-value": replace(LEARNING, actor_signal="q"),
}
"""Readings run side by side, by name."""


@dataclass(frozen=True)
class SpreadSettings:
    """Settings of one run; the defaults are those of Appendix D.1.

    What the appendix leaves open, and what we take:

    - *alpha <= 0.005, beta <= 0.001*: constant, at their bounds. (With Theorem 5.10's alpha / t the whole path of
      theta would be at most alpha (1 + log T) = 0.055 long.)
    - *B*: no value is given: no projection.
    - *A*: a random mixture of permutations, drawn anew in every run.
    - *Inputs*: cells and moves one-hot, over sqrt(2 N).
    - *Actor's input*: Sec. 3.2 says the state: every agent's cell one-hot, over sqrt(N). Other choices see the agent's
      own cell alone, which keeps the agents independent between resets: a network, or a logit per own cell and move.
    - *Reward*: that of the positions after the move, as environments return it; ``game.reward_time`` decides.

    Attributes:
        reading: a key of `SPREAD_READINGS`, or a `Reading`.
        rewards: ``"shared"``, as printed: every agent has the sum over landmarks; ``"local"``: agent i has N times
            the term of landmark i, so that the team reward, the mean over agents, is the same.
        actor: ``"network"`` of the state, as printed; ``"cell network"`` of the own cell; ``"softmax"``, a logit per
            own cell and move.
        critic: ``"network"``, or ``"exact"``: Q of the original kernel, solved for every `REFRESH` iterations.
        gossip_rounds: t_gossip.
        width: m, of critics and actors.
        depth: D, of both.
        critic_iterations: K.
        batch: M.
        alpha: the actor's step.
        alpha_exponent: 0 for a constant step, 1 for alpha / t.
        beta: the critic's step.
        episode: steps between resets to random positions; 0 for none.
        radius: B.

    Raises:
        ValueError: on construction: a value that is not one of its choices; steps as `Steps`.

    Source: zhang2025 Appendix D.1.
    """

    reading: str | Reading = "printed"
    rewards: Rewards = "shared"
    actor: Actor = "network"
    critic: SpreadCritic = "network"
    gossip_rounds: int = 10
    width: int = 20
    depth: int = 5
    critic_iterations: int = 1
    batch: int = 1
    alpha: float = 0.005
    alpha_exponent: float = 0.0
    beta: float = 0.001
    episode: int = EPISODE
    radius: float = float("inf")

    def __post_init__(self) -> None:
        choices = (("rewards", get_args(Rewards)), ("actor", get_args(Actor)), ("critic", get_args(SpreadCritic)))
        for name, allowed in choices:
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}, not one of {', '.join(map(repr, allowed))}")
        if isinstance(self.reading, str) and self.reading not in SPREAD_READINGS:
            raise ValueError(f"reading is {self.reading!r}, not one of {', '.join(map(repr, SPREAD_READINGS))}")
        for name in ("width", "depth", "critic_iterations"):
            value = getattr(self, name)
            if not isfinite(value) or value != int(value) or value < 1:
                raise ValueError(f"{name} is {value}; it is a whole number of at least 1")
        _ = self.steps

    @property
    def steps(self) -> Steps:
        """Step sizes and loop lengths."""
        return Steps(
            self.batch, self.critic_iterations * (self.critic == "network"), self.gossip_rounds, self.alpha,
            self.alpha_exponent, self.beta,
            self.radius, self.episode,
        )  # fmt: skip
