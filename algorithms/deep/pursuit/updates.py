"""Directions of actors and critics on a batch of tuples, and the three algorithms' steps with them.

The listing's line numbers are those of zeng2022 Algorithm 1. A critic sees its agent's view and stands for V; the
agents have two networks each and no reward model, as zeng2022 Sec. 5 says, so the reward in line 9 is a sampled one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from algorithms.deep.pursuit.networks import SHARED, Network, outputs_of
from algorithms.deep.pursuit.settings import Algorithm, Settings, Signal


@dataclass(frozen=True)
class Batch:
    """Tuples of consecutive steps of the copies; entries of a copy that is over have weight zero.

    Attributes:
        views: (B, N, 3, R, R).
        actions: (B, N) moves.
        rewards: (B, N), local.
        next_views: (B, N, 3, R, R).
        goes_on: (B,), 0 where the next state is terminal and worth nothing, else 1.
        weight: (B,), 1, or 0 for steps after the end.
    """

    views: Tensor
    actions: Tensor
    rewards: Tensor
    next_views: Tensor
    goes_on: Tensor
    weight: Tensor


def join(batches: Sequence[Batch]) -> Batch:
    """Batches one after the other.

    Args:
        batches: at least one.
    """
    parts = [vars(batch) for batch in batches]
    return Batch(**{name: torch.cat([part[name] for part in parts]) for name in parts[0]})


def td_errors(critic: Sequence[Tensor], batch: Batch, gamma: float, rewards: Tensor) -> Tensor:
    """``r_i + gamma V_i(s') - V_i(s)``, (B, N), as a number: no gradient flows through it. Line 6.

    Args:
        critic: parameters.
        batch: tuples.
        gamma: discount factor.
        rewards: (B, N), the reward that each agent uses.
    """
    with torch.no_grad():
        now, after = outputs_of(critic, torch.cat([batch.views, batch.next_views])).squeeze(-1).chunk(2)
        return rewards + gamma * batch.goes_on[:, None] * after - now


def critic_direction(critic: Network, batch: Batch, gamma: float) -> list[Tensor]:
    """Mean over the batch of ``delta_i grad V_i(s)``, lines 6-7: the semi-gradient, with the agent's own reward.

    Args:
        critic: parameters.
        batch: tuples.
        gamma: discount factor.
    """
    delta = td_errors(critic, batch, gamma, batch.rewards)
    leaves = [tensor.detach().requires_grad_() for tensor in critic]
    values = outputs_of(leaves, batch.views).squeeze(-1)
    return list(torch.autograd.grad((batch.weight[:, None] * delta * values).sum() / len(delta), leaves))


def actor_direction(
    actor: Network, critic: Network, batch: Batch, gamma: float, rewards: Tensor, entropy: float = 0.0
) -> list[Tensor]:
    """Mean over the batch of ``(reward + gamma V_i(s') - V_i(s)) grad log pi_i(a_i | s)``, line 9.

    With `entropy` the gradient of that times the entropy of ``pi_i(. | s)`` is added, which the listing does not have.

    Args:
        actor: parameters.
        critic: parameters, those before their step.
        batch: tuples.
        gamma: discount factor.
        rewards: (B, N), see `signal_rewards`.
        entropy: weight of the policies' entropies.
    """
    delta = td_errors(critic, batch, gamma, rewards)
    leaves = [tensor.detach().requires_grad_() for tensor in actor]
    logs = outputs_of(leaves, batch.views).log_softmax(-1)
    gain = delta * logs.gather(-1, batch.actions[:, :, None]).squeeze(-1) - entropy * (logs.exp() * logs).sum(-1)
    return list(torch.autograd.grad((batch.weight[:, None] * gain).sum() / len(delta), leaves))


def signal_rewards(batch: Batch, signal: Signal, W: Tensor | None = None) -> Tensor:
    """The rewards in the actors' TD errors, (B, N).

    Args:
        batch: tuples.
        signal: ``"own"``, or ``"mean"`` over the agents.
        W: if given, one round of gossip on the rewards instead, as MDAC has it.
    """
    if W is not None:
        return batch.rewards @ W.T
    return batch.rewards if signal == "own" else batch.rewards.mean(dim=1, keepdim=True).expand_as(batch.rewards)


def mix(W: Tensor, network: Sequence[Tensor]) -> list[Tensor]:
    """One round of consensus on every parameter, ``W omega``. Line 4.

    Args:
        W: (N, N).
        network: parameters.
    """
    return [torch.einsum("ij,j...->i...", W, tensor) for tensor in network]


def project(network: Sequence[Tensor], radius: float) -> Network:
    """Each agent's parameters onto the ball of that radius. Line 7.

    Args:
        network: parameters.
        radius: R_omega.
    """
    square = sum(tensor.reshape(len(tensor), -1).square().sum(dim=1) for tensor in network)
    factor = (radius / torch.as_tensor(square).sqrt()).clamp(max=1.0)
    return tuple(tensor * factor.reshape(-1, *[1] * (tensor.ndim - 1)) for tensor in network)


def local_step(
    algorithm: Algorithm, actor: Network, critic: Network, batch: Batch, W: Tensor, settings: Settings
) -> tuple[Network, Network]:
    """One iteration of CAC (zeng2022 Algorithm 1) or DAC on one batch.

    CAC mixes critics and the actors' convolutions and then steps, ``W x + step``, with the step taken at the
    parameters before mixing; the output layers do not leave their agent. DAC keeps all of the actor local and mixes
    the critics with their steps, ``W (x + step)``; see `algorithms.baselines.dac`.

    Args:
        algorithm: ``"CAC"`` or ``"DAC"``.
        actor: parameters.
        critic: parameters.
        batch: tuples.
        W: (N, N).
        settings: steps, discount, signal, radius.
    """
    rewards = signal_rewards(batch, settings.signal)
    up = actor_direction(actor, critic, batch, settings.gamma, rewards, settings.entropy)
    fit = critic_direction(critic, batch, settings.gamma)
    alpha, beta = settings.actor_step, settings.critic_step
    if algorithm == "CAC":
        base = [*mix(W, actor[:SHARED]), *actor[SHARED:]]
        moved = [x + beta * g for x, g in zip(mix(W, critic), fit, strict=True)]
    else:
        base = list(actor)
        moved = mix(W, [x + beta * g for x, g in zip(critic, fit, strict=True)])
    stepped = tuple(x + alpha * g for x, g in zip(base, up, strict=True))
    return stepped, project(moved, settings.radius)


def batch_step(
    actor: Network, critic: Network, batches: Sequence[Batch], W: Tensor, settings: Settings
) -> tuple[Network, Network]:
    """One iteration of MDAC: a critic step on all batches but the last, then an actor step on the last.

    ``omega = W omega + beta mean(delta grad V)`` on ``mdac_batch`` segments, then each actor moves on a fresh segment
    with the critics just left and rewards averaged over neighbours; see `algorithms.baselines.mdac`.

    Args:
        actor: parameters.
        critic: parameters.
        batches: ``mdac_batch + 1`` segments.
        W: (N, N).
        settings: steps, discount, radius.
    """
    fit = critic_direction(critic, join(batches[:-1]), settings.gamma)
    moved = [x + settings.critic_step * g for x, g in zip(mix(W, critic), fit, strict=True)]
    critic, last = project(moved, settings.radius), batches[-1]
    rewards = signal_rewards(last, settings.signal, W)
    up = actor_direction(actor, critic, last, settings.gamma, rewards, settings.entropy)
    return tuple(x + settings.actor_step * g for x, g in zip(actor, up, strict=True)), critic
