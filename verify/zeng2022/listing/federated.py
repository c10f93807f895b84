"""zeng2022 abstract and Sec. 1: the federated setting, agents that occasionally talk to a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import numpy as np
from scipy.stats import t as student

from algorithms.cac import cac
from mdp.exact import exact
from mdp.instances import INSTANCES
from mdp.networks.families import federated_sampling
from mdp.networks.schedule import Schedule
from rates.moments import critic_slopes, linear_moments
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.experiments.cac import METRIC_EVERY, STEPS
from verify.zeng2022.setting.connectivity import GraphSequence
from verify.zeng2022.setting.weights import Edges, Matrix, Round

EVERY = 5
"""Iterations per server round in the runs. Source: zeng2022 Sec. 5."""

HORIZONS = (1_000, 30_000)
"""Horizons of the runs; ours."""

SLOPE_TOLERANCE = 1e-3
"""How far an exact slope between T = 10^14 and 10^15 may be from its limit; ours, as in `propositions`."""


@statement("zeng2022", "federated", uses=("algorithm-1", "assumption-1", "assumption-2", "theorem-3-critic"))
def federated() -> tuple[Variant, ...]:
    r"""CAC can be used in a federated setting, where agents occasionally communicate with a server.

    .. math:: W_t = \tfrac1N 1 1^T \ \text{if}\ t \equiv B - 1 \ (\mathrm{mod}\ B), \qquad W_t = I \ \text{otherwise}

    True as a case of Assumptions 1 and 2. A server that averages all agents every B steps is the complete graph with
    weights 1/N, so c = 1/N and the least window is B; between its rounds W = I, which Assumption 2 allows if
    its last sentence is about pairs i != j (`assumption-2`). Partial participation is covered too: the server averages
    m of the N agents, c = 1/m, and the window is as long as it takes to connect everyone. The critic's error
    then decays as in the decentralised case: on ring3 with a server every five steps, frozen policy, the exact slope is
    that of the ring, disagreement at rest is of order beta^2, and with a moving policy the runs agree with
    T^(-2/5).

    "Occasionally" must mean at bounded intervals: a server that calls at the times 1, 2, 4, 8, ... leaves, for every B,
    some block of B rounds without a call.

    Hypotheses: every agent calls again within a bounded time; the server forms an unweighted mean (a weighted one is
    not doubly stochastic).

    Consequence: Theorem 3 covers the federated setting with constants that depend on the window, and by the same token
    it does not cover training with ever rarer rounds.
    """
    return (
        printed(
            lambda c: (*_assumptions(list(server_rounds())), _exact_slope(-0.3), _disagreement(2), _runs(c, 0.4)),
            "a server every B steps, all agents or some of them",
        ),
        reading(lambda c: _rarer_rounds(), "rounds at ever longer intervals meet Assumption 1", "ever rarer rounds"),
        control(lambda c: _assumptions([_forgotten_agent()]), "a server that never hears of one agent",
                "forgotten agent"),
        control(lambda c: _assumptions([_weighted_server()]), "a server that weights agents 1/2, 1/4, 1/4",
                "weighted mean"),
        control(lambda c: _disagreement(1), "disagreement of order beta", "disagreement, beta"),
        control(lambda c: _runs(c, 0.8), "decay like T^(-4/5)", "exponent 4/5"),
    )  # fmt: skip


def server_rounds() -> Iterator[tuple[Round, ...]]:
    """Periods of federated schedules in exact arithmetic: full participation, then partial."""
    for N in range(2, 7):
        for every in (1, 2, 5):
            yield _exact(Schedule.federated(N, every))
    for N, participants in ((4, 2), (5, 3), (6, 4)):
        yield _exact(federated_sampling(N, every=3, participants=participants, server_rounds=6, seed=7))


def _exact(schedule: Schedule) -> tuple[Round, ...]:
    """The rounds with entries 1/m as fractions."""
    return tuple(
        _round([[Fraction(float(x)).limit_denominator(64) for x in row] for row in W]) for W in schedule.matrices
    )


def _round(W: Matrix) -> Round:
    return Round(W, frozenset((i, j) for i, j in combinations(range(len(W)), 2) if W[i][j]))


def _assumptions(periods: list[tuple[Round, ...]]) -> tuple[Evidence, Evidence]:
    bad = [(r, v) for period in periods for r in period if (v := r.violations("exempt"))]
    lost = [p for p in periods if GraphSequence(len(p[0].W), (), tuple(r.edges for r in p)).least_window() is None]
    weights = exact_evidence(
        "rounds that violate Assumption 2", len(bad), 0, Relation.EQUAL, instances=sum(map(len, periods)),
        witness=Witness("; ".join(bad[0][1]), {"W": bad[0][0].W}) if bad else None,
    )
    windows = exact_evidence(
        "schedules without a window B (Assumption 1)", len(lost), 0, Relation.EQUAL, instances=len(periods),
        witness=Witness("no window connects all", {f"W_{k}": r.W for k, r in enumerate(lost[0])}) if lost else None,
    )
    return weights, windows


def _forgotten_agent() -> tuple[Round, ...]:
    third = Fraction(1, 3)
    W = [[third if max(i, j) < 3 else Fraction(int(i == j)) for j in range(4)] for i in range(4)]
    return (_round(W),)


def _weighted_server() -> tuple[Round, ...]:
    row = [Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)]
    return (_round([row] * 3),)


def _rarer_rounds() -> Evidence:
    """Rounds at 1, 2, 4, ...: B serves if every block [l B, (l + 1) B), l >= 1, has one, looked at up to time 4096."""
    calls, serving = {2**k for k in range(13)}, []
    edge: Edges = frozenset({(0, 1)})
    rounds = tuple(edge if t in calls else frozenset() for t in range(4096))
    for B in range(1, 65):
        g = GraphSequence(2, rounds, (frozenset(),))
        if all(g.joined(block * B, B) for block in range(1, 2048 // B)):
            serving.append(B)
    return exact_evidence(
        "windows B up to 64 that have a server round in every block before time 2048", len(serving), 1,
        Relation.AT_LEAST, instances=64,
        witness=Witness(
            "two agents, server rounds at powers of two; none in [1025, 2047], which holds a whole block of every B up "
            "to 64 (and [2^k + 1, 2^(k+1) - 1] one of every B up to 2^(k-1))",
            {"server rounds": sorted(calls)},
        ),
    )


def _exact_slope(claimed: float) -> Evidence:
    problem = replace(INSTANCES["ring3"](), schedule=Schedule.federated(3, EVERY))
    theta = np.zeros((3, problem.policy.n_parameters))
    fixed = np.tile(exact(problem, theta).omega_td, (3, 1))
    slope = float(critic_slopes(problem, theta, sigmas=(0.3,), horizons=(10**14, 10**15), omega_0=fixed).slopes[0, -1])
    return exact_evidence(
        f"distance of the exact slope from {claimed:g}, ring3 with a server, frozen policy, sigma_2 = 0.3",
        abs(slope - claimed), SLOPE_TOLERANCE, Relation.AT_MOST, rigor=Rigor.FLOAT, instances=1, corroborates=True,
    )


def _disagreement(order: int) -> Evidence:
    problem = INSTANCES["ring3"]()
    theta, server = np.zeros((3, problem.policy.n_parameters)), Schedule.federated(3, EVERY)
    large, small = (
        float(linear_moments(problem, theta, beta=b, schedule=server).limit.disagreement) for b in (1e-3, 1e-4)
    )
    return exact_evidence(
        f"distance from {order} of the order in beta of the disagreement at rest, ring3 with a server",
        abs(float(np.log10(large / small)) - order), SLOPE_TOLERANCE, Relation.AT_MOST, rigor=Rigor.FLOAT, instances=1,
        corroborates=True,
    )


def _runs(context: Context, claimed: float) -> Evidence:
    """Slope of the critic error between two horizons, runs of ring3 with a server, Student interval over seeds."""
    problem = replace(INSTANCES["ring3"](), schedule=Schedule.federated(3, EVERY))
    n_seeds = context.profile.n_seeds

    def errors(horizon: int, key: int) -> np.ndarray:
        seeds = np.random.SeedSequence(context.seed, spawn_key=(68, key)).spawn(n_seeds)
        traces = [
            cac(problem, horizon, s, steps=STEPS, sampling="double", metric_every=METRIC_EVERY).isel(checkpoint=-1)
            for s in seeds
        ]
        return np.log([float(t["critic_error_td"] + t["reward_error"]) for t in traces])

    slopes = (errors(HORIZONS[1], 1) - errors(HORIZONS[0], 0)) / np.log(HORIZONS[1] / HORIZONS[0])
    mean = float(slopes.mean())
    half = float(student.ppf(0.975, n_seeds - 1) * slopes.std(ddof=1) / np.sqrt(n_seeds))
    return Evidence(
        f"slope of the critic error from T = {HORIZONS[0]:,} to {HORIZONS[1]:,}, ring3, server every {EVERY} steps",
        mean, mean - half, mean + half, -claimed, Relation.NOT_SLOWER, Rigor.STATISTICAL, instances=2 * n_seeds,
    )  # fmt: skip
