"""A miniature of multi-agent RLHF: real language models over a few tokens, whose dialogue is a finite MDP.

The loop sees it as any other `World`; the MDP has the user's probabilities, the rewards and the policies of the very
same models, in double precision.

Source: ours, for the setting of zhang2025 Sec. 6.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from algorithms.deep.rlhf.actor import Actors
from algorithms.deep.rlhf.mini_world import MiniWorld, tiny_language_model
from algorithms.deep.rlhf.settings import Settings
from mdp.instances.dialogue import DialogueTree, problem_of
from mdp.problem import Problem


@dataclass(frozen=True, eq=False)
class LanguagePolicy:
    """The actors as a policy class of `mdp`: theta are the adapters, tables are the models' probabilities.

    Attributes:
        world: the miniature.
        actors: the policies; calls change their parameters.
    """

    world: MiniWorld
    actors: Actors

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return self.world.tree.n_states

    @property
    def n_shared(self) -> int:
        """Nothing is shared."""
        return 0

    @property
    def n_actions(self) -> tuple[int, ...]:
        """Responses of each agent."""
        return (len(self.world.tree.responses),) * self.world.n_agents

    @property
    def n_parameters(self) -> int:
        """Adapter parameters of one agent."""
        return sum(p.numel() for p in self.actors.parameters[0])

    def log_tables(self) -> Float[Tensor, "N S K"]:
        """``log pi_i(k | s)`` at the actors' current parameters, differentiable."""
        N, contexts = self.world.n_agents, self._contexts()
        return torch.stack([self._rows(i, contexts) for i in range(N)])

    def _contexts(self) -> list[list[int]]:
        return [self.world.context(self.world.state(s)) for s in self.world.tree.states]

    def _rows(self, agent: int, contexts: list[list[int]]) -> Tensor:
        responses = self.world.tree.responses
        K, n = len(responses), len(contexts)
        rows = [context for context in contexts for _ in range(K)]
        return self.actors.log_probabilities([agent], rows, responses * n).reshape(n, K)

    def probabilities(self, theta: Float[np.ndarray, "N P"]) -> list[np.ndarray]:
        """Tables pi_i(k | s), one (S, K) array per agent.

        Args:
            theta: adapters, (N, P).
        """
        self.actors.set_theta(torch.tensor(theta))
        with torch.no_grad():
            tables = np.exp(self.log_tables().numpy())
        return list(tables / tables.sum(axis=2, keepdims=True))

    def log_jacobian(self, theta: Float[np.ndarray, "N P"]) -> list[np.ndarray]:
        """Scores, one (S, K, P) array per agent, by one backward pass per entry of the tables.

        Args:
            theta: adapters, (N, P).
        """
        self.actors.set_theta(torch.tensor(theta))
        contexts, result = self._contexts(), []
        for i, own in enumerate(self.actors.parameters):
            rows = [
                torch.cat([g.reshape(-1) for g in torch.autograd.grad(entry, own, retain_graph=True)])
                for context in contexts  # a graph per state: each pass goes through all rows of its graph
                for entry in self._rows(i, [context])[0]
            ]
            result.append(torch.stack(rows).reshape(len(contexts), -1, len(rows[0])).numpy())
        return result


@dataclass(frozen=True, eq=False)
class Miniature:
    """World, actors and finite problem of one miniature.

    Attributes:
        world: for the loop.
        actors: for the loop.
        problem: for `mdp.exact`, with a `LanguagePolicy`.
        settings: turns, lengths and discount are those of the world.
    """

    world: MiniWorld
    actors: Actors
    problem: Problem
    settings: Settings

    @property
    def policy(self) -> LanguagePolicy:
        """The actors as a policy class."""
        assert isinstance(self.problem.policy, LanguagePolicy)
        return self.problem.policy


def miniature(
    settings: Settings, tree: DialogueTree | None = None, *, seed: int = 0, adapters: int | None = None
) -> Miniature:
    """Build a miniature.

    Args:
        settings: of the loop; turns and lengths of responses have to be those of the tree.
        tree: three agents, three tokens, one token per message and two turns by default: 82 states, 27 joint actions.
        seed: of the language models.
        adapters: seed of the adapters, by default that of the models.

    Raises:
        ValueError: settings that do not fit the tree.
    """
    tree = tree or DialogueTree(n_agents=3, vocabulary=3)
    for name, got, want in (
        ("turns", settings.turns, tree.turns), ("response_tokens", settings.response_tokens, tree.response_length),
    ):  # fmt: skip
        if got != want:
            raise ValueError(f"{name} is {got} in the settings and {want} in the tree")
    if settings.shown != "all":
        raise ValueError(f"shown is {settings.shown!r}; the tree's user reads all responses")
    world = MiniWorld(tree, tiny_language_model(tree.vocabulary, 2 * seed + 1))
    generator = torch.Generator().manual_seed(seed if adapters is None else adapters)
    base = tiny_language_model(tree.vocabulary, 2 * seed)
    actors = Actors(base, tree.n_agents, settings, generator)
    mdp = world.mdp(settings.gamma)
    problem = problem_of(mdp, LanguagePolicy(world, actors), name="miniature RLHF")
    return Miniature(world, actors, problem, settings)
