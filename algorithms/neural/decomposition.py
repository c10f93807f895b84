"""The proof of zhang2025 Theorem 5.10 along a run: each quantity that Eqs. (15)-(36) bound, beside its bound.

Given the critics of one outer iteration, expectations over the actor's stationary batch are exact (`oracles`), and so
are suprema over pairs. Bounds have the paper's constants where it gives any; where it writes O(...) the constant is
one, and the line is marked as an order. What is printed wrong is kept, so that its value can exceed its bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from algorithms.neural._proof_setting import Critics, Setting, sup
from algorithms.neural.loop import Steps, gossip_matrix
from algorithms.neural.network import CriticNetwork
from algorithms.neural.oracles import BatchLaw, agent_scores, pair_chain
from algorithms.neural.proof_lines import Decomposition, Line
from algorithms.neural.readings import PRINTED, Reading, reading_of
from algorithms.neural.run import Oracles, Run
from mdp.networks.schedule import full_average
from mdp.problem import Problem


def decompose(
    problem: Problem, times: Sequence[int], seed: int, *, network: CriticNetwork, reading: Reading | str = PRINTED,
    steps: Steps | None = None, theta_0: Float[np.ndarray, "N P"] | None = None, linearised: bool = False,
) -> tuple[Decomposition, ...]:  # fmt: skip
    """Run Algorithm 1 with Algorithm 3 in lockstep, and decompose the error of the direction at chosen iterations.

    Args:
        problem: a dense problem with nonnegative rewards (Assumption 5.3).
        times: outer iterations, increasing, from 1.
        seed: of the run.
        network: the critic.
        reading: what Algorithms 1 and 2 mean, on restart data (kappa = 1 and rho = gamma are its mixing constants).
        steps: step sizes, loop lengths and B; B finite, since the bounds contain it.
        theta_0: initial parameters, zeros by default.
        linearised: critics are Q-hat_0.

    Raises:
        ValueError: times not increasing from 1, negative rewards, an infinite radius, or a reading whose TD error is
            no function of two pairs, or is not on restart data.

    Source: zhang2025 Appendix C, Eqs. (15)-(36).
    """
    reading, steps = reading_of(reading), steps or Steps()
    if not times or list(times) != sorted(set(times)) or times[0] < 1:
        raise ValueError(f"times is {list(times)}; it increases from at least 1")
    if reading.data_kernel != "restart":
        raise ValueError(f"reading {reading.label!r} has original data; the mixing constants here are the restart's")
    if problem.mdp.r.min() < 0:
        raise ValueError(f"r has the entry {problem.mdp.r.min():g}; Assumption 5.3 asks for rewards of at least 0")
    if not np.isfinite(steps.radius):
        raise ValueError("steps has an infinite radius; the bounds contain B")
    N = problem.mdp.n_agents
    gossip = gossip_matrix(problem.schedule, N, steps.gossip_rounds)
    theta = np.zeros((N, problem.policy.n_parameters)) if theta_0 is None else np.array(theta_0, dtype=float)
    run = Run(
        problem, reading, "linearised" if linearised else "network", network, Oracles(), steps, gossip, theta,
        np.random.default_rng(seed), times[-1], "printed",
    )  # fmt: skip
    found = []
    for t in times:
        run.advance(t - 1)
        views = run.views()
        run.advance(t)
        state = run.loop.state
        evaluate = network.linearised if linearised else network.values
        shape = views[0].pi.shape
        star = run.fixed_point(*views)
        critics = Critics(
            run.values(), evaluate(state.W.reshape(N, -1).mean(axis=0)).reshape(shape),
            evaluate(state.central).reshape(shape), evaluate(star.weights).reshape(shape),
            state.W.reshape(N, -1), np.asarray(state.central).ravel(),
        )  # fmt: skip
        found.append(_decompose(t, Setting(problem, reading, steps, network, gossip, *views), critics))
    return tuple(found)


def _decompose(t: int, setting: Setting, critics: Critics) -> Decomposition:
    N, M = setting.n_agents, setting.steps.batch
    own, common = setting.delta(critics.agents), setting.delta(np.repeat(critics.star[None], N, axis=0))
    average, gradient = full_average(N), setting.view.grad_J.ravel()
    law = pair_chain(setting.view, setting.restart, setting.reading)[1]
    advantage = (critics.star - (setting.view.pi * critics.star).sum(axis=1)[:, None]).reshape(-1)
    g = np.einsum("z,z,nzp->np", law, advantage, agent_scores(setting.view)).ravel()
    d = setting.batch(own, setting.gossip)
    d_error = d.mean_square(M, gradient)
    critic = setting.batch(own - common, setting.gossip).mean_square(M)
    gossip = setting.batch(common, setting.gossip - average).mean_square(M)
    batch = setting.batch(common, average)
    batch_error, advantage_error = batch.mean_square(M, g), float(((g - gradient) ** 2).sum())
    terms = (critic, gossip, batch_error, advantage_error)
    lines = (
        Line("(15)", "E||d - grad J||^2 against 6 times the four terms", d_error, 6 * sum(terms)),
        *_critic_lines(setting, critics, own - common, critic),
        *_gossip_lines(setting, critics, common, gossip),
        *_batch_lines(setting, critics, batch, g, batch_error),
        *_gradient_lines(setting, critics, g, advantage_error),
        Line("(36)", "root of E||d - grad J||^2 against sqrt(6) times the sum of the four roots", d_error**0.5,
             float(np.sqrt(6) * sum(x**0.5 for x in terms))),
    )
    size = float(np.linalg.norm(d.mean) * np.linalg.norm(gradient))
    return Decomposition(t, lines, d_error, float(d.mean @ gradient) / size if size > 0 else float("nan"))


def _critic_lines(setting: Setting, critics: Critics, delta: np.ndarray, error: float) -> tuple[Line, ...]:
    """Eqs. (16)-(25): the critics' part of the direction."""
    N, M, B, network = setting.n_agents, setting.steps.batch, setting.steps.radius, setting.network
    gamma, D, m, K = float(setting.view.gamma), network.depth, network.width, setting.steps.critic_iterations
    largest = setting.batch(delta).expected_maximum((delta**2).max(axis=0), M)
    to_star = sup(critics.agents - critics.star)
    to_average, average_star = sup(critics.agents - critics.average), sup(critics.average - critics.star)
    average_central, central_star = sup(critics.average - critics.central), sup(critics.central - critics.star)
    slope, root = lipschitz_on_ball(network, B), float(np.sqrt(D))
    mean = critics.weights.mean(axis=0)
    distances = np.linalg.norm(critics.weights - mean, axis=1)
    critic_order = B * D**2.5 * K**-0.25 + B ** (4 / 3) * m ** (-1 / 12) * D**4
    whole = slope * N * setting.rate * B * root + slope * B * root + critic_order
    return (
        Line("(17)", "sum_i E||d_i - d_i*||^2 against N E max |TD difference|^2", error, N * largest),
        Line("(18)", "largest TD difference against (1 + gamma) |Q-hat(W_i) - Q-hat(W*)|",
             sup(delta), setting.td_slope * to_star),
        Line("(19)", "|Q-hat(W_i) - Q-hat(W*)| against the two parts by W-bar", to_star, to_average + average_star),
        Line("(20)", "|Q-hat(W_i) - Q-hat(W-bar)| against L_W ||W_i - W-bar||", to_average, slope * distances.max()),
        Line("(20)", "largest ||W_i - W-bar|| against N (1 - eta^(N-1))^t B sqrt(D)", float(distances.max()),
             N * setting.rate * B * root, order=True),
        Line("(21)", "|Q-hat(W-bar) - Q-hat(W*)| against the two parts by V-bar", average_star,
             average_central + central_star),
        Line("(22)", "|Q-hat(W-bar) - Q-hat(V-bar)| against L_W ||W-bar - V-bar||", average_central,
             slope * float(np.linalg.norm(mean - critics.central_weights))),
        Line("(22)", "||W-bar - V-bar|| against the diameter 2 B sqrt(D)",
             float(np.linalg.norm(mean - critics.central_weights)), 2 * B * root),
        Line("(23)", "|Q-hat(V-bar) - Q-hat(W*)| against its order in B, D, K, m", central_star, critic_order,
             order=True),
        Line("(25)", "sum_i E||d_i - d_i*||^2 against N (1 + gamma) (...)^2", error, N * (1 + gamma) * whole**2,
             order=True),
    )  # fmt: skip


def _gossip_lines(setting: Setting, critics: Critics, common: np.ndarray, error: float) -> tuple[Line, ...]:
    """Eqs. (26)-(27): insufficient gossip of the TD errors at W*."""
    N, M = setting.n_agents, setting.steps.batch
    deviation = setting.gossip - full_average(N)
    row = float((deviation**2).sum(axis=1).max())
    printed = setting.batch(np.repeat(common.mean(axis=0)[None], N, axis=0), deviation).mean_square(M)
    constant = setting.td_bound(critics.star)
    return (
        Line("(26)", "sum_i E||d_i* - h_i||^2 against its fourth line, with delta 1 for the vector of the delta_j",
             error, printed),
        Line("(26)", "the same with the vector (repaired)", error, N**2 * row * float((common**2).max())),
        Line("(27)", "the same against N^3 (1 - eta^(N-1))^(2t), times the TD bound squared", error,
             N**3 * setting.rate**2 * constant**2, order=True),
    )  # fmt: skip


def _batch_lines(
    setting: Setting, critics: Critics, batch: BatchLaw, g: np.ndarray, error: float
) -> tuple[Line, ...]:
    """Eqs. (28)-(33): the Markovian batch."""
    N, M, gamma = setting.n_agents, setting.steps.batch, float(setting.view.gamma)
    constant, epsilon = setting.td_bound(critics.star), setting.epsilon(critics.star)
    centred = replace(batch, samples=batch.samples - g)
    one = centred.mean_square(1)
    # E<x_0, x_lag> of the samples less g: covariance plus the square of the bias, which no lag removes
    bias = float((centred.mean**2).sum())
    lags = range(1, max(M, 2))
    worst = max(lags, key=lambda lag: (centred.autocovariance(lag) + bias) / gamma**lag) if gamma > 0 else 1
    cross = centred.autocovariance(worst) + bias
    tail = gamma / (1 - gamma)  # restart data: kappa = 1 and rho = gamma
    return (
        Line("(29)", "sum_i E||delta psi_i - g_i||^2 against 4 N C^2", one, 4 * N * constant**2),
        Line("(32)", f"cross term at lag {worst} against 2 N C^2 gamma^lag (restart data)", cross,
             2 * N * constant**2 * gamma**worst),
        Line("(33)", "sum_i E||h_i - g_i||^2 against its second line", error,
             N * (4 * constant**2 / M + 4 * constant**2 * tail)),
        Line("(33)", "the same against N eps_critic^2 / M", error, N * epsilon**2 / M, order=True),
    )  # fmt: skip


def _gradient_lines(setting: Setting, critics: Critics, g: np.ndarray, error: float) -> tuple[Line, ...]:
    """Eq. (34): the critic's advantage in place of the true one."""
    epsilon, gamma = setting.epsilon(critics.star), float(setting.view.gamma)
    scaled = (1 - gamma) * setting.view.grad_J.ravel()
    original = sup(critics.star - setting.view.Q)
    law = setting.view.restart_stationary[:, None] * setting.view.pi
    centred = critics.star - (setting.view.pi * critics.star).sum(axis=1)[:, None]
    mean_square = float((law * (centred - setting.view.advantage) ** 2).sum())
    return (
        Line("(34)", "||g - grad J||^2 against E|Adv-hat - Adv|^2", error, mean_square),
        Line("(34)", "||g - grad J||^2 against eps_critic^2", error, epsilon**2, order=True),
        Line("(34)", "||g - (1 - gamma) grad J||^2 against 4 eps_critic^2 of the original Q (repaired)",
             float(((g - scaled) ** 2).sum()), 4 * original**2),
    )  # fmt: skip


def lipschitz_on_ball(network: CriticNetwork, radius: float) -> float:
    r"""A Lipschitz constant of every Q-hat(x; .) on the ball of Algorithm 2.

    The block of the gradient for layer h is at most
    ``||b|| ||H x|| m^(-D/2) prod_{j != h} (||W_j(0)||_2 + B)`` in norm, since ReLU does not expand; the ball is convex.

    Args:
        network: the critic.
        radius: B.

    Source: ours; it is the constant that zhang2025 Assumption 5.8 asks for.
    """
    norms = np.linalg.norm(network.W0, 2, axis=(1, 2)) + radius
    products = np.array([np.delete(norms, h).prod() for h in range(network.depth)])
    first = float(np.linalg.norm(network.first_layer(), axis=1).max())
    scale = float(np.linalg.norm(network.b)) * first * network.width ** (-network.depth / 2)
    return scale * float(np.linalg.norm(products))
