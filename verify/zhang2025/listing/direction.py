"""zhang2025 Algorithm 1, lines 9-16: does the TD error times the score point along the policy gradient?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from flint import fmpq

from mdp.direction import READINGS, DirectionReading, direction, undiscounted_direction
from mdp.rational import RationalPoint
from verify.claim import Kind, Variant, control, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.identities import exact_identity, float_identity, misalignment, problem_witness, rational_points
from verify.zhang2025.setting.restart import signed_cosine

REPAIRED = DirectionReading(data="restart", critic="original", form="advantage", flipped=False)
"""The reading that is exactly (1 - gamma) grad J; `repaired` in the ledger."""


@statement("zhang2025", "algorithm-1-direction", uses=("eq-3", "eq-4", "lemma-4.3", "restart-kernel"))
def algorithm_1_direction() -> tuple[Variant, ...]:
    r"""The gossiped TD errors times the scores estimate the policy gradient direction of Lemma 4.3.

    .. math:: \delta_{t,l}^i = \hat Q(s_{t,l}, a_{t,l}; W_t^i) - r_{t,l+1}^i
        - \gamma \hat Q(s_{t,l+1}, a_{t,l+1}; W_t^i),
        \qquad d_t^i = \frac1M \sum_{l=0}^{M-1} \tilde\delta_{t,l}^i\, \psi_{t,l}^i

    Hypotheses: an exact critic, exact gossip and stationary data, so that only the direction itself is on trial.

    Computed with an exact critic, exact gossip and stationary data, for every reading: the kernel that generates
    the data, the kernel whose Q the critic is, the form of the TD error, its sign.

    *As printed, with one kernel throughout*, ``E[delta | s, a] = Q - r - gamma E Q(s', a') = 0`` by the Bellman
    equation that defines Q, for any law of (s, a): the better the critic, the closer the expected direction is to
    zero. *As printed, with restart data and the original Q*, what is left is ``(1 - gamma) (Q - r)`` up to a
    constant, which has lost the immediate reward: it is zero whenever the next state does not depend on the
    action, and can point against grad J. Both signs fail, since the expected direction is zero or not parallel.

    Repaired, in order of departure: (1) ``Q - E_pi Q`` of the original kernel on restart data is exactly
    ``(1 - gamma) grad J``; (2) so is the *undiscounted* ``r + V(s') - V(s)`` with the original V on restart data,
    from one sample and no sum over actions, because the restart itself discounts:
    ``E[r + V(s') | s, a] = r + gamma P V + (1 - gamma) V(s0) = Q + const``.

    For Theorem 5.10: the bound on ``||h - g||`` replaces delta by the advantage under the expectation (Eq. 30),
    which is where the printed direction and the gradient part.

    Consequence: Theorem 5.10 bounds the distance between this direction and grad J; with a perfect critic that
    distance is |grad J| itself, so no term of the theorem can make the printed algorithm ascend.
    """
    return (
        *(_variant(r) for r in READINGS),
        repaired(
            lambda c: _scaled_gradient(c, lambda p: direction(p.exact(), p.restart(), REPAIRED)),
            "Q - E_pi Q of the original kernel on restart data: exactly (1 - gamma) grad J",
            "advantage",
        ),
        repaired(
            lambda c: (
                _scaled_gradient(c, lambda p: undiscounted_direction(p.exact())),
                float_identity(
                    c,
                    "E[d] - (1 - gamma) grad J",
                    lambda v, _p, _t: undiscounted_direction(v) - (1 - v.gamma) * v.grad_J_by_solve,
                ),
            ),
            "r + V(s') - V(s), undiscounted, original V on restart data: exactly (1 - gamma) grad J",
            "undiscounted",
        ),
        control(
            lambda c: _scaled_gradient(c, lambda p: -direction(p.exact(), p.restart(), REPAIRED)),
            "the repaired direction with its sign reversed",
            "sign",
        ),
        control(
            lambda c: _scaled_gradient(
                c, lambda p: direction(p.exact(), p.restart(), REPAIRED) / (1 - p.gamma)
            ),
            "the repaired direction claimed to be (1 - gamma) grad J after division by 1 - gamma",
            "scale",
        ),
    )


def _variant(reading: DirectionReading) -> Variant:
    """As printed where the TD form and sign are those of line 9; a reading otherwise."""
    as_printed = reading.form == "q" and not reading.flipped
    return Variant(
        Kind.PRINTED if as_printed else Kind.READING,
        reading.label,
        f"TD form {reading.form}{', sign reversed' if reading.flipped else ''}; data from the {reading.data} kernel; "
        f"critic of the {reading.critic} kernel",
        lambda c: _alignment(c, reading),
    )


def _alignment(context: Context, reading: DirectionReading) -> Evidence:
    """Worst misalignment of E[d] with grad J over exact problems with two or more states, and the cosines.

    One state is left out: there restart and original kernel coincide and the next value cannot depend on the action,
    so that many readings vanish or agree for a trivial reason.
    """
    cosines, restart_cosines, zeros, worst = [], [], 0, fmpq(0)
    shown: tuple[int, fmpq, Witness] | None = None
    for point in rational_points(context, point_start=True, smallest=1):
        original, restart = point.exact(), point.restart()
        expected = direction(original, restart, reading)
        value = misalignment(expected, original.grad_J)
        zeros += not (expected != 0).any()
        cosines.append(signed_cosine(value))
        restart_cosines.append(signed_cosine(misalignment(expected, restart.grad_J)))
        worst = max(worst, value)
        size = original.P.size
        if value != 0 and (shown is None or (size, -value) < (shown[0], -shown[1])):
            text = f"the worst of the smallest problems: cosine {signed_cosine(value):.4f}, '{reading.label}'"
            values = {"E[d]": expected, "grad J": original.grad_J}
            shown = (size, value, problem_witness(point, text, **values))
    if zeros == len(cosines):
        note = "E[d] is exactly zero on every problem"
    else:
        note = f"cosine with grad J {_range(cosines)}; with grad J of the restart kernel {_range(restart_cosines)}"
    evidence = exact_evidence(
        "misalignment 1 - cos|cos| of E[d] with grad J, worst", worst, 0, Relation.EQUAL, instances=len(cosines),
        witness=shown[2] if shown else None, note=note,
    )
    return replace(
        evidence, sample=tuple(cosines), sample_quantity="cosine of E[d] with grad J", sample_claimed=1
    )


def _range(values: list[float]) -> str:
    return f"from {min(values):.3f}, median {float(np.median(values)):.3f}, to {max(values):.3f}"


Compute = Callable[[RationalPoint], np.ndarray]


def _scaled_gradient(context: Context, compute: Compute) -> Evidence:
    return exact_identity(
        context,
        "E[d] - (1 - gamma) grad J",
        lambda p: compute(p) - (1 - p.gamma) * p.exact().grad_J_by_solve,
        point_start=True,
    )
