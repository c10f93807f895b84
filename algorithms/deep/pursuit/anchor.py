"""The exact side of the miniature: J, its gradient, J* and the expected update of convolutional agents, no sampling.

On `mdp.instances.mini_pursuit` a view determines the state, so the networks' policies are tables over 216 states, and
everything `mdp.exact` computes applies to them. Gradients are found twice: by the policy-gradient theorem from the
scores of the networks, and by differentiating the linear solve of V.

Source: zeng2022 Eq. (4) for the gradient, Algorithm 1, line 9 for the TD error; the comparison is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from algorithms.deep.pursuit.environments import views_of_states
from algorithms.deep.pursuit.networks import flatten, n_shared_parameters, outputs_of, parameter_shapes, unflatten
from algorithms.deep.pursuit.settings import MOVES, Miniature, Settings, Signal
from mdp.exact import Exact
from mdp.instances.pursuit import mini_pursuit
from mdp.policy import joint_probabilities
from mdp.problem import Problem
from mdp.validate import as_float_array, require_shape


@dataclass(frozen=True, eq=False)
class ConvolutionalPolicy:
    """The actors of `algorithms.deep.pursuit.networks` on the miniature, as an `mdp.policy.Policy` in double precision.

    Attributes:
        settings: of a run on a `Miniature`.

    Raises:
        ValueError: on construction, if the game is not the miniature.
    """

    settings: Settings

    def __post_init__(self) -> None:
        _miniature(self.settings)

    @cached_property
    def views(self) -> Tensor:
        """What each agent sees in every state, (S, N, 3, R, R).

        Raises:
            ValueError: the game is not the miniature, which construction has refused before.
        """
        return torch.from_numpy(views_of_states(_miniature(self.settings))).double()

    @property
    def n_states(self) -> int:
        """S."""
        return len(self.views)

    @property
    def n_actions(self) -> tuple[int, ...]:
        """Five moves for each agent."""
        return (MOVES,) * self.settings.game.n_agents

    @property
    def n_shared(self) -> int:
        """H: parameters of the two convolutions."""
        return n_shared_parameters(self.settings)

    @property
    def n_parameters(self) -> int:
        """H + G: parameters of one actor."""
        return sum(int(np.prod(shape)) for shape in parameter_shapes(self.settings, MOVES))

    def log_probabilities(self, theta: Tensor) -> Tensor:
        """``log pi_i(a | s)``, (S, N, A_i), differentiable in theta.

        Args:
            theta: (N, H + G), double precision.
        """
        return outputs_of(unflatten(theta, self.settings, MOVES), self.views).log_softmax(-1)

    def probabilities(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Tables pi_i(a_i | s), one (S, 5) array per agent.

        Args:
            theta: parameters, (N, H + G).

        Raises:
            ValueError: theta has another shape or a NaN.
        """
        tables = self.log_probabilities(self._tensor(theta)).exp().numpy()
        return [table / table.sum(axis=1, keepdims=True) for table in np.moveaxis(tables, 1, 0)]

    def log_jacobian(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Scores d log pi_i(a_i | s) / d theta_i, one (S, 5, H + G) array per agent.

        Args:
            theta: parameters, (N, H + G).

        Raises:
            ValueError: theta has another shape or a NaN.
        """
        # summed over agents: agent i's log-probabilities do not depend on the parameters of the others
        jacobian = torch.func.jacrev(lambda x: self.log_probabilities(x).transpose(0, 1).sum(dim=0), chunk_size=MOVES)
        rows = jacobian(self._tensor(theta))  # (S, 5, N, D)
        return list(np.ascontiguousarray(np.moveaxis(rows.numpy(), 2, 0)))

    def _tensor(self, theta: Float[np.ndarray, "N D"]) -> Tensor:
        array = as_float_array("theta", theta, 2)
        require_shape("theta", array, (len(self.n_actions), self.n_parameters), "(N, H + G)")
        return torch.tensor(array)  # a copy: validated arrays are read-only


def mini_problem(settings: Settings) -> Problem:
    """The miniature with the convolutional policy class; features and schedule are those of `mini_pursuit`.

    Args:
        settings: of a run on a `Miniature`.

    Raises:
        ValueError: the game is not the miniature.
    """
    miniature = _miniature(settings)
    base = mini_pursuit(miniature.rows, miniature.columns, settings.gamma)
    return Problem(base.mdp, ConvolutionalPolicy(settings), base.features, base.schedule, name="mini-pursuit, CNN")


def exact_J(problem: Problem, actor: Sequence[Tensor]) -> float:
    """J of the actors' joint policy, by one linear solve.

    Args:
        problem: what `mini_problem` returned.
        actor: parameters.
    """
    mdp = problem.mdp
    pi = joint_probabilities(problem.policy.probabilities(flatten(actor)))
    P_pi, r_pi = np.einsum("sa,sat->st", pi, mdp.P), (pi * mdp.r_bar).sum(axis=1)
    return float(mdp.initial @ np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * P_pi, r_pi))


def gradient_by_backpropagation(problem: Problem, theta: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D"]:
    """Gradient of J by differentiating the networks, the joint policy and the solve of V in one graph.

    It uses neither scores, Q nor the visitation, and is the test of ``exact(problem, theta).grad_J``.

    Args:
        problem: what `mini_problem` returned.
        theta: parameters, (N, H + G).
    """
    assert isinstance(problem.policy, ConvolutionalPolicy)
    mdp, leaf = problem.mdp, torch.tensor(theta).requires_grad_()
    first, second = problem.policy.log_probabilities(leaf).exp().unbind(dim=1)
    pi = (first[:, :, None] * second[:, None, :]).flatten(1)
    P_pi = torch.einsum("sa,sat->st", pi, torch.tensor(mdp.P))
    r_pi = (pi * torch.tensor(mdp.r_bar)).sum(dim=1)
    V = torch.linalg.solve(torch.eye(mdp.n_states, dtype=torch.float64) - mdp.gamma * P_pi, r_pi)
    (gradient,) = torch.autograd.grad(torch.tensor(mdp.initial) @ V, leaf)
    result: np.ndarray = gradient.numpy()
    return result


def values_view(problem: Problem, theta: Float[np.ndarray, "N D"]) -> Exact:
    """``exact(problem, theta)`` without the scores, which take a second: everything but gradients and Fisher matrices.

    Args:
        problem: what `mini_problem` returned.
        theta: parameters, (N, H + G).
    """
    mdp, features = problem.mdp, problem.features
    return Exact(
        P=mdp.P, r=mdp.r, initial=mdp.initial, gamma=mdp.gamma, tables=tuple(problem.policy.probabilities(theta)),
        scores=(), phi_state=features.phi_state, phi_joint=features.phi_joint,
    )  # fmt: skip


def training_law(view: Exact, first: int, steps: int) -> Float[np.ndarray, " S"]:
    """Law of the states in a batch of the trainer: the mean law of steps ``first, ..., first + steps - 1``.

    Episodes start from the initial law and the policy is frozen, as it is within a batch; from the second batch
    of an episode on this supposes that it was the same before.

    Args:
        view: exact quantities at the policy.
        first: steps since the start of the episode.
        steps: length of the batch.
    """
    law, total = view.initial, np.zeros(len(view.initial))
    for t in range(first + steps):
        total += law * (t >= first)
        law = law @ view.P_pi
    return total / steps


def expected_actor_direction(
    problem: Problem,
    theta: Float[np.ndarray, "N D"],
    law: Float[np.ndarray, " S"],
    values: Float[np.ndarray, "S N"],
    signal: Signal,
) -> Float[np.ndarray, "N D"]:
    """Expectation of `algorithms.deep.pursuit.updates.actor_direction` over a batch, without its entropy term.

    ``E[(reward + gamma V_i(s') - V_i(s)) grad log pi_i(a_i | s)]`` with s from `law`, a from the policy, s' from P, and
    `values` for V_i. With the visitation as law, the mean reward, and the exact values of the policy it is
    ``(1 - gamma) grad J``. One backward pass; `mdp.exact.Exact.score_expectation` says the same from the scores.

    Args:
        problem: what `mini_problem` returned.
        theta: parameters, (N, H + G).
        law: of the states, (S,).
        values: each agent's critic in every state, (S, N).
        signal: the reward, each agent's own or the mean.
    """
    assert isinstance(problem.policy, ConvolutionalPolicy)
    mdp = problem.mdp
    pi = joint_probabilities(problem.policy.probabilities(theta)).reshape(-1, MOVES, MOVES)
    weights = []
    for i in range(mdp.n_agents):
        reward = mdp.r[i] if signal == "own" else mdp.r_bar
        delta = reward + mdp.gamma * (mdp.P @ values[:, i]) - values[:, i, None]
        weights.append((law[:, None, None] * pi * delta.reshape(pi.shape)).sum(axis=2 - i))
    leaf = torch.tensor(theta).requires_grad_()
    gain = (torch.tensor(np.stack(weights, axis=1)) * problem.policy.log_probabilities(leaf)).sum()
    (gradient,) = torch.autograd.grad(gain, leaf)
    result: np.ndarray = gradient.numpy()
    return result


def expected_critic_direction(
    problem: Problem, view: Exact, law: Float[np.ndarray, " S"], critic: Sequence[Tensor], settings: Settings
) -> Float[np.ndarray, "N D"]:
    """Expectation of `algorithms.deep.pursuit.updates.critic_direction`: ``E[delta_i grad V_i(s)]``, own rewards.

    Args:
        problem: the miniature.
        view: exact quantities at the policy.
        law: of the states, (S,).
        critic: parameters.
        settings: of the run.
    """
    mdp, values = problem.mdp, critic_values(problem, critic)
    mean_next = view.P_pi @ values
    rewards = np.einsum("sa,nsa->sn", view.pi, mdp.r)
    weight = law[:, None] * (rewards + mdp.gamma * mean_next - values)
    leaf = torch.from_numpy(flatten(critic)).requires_grad_()
    assert isinstance(problem.policy, ConvolutionalPolicy)
    outputs = outputs_of(unflatten(leaf, settings, 1), problem.policy.views).squeeze(-1)
    (gradient,) = torch.autograd.grad((torch.from_numpy(weight) * outputs).sum(), leaf)
    result: np.ndarray = gradient.numpy()
    return result


def entropy_gradient(
    problem: Problem, theta: Float[np.ndarray, "N D"], law: Float[np.ndarray, " S"]
) -> Float[np.ndarray, "N D"]:
    """Gradient of ``sum_i E_{s ~ law} H(pi_i(. | s))`` with the law held fixed.

    Args:
        problem: what `mini_problem` returned.
        theta: parameters, (N, H + G).
        law: of the states, (S,).
    """
    assert isinstance(problem.policy, ConvolutionalPolicy)
    leaf = torch.tensor(theta).requires_grad_()
    logs = problem.policy.log_probabilities(leaf)
    entropy = -(logs.exp() * logs).sum(dim=(1, 2))
    (gradient,) = torch.autograd.grad(torch.tensor(law) @ entropy, leaf)
    result: np.ndarray = gradient.numpy()
    return result


def critic_values(problem: Problem, critic: Sequence[Tensor]) -> Float[np.ndarray, "S N"]:
    """Each agent's critic in every state, in double precision.

    Args:
        problem: what `mini_problem` returned.
        critic: parameters.
    """
    assert isinstance(problem.policy, ConvolutionalPolicy)
    with torch.no_grad():
        network = [t.detach().cpu().double() for t in critic]
        values: np.ndarray = outputs_of(network, problem.policy.views).squeeze(-1).numpy()
    return values


@dataclass(frozen=True)
class Alignment:
    """How the mean update of the actors lies to the gradient of J.

    Attributes:
        trained: cosine of the angle for the trainer's own update: its state law, its critics, its reward.
        exact_critic: the same with the exact V for every critic: what remains is the state law. (On the miniature
            rewards depend on the state alone, so that own and mean reward give one direction.)
        anchored: the same under the visitation and with the mean reward; one but for rounding.
    """

    trained: float
    exact_critic: float
    anchored: float


def alignment(settings: Settings, actor: Sequence[Tensor], critic: Sequence[Tensor]) -> Alignment:
    """Cosines between the expected actor direction, under three choices of its ingredients, and grad J.

    Args:
        settings: of a run on a `Miniature`.
        actor: parameters.
        critic: parameters.

    Raises:
        ValueError: the game is not the miniature.
    """
    problem, theta = mini_problem(settings), flatten(actor)
    view = values_view(problem, theta)
    law = training_law(view, 0, settings.game.horizon)
    team = np.repeat(view.V[:, None], problem.mdp.n_agents, axis=1)
    gradient = gradient_by_backpropagation(problem, theta)

    def cosine(law: np.ndarray, values: np.ndarray, signal: Signal) -> float:
        direction = expected_actor_direction(problem, theta, law, values, signal)
        return float((direction * gradient).sum() / (np.linalg.norm(direction) * np.linalg.norm(gradient)))

    return Alignment(
        trained=cosine(law, critic_values(problem, critic), settings.signal),
        exact_critic=cosine(law, team, settings.signal),
        anchored=cosine(view.visitation, team, "mean"),
    )


def gradient_gap(problem: Problem, actor: Sequence[Tensor]) -> float:
    """Largest difference between grad J from backpropagation and from the policy-gradient theorem, over all parameters.

    Args:
        problem: what `mini_problem` returned.
        actor: parameters.
    """
    theta = flatten(actor)
    view = values_view(problem, theta)
    team = np.repeat(view.V[:, None], problem.mdp.n_agents, axis=1)
    by_theorem = expected_actor_direction(problem, theta, view.visitation, team, "mean") / (1 - problem.mdp.gamma)
    return float(np.abs(by_theorem - gradient_by_backpropagation(problem, theta)).max())


def _miniature(settings: Settings) -> Miniature:
    if not isinstance(settings.game, Miniature):
        raise ValueError("exact quantities are those of the miniature; the settings have PettingZoo's board")
    return settings.game
