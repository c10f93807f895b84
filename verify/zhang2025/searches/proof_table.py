"""Adversarial searches behind the repaired variants of zhang2025's proof, Eqs. (8)-(37), and terms of Theorem 5.10."""

from __future__ import annotations

from typing import Any

from verify.search import ConsensusMatrices, Family, Inequality
from verify.search.joined import Raw, identity, ratio
from verify.search.shapes import homogeneous
from verify.searched import Search, Survey
from verify.zhang2025.searches import batch, critic, gossip, mixing, recursion
from verify.zhang2025.searches.surveys import RUNS, valley_gap

SHARP_TOLERANCE = 1e-8
"""Tolerance of claims that are attained: sides of order one are rounded at 1e-14, against a floor of 1e-6; ours."""

IDENTITY_TOLERANCE = 1e-10
"""Tolerance of a gap relative to the terms that make it up; ours."""

BOUNDS: dict[str, tuple[str, Raw, Family]] = {
    "eq-10::repaired": (
        "steps of (9) <= product Delta_2 + weighted sum, 8/3 at the errors", recursion.unrolled(), recursion.ANY_STEPS,
    ),
    "eq-37::repaired": (
        "Delta_T <= (Delta_2 + 6 L alpha^2 + (8 alpha/3) sum ||e||) / (T - 1) + eps'/sqrt(mu)",
        recursion.final_bound(), recursion.RUNS,
    ),
    "eq-23::repaired": (
        "(1 - gamma) sqrt(K) E(V_avg - V*)^2 <= ||w_0 - w*||^2 + 2 sigma^2", critic.averaged_td(), critic.CHAINS,
    ),
    "eq-20::repaired": (
        "||W^i - W-bar||^2 <= B^2 D (sum_j |(A^t)_ij - 1/N|)^2", gossip.distance_from_average(), gossip.CRITICS,
    ),
    "eq-26::repaired[sharp]": (
        "||(1/M) sum (gossiped - team TD error) psi||^2 <= (N/4) r_max^2 ||a_i||^2", gossip.one_agent(),
        gossip.TD_BATCHES,
    ),
    "eq-27::repaired[printed rate]": (
        "sum over agents <= (N/4) r_max^2 (1 - eta^(N-1))^(2t)", gossip.all_agents_printed_rate(), gossip.TD_BATCHES,
    ),
    "eq-27::repaired[sharp]": (
        "sum over agents <= (N/4) r_max^2 ||A - 11^T/N||^(2t)", gossip.all_agents_sharp(), gossip.TD_BATCHES,
    ),
    "eq-29::repaired": (
        "E|delta psi - g|^2 <= (3 r_max / (2 (1 - gamma)) + (2 + gamma) epsilon)^2", batch.diagonal(), batch.WITH_ERROR,
    ),
    "eq-29::repaired[exact critic]": (
        "E|delta psi - g|^2 <= (1 + gamma^2) / 4 (r_max / (1 - gamma))^2", batch.diagonal_exact_critic(),
        batch.WITHOUT_ERROR,
    ),
    "eq-31-32::repaired": (
        "|E <x, x'>| <= X b d(lag - 1), d(t) = worst TV of the state after t steps, lags 1 to 3", mixing.cross_terms(),
        batch.WITHOUT_ERROR,
    ),
    "eq-31-32::repaired[one step later]": (
        "TV of the pair after a lag, given state and action <= d(lag - 1), the worst of the state, lags 1 to 3",
        mixing.mixing_given_the_pair(), batch.WITHOUT_ERROR,
    ),
    "eq-33::repaired": (
        "M E sum_i |h^i - g^i|^2 <= X^2 + 2 X b / (1 - gamma), M = 1, 2, 5", mixing.batch_errors(), batch.WITHOUT_ERROR,
    ),
    "eq-34::repaired": ("||g - (1 - gamma) grad J||^2 <= epsilon_critic^2", batch.critic_share(), batch.WITH_ERROR),
    "eq-34::repaired[fifth]": ("E|A^ - A|^2 <= 2 E A^^2 + 2 E A^2", batch.advantages(), batch.WITH_ERROR),
    "theorem-5.10-term-4::repaired": (
        "M E||h - g||^2 <= C^2 (1 + 4/(1 - gamma)), all agents, undiscounted TD error, M = 1, 2, 5",
        mixing.batch_order(), batch.WITHOUT_ERROR,
    ),
    "theorem-5.10-term-5::repaired": (
        "sum over agents <= (N/4) r_max^2 (1 - 4 eta sin^2(pi/2N))^(2t)", gossip.all_agents_path_rate(),
        gossip.TD_BATCHES,
    ),
    "theorem-5.10-term-7::repaired": (
        "(1 - gamma) sqrt(K) E(Q-bar - Q*)^2 <= ||W(0) - W*||^2 + 2 sigma^2, average of W(0) to W(K)",
        critic.averaged_td(last=1), critic.CHAINS,
    ),
}  # fmt: skip
"""Inequalities between nonnegative sides: the claim in words, its sides, and where it is searched."""

IDENTITIES: dict[str, tuple[str, Any, Family]] = {
    "algorithm-3::repaired": (
        "mean of the agents' averages = centralised average, k to K - 1", critic.yardstick(), critic.STREAMS,
    ),
    "eq-26::repaired[third]": (
        "gossip error = (1/M) sum a_i (vector of TD errors) psi", gossip.third_line(), gossip.TD_BATCHES,
    ),
    "eq-28::repaired": (
        "||mean - g||^2 = diagonal / M^2 + cross terms / M^2, the team's TD error", batch.expansion(), batch.SAMPLES,
    ),
    "eq-30::repaired": (
        "E[delta psi | s] = E[Adv psi | s] for delta = r + V(s') - V(s)", batch.conditional_means(),
        batch.WITHOUT_ERROR,
    ),
}  # fmt: skip
"""Equalities: the claim in words, its relative gap, and where it is searched."""

SCALED: dict[str, tuple[Inequality, Family]] = {
    "eq-8-normalised::repaired": (recursion.listed_step(), recursion.DIRECTIONS),
    "eq-9::repaired": (recursion.one_step(), recursion.CIRCLES),
    "consensus-rate::repaired": (gossip.norm_rate(), ConsensusMatrices(5)),
}
"""Inequalities with a scale of their own."""

SEARCHES: dict[str, Search] = {
    **{key: Search(inequality, family, SHARP_TOLERANCE) for key, (inequality, family) in SCALED.items()},
    **{
        key: Search(homogeneous(text, raw), family, SHARP_TOLERANCE, scaled=True)
        for key, (text, raw, family) in BOUNDS.items()
    },
    **{key: Search(identity(text, gap), family, IDENTITY_TOLERANCE) for key, (text, gap, family) in IDENTITIES.items()},
}
"""By ``id::variant``."""

SURVEYS: dict[str, Survey] = {
    "theorem-5.10-term-1::repaired": Survey(
        f"largest (T-1) Delta_T over its bound minus one, {RUNS} random valleys each", valley_gap, 1e-12,
        share=1 / RUNS, each=RUNS,
    ),
}
"""Random instances that are no box of parameters, by ``id::variant``."""

RATIOS: dict[str, tuple[Inequality, Family]] = {
    "consensus-rate::repaired": SCALED["consensus-rate::repaired"],
    **{key: (ratio(text, raw), family) for key, (text, raw, family) in BOUNDS.items()},
}
"""The inequalities as ``lhs / rhs``, for `verify.search.worst_ratio`: how sharp they are."""

NOT_SEARCHED: dict[str, str] = {}
"""Repaired variants without a search, and why: none."""
