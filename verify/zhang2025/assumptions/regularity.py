"""zhang2025 Assumption 5.5: bounded scores and a Fisher information bounded below, for every theta."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy
from flint import arb, fmpq

from mdp.exact import exact
from mdp.features import Features
from mdp.fisher import fisher, null_space
from mdp.linear import rational_array
from mdp.model import FiniteMDP
from mdp.networks import Schedule, full_average
from mdp.policies import CircularPolicy
from mdp.problem import Problem
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Verdict, Witness, exact_evidence
from verify.identities import largest
from verify.zhang2025.assumptions.together import all_at_once
from verify.zhang2025.setting.networks_eq5 import sympy_fraction
from verify.zhang2025.setting.relu import ReluNetwork, random_matrix, random_network, unit_vectors

GROWTH = fmpq(1000)
"""Factor on W_1 that must show up in the score; ours, any factor would do."""


@statement("zhang2025", "assumption-5.5", uses=("eq-5", "assumption-5.2"))
def assumption_5_5() -> tuple[Variant, ...]:
    r"""Scores have norm at most one and the Fisher information is at least mu_f, for every theta.

    .. math:: \|\nabla_\theta \log \pi_\theta(a|s)\| \le 1, \qquad
        \mathbb{E}_{\nu(\theta)} \big(\nabla_\theta \log \pi_\theta \nabla_\theta \log \pi_\theta^\top\big) \succeq
        \mu_f I

    Hypotheses: the policy class of Sec. 3.2, Eq. (5) with a softmax, W trained or everything; one mu_f for all theta.

    *Scores: unsatisfiable for D >= 2.* With J_a the derivative of output a, some score is at least half the largest
    ``|J_a - J_b|``, whatever pi. Derivatives in W_D are multiplied by c when W_1 is. For D = 1 scores are bounded; by
    one only for fortunate draws of H and b.

    *Fisher: unsatisfiable.* For D >= 2, at *every* theta: outputs are homogeneous of degree one in each layer, so
    ``J_a . (W_1, -W_2, 0, ..) = y_a - y_a = 0`` by Euler, and the score has no component there (if both layers are
    0, so are the derivatives in them). Besides, W_D with all entries negative switches every unit off, and F = 0 on
    an open set. For D = 1 scores span at most S (A - 1) dimensions per agent, fewer than the m^2 parameters as soon
    as m^2 > S (A - 1). For still smaller m, ``F(c theta) -> 0`` as c grows, since pi becomes deterministic
    where the outputs differ, and scores vanish where all units are off. With null vectors at every theta,
    asking it only along the iterates does not help.

    *H, W and b trained*, as the dimension m(Dm + d + 1) of Sec. 3.2 suggests, fails for D = 1 as well: (c H, W_1 / c)
    is the same policy for every c > 0, so (H, -W_1) is a null vector, and derivatives in W_1 are multiplied by c when
    H is.

    *No class with as many parameters as probabilities does better on all of R^p.* Two actions, one state, one
    parameter: ``F > 0`` makes pi(1) strictly monotone, so the length ``int sqrt(F) dtheta <= int dp/sqrt(p(1-p)) =
    pi``, and mu_f > 0 would make it infinite. In general the Fisher metric of the simplices, pulled back, is at least
    F >= mu_f I, hence complete on R^p, and a local isometry from a complete space onto a connected one is a covering
    with a complete image; the open simplices are not complete.

    *mu_f depends on the size of the network.* ``p mu_f <= trace F = E|score|^2 <= 1``: mu_f <= 1/p with p the number
    of parameters, of order N D m^2. So ``alpha = 7/(2 sqrt(mu)) >= 7p/sqrt(2)``, and every O(.) of Theorem 5.10 that
    absorbs mu hides a power of D m^2.

    *Repaired: the circular class.* ``pi_k = (1 + c cos(t - pi k/2))/4`` on four actions with
    ``t = theta sqrt(1-c^2)/c``. Score: ``(1 + c x)^2 - (1 - c^2)(1 - x^2) = (x + c)^2 >= 0`` for x = cos, so its
    square is at most one, attained. Fisher per unit of t is
    ``c^2/2 (sin^2/(1 - c^2 cos^2) + cos^2/(1 - c^2 sin^2)) >= c^2/2``, attained at t = 0; so ``mu_f = (1 - c^2)/2``.
    With more states, one angle each, mu_f gets the least visitation as a factor.

    Consequence: Lemma 5.7 and Theorem 5.10 speak of no network of the paper. They are tested here on the circular
    class, where all assumptions of Section 5 hold at once if 5.8 asks W to stay in the ball of Algorithm 2: S angles
    per agent instead of a network.
    """
    return (
        printed(lambda c: _scores(c, depths=(2, 3)), "scores at most one for every theta: Eq. (5), D >= 2", "score",
                "score"),
        printed(lambda c: (_idle(c, flipped=True), _switched_off(c), _too_many(c)),
                "Fisher information at least mu_f: Eq. (5)", "fisher", "fisher"),
        reading(lambda c: _rescaled(c, back=True), "Fisher information at least mu_f, D >= 1: H, W and b trained",
                "all trained"),
        reading(_finite_length, "a one-parameter class on two actions and one state, on all of R", "two actions"),
        reading(_independent_of_size, "one mu_f serves every width", "all widths"),
        repaired(lambda c: (_circle_score(), _circle_fisher(), _circular_problems(c)),
                 "the circular class: scores at most one, mu_f = (1 - c^2)/2 on four actions, both attained",
                 "circular"),
        repaired(lambda c: all_at_once(), "5.1 to 5.9 hold at once (5.8 for W in the ball): circular class, ring3",
                 "all at once"),
        control(lambda c: all_at_once(circular=False), "they hold at once on the tabular softmax", "tabular softmax"),
        control(lambda c: _scores(c, depths=(1,)), "scores of one-layer networks are unbounded", "one layer"),
        control(lambda c: _idle(c, flipped=False), "(W_1, +W_2) is an idle direction", "unflipped"),
        control(lambda c: _rescaled(c, back=False), "(c H, c W_1) is the same policy", "scaled twice"),
    )  # fmt: skip


def score_floor(net: ReluNetwork, x: np.ndarray) -> fmpq:
    """A lower bound on the largest squared score over actions, whatever pi, from the derivatives in W_D alone.

    Some score is at least half the largest difference of two outputs' derivatives.

    Args:
        net: one output per action.
        x: input, (d,).
    """
    slopes = net.slopes(x)[-1].reshape(len(net.b), -1)
    gaps = ((slopes[:, None] - slopes[None]) ** 2).sum(axis=2)
    bound: fmpq = gaps.max() / (4 * fmpq(net.width) ** net.depth)
    return bound


def _alive(rng: np.random.Generator, depth: int, outputs: int = 2) -> tuple[ReluNetwork, np.ndarray]:
    """A random H and b, with layers that are live at a random input."""
    net = random_network(rng, depth=depth, width=2, inputs=2, outputs=outputs)
    x = unit_vectors(rng, 1, 2)[0]
    first = (net.H @ x)[None, :] * abs(random_matrix(rng, (2, 1)))
    return ReluNetwork(net.H, (first, *(abs(W) for W in net.W[1:])), net.b), x


def _scores(context: Context, depths: tuple[int, ...]) -> Evidence:
    """Draws of H and b where the bound on the score does not grow in proportion to W_1."""
    rng, bounded, count = context.rng(2025, 81), 0, context.profile.n_rational
    for k in range(count):
        net, x = _alive(rng, depths[k % len(depths)])
        if (net.H @ x == 0).all() or (net.b[0] == net.b[1]).all():
            continue  # events of probability zero under the paper's law
        floor = score_floor(net, x)
        bounded += not (floor > 0 and score_floor(net.moved(GROWTH), x) == GROWTH**2 * floor)
    one = ReluNetwork(rational_array([[1]]), (rational_array([[4]]), rational_array([[1]])), rational_array([[1], [0]]))
    return exact_evidence(
        "draws of H and b whose scores do not grow in proportion to W_1", bounded, 0, Relation.EQUAL, instances=count,
        establishes=Verdict.UNSATISFIABLE,
        witness=Witness("D = 2, m = d = 1, H = x = 1, b = (1, 0), W_1 = 4: the derivative in W_2 is 4",
                        {"lower bound on the squared score": score_floor(one, rational_array([1]))}),
    )  # fmt: skip


def _idle(context: Context, *, flipped: bool) -> Evidence:
    """Largest component of the outputs' derivatives along (W_1, -W_2), at random thetas."""
    rng, worst, count = context.rng(2025, 82), fmpq(0), context.profile.n_rational
    for k in range(count):
        net = random_network(rng, depth=2 + k % 2, width=2, inputs=2, outputs=3)
        for x in unit_vectors(rng, 2, 2):
            first, second = (J.reshape(3, -1) for J in net.slopes(x)[:2])
            along = first @ net.W[0].ravel() + (-1 if flipped else 1) * (second @ net.W[1].ravel())
            worst = max(worst, abs(along).max())
    return exact_evidence(
        "derivatives of the outputs along (W_1, -W_2)", worst, 0, Relation.EQUAL, instances=count,
        establishes=Verdict.UNSATISFIABLE,
        witness=Witness("D = 2, m = 1, H = b = x = 1: y = w_1 w_2 has the gradient (w_2, w_1)", {
            "w": [2, 3], "gradient": [3, 2], "gradient . (w_1, -w_2)": 3 * 2 - 2 * 3}) if flipped else None,
    )


def _rescaled(context: Context, *, back: bool) -> Evidence:
    """Largest change of the outputs from (H, W_1) to (c H, W_1 / c), or to (c H, c W_1), at random thetas."""
    rng, worst, count = context.rng(2025, 86), fmpq(0), context.profile.n_rational
    c = fmpq(3, 2)
    for k in range(count):
        net = random_network(rng, depth=1 + k % 3, width=2, inputs=2, outputs=3)
        other = ReluNetwork(c * net.H, (net.W[0] * (1 / c if back else c), *net.W[1:]), net.b)
        worst = max(worst, *(abs(net.output(x) - other.output(x)).max() for x in unit_vectors(rng, 2, 2)))
    return exact_evidence(
        "largest change of the outputs along a curve of parameters through theta", worst, 0, Relation.EQUAL,
        instances=count, establishes=Verdict.UNSATISFIABLE,
        note="its tangent (H, -W_1) is a null vector of F; where H = W_1 = 0, derivatives in both are 0",
    )


def _switched_off(context: Context) -> Evidence:
    """Largest derivative where the last layer is negative: zero, so F = 0 there."""
    rng, worst, count = context.rng(2025, 83), fmpq(0), context.profile.n_rational
    for k in range(count):
        net = random_network(rng, depth=2 + k % 2, width=2, inputs=2, outputs=2)
        dead = net.with_last(-abs(net.W[-1]))
        worst = max(worst, *(abs(J).max() for x in unit_vectors(rng, 2, 2) for J in dead.slopes(x)))
    return exact_evidence(
        "derivatives of the outputs where W_D < 0, D >= 2", worst, 0, Relation.EQUAL, instances=count,
        establishes=Verdict.UNSATISFIABLE,
    )


def _too_many(context: Context) -> Evidence:
    """Least number of idle directions of one-layer networks with ``m^2 > S (A - 1)``."""
    rng, least, count = context.rng(2025, 84), 10**9, context.profile.n_rational // 2
    for _ in range(count):
        net = random_network(rng, depth=1, width=3, inputs=2, outputs=3)
        rows = []
        for x in unit_vectors(rng, 4, 2):
            J = net.slopes(x)[0].reshape(3, -1)
            rows.append(J[:-1] - J[-1])
        least = min(least, null_space(np.concatenate(rows)).shape[1])
    return exact_evidence(
        "least number of null vectors, D = 1, m = 3, S = 4, A = 3", least, 9 - 4 * 2, Relation.AT_LEAST,
        instances=count, establishes=Verdict.UNSATISFIABLE,
    )  # fmt: skip


def _finite_length(context: Context) -> Evidence:
    """Length of the longest monotone curve of two-action policies in the Fisher metric; it is finite."""
    q = sympy.Symbol("q", positive=True)
    # p = sin(q)^2, dp/sqrt(p (1 - p)) = 2 dq
    speed = sympy.simplify(sympy.diff(sympy.sin(q) ** 2, q) / (sympy.sin(q) * sympy.cos(q)))
    length = sympy.integrate(speed, (q, 0, sympy.pi / 2))
    bound = Fraction(22, 7) if length == sympy.pi and arb.pi() < arb(22) / 7 else Fraction(10**9)
    return exact_evidence(
        "length of all two-action policies in the Fisher metric (pi, rounded up)", bound, 4, Relation.AT_MOST,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, establishes=Verdict.UNSATISFIABLE,
        note="mu_f > 0 on [-L, L] needs a length of 2 L sqrt(mu_f), for every L",
    )  # fmt: skip


def _independent_of_size(context: Context) -> Evidence:
    """``1/mu_f >= p`` by the trace, and p grows with m."""
    D, m = sympy.symbols("D m", positive=True)
    slope = sympy.diff(D * m**2, m).subs({D: 1, m: 1})
    return exact_evidence(
        "growth of the lower bound D m^2 on 1/mu_f per agent, at D = m = 1", sympy_fraction(slope), 0, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        witness=Witness("the trace of F is E|score|^2 <= 1 and at least p mu_f", {
            "parameters at D = 2, m = 10 (W alone)": 200, "then mu_f is at most": fmpq(1, 200)}),
    )  # fmt: skip


def _circle_score() -> Evidence:
    x, c = sympy.symbols("x c", real=True)
    gap = sympy.expand((1 + c * x) ** 2 - (1 - c**2) * (1 - x**2) - (x + c) ** 2)
    return exact_evidence(
        "(1 + c x)^2 - (1 - c^2)(1 - x^2) - (x + c)^2", sympy_fraction(gap), 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC,
        scope=Scope.CLASS, note="the squared score is at most one, attained at x = -c",
    )  # fmt: skip


def _circle_fisher() -> Evidence:
    """Fisher information of the four-armed circle from its definition, minus c^2/2 and a nonnegative remainder."""
    u, v, c = sympy.symbols("u v c", positive=True)  # u = cos^2, v = sin^2
    x, y = sympy.sqrt(u), sympy.sqrt(v)
    arms = ((1 + c * x, -y), (1 + c * y, x), (1 - c * x, y), (1 - c * y, -x))  # 4 pi_k and 4 pi_k' / c
    information = sum((c * slope) ** 2 / size for size, slope in arms) / 4
    remainder = c**2 / 2 * (v * c**2 * u / (1 - c**2 * u) + u * c**2 * v / (1 - c**2 * v))
    gap = sympy.simplify(sympy.together(information - c**2 * (u + v) / 2 - remainder))
    return exact_evidence(
        "Fisher information - c^2/2 - remainder, the remainder being nonnegative for u + v = 1, c < 1",
        sympy_fraction(gap), 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        note="the remainder is 0 at u = 0: attained",
    )  # fmt: skip


def circular_problem(rng: np.random.Generator, n_actions: int = 4) -> Problem:
    """A random problem with the circular class, normalised to scores of at most one.

    Args:
        rng: randomness.
        n_actions: actions per agent.
    """
    S, N = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    A = n_actions**N
    P, r = rng.dirichlet(np.ones(S), size=(S, A)), rng.uniform(0, 1, (N, S, A))
    mdp = FiniteMDP(P, r, rng.dirichlet(np.ones(S)), float(rng.choice([0.3, 0.6, 0.9])), (n_actions,) * N)
    policy = CircularPolicy.tabular(S, mdp.n_actions, radius=float(rng.uniform(0.2, 0.9))).normalised()
    features = Features(np.eye(S), np.eye(S * A).reshape(S, A, S * A))
    return Problem(mdp, policy, features, Schedule.static(full_average(N)), name="circular class")


def _circular_problems(context: Context) -> Evidence:
    """Random problems: mu_f = scale^2 c^2/2 times the least visitation, against the least eigenvalue."""
    rng, excesses = context.rng(2025, 85), []
    for _ in range(context.profile.n_rational):
        problem = circular_problem(rng)
        policy = problem.policy
        assert isinstance(policy, CircularPolicy)
        theta = rng.uniform(-10, 10, (problem.mdp.n_agents, policy.n_parameters))
        view = exact(problem, theta)
        floor = policy.scale**2 * policy.radius**2 / 2 * float(view.visitation.min())
        excesses.append(floor - float(np.linalg.eigvalsh(fisher(view))[0]))
    return exact_evidence(
        "largest excess of scale^2 c^2/2 min d(s) over the least Fisher eigenvalue", largest(excesses), 1e-12,
        Relation.AT_MOST, rigor=Rigor.FLOAT, instances=len(excesses), corroborates=True,
    )
