"""zeng2022 Sec. 3.1: the partially personalised problem (5) and its bi-level approximation (8)."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
from flint import fmpq, fmpq_mat

from mdp.exact import Exact
from mdp.families import random_rational_point
from mdp.linear import identity_like, rational_array, solve
from mdp.policy import joint_probabilities
from mdp.rational import RationalPoint
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.identities import exact_identity, rational_points
from verify.zeng2022.setting.small_problems import first_violation, two_teammates

LARGEST_GRAPH = 6
"""All graphs up to this many agents are tried; ours, the atlas has them up to 7."""


@statement("zeng2022", "eq-5", uses=("eq-3", "assumption-1"))
def eq_5() -> tuple[Variant, ...]:
    r"""The partially personalised problem: maximise J with shared parameters that agree across neighbours.

    .. math:: \max_\theta J(\theta) := \mathbb{E}_{s \sim \eta}[V_{\pi_\theta}(s)]
        \quad \text{s.t.} \quad \theta^s_i = \theta^s_j \ \text{if } (i,j) \text{ are neighbors}

    A definition; what is checked is that it says what the rest of the paper uses. *Constraint*: on a connected graph
    equality across edges is equality of all agents, because equality travels along paths; the feasible set has one
    common shared vector (dimension 1 per component), and for every graph as many as it has connected components. All
    graphs with up to six agents are tried, exactly. *Objective*: along the feasible set the derivative in the common
    shared parameter is ``sum_i grad_{theta^s_i} J = N`` times the average gradient of Proposition 2, so its
    stationarity measure (disagreement, N times the squared average gradient, personal gradients) vanishes exactly at
    the feasible stationary points of (5), and is the squared gradient of (5) in an orthonormal basis of the feasible
    set, ``u = (1, ..., 1) / sqrt(N)``. The derivative is computed by one linear solve in the common parameter, and by
    the policy-gradient theorem agent by agent.

    The graph varies with time in this paper. "Neighbours" has to mean neighbours at some time (the union over a window,
    which Assumption 1 makes connected): with the edges of a single step the constraint can be weaker (see the reading:
    three agents whose two links alternate). And "max" is a supremum: with a softmax it is in general not attained
    (one state, two actions, rewards 1 and 0: J = pi(0) / (1 - gamma) stays below its supremum).

    Hypotheses: the graph of all links ever used is connected (Assumption 1).

    Consequence: Proposition 2 and Theorem 3 measure stationarity of this problem, in the right norm.
    """
    return (
        printed(
            lambda c: _wrong_dimensions(connected=True),
            "on a connected graph the constraint is that all shared parameters are equal",
            "constraint", part="constraint",
        ),
        printed(
            lambda c: exact_identity(
                c, "derivative in the common shared parameter minus N times the average gradient", _shared_derivative
            ),
            "the feasible derivative is N times the average gradient of Proposition 2",
            "objective", part="objective",
        ),
        reading(lambda c: _single_step(), "neighbours in the graph of a single step", "neighbours at one time"),
        control(
            lambda c: _wrong_dimensions(connected=False), "the same without a connected graph", "disconnected"
        ),
        control(
            lambda c: exact_identity(
                c, "derivative in the common shared parameter minus agent 0's part",
                lambda p: _shared_derivative(p, first_only=True), smallest=2,
            ),
            "the feasible derivative is a single agent's shared gradient",
            "one agent",
        ),
    )


def _feasible_dimension(graph: nx.Graph) -> int:
    """Dimension of ``{x : x_i = x_j on edges}`` by exact elimination on the incidence matrix."""
    N, edges = graph.number_of_nodes(), list(graph.edges)
    if not edges:
        return N
    rows = [[int(k == i) - int(k == j) for k in range(N)] for i, j in edges]
    return N - int(fmpq_mat(len(rows), N, [fmpq(x) for row in rows for x in row]).rank())


def _wrong_dimensions(connected: bool) -> Evidence:
    graphs = [g for g in nx.graph_atlas_g() if 1 <= g.number_of_nodes() <= LARGEST_GRAPH]
    chosen = [g for g in graphs if connected is False or nx.is_connected(g)]
    wrong = [g for g in chosen if _feasible_dimension(g) != 1]
    witness = None
    if wrong:
        first = wrong[0]
        witness = Witness(
            f"{first.number_of_nodes()} agents: the feasible set has dimension {_feasible_dimension(first)}",
            {"agents": first.number_of_nodes(), "edges": [list(e) for e in first.edges]},
        )
    return exact_evidence(
        "graphs on which equality across neighbours leaves more than one common vector", len(wrong), 0,
        Relation.EQUAL, instances=len(chosen), witness=witness,
    )


def _single_step() -> Evidence:
    steps = [nx.Graph([(0, 1)]), nx.Graph([(1, 2)])]
    for graph in steps:
        graph.add_nodes_from(range(3))
    worst = max(_feasible_dimension(g) for g in steps)
    union = _feasible_dimension(nx.compose(*steps))
    return exact_evidence(
        "dimension of the feasible set under one step's graph, against that under the union", worst, union,
        Relation.EQUAL, instances=1,
        witness=Witness(
            "three agents, links 0-1 and 1-2 in turn: each step alone leaves one agent free",
            {"E(0)": [[0, 1]], "E(1)": [[1, 2]], "dimension of one step": worst, "dimension of the union": union},
        ),
    )


def _shared_derivative(point: RationalPoint, first_only: bool = False) -> np.ndarray:
    """Column 0 is the shared feature. Forward differentiation in the common parameter against the average gradient."""
    view = point.exact()
    d_pi = view.pi * 0
    for i, score in enumerate(view.scores):
        moved = list(view.tables)
        moved[i] = view.tables[i] * score[:, :, 0]
        d_pi = d_pi + joint_probabilities(moved)
    right = (d_pi * view.r_bar).sum(axis=1) + view.gamma * (np.einsum("sa,sat->st", d_pi, view.P) @ view.V)
    system = identity_like(view.P_pi, len(right)) - view.gamma * view.P_pi
    derivative = (view.initial * solve(system, right)).sum()
    shared = view.grad_J[:, 0]
    expected = shared[0] if first_only else len(shared) * (shared.sum() / len(shared))
    return np.array([derivative - expected], dtype=object)


# --- Eq. (8) ----------------------------------------------------------------------------------------------


@statement("zeng2022", "eq-8bd", uses=("eq-6", "eq-7", "eq-5"))
def eq_8bd() -> tuple[Variant, ...]:
    r"""The lower level: local minimisers over stacked omega and lambda, with consensus constraints.

    .. math:: \omega^*(\theta) \in \arg\min_{\omega} \sum_{i=1}^N \mathbb{E}\big[(r_i + \gamma \hat V(s';\omega_i)
        - \hat V(s;\omega_i))^2\big], \qquad
        \omega^*_i(\theta) = \omega^*_j(\theta) \ \text{if } (i,j) \text{ are neighbors}

    Two readings disagree. *As displayed*, the argmin runs over the stacked vector without a coupling, so it splits into
    one problem per agent, and (8d) then asks the agents' own minimisers to be equal, which they are not unless their
    rewards have the same projection. With two agents who earn 1 and 0 in a single state no theta is feasible at all:
    lambda_1 = 1, lambda_2 = 0 whatever the policy. Where the local minimisers happen to agree for special theta, (8d)
    would restrict the *policy*, which nobody intends.

    *With (8d) inside the argmin*, as Sec. 3.2 reads it ("to minimise the local objectives ... under consensus
    constraints (8d)"), the minimiser is that of the team, Eqs. (6)-(7), in every copy: true, by the identity of Eq. (6)
    on the consensus set. Checked by the optimality conditions with multipliers on the edges of a random tree, against
    the minimisers of (6a) and (7a). This is also the repaired form, and it is sharp: on a graph that is not connected
    it fails (control).

    Hypotheses: features of full column rank on the support of the stationary law; a connected graph.

    Consequence: none for the theorems, which use the team's omega* and lambda*; but (8) as displayed is not the problem
    that the algorithm solves.
    """
    return (
        printed(
            lambda c: first_violation(
                "spread of the agents' own minimisers, which (8d) sets to zero",
                [two_teammates(), *rational_points(c, smallest=2)], _local_spread,
                "one state, rewards 1 and 0, constant features: infeasible for every theta",
            ),
            "minimise first, without coupling; then (8d) has to hold",
            "as displayed",
        ),
        printed(
            lambda c: _coupled(c, linked=True),
            "the minimiser over the copies that agree across neighbours is that of Eqs. (6)-(7)",
            "consensus in the argmin",
        ),
        reading(
            lambda c: exact_identity(
                c, "spread of the agents' own minimisers, common reward",
                lambda p: _local_spread(replace(p, r=np.stack([p.r[0]] * len(p.r)))), smallest=2,
            ),
            "as displayed, when all agents earn the same reward",
            "as displayed, common reward",
        ),
        repaired(
            lambda c: _coupled(c, linked=True),
            "omega*(theta) and lambda*(theta) minimise (8b), (8c) subject to (8d), on a connected graph",
        ),
        control(lambda c: _coupled(c, linked=False), "the same without any link", "no links"),
    )


def _local_systems(view: Exact) -> tuple[tuple[np.ndarray, list[np.ndarray]], tuple[np.ndarray, list[np.ndarray]]]:
    """Gram matrix and each agent's right-hand side: of (8b), summed over samples, and of (8c)."""
    K, L = view.phi_state.shape[1], view.phi_joint.shape[2]
    critic, reward = rational_array(np.zeros((K, K), int)), rational_array(np.zeros((L, L), int))
    critic_rhs = [critic[0] * 0 for _ in view.r]
    reward_rhs = [reward[0] * 0 for _ in view.r]
    for s, a in np.ndindex(*view.pi.shape):
        pair, feature = view.stationary[s] * view.pi[s, a], view.phi_joint[s, a]
        reward = reward + pair * np.outer(feature, feature)
        for i, local in enumerate(view.r):
            reward_rhs[i] = reward_rhs[i] + pair * local[s, a] * feature
        for t in range(len(view.P)):
            weight, step = pair * view.P[s, a, t], view.phi_state[s] - view.gamma * view.phi_state[t]
            critic = critic + weight * np.outer(step, step)
            for i, local in enumerate(view.r):
                critic_rhs[i] = critic_rhs[i] + weight * local[s, a] * step
    return (critic, critic_rhs), (reward, reward_rhs)


def _local_spread(point: RationalPoint) -> np.ndarray:
    gaps: list[np.ndarray] = []
    for gram, right in _local_systems(point.exact()):
        own = [solve(gram, b) for b in right]
        gaps.extend(x - own[0] for x in own[1:])
    return np.concatenate(gaps)


def _coupled(context: Context, linked: bool) -> Evidence:
    """Optimality conditions of the stacked problem on a random tree of agents (or without links)."""
    rng = context.rng(2201)
    few = [random_rational_point(rng, n_states=2, n_actions=(2, 2, 2)) for _ in range(5)]

    def residual(point: RationalPoint) -> np.ndarray:
        view = point.exact()
        gaps: list[np.ndarray] = []
        N = len(view.r)
        tree = [(int(rng.integers(0, j)), j) for j in range(1, N)] if linked else []
        for (gram, right), team in zip(_local_systems(view), (view.omega_td_error, view.lambda_star), strict=True):
            K, agents = len(gram), identity_like(gram, N)
            edges = [agents[i] - agents[j] for i, j in tree]
            links = np.kron(np.stack(edges), identity_like(gram, K)) if edges else np.empty((0, N * K), dtype=object)
            corner = rational_array(np.zeros((len(links), len(links)), int))
            system = np.block([[np.kron(agents, gram), links.T], [links, corner]]) if edges else np.kron(agents, gram)
            rhs = np.concatenate([*right, rational_array(np.zeros(len(links), int))])
            stacked = solve(system, rhs)[: N * K].reshape(N, K)
            gaps.append((stacked - team).ravel())
        return np.concatenate(gaps)

    points = [two_teammates(), *few, *rational_points(context)]
    return first_violation("stacked minimiser minus the team's, every agent", points, residual)
