"""Algorithms 1 and 2 of zhang2025 on dialogues, one turn at a time; `trainer.train` drives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from algorithms.deep.rlhf.actor import Actors
from algorithms.deep.rlhf.critic import CriticInputs, Critics, Inputs, Values
from algorithms.deep.rlhf.dialogue import State, World, successors
from algorithms.deep.rlhf.direction import Rule, signal
from algorithms.deep.rlhf.settings import Settings

RECORDED = ("reward", "td_error", "critic_error", "direction_norm", "update_norm", "response_tokens")
"""What every step records, by agent."""


@dataclass(frozen=True, eq=False)
class Tuples:
    """One turn of every dialogue.

    Attributes:
        states: s.
        contexts: what the actors read there.
        responses: a, one response per agent.
        rewards: local rewards, (N, B).
        after: s', where the dialogue goes on.
        target: s' of the TD errors.
        target_responses: a' there, for signals with Q.
    """

    states: list[State]
    contexts: list[list[int]]
    responses: list[tuple[list[int], ...]]
    rewards: Float[np.ndarray, "N B"]
    after: list[State]
    target: list[State]
    target_responses: list[tuple[list[int], ...]] | None


class Trainer:
    """A run in progress.

    Attributes:
        world: the dialogue.
        actors: the policies.
        critics: the values.
        critic_inputs: what they are values of.
        settings: of the run.
        rule: the signal.
        states: where the dialogues are.
        gossip: ``A^t_gossip``, (N, N).
    """

    def __init__(
        self, world: World, actors: Actors, settings: Settings, rule: Rule, generator: torch.Generator,
        gossip: Float[np.ndarray, "N N"], *, inputs: Inputs | None = None, critics: Values | None = None,
    ) -> None:  # fmt: skip
        """Every dialogue at the opening question, every critic at W(0).

        Args:
            world: the dialogue.
            actors: the policies.
            settings: steps and lengths.
            rule: the signal.
            generator: draws W(0), then everything that is random in the run.
            gossip: ``A^t_gossip``.
            inputs: of the critics; frozen embeddings by default.
            critics: drawn by default.
        """
        self.world, self.actors, self.settings, self.rule = world, actors, settings, rule
        self.gossip, self._generator = gossip, generator
        embedded = CriticInputs(world, actors)
        self.critic_inputs: Inputs = inputs or embedded
        example = actors.parameters[0][0]
        self.critics: Values = critics or Critics(
            embedded.size, actors.n_agents, settings, generator, dtype=example.dtype, device=actors.device
        )
        self.states = [world.start()] * settings.dialogues
        self.done = 0
        actor_tensors = [p for own in actors.parameters for p in own]
        self._adam_actor = torch.optim.Adam(actor_tensors, lr=settings.alpha)
        self._adam_critic = torch.optim.Adam(self.critics.weights, lr=settings.beta)

    def step(self) -> dict[str, np.ndarray]:
        """One outer iteration, a turn of every dialogue; returns what is in `RECORDED`, each of length N, and the turn.

        Raises:
            FloatingPointError: a law, a reward or a direction is not finite.

        Source: zhang2025 Algorithm 1, lines 3-18; Algorithm 2.
        """
        turn = float(np.mean([state.turn for state in self.states]))
        tuples = self.sample()
        here, there = self.inputs(tuples)
        critic_error = self._learn_values(tuples.rewards, here, there)
        mixed = self.gossiped_signal(tuples, here, there)
        directions = self.directions(tuples, mixed)
        norms = self._step_actors(directions)
        self.states = tuples.after
        self.done += 1
        lengths = [[len(answer) for answer in answers] for answers in tuples.responses]
        return {
            "reward": tuples.rewards.mean(axis=1),
            "td_error": np.sqrt((mixed**2).mean(axis=1)),
            "critic_error": critic_error,
            "direction_norm": np.array([float(d.norm()) for d in directions]),
            "update_norm": norms,
            "response_tokens": np.mean(lengths, axis=0),
            "turn": np.array(turn),
        }

    def sample(self) -> Tuples:
        """Responses, rewards and next states at the current states, which stay where they are."""
        world, settings, rng = self.world, self.settings, self._generator
        states = self.states
        contexts = [world.context(state) for state in states]
        responses = self.actors.sample(contexts, world.response_tokens, world.end_token, rng)
        texts = [tuple(world.text(answer) for answer in answers) for answers in responses]
        rewards = np.asarray(world.rewards(states, texts)).T
        plain = successors(world, states, texts, settings.shown, rng)
        after = plain
        if settings.data == "restart":
            goes_on = torch.rand(len(states), generator=rng, dtype=torch.float64) < settings.gamma
            after = [state if kept else world.start() for state, kept in zip(plain, goes_on, strict=True)]
        target, answers = plain if self.rule.target == "original" else after, None
        if self.rule.form == "q":
            there = [world.context(state) for state in target]
            answers = self.actors.sample(there, world.response_tokens, world.end_token, rng)
        return Tuples(states, contexts, responses, rewards, after, target, answers)

    def inputs(self, tuples: Tuples) -> tuple[Tensor, Tensor]:
        """The critics' inputs at s (and a), and at s' (and a').

        Args:
            tuples: as of `sample`.
        """
        if self.rule.form == "v":
            return self.critic_inputs.of_states(tuples.states), self.critic_inputs.of_states(tuples.target)
        assert tuples.target_responses is not None
        here = self.critic_inputs.of_pairs(tuples.states, tuples.responses)
        return here, self.critic_inputs.of_pairs(tuples.target, tuples.target_responses)

    def _learn_values(self, rewards: np.ndarray, here: Tensor, there: Tensor) -> np.ndarray:
        """Algorithm 2 with K = 1: a TD step of every agent with its own reward, and gossip. Returns RMS TD errors."""
        settings = self.settings
        if settings.critic_start == "initial":
            self.critics.reset()
        values, after = self.critics.values(here), self.critics.values(there)
        error = values - (torch.as_tensor(rewards).to(values) + settings.gamma * after).detach()
        loss = 0.5 * (error**2).mean(dim=1).sum()
        gradients = torch.autograd.grad(loss, self.critics.weights)
        for weight, gradient in zip(self.critics.weights, gradients, strict=True):
            weight.grad = gradient
        if settings.optimiser == "adam":
            self._adam_critic.step()
        else:
            _plain_step(self.critics.weights, -settings.beta)
        self.critics.gossip(torch.tensor(self.gossip))
        return np.sqrt((error.detach() ** 2).mean(dim=1).double().cpu().numpy())

    def gossiped_signal(self, tuples: Tuples, here: Tensor, there: Tensor) -> Float[np.ndarray, "N B"]:
        """Lines 9-15 of Algorithm 1, with the weight gamma^turn where the rule asks for it.

        Args:
            tuples: as of `sample`.
            here: the critics' inputs at s.
            there: those at s'.
        """
        gamma = self.settings.gamma
        with torch.no_grad():
            values, after = (self.critics.values(x).double().cpu().numpy() for x in (here, there))
        delta = signal(self.rule, gamma, values, tuples.rewards, after)
        if self.rule.discounted and self.settings.data == "episodes":
            delta = delta * gamma ** np.array([state.turn for state in tuples.states])
        mixed: np.ndarray = self.gossip @ delta
        return mixed

    def directions(self, tuples: Tuples, mixed: Float[np.ndarray, "N B"]) -> list[Tensor]:
        """Lines 8 and 16 of Algorithm 1: d_i, flat, averaged over the dialogues.

        Args:
            tuples: as of `sample`.
            mixed: gossiped signals.

        Raises:
            FloatingPointError: a direction is not finite.
        """
        N, B = mixed.shape
        own = [answers[i] for i in range(N) for answers in tuples.responses]
        scores = self.actors.log_probabilities(range(N), tuples.contexts * N, own)
        weights = torch.as_tensor(mixed.reshape(-1) / B).to(scores)
        parameters = self.actors.parameters
        gradients = iter(torch.autograd.grad((weights * scores).sum(), [p for own in parameters for p in own]))
        flat = [torch.cat([next(gradients).reshape(-1) for _ in own]) for own in parameters]
        for i, direction in enumerate(flat):
            if not torch.isfinite(direction).all():
                raise FloatingPointError(f"not finite: the direction of agent {i} in step {self.done}")
        return flat

    def _step_actors(self, directions: list[Tensor]) -> np.ndarray:
        """Line 17 of Algorithm 1, or Adam; returns the length of every agent's step."""
        before = self.actors.theta()
        for own, direction in zip(self.actors.parameters, directions, strict=True):
            if self.settings.optimiser == "normalised" and float(direction.norm()) > 0:
                direction = direction / direction.norm()
            pieces = direction.split([p.numel() for p in own])
            for parameter, piece in zip(own, pieces, strict=True):
                parameter.grad = -piece.reshape(parameter.shape)  # Adam descends
        if self.settings.optimiser == "adam":
            self._adam_actor.step()
        else:
            for own in self.actors.parameters:
                _plain_step(own, -self.settings.alpha)
        return (self.actors.theta() - before).norm(dim=1).double().cpu().numpy()

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a checkpoint has to keep, but the states: weights, moments of Adam, the generator."""
        kept = {"theta": self.actors.theta(), "generator": self._generator.get_state()}
        kept |= {f"critic.{k}": weight for k, weight in enumerate(self.critics.weights)}
        for name, optimiser in (("actor", self._adam_actor), ("critic", self._adam_critic)):
            for k, moments in optimiser.state_dict()["state"].items():
                kept |= {f"adam.{name}.{k}.{key}": value for key, value in moments.items()}
        return kept

    def restore(self, tensors: dict[str, Tensor], states: Sequence[State], done: int) -> None:
        """Go back to a checkpoint.

        Args:
            tensors: as of `tensors`.
            states: where the dialogues were.
            done: steps done.
        """
        self.actors.set_theta(tensors["theta"])
        self._generator.set_state(tensors["generator"])
        with torch.no_grad():
            for k, weight in enumerate(self.critics.weights):
                weight.copy_(tensors[f"critic.{k}"])
        for name, optimiser in (("actor", self._adam_actor), ("critic", self._adam_critic)):
            moments: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"adam.{name}."):
                    place, quantity = key.split(".")[2:]
                    moments.setdefault(int(place), {})[quantity] = value
            optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
        self.states, self.done = list(states), done


def _plain_step(parameters: Sequence[Tensor], step: float) -> None:
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(parameter.grad, alpha=step)
