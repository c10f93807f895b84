"""zhang2025 Assumption 5.2: positive and differentiable policies, an irreducible and aperiodic chain."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import numpy as np
from flint import arb, fmpq

from mdp.chain import PeriodicChainError, ReducibleChainError, require_aperiodic, require_irreducible
from mdp.linear import rational_array
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Verdict, Witness, exact_evidence
from verify.zhang2025.setting.relu import ReluNetwork, random_matrix, random_network, relu, unit_vectors


@statement("zhang2025", "assumption-5.2", uses=("eq-5", "restart-kernel"))
def assumption_5_2() -> tuple[Variant, ...]:
    r"""Policies are nonnegative and differentiable, and the chain is irreducible and aperiodic.

    .. math:: \pi_{\theta^i}^i(a^i|s) \ge 0, \qquad \nabla_{\theta^i} \pi_{\theta^i}^i(a^i|s) \ \mathrm{exists},
        \qquad \{s_t\} \ \mathrm{irreducible,\ aperiodic}

    Hypotheses: the policy class of Sec. 3.2, Eq. (5) with a softmax.

    *Support.* A softmax of finite outputs is positive, which is more than is asked and what ``log pi`` needs; the
    printed ``>= 0`` would leave scores undefined where pi is 0.

    *Differentiable: unsatisfiable.* Take W_D = 0 and the lower layers so that x_{D-1} = z is not 0. All outputs are
    0, the policy is uniform, and along V the output of action a has the one-sided derivative
    ``b_a . ReLU(V z)/sqrt(m)``. The derivatives along V and -V add up to ``b_a . |V z|/sqrt(m)``, and those of pi_a
    to ``(b_a - mean b) . |V z| / (A sqrt(m))``. A derivative would make that zero for every V, which takes equal
    rows of b: probability zero. The exceptional set of theta has measure zero, so the assumption can be asked almost
    everywhere; but J is then not smooth (assumption-5.8-J). A linear network passes the same check.

    *Chain.* It is a condition on the problem. A positive policy leaves the support of the uniform one, so it holds at
    every theta or at none. Under the *restart* kernel aperiodicity comes for free and irreducibility means that every
    state can be reached from s_0; without it there still is exactly one stationary law, as every state leads to s_0.

    Consequence: uniqueness of nu, the use made of it, survives in every reading. Differentiability for *every* theta
    fails for the networks of the paper; theorems about them have to say "almost every" and then need another argument
    for the descent lemma.
    """
    return (
        printed(_positive, "every action has a positive probability (Eq. (5) with a softmax)", "support", "support"),
        printed(lambda c: _differentiable(c, rectified=True), "differentiable at every theta (Eq. (5) with a softmax)",
                "differentiable", "differentiable"),
        printed(_chains, "irreducible and aperiodic at every theta, on problems whose uniform chain is", "chain",
                "chain"),
        reading(_generic_theta, "differentiable at almost every theta: slopes exist off the kinks", "almost all"),
        reading(_unreachable, "the restart chain is irreducible whatever the problem", "restart, any problem"),
        repaired(_restart_structure, "the restart chain has one closed class; it is aperiodic and contains s_0",
                 "restart"),
        control(lambda c: _differentiable(c, rectified=False), "a linear network is not differentiable", "linear"),
    )  # fmt: skip


def _positive(context: Context) -> Evidence:
    """Probabilities whose certified lower bound ``exp(-range)/A`` is not positive."""
    rng, bad, count = context.rng(2025, 53), 0, context.profile.n_rational
    for k in range(count):
        net = random_network(rng, depth=1 + k % 3, width=2, inputs=2, outputs=3)
        output = net.output(unit_vectors(rng, 1, 2)[0])
        spread = max(output) - min(output)
        bad += not ((-arb(spread)).exp() / 3 > 0)
    return exact_evidence(
        "probabilities without a positive certified lower bound", bad, 0, Relation.EQUAL, rigor=Rigor.INTERVAL,
        instances=count,
    )


def one_sided_sum(net: ReluNetwork, x: np.ndarray, V: np.ndarray, *, rectified: bool = True) -> np.ndarray:
    """``m^(D/2) A`` times the derivatives of pi(.|x) along V and along -V at W_D = 0, added up; zero if pi has one.

    Args:
        net: any last layer; it is replaced by zero.
        x: input, (d,).
        V: direction in W_D, (m, m).
        rectified: whether the last layer has its ReLU.
    """
    z = net.layers(x)[-2]
    slopes = [net.b @ (relu(v @ z) if rectified else v @ z) for v in (V, -V)]
    total = slopes[0] + slopes[1]
    added: np.ndarray = total - total.sum() / len(total)
    return added


def _live_lower_layers(rng: np.random.Generator, depth: int) -> tuple[ReluNetwork, np.ndarray]:
    """A random network whose layers below the last are positive at a random input."""
    net = random_network(rng, depth=depth, width=2, inputs=2, outputs=2)
    x = unit_vectors(rng, 1, 2)[0]
    first = (net.H @ x)[None, :] * abs(random_matrix(rng, (2, 1)))
    layers = [first, *(abs(W) for W in net.W[1:])][: depth - 1]
    return ReluNetwork(net.H, (*layers, net.W[-1]), net.b), x


def _differentiable(context: Context, *, rectified: bool) -> Evidence:
    """Draws of H and b for which pi has a derivative at the theta of the docstring."""
    rng, smooth, count = context.rng(2025, 54), 0, context.profile.n_rational
    for k in range(count):
        net, x = _live_lower_layers(rng, 1 + k % 3)
        unit = int(np.argmax(net.b[0] != net.b[1]))
        if not net.layers(x)[-2].any() or net.b[0, unit] == net.b[1, unit]:
            continue  # equal rows of b: an event of probability zero under the paper's law
        V = rational_array(np.zeros((2, 2), dtype=int))
        V[unit] = net.layers(x)[-2]
        smooth += not one_sided_sum(net, x, V, rectified=rectified).any()
    one = rational_array([[1]])
    return exact_evidence(
        "draws of H, b, x for which pi is differentiable at W_D = 0", smooth, 0, Relation.EQUAL, instances=count,
        establishes=Verdict.UNSATISFIABLE,
        witness=Witness("D = m = d = 1, H = x = 1, b = (1, 0): pi_0 = 1/(1 + exp(-ReLU(w))), slopes 1/4 and 0 at 0",
                        {"slope to the right": one[0, 0] / 4, "slope to the left": one[0, 0] * 0}),
    )  # fmt: skip


def _generic_theta(context: Context) -> Evidence:
    """Exact slopes against difference quotients, which are exact for a piecewise multilinear function."""
    rng, worst, count = context.rng(2025, 55), fmpq(0), 0
    for k in range(context.profile.n_rational):
        net = random_network(rng, depth=1 + k % 3, width=2, inputs=2)
        x, h = unit_vectors(rng, 1, 2)[0], k % (1 + k % 3)
        if _at_kink(net, x):
            continue  # small rationals meet the null set now and then
        count += 1
        step = random_matrix(rng, (2, 2)) / 10**9  # no unit changes sign on the way
        layers = tuple(W + step if j == h else W for j, W in enumerate(net.W))
        quotient = ReluNetwork(net.H, layers, net.b).output(x)[0] - net.output(x)[0]
        worst = max(worst, abs(quotient - (net.slopes(x)[h][0] * step).sum()))
    return exact_evidence("slope times step minus difference", worst, 0, Relation.EQUAL, instances=count)


def _at_kink(net: ReluNetwork, x: np.ndarray) -> bool:
    """Whether some unit with a nonzero input is exactly at zero."""
    layers = net.layers(x)
    return any(low.any() and bool(((W @ low) == 0).any()) for W, low in zip(net.W, layers, strict=False))


def _kernels(context: Context) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Random sparse supports of chains (S, S) under a positive policy, and their restart versions."""
    rng = context.rng(2025, 56)
    for _ in range(4 * context.profile.n_rational):
        S = int(rng.integers(2, 6))
        support = rng.random((S, S)) < rng.uniform(0.15, 0.7)
        support[np.arange(S), rng.integers(S, size=S)] = True
        chain = support / support.sum(axis=1, keepdims=True)
        yield chain, 0.5 * chain + 0.5 * np.eye(S)[0]


def _mixes(chain: np.ndarray) -> bool:
    try:
        require_irreducible(chain)
        require_aperiodic(chain)
    except (ReducibleChainError, PeriodicChainError):
        return False
    return True


def _chains(context: Context) -> Evidence:
    """Random positive policies on kernels: the chain mixes exactly if that of the uniform policy does."""
    rng, differ, met, count = context.rng(2025, 57), 0, 0, 4 * context.profile.n_rational
    for _ in range(count):
        S, A = int(rng.integers(2, 5)), 2
        P = rng.random((S, A, S)) * (rng.random((S, A, S)) < 0.4)
        P[np.arange(S)[:, None], np.arange(A), rng.integers(S, size=(S, A))] += 1
        P /= P.sum(axis=2, keepdims=True)
        pi = rng.dirichlet(np.ones(A), size=S)
        uniform = _mixes(P.mean(axis=1))
        differ += uniform != _mixes(np.einsum("sa,sat->st", pi, P))
        met += uniform
    return exact_evidence(
        "problems where some positive policy and the uniform one disagree", differ, 0, Relation.EQUAL, instances=count,
        note=f"{met} of {count} random problems meet the assumption, at every theta",
    )


def _unreachable(context: Context) -> Evidence:
    P = rational_array([[1, 0], [0, 1]])
    chain = (P + rational_array([[1, 0], [1, 0]])) / 2
    return exact_evidence(
        "states of a two-state problem that the restart chain never reaches from s_0", int((chain[0] == 0).sum()), 0,
        Relation.EQUAL, instances=1,
        witness=Witness("both states absorbing, s_0 = 0, gamma = 1/2: row 0 never leaves", {"restart chain": chain}),
    )


def _restart_structure(context: Context) -> Evidence:
    bad = count = 0
    for chain, restart in _kernels(context):
        graph = nx.from_numpy_array(restart, create_using=nx.DiGraph)
        closed = [c for c in nx.strongly_connected_components(graph) if not any(
            t not in c for s in c for t in graph.successors(s))]
        reached = {0, *nx.descendants(nx.from_numpy_array(chain, create_using=nx.DiGraph), 0)}
        bad += len(closed) != 1 or closed[0] != reached or not _mixes(restart[np.ix_(sorted(reached), sorted(reached))])
        count += 1
    return exact_evidence(
        "restart chains without exactly one closed class, aperiodic and reached from s_0", bad, 0, Relation.EQUAL,
        instances=count,
    )  # fmt: skip
