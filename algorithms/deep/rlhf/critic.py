"""Critics: one network per agent, all of them evaluated at once, trained by TD and mixed by gossip."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from algorithms.deep.rlhf.actor import Actors
from algorithms.deep.rlhf.dialogue import State, World
from algorithms.deep.rlhf.sampling import Tokens
from algorithms.deep.rlhf.settings import Settings


class Inputs(Protocol):
    """What turns dialogues into inputs of a critic."""

    def of_states(self, states: Sequence[State]) -> Tensor:
        """Inputs of a critic of states, one per dialogue along the first axis.

        Args:
            states: dialogues, B of them.
        """
        ...

    def of_pairs(self, states: Sequence[State], responses: Sequence[tuple[Tokens, ...]]) -> Tensor:
        """Inputs of a critic of states and joint actions, one per dialogue along the first axis.

        Args:
            states: dialogues, B of them.
            responses: one per agent, for every dialogue.
        """
        ...


class Values(Protocol):
    """Critics of all agents.

    Attributes:
        weights: trained tensors, each with the agent as its first axis.
    """

    weights: list[Tensor]

    def values(self, inputs: Tensor) -> Tensor:
        """Every agent's value of every input, (N, B).

        Args:
            inputs: as `Inputs` makes them, B along the first axis.
        """
        ...

    def gossip(self, matrix: Tensor) -> None:
        """Mix the weights of the agents.

        Args:
            matrix: ``A^t_gossip``, (N, N).
        """
        ...

    def reset(self) -> None:
        """Back to W(0)."""
        ...


class CriticInputs:
    """Inputs xi(s, a) of unit norm: frozen embeddings of dialogue and responses, and the turn.

    The parts are brought to unit norm first: the average hidden state of the dialogue, one of each agent's response
    (zeros for a critic of states), and the turn one-hot.
    """

    def __init__(self, world: World, actors: Actors) -> None:
        """Note where the parts come from.

        Args:
            world: the dialogue.
            actors: their base model embeds.
        """
        self._world, self._actors = world, actors

    @property
    def size(self) -> int:
        """Length of an input."""
        return (self._world.n_agents + 1) * self._actors.embedding_size + self._world.n_turns

    def of_states(self, states: Sequence[State]) -> Float[Tensor, "B d"]:
        """Inputs of a critic of states.

        Args:
            states: dialogues.
        """
        dialogue, none = self._actors.embed([self._world.context(s) for s in states], [()] * len(states))
        return self._together(states, [dialogue, *[none] * self._world.n_agents])

    def of_pairs(self, states: Sequence[State], responses: Sequence[tuple[Tokens, ...]]) -> Float[Tensor, "B d"]:
        """Inputs of a critic of states and joint actions.

        Args:
            states: dialogues.
            responses: one response per agent, for every dialogue.
        """
        contexts = [self._world.context(s) for s in states]
        N, B = self._world.n_agents, len(states)
        rows = [answers[i] for i in range(N) for answers in responses]
        dialogue, own = self._actors.embed(contexts * N, rows)
        return self._together(states, [dialogue[:B], *own.split(B)])

    def _together(self, states: Sequence[State], parts: list[Tensor]) -> Tensor:
        turns = torch.zeros(len(states), self._world.n_turns, dtype=parts[0].dtype, device=parts[0].device)
        turns[torch.arange(len(states)), [state.turn for state in states]] = 1.0
        units = [torch.nn.functional.normalize(part, dim=1) for part in (*parts, turns)]
        return torch.nn.functional.normalize(torch.cat(units, dim=1), dim=1)


class Critics:
    """N networks of one shape, stacked, all at W(0) at the start.

    Attributes:
        weights: trained tensors, each with the agent as its first axis.
    """

    def __init__(
        self, size: int, n_agents: int, settings: Settings, generator: torch.Generator, *, dtype: torch.dtype,
        device: torch.device,
    ) -> None:  # fmt: skip
        """Draw W(0).

        Args:
            size: length of an input.
            n_agents: N.
            settings: width, depth and kind.
            generator: draws the layers, in their order.
            dtype: of weights and inputs.
            device: of the weights.

        Source: zhang2025 Eq. (5) and Appendix D.2.
        """
        m, self._kind = settings.width, settings.critic
        shapes = [(m, size), *[(m, m)] * settings.depth, (1, m)]
        drawn = [_drawn(shape, k == len(shapes) - 1, self._kind, generator) for k, shape in enumerate(shapes)]
        layers = [layer.to(device, dtype).expand(n_agents, *layer.shape).clone() for layer in drawn]
        biases = [torch.zeros(n_agents, 1, shape[0], device=device, dtype=dtype) for shape in shapes]
        self._layers, self._biases = layers, biases
        self.weights = [*layers, *biases] if self._kind == "mlp" else layers[1:-1]
        for tensor in self.weights:
            tensor.requires_grad_(True)
        self._centre = [tensor.detach().clone() for tensor in self.weights]

    def values(self, inputs: Float[Tensor, "B d"]) -> Float[Tensor, "N B"]:
        """Every agent's value of every input.

        Args:
            inputs: as of `CriticInputs`.
        """
        x = inputs.expand(len(self._layers[0]), *inputs.shape)
        scale = 1.0 if self._kind == "mlp" else 1.0 / sqrt(self._layers[0].shape[1])
        last = len(self._layers) - 1
        for k, (layer, bias) in enumerate(zip(self._layers, self._biases, strict=True)):
            x = torch.baddbmm(bias, x, layer.transpose(1, 2))
            if 0 < k < last or (k == 0 and self._kind == "mlp"):  # Eq. (5): the input layer H is linear
                x = torch.relu(x) * scale
        return x[:, :, 0]

    def gossip(self, matrix: Float[Tensor, "N N"]) -> None:
        """Line 12 of Algorithm 2: mix the weights of the agents.

        Args:
            matrix: ``A^t_gossip``.
        """
        with torch.no_grad():
            for tensor in self.weights:
                tensor.copy_(torch.tensordot(matrix.to(tensor), tensor, dims=1))

    def reset(self) -> None:
        """Line 2 of Algorithm 2: every critic back to W(0)."""
        with torch.no_grad():
            for tensor, start in zip(self.weights, self._centre, strict=True):
                tensor.copy_(start)


def _drawn(shape: tuple[int, int], last: bool, kind: str, generator: torch.Generator) -> Tensor:
    """MLP: uniform in +-1/sqrt(inputs). Eq. (5): N(0, 2), the last layer N(0, 1)."""
    if kind == "mlp":
        return (2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1) / sqrt(shape[1])
    return torch.randn(shape, generator=generator, dtype=torch.float64) * (1.0 if last else sqrt(2.0))
