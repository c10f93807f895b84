"""Exact moments of a Markovian batch of TD errors times scores: the chain behind zhang2025 Eqs. (28)-(34).

Everything is a finite sum over pairs (s, a) and powers of their transition matrix, so that expectations, lag by lag,
are rational numbers. Scores have one parameter per agent here: a norm is then an absolute value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from flint import fmpq

from mdp.linear import rational_array
from mdp.rational import RationalPoint
from verify.context import Context, Profile
from verify.identities import rational_points


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples ``x_l = delta(z_l, z_(l+1)) psi^i(z_l) - g^i`` along a chain of pairs z = (s, a).

    Attributes:
        kernel: transition matrix of the pairs, (Z, Z).
        law: its stationary law nu, (Z,).
        delta: team TD error from a pair to the next, (Z, Z).
        advantage: of the critic, (Z,).
        score: one parameter per agent, (N, Z).
        reward_range: r_max, the largest reward (the least is at least zero).
        critic_error: largest error of the critic, epsilon_critic.
        gamma: discount.
        gradient: grad J of the original problem, (N,).
        states: index of the state of each pair, (Z,).
    """

    kernel: np.ndarray
    law: np.ndarray
    delta: np.ndarray
    advantage: np.ndarray
    score: np.ndarray
    reward_range: fmpq
    critic_error: fmpq
    gamma: fmpq
    gradient: np.ndarray
    states: np.ndarray

    @cached_property
    def target(self) -> np.ndarray:
        """``g^i = E_nu[Adv psi^i]``, (N,)."""
        g: np.ndarray = (self.score * (self.law * self.advantage)).sum(axis=1)
        return g

    @cached_property
    def bound(self) -> fmpq:
        """``((1 + gamma)/(1 - gamma) + 1) r_max + 2 epsilon_critic``, the paper's bound on a TD error."""
        return ((1 + self.gamma) / (1 - self.gamma) + 1) * self.reward_range + 2 * self.critic_error

    def sample(self, agent: int) -> np.ndarray:
        """``x`` of an agent for every pair and next pair, (Z, Z).

        Args:
            agent: i.
        """
        x: np.ndarray = self.delta * self.score[agent][:, None] - self.target[agent]
        return x

    def mean(self, table: np.ndarray) -> fmpq:
        """Stationary mean of a function of a pair, (Z,), or of a pair and the next, (Z, Z).

        Args:
            table: its values, of either shape.
        """
        per_pair = table if table.ndim == 1 else (self.kernel * table).sum(axis=1)
        return (self.law * per_pair).sum()

    def cross(self, agent: int, lag: int) -> fmpq:
        """``E[x_l x_(l + lag)]`` of an agent in the stationary chain.

        Args:
            agent: i.
            lag: at least one.
        """
        x = self.sample(agent)
        later = (self.kernel * x).sum(axis=1)
        for _ in range(lag - 1):
            later = self.kernel @ later
        return self.mean(x * later[None, :])

    def batch_error(self, agent: int, size: int) -> fmpq:
        """``E|h^i - g^i|^2`` for a stationary batch, from (28) with the team's TD error.

        Args:
            agent: i.
            size: M.
        """
        total = size * self.mean(self.sample(agent) ** 2)
        for lag in range(1, size):
            total += 2 * (size - lag) * self.cross(agent, lag)
        return total / fmpq(size) ** 2

    def batch_error_by_paths(self, agent: int, size: int) -> fmpq:
        """`batch_error` by summing over all paths of the chain: a second route, for small M.

        Args:
            agent: i.
            size: M.
        """
        x, Z = self.sample(agent), len(self.law)
        # distribution of (current pair, running sum), extended step by step
        laws = {(z, fmpq(0)): self.law[z] for z in range(Z)}
        for _ in range(size):
            longer: dict[tuple[int, fmpq], fmpq] = {}
            for (z, total), weight in laws.items():
                for t in range(Z):
                    step = weight * self.kernel[z, t]
                    if step != 0:
                        key = (t, total + x[z, t])
                        longer[key] = longer.get(key, fmpq(0)) + step
            laws = longer
        return sum((w * total**2 for (_, total), w in laws.items()), fmpq(0)) / fmpq(size) ** 2


def batch(point: RationalPoint, form: str = "q", error: np.ndarray | None = None) -> Batch:
    """The batch of a problem whose data follow the restart kernel.

    Args:
        point: problem with a start in one state, rewards of at least zero, one parameter per agent.
        form: ``"q"``: line 9 of Algorithm 1, ``Q - r - gamma Q'`` with the Q of the restart kernel (one kernel
            throughout); ``"original"``: the same with the Q of the original kernel; ``"v"``: ``r + V(s') - V(s)``,
            undiscounted, with the original V (repaired).
        error: added to Q, (S, A); only for the first two.

    Raises:
        ValueError: an unknown form, or an error with form ``"v"``.
    """
    if form not in ("q", "original", "v") or (form == "v" and error is not None):
        raise ValueError(f"form is {form!r} with {'an' if error is not None else 'no'} error of Q")
    original, restart = point.exact(), point.restart()
    view = restart if form == "q" else original
    S, A = view.Q.shape
    Q = view.Q if error is None else view.Q + error
    pi, law = view.pi, original.restart_stationary
    kernel = (restart.P.reshape(S * A, S)[:, :, None] * pi[None]).reshape(S * A, S * A)
    rewards, states = view.r_bar.reshape(-1), np.repeat(np.arange(S), A)
    if form == "v":
        delta = rewards[:, None] + original.V[states][None, :] - original.V[states][:, None]
    else:
        delta = Q.reshape(-1)[:, None] - rewards[:, None] - point.gamma * Q.reshape(-1)[None, :]
    advantage = Q - (pi * Q).sum(axis=1)[:, None]
    return Batch(
        kernel=kernel, law=(law[:, None] * pi).reshape(-1), delta=delta, advantage=advantage.reshape(-1),
        score=_joint_scores(view.scores, S), reward_range=max(point.r.ravel()),
        critic_error=fmpq(0) if error is None else max(abs(x) for x in error.ravel()), gamma=point.gamma,
        gradient=original.grad_J[:, 0], states=states,
    )


def _joint_scores(scores: tuple[np.ndarray, ...], n_states: int) -> np.ndarray:
    """Scores of every agent at every pair, (N, Z); agent 0's action is the slowest index."""
    widths = [s.shape[1] for s in scores]
    rows = []
    for i, score in enumerate(scores):
        shape = [n_states, *(w if j == i else 1 for j, w in enumerate(widths))]
        rows.append(np.broadcast_to(score[:, :, 0].reshape(shape), (n_states, *widths)).reshape(-1))
    return np.stack(rows)


def coin(gamma: fmpq | None = None) -> RationalPoint:
    """One state, two equally likely actions with rewards 1 and 0 and scores 1 and -1; gamma = 1/2 if not given.

    By hand: ``V = 1 / (2 (1 - gamma))``, ``Adv = (1/2, -1/2)``, so ``g = E[Adv psi] = 1/2 = (1 - gamma) grad J``, and
    ``delta = -gamma Adv(a')`` has mean zero whatever the action was.

    Args:
        gamma: discount.
    """
    half = fmpq(1, 2)
    return RationalPoint(
        P=[[[1], [1]]], r=[[[1, 0]]], initial=[1], gamma=half if gamma is None else gamma,
        tables=([[half, half]],), psi=([[[1], [-1]]],), phi_state=[[1]], phi_joint=[[[1], [1]]],
    )


def switch() -> RationalPoint:
    """Two states, two equally likely actions; the next state is the action. Reward 1 for action 0; gamma = 1/2."""
    half = fmpq(1, 2)
    return RationalPoint(
        P=[[[1, 0], [0, 1]]] * 2, r=[[[1, 0], [1, 0]]], initial=[1, 0], gamma=half,
        tables=([[half, half]] * 2,), psi=([[[1], [-1]]] * 2,), phi_state=[[1], [0]],
        phi_joint=rational_array(np.ones((2, 2, 1), dtype=int)),
    )


def bounded_points(context: Context) -> Iterator[RationalPoint]:
    """The coin, the switch, then random problems in the paper's setting, small to large.

    Rewards lie in [0, r_max]; the joint score has a norm of at most one (Assumption 5.5).

    Args:
        context: budget and randomness.
    """
    yield from (coin(), coin(fmpq(1, 10)), switch())
    for point in rational_points(context, point_start=True):
        psi = tuple(p[:, :, :1] + p[:, :, 1:2] for p in point.psi)
        one = replace(point, r=point.r - min(point.r.ravel()), psi=psi)
        largest = sum(max(abs(x) for x in s.ravel()) for s in one.exact().scores)
        yield replace(one, psi=tuple(p / max(largest, fmpq(1)) for p in psi))


def named() -> list[tuple[RationalPoint, Batch]]:
    """Problems that a reader can do by hand: coin and switch with an exact critic, and the switch with a wrong one.

    The wrong critic adds 1 to Q at state 0 and action 0.
    """
    wrong = rational_array([[1, 0], [0, 0]])
    return [(coin(), batch(coin())), (switch(), batch(switch())), (switch(), batch(switch(), error=wrong))]


def perturbed(context: Context, key: int) -> list[tuple[RationalPoint, Batch]]:
    """The problems of `named`, then those of `bounded_points`, each with an exact critic and with a wrong one.

    Args:
        context: budget and randomness.
        key: names the stream of errors.
    """
    return _perturbed(context.profile, context.seed, key)


@lru_cache(maxsize=4)
def _perturbed(profile: Profile, seed: int, key: int) -> list[tuple[RationalPoint, Batch]]:
    """Kept between the lines of a statement, which are about the same problems."""
    context = Context(profile, seed)
    rng, cases = context.rng(key), named()
    for point in bounded_points(context):
        size = fmpq(int(rng.integers(1, 40)), 10)
        error = size * rational_array(rng.integers(-1, 2, size=point.P.shape[:2]))
        cases += [(point, batch(point)), (point, batch(point, error=error))]
    return cases
