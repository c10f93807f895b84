"""Searches of zhang2025 whose instances are no box of parameters: valleys, start laws of networks, listings."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np

from verify.experiments.valley import Valley, descend
from verify.zhang2025.listing.dataflow import undefined_reads
from verify.zhang2025.listing.order import algorithm_1

RUNS, DRAWN = 200, 600
"""Valleys that are compared at a time, and drawn for that: nearly half of these meet the domination; ours."""

CONTRACTION, FIRST, LAST = 3.5, 8, 600
"""``alpha sqrt(mu)`` of the printed alpha with an exact direction, and the first and last step; ours, the last two."""

LARGEST_LISTING = 5
"""Largest T, M and N of a random listing; ours: no loop bound appears in the indexes but as a bound."""

NETWORKS = ((1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (3, 1))
"""Width and depth of networks whose 2^(m^2 D) sign patterns are all visited; ours: 512 at most."""


def valley_gap(rng: np.random.Generator, share: float = 1.0) -> float:
    """Largest ``(T-1) Delta_T`` over its bound, minus one, among `RUNS` random valleys that meet the domination.

    The bound of term (1): ``(s-1) Delta_s + L alpha^2 / (2 (c - 1))`` with ``c = 7/2``, from t = s on.

    Args:
        rng: draws the valleys, the step scale and the starts.
        share: of the bound.

    Raises:
        ValueError: too few of the valleys drawn meet the domination.
    """
    valley = Valley(rng.uniform(0.02, 0.98, DRAWN), rng.uniform(0.3, 3, DRAWN), rng.uniform(0.3, 3, DRAWN))
    alpha = np.exp(rng.uniform(0, np.log(100), DRAWN))
    x, y = rng.uniform(0, 4, DRAWN), rng.uniform(-1, 1, DRAWN) * rng.choice([0.01, 0.3, 1.0], DRAWN)
    times = sorted(set(np.geomspace(FIRST, LAST, 30).round().astype(int).tolist()))
    run = descend(valley, alpha, (x, y), FIRST, times)
    met = np.flatnonzero(run.domination >= CONTRACTION / alpha)[:RUNS]
    if len(met) < RUNS:
        raise ValueError(f"only {len(met)} of {DRAWN} valleys meet the domination; {RUNS} are to be compared")
    bound = (FIRST - 1) * run.gaps[0] + valley.smoothness * alpha**2 / (2 * (CONTRACTION - 1))
    ratio = ((run.times - 1)[:, None] * run.gaps / (share * bound))[:, met]
    return float(ratio.max()) - 1


def listing_gap(rng: np.random.Generator, sample: bool = True) -> float:
    """Cells that the repaired Algorithm 1 reads before they are written, for random T, M and N.

    Args:
        rng: draws the sizes.
        sample: keep line 7.
    """
    T, M, N = (int(n) for n in rng.integers(1, LARGEST_LISTING + 1, 3))
    listing = algorithm_1(T, M, N, parallel=True, action=True, sample=sample)
    return float(len(undefined_reads(listing, [("theta", 0, j) for j in range(N)])))


def start_slope_gap(rng: np.random.Generator, live: Fraction = Fraction(1, 2)) -> float:
    """Relative gap between the mean of ``|dQ/dW|^2`` over a discrete start law and ``D |x_0|^2 / 2``.

    Every row of every layer is ``sqrt(2) R s``, R a random orthogonal matrix of its own and s uniform over signs: it is
    symmetric and has the second moment 2 I of the paper's Gaussian law, which is all that the derivation uses. The mean
    over all sign patterns is a finite sum. With ``E|x_0|^2 = 2m`` the claim is ``E|dQ/dW|^2 = D m``.

    Args:
        rng: draws the sizes, x_0 = Hx and the orthogonal matrices.
        live: share of the time at which a unit is claimed to be live, 1/2.
    """
    m, D = NETWORKS[int(rng.integers(len(NETWORKS)))]
    x_0 = rng.normal(size=m)
    bases = np.linalg.qr(rng.normal(size=(D, m, m, m)))[0]
    signs = np.array(list(product((-1.0, 1.0), repeat=m * m * D))).reshape(-1, D, m, m)
    layers = np.sqrt(2) * np.einsum("hjkl,phjl->phjk", bases, signs)  # (pattern, layer, row, column)
    inputs = [np.broadcast_to(x_0, (len(signs), m))]
    for h in range(D):
        inputs.append(np.maximum(np.einsum("pjk,pk->pj", layers[:, h], inputs[-1]), 0) / np.sqrt(m))
    # E b b^T = I: the back signal of each unit vector of b in turn
    back, total = np.broadcast_to(np.eye(m), (len(signs), m, m)), np.zeros(len(signs))
    for h in range(D - 1, -1, -1):
        back = back * (inputs[h + 1] > 0)[:, None, :] / np.sqrt(m)
        total += (back**2).sum(axis=(1, 2)) * (inputs[h] ** 2).sum(axis=1)
        back = back @ layers[:, h]
    claimed = D * float(live) * float((x_0**2).sum())
    return abs(float(total.mean()) - claimed) / claimed
