"""Optimal values: over all policies (policy iteration, occupancy LP), over a policy class.

Policy iteration runs over floats and over exact rationals; with rationals J* is an exact rational. The float
answer carries a bracket that contains the true J*.

Longer than most files here because the three optima share their bounds: J* brackets the other two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from mdp.exact import exact
from mdp.fisher import consensual_map
from mdp.linear import identity_like, is_exact, solve
from mdp.problem import Problem


class Decision(Protocol):
    """What policy iteration needs: `mdp.model.FiniteMDP`, `mdp.rational.RationalPoint` and `Exact` all fit."""

    @property
    def P(self) -> np.ndarray:
        """Kernel, (S, A, S)."""
        ...

    @property
    def r(self) -> np.ndarray:
        """Local rewards, (N, S, A)."""
        ...

    @property
    def initial(self) -> np.ndarray:
        """Initial law, (S,)."""
        ...

    @property
    def gamma(self) -> Any:
        """Discount factor."""
        ...


@dataclass(frozen=True, eq=False)
class Optimum:
    """An optimal deterministic policy.

    Attributes:
        J: its value from the initial law.
        low: J* is at least this.
        high: J* is at most this; for rationals ``low = high = J``.
        V: optimal state values, (S,).
        Q: optimal state-action values, (S, A).
        actions: joint action in each state, (S,); the lowest index among the optimal ones.
        ties: number of optimal joint actions in each state, (S,) (for floats: within rounding).
        occupancy: normalised discounted occupancy of the policy, (S, A), sums to one.
        iterations: number of policies evaluated.
    """

    J: Any
    low: Any
    high: Any
    V: np.ndarray
    Q: np.ndarray
    actions: np.ndarray
    ties: np.ndarray
    occupancy: np.ndarray
    iterations: int

    @property
    def unique(self) -> bool:
        """Whether every state has one optimal joint action."""
        return bool((self.ties == 1).all())


def J_star(mdp: Decision) -> Optimum:
    """J* and an optimal deterministic policy by policy iteration.

    A policy changes only where another action is strictly better (for floats: better than rounding), so over
    rationals the iteration ends at an exactly optimal policy. For floats, whatever V was computed,
    ``V* - V`` lies between the extreme entries of ``(T V - V) / (1 - gamma)``; `low` and `high` add the rounding of
    that residual. (For rows that sum to one; their own rounding is part of the problem, not of the answer.)

    Args:
        mdp: a problem's MDP, floats or rationals (`RationalPoint`: its policy plays no role).

    Raises:
        RuntimeError: floats: policies repeat, so that values cannot be told from rounding.

    Source: Howard (1960); Puterman (1994), Markov Decision Processes, Thm. 6.4.2 (finite termination) and Sec. 6.3
    (bounds from the residual).
    """
    P, initial, gamma = mdp.P, mdp.initial, mdp.gamma
    r_bar = mdp.r.sum(axis=0) / mdp.r.shape[0]
    S = len(initial)
    rows = np.arange(S)
    slack = 0 if is_exact(P) else _rounding(P, r_bar, gamma)
    actions = _first_argmax(r_bar, slack)
    seen: set[bytes] = set()
    while True:
        seen.add(actions.tobytes())
        V = solve(identity_like(P, S) - gamma * P[rows, actions], r_bar[rows, actions])
        Q = r_bar + gamma * (P @ V)
        better = np.asarray(Q.max(axis=1) - Q[rows, actions] > slack, dtype=bool)
        if not better.any():
            break
        actions = np.where(better, _first_argmax(Q, slack), actions)
        if actions.tobytes() in seen:
            raise RuntimeError(f"policy iteration returned to a policy: gains are below rounding ({slack:.2g})")
    actions = _first_argmax(Q, slack)
    ties = _near_max(Q, slack).sum(axis=1)
    V = solve(identity_like(P, S) - gamma * P[rows, actions], r_bar[rows, actions])
    Q = r_bar + gamma * (P @ V)
    residual = Q.max(axis=1) - V
    J = (initial * V).sum()
    low, high = J + (residual.min() - slack) / (1 - gamma), J + (residual.max() + slack) / (1 - gamma)
    law = solve((identity_like(P, S) - gamma * P[rows, actions]).T, (1 - gamma) * initial)
    occupancy = r_bar * 0
    occupancy[rows, actions] = law
    return Optimum(J, low, high, V, Q, actions, ties, occupancy, len(seen))


@dataclass(frozen=True, eq=False)
class OccupancyLP:
    """The occupancy linear program and its dual, with bounds that do not trust the solver.

    Attributes:
        primal: the solver's primal value, ``sum x r_bar / (1 - gamma)``.
        dual: the solver's dual value, ``initial . V``.
        gap: dual minus primal.
        low: value of the policy read off the occupancy, evaluated exactly: a lower bound on J*.
        high: ``initial . V`` after V is lifted to dual feasibility: an upper bound on J*.
        occupancy: x, (S, A), sums to one.
        V: dual variables (values), (S,).
        policy: ``x(s, a) / sum_a x(s, a)``, (S, A); uniform where the occupancy is zero.
        status: the solver's status.
    """

    primal: float
    dual: float
    gap: float
    low: float
    high: float
    occupancy: np.ndarray
    V: np.ndarray
    policy: np.ndarray
    status: str


def occupancy_lp(mdp: Decision, *, solver: str = "CLARABEL") -> OccupancyLP:
    """J* by the linear program over discounted occupancies, in cvxpy.

    Maximise ``sum x r_bar / (1 - gamma)`` over x >= 0 with
    ``sum_a x(s', a) = (1 - gamma) initial(s') + gamma sum x(s, a) P(s'|s, a)``. The dual variable of a balance row
    is ``V`` up to sign: minimise ``initial . V`` with ``V(s) >= r_bar + gamma P V``.

    Args:
        mdp: floats.
        solver: name of a cvxpy solver.

    Raises:
        TypeError: a rational problem (solvers take floats; `J_star` is exact).
        RuntimeError: the solver does not report an optimum.

    Source: Puterman (1994), Markov Decision Processes, Sec. 6.9.
    """
    import cvxpy as cp  # slow to import, and nothing else here needs it

    if is_exact(mdp.P):
        raise TypeError("the LP solvers take floats; J_star is exact for rational problems")
    P, initial, gamma = mdp.P, mdp.initial, float(mdp.gamma)
    r_bar = mdp.r.sum(axis=0) / mdp.r.shape[0]
    S, A = r_bar.shape
    x = cp.Variable(S * A, nonneg=True)
    balance = np.repeat(np.eye(S), A, axis=1) - gamma * P.reshape(S * A, S).T
    constraint = balance @ x == (1 - gamma) * initial
    program = cp.Problem(cp.Maximize(r_bar.ravel() @ x / (1 - gamma)), [constraint])
    program.solve(solver=solver)
    if program.status not in ("optimal", "optimal_inaccurate"):
        raise RuntimeError(f"{solver} reports {program.status!r} for the occupancy LP of a valid MDP")
    occupancy = np.maximum(np.asarray(x.value).reshape(S, A), 0)
    values = np.asarray(constraint.dual_value) * (1 - gamma)
    lifts = {sign: _lift(sign * values, P, r_bar, gamma) for sign in (1, -1)}
    # cvxpy leaves the sign of equality duals to the solver: only the right one is (nearly) dual feasible and cheap
    sign = min(lifts, key=lambda k: float(k * (initial @ values)) + lifts[k])
    values, lift = sign * values, lifts[sign]
    mass = occupancy.sum(axis=1, keepdims=True)
    policy = np.where(mass > 0, occupancy / np.where(mass > 0, mass, 1), 1 / A)
    slack = _rounding(P, r_bar, gamma)
    own = np.linalg.solve(np.eye(S) - gamma * np.einsum("sa,sat->st", policy, P), (policy * r_bar).sum(axis=1))
    margin = slack / (1 - gamma)
    dual, primal = float(initial @ values), float(program.value)
    low, high = float(initial @ own) - margin, dual + lift + margin
    return OccupancyLP(primal, dual, dual - primal, low, high, occupancy, values, policy, str(program.status))


@dataclass(frozen=True, eq=False)
class ClassOptimum:
    """Best policy of a class found by multi-start ascent, with a bound.

    Attributes:
        J: best value found: a lower bound on the supremum over the class.
        theta: where, (N, D).
        upper: J* over all policies: an upper bound on the supremum.
        values: final value of each start, (starts,).
        gradient_norm: norm of the gradient of J at `theta` (in the coordinates searched).
        at_bound: entries of theta that rest on the box ``|theta| <= radius`` while the gradient points out.
        at_infinity: a diagnosis, not a proof: parameters run off (they rest on the box, or the policy is nearly
            deterministic and J does not fall along the ray through theta), so the supremum is a limit.
        radius: the box searched.
    """

    J: float
    theta: np.ndarray
    upper: float
    values: np.ndarray
    gradient_norm: float
    at_bound: int
    at_infinity: bool
    radius: float

    @property
    def gap(self) -> float:
        """Upper bound minus the value found: how much a better search could gain at most."""
        return self.upper - self.J


def J_class_star(
    problem: Problem,
    *,
    starts: int = 8,
    seed: int = 0,
    spread: float = 1.0,
    radius: float = 30.0,
    consensual: bool = False,
    initial_thetas: Float[np.ndarray, "k N D"] | None = None,
) -> ClassOptimum:
    """Best value over the policy class: L-BFGS-B with exact gradients from several starts.

    J is not concave in theta, so the answer is a lower bound; `upper` is J*. The gap is zero for classes that
    contain near-deterministic tabular policies, because an optimal joint policy can be taken deterministic and
    hence a product of local ones.

    Args:
        problem: the problem.
        starts: number of random starts, the first at theta = 0.
        seed: seed of the starts.
        spread: standard deviation of the random starts.
        radius: search box ``|theta| <= radius``; softmax of logits 30 apart is deterministic to 1e-13.
        consensual: whether the shared columns are one vector common to all agents, or free for each.
        initial_thetas: further starts, (k, N, D).

    Raises:
        ValueError: no start at all, a radius that is not positive, or starts of another shape.
    """
    N, D = problem.mdp.n_agents, problem.policy.n_parameters
    extra = np.zeros((0, N, D)) if initial_thetas is None else np.asarray(initial_thetas, dtype=float)
    if starts + len(extra) < 1 or radius <= 0:
        raise ValueError(f"starts is {starts} and radius {radius}; at least one start and a positive box are needed")
    if extra.shape[1:] != (N, D):
        raise ValueError(f"initial_thetas has shape {extra.shape}, not (k, N, D) = (k, {N}, {D})")
    C = consensual_map(N, D, problem.policy.n_shared if consensual else 0)
    shrink = np.linalg.pinv(C)

    def loss(u: np.ndarray) -> tuple[float, np.ndarray]:
        view = exact(problem, (C @ u).reshape(N, D))
        return -view.J, -(C.T @ view.grad_J.ravel())

    rng = np.random.default_rng(seed)
    points = [np.zeros(C.shape[1])][:starts] + [spread * rng.normal(size=C.shape[1]) for _ in range(starts - 1)]
    points += [shrink @ theta.ravel() for theta in extra]
    box = [(-radius, radius)] * C.shape[1]
    options = {"maxiter": 2000, "gtol": 1e-11, "ftol": 1e-15}
    runs = [
        minimize(loss, np.clip(p, -radius, radius), jac=True, method="L-BFGS-B", bounds=box, options=options)
        for p in points
    ]
    best = min(runs, key=lambda run: float(run.fun))
    value, slope = -best.fun, -best.jac
    pinned = int(((np.abs(best.x) >= radius * (1 - 1e-9)) & (slope * np.sign(best.x) > 0)).sum())
    theta = (C @ best.x).reshape(N, D)
    return ClassOptimum(
        J=float(value),
        theta=theta,
        upper=float(J_star(problem.mdp).high),
        values=np.array([-run.fun for run in runs]),
        gradient_norm=float(np.linalg.norm(slope)),
        at_bound=pinned,
        at_infinity=pinned > 0 or _runs_off(problem, theta, float(value)),
        radius=radius,
    )


def deterministic_tables(actions: np.ndarray, n_actions: tuple[int, ...]) -> list[np.ndarray]:
    """Local tables of a deterministic joint policy: it is always a product of local ones.

    Args:
        actions: joint action of each state, (S,), agent 0 slowest.
        n_actions: actions per agent.

    Returns:
        One (S, A_i) array of zeros and ones per agent; `mdp.policy.joint_probabilities` multiplies them back.
    """
    local = np.unravel_index(actions, n_actions)
    return [np.eye(width)[choice] for width, choice in zip(n_actions, local, strict=True)]


def _lift(V: np.ndarray, P: np.ndarray, r_bar: np.ndarray, gamma: float) -> float:
    """Constant to add to V so that ``V >= r_bar + gamma P V`` everywhere."""
    return max(float((r_bar + gamma * (P @ V) - V[:, None]).max()), 0.0) / (1 - gamma)


def _rounding(P: np.ndarray, r_bar: np.ndarray, gamma: float) -> float:
    """Bound on the rounding of ``r + gamma P V - V`` in floats, with |V| at most max |r| / (1 - gamma)."""
    # inner products of length S err by at most S eps times the sizes; the factor 4 covers the additions
    scale = np.abs(r_bar).max() / (1 - gamma)
    return float(4 * (P.shape[0] + 4) * np.finfo(float).eps * scale)


def _first_argmax(Q: np.ndarray, slack: float) -> np.ndarray:
    first: np.ndarray = _near_max(Q, slack).argmax(axis=1)
    return first


def _near_max(Q: np.ndarray, slack: float) -> np.ndarray:
    threshold = (Q.max(axis=1) - slack)[:, None]
    return np.asarray(threshold <= Q, dtype=bool)


def _runs_off(problem: Problem, theta: np.ndarray, value: float) -> bool:
    """Whether J does not fall along the ray through a nearly deterministic policy, up to 30 times theta."""
    if min(float(t.min()) for t in problem.policy.probabilities(theta)) > 1e-6:
        return False
    tolerance = 1e-9 * max(1.0, abs(value))
    drops = [value - exact(problem, factor * theta).J for factor in np.geomspace(1.05, 30, 12)]
    return bool(max(drops) <= tolerance)
