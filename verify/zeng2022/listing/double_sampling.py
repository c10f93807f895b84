"""zeng2022 Algorithm 2: what double sampling does on average, as listed and as the text has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice, product

import numpy as np
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import rational_array
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, exact_evidence
from verify.identities import problem_witness, rational_points
from verify.networks import random_doubly_stochastic
from verify.zeng2022.listing.listing import Draw, Sample, Start, final, run
from verify.zeng2022.listing.listing_runs import STEPS, against_kernel, exact_setting


@statement("zeng2022", "algorithm-2", uses=("algorithm-1", "unbiased-actor"))
def algorithm_2() -> tuple[Variant, ...]:
    r"""Double sampling: one tuple from mu for the critics, another from d for the actors; text and listing agree.

    .. math:: s_t \sim \mu_{\theta_t}, \ a_t \sim \pi(\cdot|s_t), \ s_{t+1} \sim P(\cdot|s_t,a_t); \qquad
        \tilde s_t \sim d_{\theta_t}, \ \tilde a_t \sim \pi(\cdot|\tilde s_t), \
        \tilde s_{t+1} \sim P(\cdot|\tilde s_t, \tilde a_t)

    *The listing* does what it is for: with the first tuple in the critics' updates and the second in the actors' (which
    only the text says), the mean of one iteration moves the critics by ``beta (b_i + A omega_i)`` under mu and the
    actors by ``alpha E_d[delta_hat score]``. All pairs of tuples are enumerated and the listing is executed on each,
    exactly.

    *The text* has a slip: it draws the second action from ``pi(. | s_t)``, a missing tilde. Taken literally the actor's
    action comes from the critic's state, its score no longer has mean zero, and the mean step is another one: refuted
    on the smallest problems. The statement that text and listing agree falls with it.

    Repaired: the text with the tilde, which is the listing. Second opinion: the compiled `algorithms.cac` with double
    sampling gives the listing's numbers from the same draws.

    Hypotheses: mu and d can be sampled; the projections are not active (for the mean).

    Consequence: Corollary 1 rests on the listing, whose actor has no sampling bias.
    """
    return (
        printed(
            lambda c: (_mean_iteration(c, _listed), against_kernel(c, double=True)),
            "the listing: critics move by the mean TD update under mu, actors by the mean direction under d",
            "listing", part="listing",
        ),
        printed(
            lambda c: _mean_iteration(c, _as_in_the_text),
            "the text: the actor's action is drawn at the critic's state",
            "text", part="text",
            recheck=lambda c: _mean_iteration(c, _as_in_the_text, per_size=1),
        ),
        repaired(lambda c: _mean_iteration(c, _listed), "the text with the missing tilde: the listing"),
        control(lambda c: _mean_iteration(c, _exchanged), "the two tuples exchanged", "exchanged"),
        control(lambda c: _mean_iteration(c, _one_tuple), "one tuple for both, as in Algorithm 1", "one tuple"),
    )


Weigh = Callable[[RationalPoint, tuple[int, int, int], tuple[int, int, int]], fmpq]
"""Probability of a critic's tuple and an actor's tuple (s, a, s')."""


def _chance(point: RationalPoint, law: np.ndarray, x: tuple[int, int, int]) -> fmpq:
    s, a, t = x
    return law[s] * point.exact().pi[s, a] * point.P[s, a, t]


def _listed(point: RationalPoint, x: tuple[int, int, int], y: tuple[int, int, int]) -> fmpq:
    view = point.exact()
    return _chance(point, view.stationary, x) * _chance(point, view.visitation, y)


def _exchanged(point: RationalPoint, x: tuple[int, int, int], y: tuple[int, int, int]) -> fmpq:
    return _listed(point, y, x)


def _one_tuple(point: RationalPoint, x: tuple[int, int, int], y: tuple[int, int, int]) -> fmpq:
    return _chance(point, point.exact().stationary, x) if x == y else fmpq(0)


def _as_in_the_text(point: RationalPoint, x: tuple[int, int, int], y: tuple[int, int, int]) -> fmpq:
    view = point.exact()
    (s, _, _), (s_tilde, a_tilde, t_tilde) = x, y
    second = view.visitation[s_tilde] * view.pi[s, a_tilde] * point.P[s_tilde, a_tilde, t_tilde]
    return _chance(point, view.stationary, x) * second


def _mean_iteration(context: Context, weigh: Weigh, per_size: int = 0) -> Evidence:
    """Mean of one executed iteration over all pairs of tuples, against the closed forms of the mean updates."""
    worst, witness, count = fmpq(0), None, 0
    sizes = ((1, (2,)), (2, (2,)), (2, (2, 2)))
    everything = list(rational_points(context))
    per_size = per_size or context.profile.n_rational // 12
    for S, n_actions in sizes:
        chosen = (p for p in everything if (p.P.shape[0], p.n_actions) == (S, n_actions))
        for point in islice(chosen, per_size if S * len(n_actions) < 4 else 1):
            gap = _mean_gap(point, weigh, context.rng(2262, count))
            count += 1
            if gap != 0 and witness is None:
                witness = problem_witness(point, f"the mean of one iteration is off by {gap}")
            worst = max(worst, gap)
    return exact_evidence(
        "mean of one iteration minus the mean updates under mu (critics) and d (actors)", worst, 0, Relation.EQUAL,
        instances=count, witness=witness,
    )


def _mean_gap(point: RationalPoint, weigh: Weigh, rng: np.random.Generator) -> fmpq:
    view = point.exact()
    N, D = len(view.r), view.scores[0].shape[2]
    widths = (D, view.phi_state.shape[1], view.phi_joint.shape[2])
    theta, omega, lam = (rational_array(rng.integers(-2, 3, size=(N, width))) for width in widths)
    start: Start = (theta, omega, lam)
    W = random_doubly_stochastic(rng, N, 2)
    tuples = list(np.ndindex(*view.P.shape))
    split = {a: tuple(int(k) for k in np.unravel_index(a, point.n_actions)) for a in range(view.P.shape[1])}
    mean = [x * 0 for x in start]
    for x, y in product(tuples, tuples):
        weight = weigh(point, x, y)
        if weight == 0:
            continue
        first, second = (Sample(s, split[a], t) for s, a, t in (x, y))
        setting = replace(
            exact_setting(point, [W], _always(first)), draw_actor=_always(second),
            score=lambda i, s, a, _theta: view.scores[i][s, a], project_omega=lambda z: z, project_lambda=lambda z: z,
        )
        mean = [m + weight * z for m, z in zip(mean, final(run(setting, start, 1), N, 1), strict=True)]
    expected = _closed_forms(view, W, start)
    return max(abs(x) for m, e in zip(mean, expected, strict=True) for x in (m - e).ravel())


def _always(sample: Sample) -> Draw:
    return lambda t, theta: sample


def _closed_forms(view: Exact, W: np.ndarray, start: Start) -> Start:
    """Mean of one iteration: the direction under d for theta, the mean updates under mu for omega and lambda."""
    theta, omega, lam = start
    alpha, beta, zeta = STEPS
    A, _ = view.td_system()
    pairs = (view.stationary[:, None] * view.pi).ravel()
    design = view.phi_joint.reshape(len(pairs), -1)
    moves: tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]] = ([], [], [])
    for i, local in enumerate(view.r):
        values = view.phi_state @ omega[i]
        model = view.phi_joint @ lam[i] + view.gamma * (view.P @ values) - values[:, None]
        moves[0].append(view.score_expectation(view.visitation, model)[i])
        b = view.phi_state.T @ (view.stationary * (view.pi * local).sum(axis=1))
        moves[1].append(b + A @ omega[i])
        moves[2].append(design.T @ (pairs * (local.ravel() - design @ lam[i])))
    mixed = np.concatenate([W @ theta[:, :1], theta[:, 1:]], axis=1)
    return (
        mixed + alpha * np.stack(moves[0]), W @ omega + beta * np.stack(moves[1]), W @ lam + zeta * np.stack(moves[2])
    )
