"""Actors and critics of all agents as one stack of tensors: two convolutions and a linear output layer each.

Every parameter has the agent as its first axis, so that a round of consensus is one product with W, and all agents'
networks are evaluated by one grouped convolution.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, relu

from algorithms.deep.pursuit.environments import CHANNELS
from algorithms.deep.pursuit.settings import MOVES, Settings

KERNEL = 3
"""Side of the filters of both convolutions; ours, the text does not say."""

NAMES = ("first weights", "first biases", "second weights", "second biases", "output weights", "output biases")
"""Parameters of a network, in order."""

SHARED = 4
"""How many of `NAMES` CAC shares: both convolutions, not the output layer. Source: zeng2022 Sec. 5."""

Network = tuple[Tensor, ...]
"""Tensors in the order of `NAMES`, each with the agent as its first axis."""


def parameter_shapes(settings: Settings, outputs: int) -> tuple[tuple[int, ...], ...]:
    """Shapes of one agent's parameters.

    Args:
        settings: filters and size of the view.
        outputs: number of outputs.
    """
    first, second = settings.channels
    side = settings.game.view - 2 * (KERNEL - 1)
    return (
        (first, CHANNELS, KERNEL, KERNEL), (first,), (second, first, KERNEL, KERNEL), (second,),
        (outputs, second * side * side), (outputs,),
    )  # fmt: skip


def initial_networks(settings: Settings, rng: np.random.Generator) -> tuple[Network, Network]:
    """Actors and critics at the start, the same for every agent, on the CPU.

    Weights are uniform within ``sqrt(6 / inputs)``, so that ReLU layers keep the scale of what they are given; the
    output layers' are smaller by ``output_scale``, so that the first policies are nearly uniform; biases are zero.
    Agents start alike, or the first averages of unrelated filters would be filters of nothing.

    Args:
        settings: sizes.
        rng: draws the actor, then the critic.

    Source: He, Zhang, Ren and Sun (2015), Delving Deep into Rectifiers, Sec. 2.2, for the scale.
    """
    return tuple(_one_for_all(settings, outputs, rng) for outputs in (MOVES, 1))  # type: ignore[return-value]


def _one_for_all(settings: Settings, outputs: int, rng: np.random.Generator) -> Network:
    shapes = parameter_shapes(settings, outputs)
    tensors = []
    for k, shape in enumerate(shapes):
        bound = (6 / np.prod(shape[1:])) ** 0.5 * (settings.output_scale if k >= SHARED else 1.0)
        weights = rng.uniform(-bound, bound, size=shape) if k % 2 == 0 else np.zeros(shape)
        drawn = weights.astype(np.float32)
        tensors.append(torch.from_numpy(np.repeat(drawn[None], settings.game.n_agents, axis=0)))
    return tuple(tensors)


def outputs_of(network: Sequence[Tensor], views: Tensor) -> Tensor:
    """Outputs of every agent's network on its own views.

    Args:
        network: parameters.
        views: (B, N, 3, R, R).

    Returns:
        Tensor (B, N, outputs).
    """
    first, first_bias, second, second_bias, output, output_bias = network
    N = views.shape[1]
    hidden = relu(conv2d(views.flatten(1, 2), first.flatten(0, 1), first_bias.flatten(), groups=N))
    hidden = relu(conv2d(hidden, second.flatten(0, 1), second_bias.flatten(), groups=N))
    return torch.einsum("bnf,nkf->bnk", hidden.reshape(len(views), N, -1), output) + output_bias


def flatten(network: Sequence[Tensor]) -> Float[np.ndarray, "N D"]:
    """All parameters as one row per agent, in double precision: the shared ones first, in the order of `NAMES`.

    Args:
        network: parameters.
    """
    return torch.cat([t.detach().reshape(len(t), -1) for t in network], dim=1).cpu().double().numpy()


def unflatten(theta: Tensor, settings: Settings, outputs: int) -> Network:
    """The network with the parameters `theta`, differentiable in them.

    Args:
        theta: (N, D), laid out as by `flatten`.
        settings: sizes.
        outputs: number of outputs.
    """
    shapes = parameter_shapes(settings, outputs)
    parts = theta.split([int(np.prod(shape)) for shape in shapes], dim=1)
    return tuple(part.reshape(len(theta), *shape) for part, shape in zip(parts, shapes, strict=True))


def n_shared_parameters(settings: Settings) -> int:
    """Number of one actor's parameters that CAC shares.

    Args:
        settings: sizes.
    """
    return sum(int(np.prod(shape)) for shape in parameter_shapes(settings, MOVES)[:SHARED])
