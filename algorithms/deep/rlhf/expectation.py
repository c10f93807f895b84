"""Exact means of the loop's updates on the miniature, by enumeration, and the gradient by automatic differentiation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from algorithms.deep.rlhf.direction import Rule, signal
from algorithms.deep.rlhf.loop import Trainer
from algorithms.deep.rlhf.miniature import Miniature
from algorithms.deep.rlhf.sampling import Tokens
from algorithms.deep.rlhf.settings import Settings
from algorithms.deep.rlhf.tables import TableCritics
from mdp.exact import Exact, exact
from mdp.model import FiniteMDP


def view_of(mini: Miniature, mdp: FiniteMDP | None = None, *, scores: bool = False) -> Exact:
    """Exact quantities at the actors' current parameters.

    Args:
        mini: the miniature.
        mdp: in place of its own, such as the restart MDP.
        scores: whether gradients will be asked for; scores take seconds.
    """
    problem = mini.problem if mdp is None else replace(mini.problem, mdp=mdp)
    theta = mini.actors.theta().numpy()
    if scores:
        return exact(problem, theta)
    mdp, features = problem.mdp, problem.features
    tables = tuple(mini.policy.probabilities(theta))
    return Exact(mdp.P, mdp.r, mdp.initial, mdp.gamma, tables, (), features.phi_state, features.phi_joint)


def exact_critics(mini: Miniature, rule: Rule) -> TableCritics:
    """Every agent's critic at the exact values of the team reward, for the kernel that the rule aims at.

    Args:
        mini: at its actors' current parameters.
        rule: the signal.
    """
    view = view_of(mini)
    if rule.form == "v":
        table = view.V
    else:
        restarts = rule.target == "data" and mini.settings.data == "restart"
        table = (view_of(mini, mini.problem.mdp.restart()) if restarts else view).Q.reshape(-1)
    return TableCritics(np.tile(table, (mini.world.n_agents, 1)))


def expected_update(mini: Miniature, trainer: Trainer) -> Float[np.ndarray, "N P"]:
    """Exact mean of the loop's directions at frozen actors and critics: sum over a dialogue, or per restarting step.

    Args:
        mini: the miniature.
        trainer: on its world and actors; its critics are gossiped once, as the loop does before it uses them.

    Source: zhang2025 Algorithm 1, lines 9-16.
    """
    view = view_of(mini)
    rule, settings, mdp = trainer.rule, mini.settings, mini.problem.mdp
    restarts = settings.data == "restart"
    P = mdp.restart().P if restarts and rule.target == "data" else mdp.P
    values = _critic_values(mini, trainer)
    table = (view.pi * values).sum(axis=2) if rule.form == "q" else values[:, :, 0]
    after = np.einsum("sat,nt->nsa", P, table)
    delta = signal(rule, settings.gamma, np.broadcast_to(values, mdp.r.shape), mdp.r, after)
    mixed = np.tensordot(trainer.gossip, delta, axes=1)
    weight = view.restart_stationary if restarts else _turn_weights(view, settings, rule)
    return _score_means(mini, weight[:, None] * view.pi * mixed)


def differentiated_return(mini: Miniature) -> tuple[float, Float[np.ndarray, "N P"]]:
    """J and its gradient by automatic differentiation through the turns of a dialogue.

    Neither the policy-gradient theorem nor a linear solve: the law moves forward turn by turn.

    Args:
        mini: at its actors' current parameters.
    """
    mdp, settings = mini.problem.mdp, mini.settings
    tables = mini.policy.log_tables().exp()
    pi = tables[0]
    for table in tables[1:]:
        pi = (pi[:, :, None] * table[:, None, :]).reshape(mdp.n_states, -1)
    P_pi = torch.einsum("sa,sat->st", pi, torch.tensor(mdp.P))
    r_pi = (pi * torch.tensor(mdp.r_bar)).sum(dim=1)
    law, total = torch.tensor(mdp.initial), torch.zeros((), dtype=torch.float64)
    for turn in range(settings.turns):
        total = total + settings.gamma**turn * (law @ r_pi)
        law = law @ P_pi
    value = total / (1 - settings.gamma**settings.turns)
    parameters = [p for own in mini.actors.parameters for p in own]
    gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(value, parameters)])
    return float(value.detach()), gradient.reshape(mini.world.n_agents, -1).numpy()


def restore_weights(trainer: Trainer, weights: Sequence[Tensor]) -> None:
    """Write the critics' weights.

    Args:
        trainer: theirs.
        weights: one per tensor of ``trainer.critics.weights``.
    """
    with torch.no_grad():
        for weight, value in zip(trainer.critics.weights, weights, strict=True):
            weight.copy_(value)


def _turn_weights(view: Exact, settings: Settings, rule: Rule) -> Float[np.ndarray, " S"]:
    """Sum over turns of the state's law, by gamma^turn where the rule asks for it."""
    law, total = view.initial, np.zeros_like(view.initial)
    for turn in range(settings.turns):
        total = total + (settings.gamma**turn if rule.discounted else 1.0) * law
        law = law @ view.P_pi
    return total


def _score_means(mini: Miniature, signals: Float[np.ndarray, "N S A"]) -> Float[np.ndarray, "N P"]:
    """Sum of ``signals[i]`` times agent i's scores: as `Exact.score_expectation`, in one backward pass."""
    N, K = mini.world.n_agents, len(mini.world.tree.responses)
    own = []
    for i, table in enumerate(signals):
        others = tuple(j + 1 for j in range(N) if j != i)
        own.append(table.reshape(len(table), *[K] * N).sum(axis=others))
    total = (torch.tensor(np.stack(own)) * mini.policy.log_tables()).sum()
    gradients = torch.autograd.grad(total, [p for agent in mini.actors.parameters for p in agent])
    return torch.cat([g.reshape(-1) for g in gradients]).reshape(N, -1).numpy()


def _critic_values(mini: Miniature, trainer: Trainer) -> Float[np.ndarray, "N S A"]:
    """Every agent's critic after gossip: at every pair, or at every state with a last axis of length 1."""
    tree, world = mini.world.tree, mini.world
    states = [world.state(s) for s in tree.states]
    kept = [weight.detach().clone() for weight in trainer.critics.weights]
    trainer.critics.gossip(torch.tensor(trainer.gossip))
    with torch.no_grad():
        if trainer.rule.form == "v":
            values = trainer.critics.values(trainer.critic_inputs.of_states(states))
        else:
            pairs = [state for state in states for _ in tree.joint_responses]
            answers: list[tuple[Tokens, ...]] = [*tree.joint_responses] * len(states)
            values = trainer.critics.values(trainer.critic_inputs.of_pairs(pairs, answers))
    restore_weights(trainer, kept)
    return values.numpy().reshape(world.n_agents, len(states), -1)
