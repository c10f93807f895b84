"""The table: every assumption of both papers, on every policy class, on one problem or on all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from mdp.instances import INSTANCES
from mdp.problem import Problem
from verify.assumptions.classes import CLASSES, policy_on
from verify.assumptions.critic import critic_error, lipschitz_everywhere, lipschitz_in_ball
from verify.assumptions.mixing import chain_of_every_policy, mixing_for_every_theta, restart_mixing
from verify.assumptions.objective import compatible_error, lipschitz_objective
from verify.assumptions.rows import AssumptionRow, Finding
from verify.assumptions.scores import differentiable, fisher_floor, lipschitz_score, score_at_most_one, support
from verify.assumptions.search import Setting
from verify.assumptions.setting import (
    bounded_reward,
    connectivity,
    feature_tables,
    fixed_weights,
    nonnegative_reward,
    weights,
)

ANY = "any"
"""Name of the class in rows that do not speak of policies."""

Check = Callable[[Setting], Finding]

PROBLEM_CHECKS: dict[str, Check] = {
    "zeng2022 Assumption 1 (connected windows)": lambda s: connectivity(s.problem.schedule.matrices),
    "zeng2022 Assumption 2 (weights)": lambda s: weights(s.problem.schedule.matrices),
    "zeng2022 Assumption 3 (bounded reward)": lambda s: bounded_reward(s.mdp),
    "zeng2022 Assumption 4 (features)": lambda s: feature_tables(
        s.problem.features.phi_state, s.problem.features.phi_joint
    ),
    "zhang2025 Assumption 5.1 (one fixed matrix)": lambda s: fixed_weights(s.problem.schedule.matrices),
    "zhang2025 Assumption 5.2 (chain, original kernel)": lambda s: chain_of_every_policy(s.mdp),
    "zhang2025 Assumption 5.2 (chain, restart kernel)": lambda s: chain_of_every_policy(s.mdp, restart=True),
    "zhang2025 Assumption 5.3 (reward in [0, r_max])": lambda s: nonnegative_reward(s.mdp),
    "zhang2025 Lemma 5.4 (mixing, restart kernel)": lambda s: restart_mixing(s.mdp),
    "zhang2025 Assumption 5.8 (critic Lipschitz, any W)": lipschitz_everywhere,
    "zhang2025 Assumption 5.8 (critic Lipschitz, W in B(B))": lipschitz_in_ball,
    "zhang2025 Assumption 5.9 (critic error finite)": critic_error,
}
"""Checks that do not depend on the policy class, in paper order."""

POLICY_CHECKS: dict[str, Check] = {
    "zeng2022 Assumption 5 (bounded, Lipschitz score)": lipschitz_score,
    "zeng2022 Assumption 6, zhang2025 Lemma 5.4 (uniform mixing)": mixing_for_every_theta,
    "zhang2025 Assumption 5.2 (support)": support,
    "zhang2025 Assumption 5.2 (differentiable)": differentiable,
    "zhang2025 Assumption 5.5, score norm at most 1": score_at_most_one,
    "zhang2025 Assumption 5.5, Fisher at least mu_f I": fisher_floor,
    "zhang2025 Assumption 5.6 (compatible error)": compatible_error,
    "zhang2025 Assumption 5.8 (J Lipschitz)": lipschitz_objective,
}
"""Checks of a policy class on a problem, in paper order."""


def assumption_table(
    problem: Problem | None = None, *, classes: Iterable[str] = CLASSES, draws: int = 20, seed: int = 0
) -> list[AssumptionRow]:
    """Every assumption on every class, on one problem.

    Args:
        problem: the problem; ring3 by default.
        classes: names among `verify.assumptions.classes.CLASSES`.
        draws: thetas per class and spread in the searches.
        seed: of the searches and of the neural classes.

    Returns:
        Rows grouped by assumption, those that do not speak of policies first. A class that cannot be built on the
        problem has rows ``does not apply`` that say why.

    Raises:
        KeyError: an unknown class.
    """
    problem = INSTANCES["ring3"]() if problem is None else problem
    names = tuple(classes)
    settings: dict[str, Setting | Finding] = {}
    for name in names:
        policy = policy_on(name, problem, seed)
        settings[name] = (
            Finding("does not apply", policy) if isinstance(policy, str)
            else Setting(replace(problem, policy=policy), seed, draws)
        )  # fmt: skip
    plain = Setting(problem, seed, draws)
    rows = [_row(problem, ANY, assumption, check(plain)) for assumption, check in PROBLEM_CHECKS.items()]
    for assumption, check in POLICY_CHECKS.items():
        for name, setting in settings.items():
            found = setting if isinstance(setting, Finding) else check(setting)
            rows.append(_row(problem, name, assumption, found))
    return rows


def assumption_matrix(
    instances: Iterable[str] = tuple(INSTANCES), *, draws: int = 3, seed: int = 0
) -> Iterator[list[AssumptionRow]]:
    """The table of one bundled instance after the other.

    Args:
        instances: names among `mdp.INSTANCES`.
        draws: thetas per class and spread in the searches.
        seed: of the searches and of the neural classes.

    Yields:
        The rows of an instance, each with the instance's name.

    Raises:
        KeyError: an unknown instance or class.
    """
    for name in instances:
        rows = assumption_table(INSTANCES[name](), draws=draws, seed=seed)
        yield [replace(row, instance=name) for row in rows]


def _row(problem: Problem, policy_class: str, assumption: str, found: Finding) -> AssumptionRow:
    return AssumptionRow(problem.name, policy_class, assumption, found.met, found.constant, found.value)
