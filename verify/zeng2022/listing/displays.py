"""The iteration of zeng2022 as Eqs. (9)-(13) display it, written apart from the listing of Algorithm 1."""

from __future__ import annotations

import numpy as np

from verify.zeng2022.listing.listing import Setting, Start


def displays(
    setting: Setting, start: Start, horizon: int
) -> Start:
    """The iteration as Eqs. (9)-(13) display it, in matrices.

    Args:
        setting: what it takes as given.
        start: theta (N, D), omega (N, K), lambda (N, L).
        horizon: T.

    Returns:
        theta, omega and lambda after T iterations.
    """
    theta, omega, lam = start
    alpha, beta, zeta = setting.steps
    H = setting.n_shared
    for t in range(horizon):
        sample = setting.draw(t, theta)
        W, (s, a, s_next) = setting.W[t % len(setting.W)], (sample.s, setting.joint(sample.actions), sample.s_next)
        phi, phi_next, varphi = setting.phi_state[s], setting.phi_state[s_next], setting.phi_joint[s, a]
        delta = setting.r[:, s, a] + setting.gamma * (omega @ phi_next) - omega @ phi  # after (13)
        critics = W @ omega + beta * np.outer(delta, phi)  # (13), the gradient of V^ is phi(s_t)
        models = W @ lam + zeta * np.outer(setting.r[:, s, a] - lam @ varphi, varphi)  # (12)
        signal = lam @ varphi + setting.gamma * (omega @ phi_next) - omega @ phi  # (11)
        scores = np.stack([setting.score(i, s, sample.actions[i], theta[i]) for i in range(len(theta))])
        mixed = np.concatenate([W @ theta[:, :H], theta[:, H:]], axis=1)  # (9)
        theta = mixed + alpha * signal[:, None] * scores  # (10)
        omega = np.stack([setting.project_omega(x) for x in critics])
        lam = np.stack([setting.project_lambda(x) for x in models])
    return theta, omega, lam
