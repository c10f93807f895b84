"""Both sides of the repaired claims of zhang2025 about a smooth J, and about rounds of gossip."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
from flint import arb, fmpq

from mdp.exact import Exact
from mdp.linear import is_exact, rational, to_float
from mdp.networks.schedule import disagreement_norm
from verify.search.forms import (
    Pair,
    Raw,
    norm,
    root,
    times,
    worst,
)
from verify.search.joined import Joint
from verify.zhang2025.searches.setting_claims import with_fields


def descent(share: Any = 1) -> Raw:
    """Lipschitz and descent bounds of J for a log-linear class and for a circular one, on the same MDP.

    Log-linear: integer features psi and the step log q, so that probabilities after it are rational. Circular: one
    agent with four actions, ``c = 2h/(1 + h^2)``, and angles by the tangents of their halves.

    Args:
        share: multiplies both bounds.
    """

    def raw(x: Joint) -> Pair:
        return worst([*_log_linear(x, share), *_circular(x, share)])

    return raw


def _bounds(view: Exact, first_squared: Any, second: Any) -> tuple[Any, Any]:
    """Lipschitz constant of J, and half its smoothness constant, from C1^2 and C2 (`mdp.smoothness`)."""
    span, horizon = view.r_bar.max() - view.r_bar.min(), 1 / (1 - view.gamma)
    smooth = span * (second * horizon**2 / 2 + view.gamma * first_squared * horizon**3)
    return span * root(first_squared) * horizon**2 / 2, smooth / 2


def _log(q: Any) -> Any:
    return arb(q).log() if isinstance(q, fmpq) else log(q)


def _log_linear(x: Joint, share: Any) -> list[Pair]:
    whole = np.vectorize(lambda v: v * 0 + int(np.floor(float(to_float(np.array([v]))[0]))), otypes=[object])
    psi, tables, gap = [], [], 0
    for i, table in enumerate(x.point.tables):
        columns = whole(x.extra["integer psi"][i, :, : table.shape[1]])
        columns = columns.astype(x.extra["integer psi"].dtype)
        gap = max(gap, int(max(float(c) for c in (columns.max(axis=1) - columns.min(axis=1)))))
        moved = table * np.array(
            [[x.extra["q"][i] ** int(float(c)) for c in row] for row in columns], dtype=table.dtype
        )
        psi.append(columns[:, :, None])
        tables.append(moved / moved.sum(axis=1, keepdims=True))
    before, after = with_fields(x.point, psi=tuple(psi)).exact(), with_fields(x.point, tables=tuple(tables)).exact()
    step = [_log(q) for q in x.extra["q"]]
    return _tangent_pairs(before, after, step, fmpq(gap**2, 4), fmpq(gap**2, 2), share)


def _circular(x: Joint, share: Any) -> list[Pair]:
    if x.view.P.shape[1] != 4:
        return []  # a problem that was shrunk: cosines of other circles are not rational
    h, one = x.extra["h"][0], x.extra["h"][0] * 0 + 1
    c, w, fourth = 2 * h / (1 + h * h), (1 - h * h) / (1 + h * h), h**4  # q = (1 - w)/c = h, Z = h^4
    information = one - w * (1 - fourth) / (1 + fourth)
    before, after = x.extra["angles"]
    views = [_circular_view(x, c, tangents) for tangents in (before, after)]
    step = [2 * (_atan(b) - _atan(a)) for a, b in zip(before, after, strict=True)]
    # C2 has c / sqrt(2); a float or an enclosure either way
    second = 2 * information + c / root(one * 2)
    return _tangent_pairs(views[0], views[1], step, information, second, share)


def _atan(value: Any) -> Any:
    return arb(value).atan() if isinstance(value, fmpq) else np.arctan(value)


def _circular_view(x: Joint, c: Any, tangents: np.ndarray) -> Exact:
    cos, sin = (1 - tangents**2) / (1 + tangents**2), 2 * tangents / (1 + tangents**2)
    # cos and sin of t - k pi / 2
    waves, slopes = np.stack([cos, sin, -cos, -sin], axis=1), np.stack([sin, -cos, -sin, cos], axis=1)
    score = -c * slopes / (1 + c * waves)
    scores = np.stack([score[s][:, None] * _unit(score, s) for s in range(len(score))])
    view = x.view
    return Exact(
        P=view.P, r=view.r_bar[None], initial=view.initial, gamma=view.gamma, tables=((1 + c * waves) / 4,),
        scores=(scores,), phi_state=view.phi_state, phi_joint=view.phi_joint,
    )


def _unit(like: np.ndarray, s: int) -> np.ndarray:
    row = like[:, 0] * 0
    row[s] = row[s] + 1
    return row


def _tangent_pairs(before: Exact, after: Exact, step: list[Any], first: Any, second: Any, share: Any) -> list[Pair]:
    """|grad J| against the Lipschitz constant; deviation from the tangent against half the smoothness constant."""
    if not is_exact(before.P):
        first, second = (float(v.p) / float(v.q) if isinstance(v, fmpq) else v for v in (first, second))
    lipschitz, half = _bounds(before, first, second)
    gradient = before.grad_J.ravel()
    tangent = sum((g * u for g, u in zip(gradient, step, strict=True)), before.gamma * 0)
    square = sum((u * u for u in step), before.gamma * 0)
    deviation = abs(after.J - before.J - tangent)
    return [(norm(gradient), times(share, lipschitz)), (deviation, times(share, half * square))]


# --- gossip -----------------------------------------------------------------------------------------------------


def gossip_rounds(constant: Any = 4) -> Raw:
    """``constant eta / N^2`` against ``-log ||A - 11^T/N||``: N^(3/2) ||.||^t <= eps after the stated t, for any eps.

    ``t = N^2 log(N^(3/2)/eps) / (4 eta)`` gives ``t (-log norm) >= log(N^(3/2)/eps)`` exactly if this holds.
    Exactly, the norm is bounded from below by a Rayleigh quotient, so that a violation is certain.

    Args:
        constant: 4 in the claim.
    """

    def raw(A: np.ndarray) -> Pair | None:
        N, eta = len(A), min(x for x in A.ravel() if x > 0)
        if not is_exact(A):
            size = disagreement_norm(A)
            return (float(constant) * eta / N**2, -log(size)) if size > 1e-12 else None
        gap = A - fmpq(1, N)
        vector = np.array([rational(float(v)) for v in np.linalg.svd(to_float(gap))[2][0]], dtype=object)
        below = norm(gap @ vector) / norm(vector)
        return (arb(rational(constant) * eta / N**2), -below.log()) if below > 0 else None

    return raw
