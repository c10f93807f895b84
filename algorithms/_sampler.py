r"""Exact draws from mu_theta and d_theta without solving for them: regeneration through an anchored minorisation.

Sampling from a stationary law needs no linear system if the chain has a lower bound that forgets where it was
(Athreya and Ney 1978; Asmussen, Glynn and Thorisson 1992; Murdoch and Green 1998). If ``M = p 1 nu^T + (1 - p) R``
has mu as its stationary law, then ``mu = sum_k p (1 - p)^k nu R^k``: start from nu, and take residual steps R until
a coin of probability p says stop. What is new here is where the bound comes from, for a policy that moves slowly.

Keep an *anchor*: a parameter theta_0 at which the policy q and the chain P_0 were tabulated. For agent i

    pi_i(a|s) >= c_i q_i(a|s)   with   c_i = exp(-reach_i ||theta_i - theta_0,i||),

where reach_i is the largest ``||psi_i(s, a) - psi_i(s, b)||``: the softmax ratio is ``exp(x_a) / sum_b q_b exp(x_b)``
with ``x = psi . (theta - theta_0)``, and x has at most that range. So each agent may flip a coin: with probability
c_i it acts by q_i, otherwise by the leftover ``(pi_i - c_i q_i) / (1 - c_i)``. Over a block of m steps all coins fall
on the anchor with probability ``c^m``, ``c = prod_i c_i``, and then the block is one step of the tabulated

    P_0^m = eps_m 1 nu_m^T + (1 - eps_m) R_m,   eps_m nu_m(t) = min_s P_0^m(s, t).

Hence ``p = c^m eps_m``, and a residual block is R_m with probability ``c^m (1 - eps_m) / (1 - p)``, and otherwise m
steps with coins conditioned on not all being on the anchor. mu_theta is the stationary law of the m-step chain too.
d_theta is the stationary law of the restart chain ``(1 - gamma) 1 initial^T + gamma P_theta``: there m = 1, and the
restart is one more regeneration. No draw touches a table of the policy unless an agent left its anchor.

When to move the anchor is ski rental: the expected extra work of a distant anchor is added up, and the anchor moves
when it has cost as much as moving it does. m is the least power of two with ``eps_m >= ENOUGH``. Where `LONGEST` steps
are not enough (a nearly decomposable chain), or where the last anchor did not live long enough to pay for itself (an
actor in haste), the law is solved for, and after `PATIENCE` steps the anchor is tried again.
Both rules look at theta only, never at a draw, so that each draw has the law claimed given the past.

Exact means: up to the rounding of the tables, a few units of 2^-53 per entry, as for inverse-CDF draws from a
computed law. `tests/test_algorithms_sampler.py` proves the identity in rationals and tests the draws.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from algorithms._cac_kernel import _chain, _draw_row, _policy_tables
from algorithms._linalg import _gth, compiled, inlined

ENOUGH = 0.25
"""Least eps_m worth having; ours, by `benchmarks.samplers`: 1/8 to 1/2 differ little."""

LONGEST = 64
"""Longest block tried; ours: a squaring costs three solutions for mu_theta, so six of them must serve many steps."""

PATIENCE = 256
"""Steps for which the law is solved for before blocks are tried again; ours: hides the cost of the trial."""

ACTION, LOOKUP = 16.0, 20.0
"""Work of one action probability and of one table look-up, in multiply-adds; ours, measured."""

EPS_ONE, EPS, STEPS, DEBT, PRICE, SOLVING, MOVES, AGE = range(8)
"""Entries of `Anchor.numbers`: eps_1, eps_m, m, extra work so far, work of moving, steps left to solve for, moves so
far, and steps since the last."""


class Dynamics(NamedTuple):  # numba takes named tuples, not dataclasses
    """What never changes in a run.

    Attributes:
        psi: policy features, (N, S, Amax, D).
        n_actions: actions per agent, (N,).
        P: kernel, (S, A, S).
        P_cdf: its cumulative rows, (S, A, S).
        initial_cdf: cumulative initial law, (S,).
        gamma: discount factor.
        reach: per agent, the largest ||psi_i(s, a) - psi_i(s, b)||, (N,).
    """

    psi: np.ndarray
    n_actions: np.ndarray
    P: np.ndarray
    P_cdf: np.ndarray
    initial_cdf: np.ndarray
    gamma: float
    reach: np.ndarray


class Anchor(NamedTuple):
    """The tabulated policy and its chain; written by `_move_anchor` and `_approach`. Level 0 is m = 1.

    Attributes:
        theta: where the tables were made, (N, D).
        tables: q_i(a|s), (N, S, Amax).
        joint: their product, (S, A).
        chain: P_0, (S, S).
        power: P_0^m, (S, S).
        work: scratch, (S, S).
        nu_cdf: cumulative nu_1 and nu_m, (2, S).
        residual_cdf: cumulative rows of R_1 and R_m, (2, S, S).
        law_cdf: cumulative mu_theta, when it is solved for, (S,).
        gap: ``-log c_i``, (N,).
        leave: ``1 - c_i``, (N,).
        row: scratch for the policy of one agent at one state, (Amax,).
        numbers: see `EPS_ONE` and what follows it, (8,).
    """

    theta: np.ndarray
    tables: np.ndarray
    joint: np.ndarray
    chain: np.ndarray
    power: np.ndarray
    work: np.ndarray
    nu_cdf: np.ndarray
    residual_cdf: np.ndarray
    law_cdf: np.ndarray
    gap: np.ndarray
    leave: np.ndarray
    row: np.ndarray
    numbers: np.ndarray


@compiled
def _accumulate(weights: np.ndarray, cdf: np.ndarray) -> float:
    """Cumulative normalised `weights` into `cdf`; returns their sum.

    From the last positive weight on the entries are exactly one, so a draw never meets a weight of zero. Weights
    that are all zero become uniform.
    """
    last, total = -1, 0.0
    for t in range(len(weights)):
        if weights[t] > 0.0:
            total += weights[t]
            last = t
        cdf[t] = total
    if last < 0:
        for t in range(len(weights)):
            cdf[t] = (t + 1.0) / len(weights)
        return 0.0
    inverse = 1.0 / total
    for t in range(len(weights)):
        cdf[t] = cdf[t] * inverse if t < last else 1.0
    return total


@inlined
def _look_up(u: float, cdf: np.ndarray) -> int:
    """The first index whose cumulative weight exceeds `u`, by bisection."""
    low, high = 0, len(cdf) - 1
    while low < high:
        middle = (low + high) // 2
        if cdf[middle] > u:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _local_policy(psi: np.ndarray, theta: np.ndarray, i: int, s: int, size: int, row: np.ndarray) -> None:
    """pi_i(.|s) into ``row[:size]``."""
    top, total = -np.inf, 0.0
    for a in range(size):
        logit = 0.0
        for k in range(psi.shape[3]):
            logit += psi[i, s, a, k] * theta[i, k]
        row[a] = logit
        top = max(top, logit)
    for a in range(size):
        row[a] = np.exp(row[a] - top)
        total += row[a]
    inverse = 1.0 / total
    for a in range(size):
        row[a] *= inverse


@compiled
def _split(chain: np.ndarray, work: np.ndarray, nu_cdf: np.ndarray, residual_cdf: np.ndarray) -> float:
    """The best one-step minorisation ``chain = eps 1 nu^T + (1 - eps) R`` as cumulative tables; returns eps."""
    S = chain.shape[0]
    least = work[0]
    for t in range(S):
        least[t] = chain[0, t]
    for s in range(1, S):
        for t in range(S):
            least[t] = min(least[t], chain[s, t])
    for s in range(S):
        for t in range(S):
            residual_cdf[s, t] = chain[s, t] - least[t]
        _accumulate(residual_cdf[s], residual_cdf[s])
    return min(_accumulate(least, nu_cdf), 1.0)


@compiled
def _square(matrix: np.ndarray, work: np.ndarray) -> None:
    """``matrix @ matrix`` in place; `work` is scratch."""
    S = matrix.shape[0]
    for s in range(S):
        for t in range(S):
            work[s, t] = 0.0
        for j in range(S):
            weight = matrix[s, j]
            for t in range(S):
                work[s, t] += weight * matrix[j, t]
    for s in range(S):
        for t in range(S):
            matrix[s, t] = work[s, t]


@compiled
def _move_anchor(dynamics: Dynamics, anchor: Anchor, theta: np.ndarray) -> None:
    """Tabulate the policy and its chain at `theta`, choose m, or fall back on solving for the law."""
    N, S, width, D = dynamics.psi.shape
    A = dynamics.P.shape[1]
    anchor.theta[:] = theta
    _policy_tables(dynamics.psi, theta, dynamics.n_actions, anchor.tables, anchor.joint)
    _chain(anchor.joint, dynamics.P, anchor.chain)
    eps = _split(anchor.chain, anchor.work, anchor.nu_cdf[0], anchor.residual_cdf[0])
    price, steps = N * S * width * (D + ACTION) + S * A * S + 3.0 * S * S, 1
    solving = price + S * S * S / 3.0
    # an anchor costs its price twice, once in debt: did the last one live long enough to beat elimination?
    hasty = anchor.numbers[AGE] > 0.0 and 2.0 * anchor.numbers[PRICE] > solving * anchor.numbers[AGE]
    anchor.numbers[EPS_ONE] = eps
    anchor.power[:] = anchor.chain
    while eps < ENOUGH and steps < LONGEST:
        _square(anchor.power, anchor.work)
        steps *= 2
        eps = _split(anchor.power, anchor.work, anchor.nu_cdf[1], anchor.residual_cdf[1])
        price += S * S * (S + 3.0)
    if steps == 1:
        anchor.nu_cdf[1] = anchor.nu_cdf[0]
        anchor.residual_cdf[1] = anchor.residual_cdf[0]
    anchor.numbers[EPS], anchor.numbers[STEPS] = eps, steps
    anchor.numbers[DEBT], anchor.numbers[PRICE] = 0.0, price
    anchor.numbers[SOLVING] = 0.0 if eps >= ENOUGH and not hasty else PATIENCE
    anchor.numbers[MOVES] += 1.0
    anchor.numbers[AGE] = 0.0
    anchor.gap[:] = 0.0
    anchor.leave[:] = 0.0


@compiled
def _solve(dynamics: Dynamics, anchor: Anchor, theta: np.ndarray) -> None:
    """mu_theta by elimination into `law_cdf`; the anchor moves along, at level 0 only, for d_theta's sake."""
    anchor.theta[:] = theta
    _policy_tables(dynamics.psi, theta, dynamics.n_actions, anchor.tables, anchor.joint)
    _chain(anchor.joint, dynamics.P, anchor.chain)
    _gth(anchor.chain, anchor.work, anchor.law_cdf)
    _accumulate(anchor.law_cdf, anchor.law_cdf)
    anchor.numbers[EPS_ONE] = _split(anchor.chain, anchor.work, anchor.nu_cdf[0], anchor.residual_cdf[0])
    anchor.gap[:] = 0.0
    anchor.leave[:] = 0.0


@compiled
def _approach(dynamics: Dynamics, anchor: Anchor, theta: np.ndarray) -> None:
    """Make the anchor fit to draw at `theta`: the c_i, and the ski rental. Call once whenever theta moved."""
    N, _, width, D = dynamics.psi.shape
    numbers = anchor.numbers
    if numbers[MOVES] == 0.0:
        _move_anchor(dynamics, anchor, theta)
    elif numbers[SOLVING] > 0.0:
        numbers[SOLVING] -= 1.0
        if numbers[SOLVING] == 0.0:
            _move_anchor(dynamics, anchor, theta)
    else:
        total = 0.0
        for i in range(N):
            square = 0.0
            for k in range(D):
                square += (theta[i, k] - anchor.theta[i, k]) ** 2
            anchor.gap[i] = dynamics.reach[i] * np.sqrt(square)
            anchor.leave[i] = -np.expm1(-anchor.gap[i])
            total += anchor.gap[i]
        steps, eps = numbers[STEPS], numbers[EPS]
        kept = np.exp(-steps * total)
        # what a draw costs beyond one at the anchor: (1 - c^m) / p blocks with actions; the look-ups stay the same
        block = steps * (N * (width * (D + ACTION) / 2.0 + LOOKUP) + LOOKUP)
        numbers[DEBT] += (1.0 - kept) * block / (kept * eps)
        numbers[AGE] += 1.0
        if not numbers[DEBT] < numbers[PRICE]:  # also when nothing is left of the anchor
            _move_anchor(dynamics, anchor, theta)
    if numbers[SOLVING] > 0.0:
        _solve(dynamics, anchor, theta)


@compiled
def _leftover_action(
    rng: np.random.Generator, dynamics: Dynamics, anchor: Anchor, theta: np.ndarray, i: int, s: int
) -> int:
    """Draw from ``(pi_i - c_i q_i) / (1 - c_i)`` at s; a leftover lost to rounding gives way to pi_i."""
    size, row = dynamics.n_actions[i], anchor.row
    _local_policy(dynamics.psi, theta, i, s, size, row)
    keep, total = 1.0 - anchor.leave[i], 0.0
    for a in range(size):
        total += max(row[a] - keep * anchor.tables[i, s, a], 0.0)
    if total > 0.0:
        for a in range(size):
            row[a] = max(row[a] - keep * anchor.tables[i, s, a], 0.0)
    else:
        total = 1.0
    target, partial, chosen = rng.random() * total, 0.0, 0
    for a in range(size):
        if row[a] > 0.0:
            partial += row[a]
            chosen = a
            if target < partial:
                break
    return chosen


@compiled
def _astray(
    rng: np.random.Generator, dynamics: Dynamics, anchor: Anchor, theta: np.ndarray, s: int, steps: int
) -> int:
    """`steps` steps from s with the coins conditioned on one agent, at least once, leaving the anchor."""
    N = len(dynamics.n_actions)
    ahead, left = 0.0, False
    for i in range(N):
        ahead += steps * anchor.gap[i]
    for _ in range(steps):
        a = 0
        for i in range(N):
            leave = anchor.leave[i]
            if not left:  # given that a coin from here on falls on the other side
                leave = leave / -np.expm1(-ahead) if ahead > anchor.gap[i] else 1.0
                ahead -= anchor.gap[i]
            if rng.random() < leave:
                chosen = _leftover_action(rng, dynamics, anchor, theta, i, s)
                left = True
            else:
                chosen = _draw_row(rng, anchor.tables, i, s, dynamics.n_actions[i])
            a = a * dynamics.n_actions[i] + chosen
        s = _look_up(rng.random(), dynamics.P_cdf[s, a])
    return s


@compiled
def _regenerate(
    rng: np.random.Generator, dynamics: Dynamics, anchor: Anchor, theta: np.ndarray, level: int, restart: float
) -> int:
    """A draw from the stationary law of the m-step chain that restarts with probability `restart` per block."""
    steps = int(anchor.numbers[STEPS]) if level == 1 else 1
    eps = anchor.numbers[EPS] if level == 1 else anchor.numbers[EPS_ONE]
    total = 0.0
    for i in range(len(anchor.gap)):
        total += anchor.gap[i]
    forgotten = (1.0 - restart) * np.exp(-steps * total) * eps
    stop = restart + forgotten
    astray = stop + (1.0 - restart) * -np.expm1(-steps * total)
    if restart > 0.0 and rng.random() * stop < restart:
        s = _look_up(rng.random(), dynamics.initial_cdf)
    else:
        s = _look_up(rng.random(), anchor.nu_cdf[level])
    while True:
        u = rng.random()
        if u < stop:
            return s
        if u < astray:
            s = _astray(rng, dynamics, anchor, theta, s, steps)
        else:
            s = _look_up(rng.random(), anchor.residual_cdf[level, s])


@compiled
def _draw_stationary(rng: np.random.Generator, dynamics: Dynamics, anchor: Anchor, theta: np.ndarray) -> int:
    """A state from mu_theta; `_approach` first."""
    if anchor.numbers[SOLVING] > 0.0:
        return _look_up(rng.random(), anchor.law_cdf)
    return _regenerate(rng, dynamics, anchor, theta, 1, 0.0)


@compiled
def _draw_visitation(rng: np.random.Generator, dynamics: Dynamics, anchor: Anchor, theta: np.ndarray) -> int:
    """A state from d_theta; `_approach` first. At most 1/(1 - gamma) steps in the mean."""
    return _regenerate(rng, dynamics, anchor, theta, 0, 1.0 - dynamics.gamma)
