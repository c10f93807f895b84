"""zeng2022 Sec. 4: Assumption 6 (uniform geometric mixing), whose text is in a report that is not at hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy
from flint import fmpq

from mdp.instances import INSTANCES
from mdp.linear import rational_array, to_float
from mdp.mixing import tv_decay, uniform_minorisation
from mdp.rational import RationalPoint
from verify.assumptions.mixing import mixing_for_every_theta
from verify.assumptions.scores import lipschitz_score
from verify.assumptions.search import Setting
from verify.assumptions.setting import bounded_reward, connectivity, feature_tables, weights
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.identities import largest

STEPS, HORIZON = 2, 40
"""Power of the chain whose rows are compared, and times up to which distances are measured; ours."""


@statement("zeng2022", "assumption-6")
def assumption_6() -> tuple[Variant, ...]:
    r"""The chain of every policy of the class mixes geometrically, with the same constants for all theta.

    .. math:: \sup_{s \in \mathcal{S}} \|P^t_\theta(s, \cdot) - \mu_\theta\|_{TV} \le \kappa\, \rho^t
        \qquad \forall\, t \ge 0,\ \forall\, \theta, \qquad \rho < 1

    The text of the assumption is in Appendix C of the technical report, which is not at hand; this is its standard
    form. It can be met: on ring3 any two steps, under any policies whatever, lead to some common law with
    probability at least delta > 0 (dynamic programming over all policies, exact), so
    ``kappa = 1/(1 - delta)`` and ``rho = sqrt(1 - delta)`` serve every theta.

    It is not automatic. Every softmax policy has full support, so each chain may mix, but theta ranges over all of
    R^p and policies come as close to deterministic ones as they like. Two states with the actions stay and move: at
    probability x of moving the distance at time t is ``|1 - 2x|^t / 2``, which for ``x = 1/(4t)`` is at least 1/4
    by Bernoulli's inequality ``(1 - 1/(2t))^t >= 1/2``. So the supremum over theta is at least 1/4 at every t. What
    suffices is a part of the kernel that no action can avoid (Doeblin's condition over all pairs), or a class with
    probabilities bounded below.

    Nor does it do all that the proofs need. With ``P = (delta_0 + delta_a)/2`` on two states any policy has
    rho = 1/2, yet ``mu(1) = x/2`` tends to zero with the probability x of action 1, and so does the least
    eigenvalue of the critic's system, by its entry ``mu(1) (1 - gamma x/2)``: no rate of the critic is uniform in
    theta. Assumptions 1 to 6 hold at once on ring3, whose six policy parameters cannot starve a state:
    there Theorem 3 is tested.

    Hypotheses: a finite chain and a class of policies indexed by all of R^p.

    Consequence: Propositions 1 and 2 need, besides this, a positive least eigenvalue of the critic's system uniformly
    along the run; Assumptions 1-6 (with the standard forms of 5 and 6) do not give it.
    """
    return (
        printed(lambda c: (_shared_mass(ring3_kernel()), _measured(c)), "ring3 meets it, with every class of policies"),
        reading(lambda c: _stay_or_move(), "every softmax class on an irreducible chain meets it", "automatic"),
        reading(lambda c: _critic_eigenvalue(),
                "with tabular features it bounds the critic's least eigenvalue away from zero", "critic eigenvalue"),
        reading(lambda c: _all_at_once("ring3"), "Assumptions 1 to 6 hold at once on ring3", "all six, ring3"),
        control(lambda c: _shared_mass(stay_or_move_kernel()), "the kernel with actions stay and move", "stay or move"),
        control(lambda c: _all_at_once("coordination"), "all six on the coordination game, with its noise",
                "all six, coordination"),
        control(lambda c: _all_at_once("periodic-trap"), "all six on a deterministic cycle", "all six, cycle"),
    )  # fmt: skip


def ring3_kernel() -> np.ndarray:
    """ring3's kernel in exact arithmetic, one action per total push -3..3, shape (3, 7, 3)."""
    P = np.full((3, 7, 3), fmpq(0), dtype=object)
    for s in range(3):
        for k in range(7):
            push = fmpq(k - 3, 3)
            P[s, k, (s + 1) % 3] = fmpq(1, 2) + push / 4
            P[s, k, s] = fmpq(1, 4)
            P[s, k, (s - 1) % 3] = fmpq(1, 4) - push / 4
    return P


def stay_or_move_kernel() -> np.ndarray:
    """Two states; action 0 stays, action 1 moves; exact, shape (2, 2, 2)."""
    return rational_array(np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]]))


def _shared_mass(kernel: np.ndarray) -> Evidence:
    """Mass that m steps from any two states share, whatever the policies, exactly."""
    least = uniform_minorisation(kernel, steps=STEPS)
    mass = least.sum()
    return exact_evidence(
        f"{STEPS} steps share a positive mass under all policies (1 = yes)", int(mass > 0), 1, Relation.EQUAL,
        instances=1,
        witness=Witness(
            "least probability of each state after two steps, over starts and policies",
            {"P[s, a, s']": kernel, "least": least, "delta": mass},
        ),
        note=f"delta = {mass}",
    )


def _measured(context: Context) -> Evidence:
    """Distances of ring3's chains at deterministic and random policies, over kappa rho^t."""
    delta = float(to_float(uniform_minorisation(ring3_kernel(), steps=STEPS)).sum())
    rho = (1 - delta) ** (1 / STEPS)
    bound = rho ** np.arange(HORIZON + 1) / (1 - delta)
    kernel, rng = to_float(ring3_kernel()), context.rng(66)
    policies = [np.eye(7)[[a, b, c]] for a in (0, 3, 6) for b in (0, 3, 6) for c in (0, 3, 6)]
    policies += [rng.dirichlet(np.full(7, 0.2), size=3) for _ in range(context.profile.n_rational)]
    worst = []
    for pi in policies:
        distance, _ = tv_decay(np.einsum("sa,sat->st", pi, kernel), HORIZON)
        worst.append(float((distance / bound).max()))
    return exact_evidence(
        "largest distance to the stationary law over kappa rho^t, ring3", largest(worst), 1, Relation.AT_MOST,
        rigor=Rigor.FLOAT, instances=len(policies), corroborates=True,
        note=f"kappa = {1 / (1 - delta):.4g}, rho = {rho:.4g}",
    )  # fmt: skip


def _stay_or_move() -> Evidence:
    """``(1 - 1/(2t))^t / 2`` at times 1 to 64: the distance at time t of the policy that moves with x = 1/(4t)."""
    distance = {t: (1 - Fraction(1, 2 * t)) ** t / 2 for t in range(1, 65)}
    t = min(distance, key=lambda u: distance[u])
    return exact_evidence(
        "least over t of a lower bound on sup over theta of the distance at time t", distance[t], 0, Relation.EQUAL,
        instances=len(distance),
        witness=Witness(
            "two states, actions stay and move, pi(move) = x everywhere: mu = (1/2, 1/2), eigenvalue 1 - 2x; a bound "
            "kappa rho^t for all theta would tend to zero",
            {"t": t, "x": Fraction(1, 4 * t), "distance at t": distance[t], "distance at t = 64": float(distance[64])},
        ),
    )  # fmt: skip


def starving_chain(x: Fraction) -> RationalPoint:
    """Two states, ``P(. | s, a) = (delta_0 + delta_a)/2``, probability x of action 1, tabular critic, gamma = 1/2.

    Args:
        x: probability in (0, 1).
    """
    half = Fraction(1, 2)
    rows = [[1, 0], [half, half]]
    eye = [[1, 0], [0, 1]]
    return RationalPoint(
        P=[rows, rows], r=[[[0, 0], [1, 1]]], initial=[1, 0], gamma=half, tables=([[1 - x, x]] * 2,),
        psi=([eye, eye],), phi_state=eye, phi_joint=[[[1], [0]], [[0], [1]]],
    )  # fmt: skip


def _critic_eigenvalue() -> tuple[Evidence, Evidence]:
    """Entry (1, 1) of minus the critic's matrix: at least the least eigenvalue of its symmetric part."""
    x = sympy.symbols("x", positive=True)
    entry = x / 2 * (1 - x / 4)
    tried = [Fraction(1, 10**k) for k in range(1, 7)]
    entries = [-starving_chain(value).exact().td_matrix[1, 1] for value in tried]
    gap = max(
        abs(e - fmpq(*map(int, sympy.fraction(entry.subs(x, sympy.Rational(v))))))
        for e, v in zip(entries, tried, strict=True)
    )
    limit = sympy.limit(entry, x, 0)
    agree = exact_evidence(
        "entry (1, 1) of minus the critic's matrix, minus x/2 (1 - x/4)", gap, 0, Relation.EQUAL, instances=len(tried),
        corroborates=True,
    )
    positive = exact_evidence(
        "the limit of that entry as x -> 0 is positive (1 = yes)", int(bool(limit > 0)), 1, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS, instances=1,
        witness=Witness(
            "P = (delta_0 + delta_a)/2 on two states: every chain has rho = 1/2, and mu(1) = x/2",
            {"x": tried, "entry": entries},
        ),
    )
    return positive, agree


def _all_at_once(name: str) -> Evidence:
    problem = INSTANCES[name]()
    setting, matrices = Setting(problem, draws=2), problem.schedule.matrices
    features = problem.features
    found = {
        1: connectivity(matrices), 2: weights(matrices), 3: bounded_reward(problem.mdp),
        4: feature_tables(features.phi_state, features.phi_joint), 5: lipschitz_score(setting),
        6: mixing_for_every_theta(setting),
    }  # fmt: skip
    met = [k for k, finding in found.items() if finding.met == "yes"]
    return exact_evidence(
        f"assumptions met for every theta, {name}", len(met), 6, Relation.EQUAL, rigor=Rigor.FLOAT, instances=1,
        witness=Witness(name, {f"Assumption {k}": f"{f.met}: {f.constant}" for k, f in found.items()}),
    )
