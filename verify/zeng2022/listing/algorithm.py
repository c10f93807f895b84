"""zeng2022 Algorithm 1: the listing against the displayed equations, the text, and the compiled code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from flint import fmpq

from mdp.linear import rational_array
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.identities import rational_points
from verify.networks import random_doubly_stochastic
from verify.zeng2022.listing.displays import displays
from verify.zeng2022.listing.listing import (
    LISTING,
    Draw,
    Line,
    Sample,
    Setting,
    Start,
    UnassignedError,
    delta_at_mixed,
    final,
    run,
)
from verify.zeng2022.listing.listing_runs import against_kernel, exact_setting

ROUNDS = 3
"""Iterations that are compared exactly; ours: enough for every variable to be read after it was written."""

CITED = {"(10)": range(11, 12), "(12)": range(8, 11), "(13)": range(8, 11)}
"""Lines of Algorithm 1 that the text of Sec. 3.2 cites for each equation."""

CORRECTED = {"(10)": range(9, 10), "(12)": range(6, 9), "(13)": range(6, 9)}
"""Lines where they are."""

LEFT_SIDES = {"(10)": "theta", "(12)": "lambda", "(13)": "omega"}
"""What each equation assigns."""


@statement("zeng2022", "algorithm-1", uses=("eq-8bd",))
def algorithm_1() -> tuple[Variant, ...]:
    r"""The CAC listing is executable, and Eqs. (9)-(13) say the same.

    .. math:: \tilde\theta^s_t := W_t \theta^s_t, \quad
        \theta_{i,t+1} := \tilde\theta_{i,t} + \alpha_t \hat\delta_{i,t} \nabla_{\theta_i} \log \pi_i, \quad
        \lambda_{i,t+1} = \Pi\big(\tilde\lambda_{i,t} + \zeta_t (r_{i,t} - \hat r) \nabla \hat r\big), \quad
        \omega_{i,t+1} = \Pi\big(\tilde\omega_{i,t} + \beta_t \delta_{i,t} \nabla \hat V\big)

    True. The listing is data here: its lines are executed literally, with an error for a variable that is read before
    it is assigned; the displays are written apart, in matrices. Over exact rationals, with an arbitrary nonlinear map
    in place of the projections and a score that depends on theta, both give the same theta, omega and lambda after
    three iterations. No line reads what is not there, and the loop over agents may run backwards: every right-hand
    side has time t (delta is taken at omega_i,t and not at the average). Second opinion: the compiled `algorithms.cac`
    gives the same numbers from the same random draws.

    Two slips of the text, as further readings. It cites "line 11" for Eq. (10) and "lines 8-10" for Eqs. (12)-(13);
    line 11 is the end of a loop, and the updates stand in lines 9 and 6-8. And ``s_{t+1}`` is assigned twice: as
    successor of (s_t, a_t) in iteration t, and as a fresh draw from mu in iteration t + 1. The analysis means the
    i.i.d. form, where the successor is a variable of its own. The radii, gamma and W_t are missing from the input line.

    Hypotheses: none; the projections are any maps, and the stationary law exists.

    Consequence: what the theorems analyse, what the text displays and what the listing runs are one iteration.
    """
    return (
        printed(
            lambda c: (_against_displays(c, LISTING), against_kernel(c, double=False)),
            "the listing and the displays give the same iterates",
            "displays", part="displays",
        ),
        printed(
            lambda c: (_unassigned(c, LISTING), _order_of_agents(c)),
            "no line reads an unassigned variable, and the order of agents does not matter",
            "data flow", part="data flow",
        ),
        reading(lambda c: _citations(c, CITED), "the lines that the text cites", "line numbers"),
        reading(lambda c: _citations(c, CORRECTED), "lines 9 and 6-8 instead", "line numbers, corrected"),
        reading(_assigned_twice, "every variable has one value", "one value"),
        control(
            lambda c: _against_displays(c, _with(6, delta_at_mixed)), "the TD error at the averaged critic",
            "delta at the average",
        ),
        control(
            lambda c: _unassigned(c, tuple(sorted(LISTING, key=lambda x: (x.number == 6, x.number)))),
            "line 6 after line 9", "line 6 last",
        ),
    )


def _with(number: int, line: Callable[..., None]) -> tuple[Line, ...]:
    return tuple(replace(x, run=line) if x.number == number else x for x in LISTING)


def _rational_runs(context: Context) -> list[tuple[Setting, Start]]:
    """Random exact settings with a random sequence of samples each."""
    rng = context.rng(2260)
    cases: list[tuple[Setting, Start]] = []
    for point in rational_points(context):
        view = point.exact()
        N, S, D = len(view.r), len(view.P), view.scores[0].shape[2]
        states = rng.integers(S, size=(ROUNDS, 2))
        actions = [tuple(int(rng.integers(k)) for k in point.n_actions) for _ in range(ROUNDS)]
        samples = [Sample(int(s), a, int(u)) for (s, u), a in zip(states, actions, strict=True)]
        K, L = view.phi_state.shape[1], view.phi_joint.shape[2]
        theta, omega, lam = (rational_array(rng.integers(-2, 3, size=(N, width))) / 2 for width in (D, K, L))
        matrices = [random_doubly_stochastic(rng, N, 2) for _ in range(2)]
        cases.append((exact_setting(point, matrices, _replay(samples)), (theta, omega, lam)))
    return cases


def _replay(samples: Sequence[Sample]) -> Draw:
    return lambda t, theta: samples[t]


def _spread(left: Start, right: Start) -> fmpq:
    return max(abs(x) for a, b in zip(left, right, strict=True) for x in (a - b).ravel())


def _against_displays(context: Context, listing: Sequence[Line]) -> Evidence:
    worst, cases = fmpq(0), _rational_runs(context)
    for setting, start in cases:
        listed = final(run(setting, start, ROUNDS, listing=listing), len(setting.r), ROUNDS)
        worst = max(worst, _spread(listed, displays(setting, start, ROUNDS)))
    return exact_evidence(
        f"iterates of the listing minus those of the displays after {ROUNDS} iterations", worst, 0, Relation.EQUAL,
        instances=len(cases),
    )


def _order_of_agents(context: Context) -> Evidence:
    worst, cases = fmpq(0), _rational_runs(context)
    for setting, start in cases:
        forwards, backwards = (run(setting, start, ROUNDS, reverse_agents=flag) for flag in (False, True))
        N = len(setting.r)
        worst = max(worst, _spread(final(forwards, N, ROUNDS), final(backwards, N, ROUNDS)))
    return exact_evidence(
        "iterates with agents in order minus those in reverse order", worst, 0, Relation.EQUAL, instances=len(cases)
    )


def _unassigned(context: Context, listing: Sequence[Line]) -> Evidence:
    failed, witness, cases = 0, None, _rational_runs(context)
    for setting, start in cases:
        try:
            run(setting, start, ROUNDS, listing=listing)
        except UnassignedError as error:
            failed += 1
            witness = witness or Witness(str(error))
    return exact_evidence(
        "runs in which a line reads an unassigned variable", failed, 0, Relation.EQUAL, instances=len(cases),
        witness=witness,
    )


def _citations(context: Context, cited: dict[str, range]) -> Evidence:
    setting, start = _rational_runs(context)[-1]
    writers = run(setting, start, ROUNDS).writers
    found = {name: writers[left, 0, ROUNDS][-1] for name, left in LEFT_SIDES.items()}
    wrong = [name for name, line in found.items() if line not in cited[name]]
    values = {f"Eq. {n} cited in lines": f"{cited[n].start}-{cited[n][-1]}, is in line {found[n]}" for n in found}
    return exact_evidence(
        "equations whose update is not in the cited lines", len(wrong), 0, Relation.EQUAL, instances=1,
        witness=Witness(f"not where cited: {', '.join(wrong) or 'none'}", values),
    )


def _assigned_twice(context: Context) -> Evidence:
    setting, start = _rational_runs(context)[-1]
    writers = run(setting, start, ROUNDS).writers
    twice = {f"{name} at time {time}": lines for (name, _, time), lines in writers.items() if len(lines) > 1}
    return exact_evidence(
        "variables that are assigned more than once", len(twice), 0, Relation.EQUAL, instances=1,
        witness=Witness("successor in one iteration, fresh draw in the next; lines that assign it:", twice),
    )
