r"""Assumptions on the neural critic of zhang2025 Eq. (5): Lipschitz in W, and close to Q.

The critic is ``Q(x; W) = b^T x_D`` with one-hot x = xi(s, a). With ``n_h = |W_h(0)| + B`` (operator norms) every W in
the ball ``B(B) = {|W_h - W_h(0)|_F <= B}`` of Algorithm 2 has ``|W_h| <= n_h``, ReLU is 1-Lipschitz, and so

``|dQ/dW_h|_F <= |b| |H x| prod_{k != h} n_k / m^{D/2}`` and ``|Q| <= |b| |H x| prod_k n_k / m^{D/2}``.

Q is homogeneous of degree one in every layer: for D >= 2 the derivative in W_2 grows with W_1, and no L_W serves all W.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mdp.exact import exact
from mdp.model import FiniteMDP
from mdp.policies import NeuralPolicy
from verify.assumptions.rows import Finding
from verify.assumptions.search import Setting

CRITIC_WIDTH, CRITIC_DEPTH = 16, 2
"""Size of the critic; ours: small, and deep enough for products of layers."""

RADIUS = 1.0
"""Radius B of the ball of Algorithm 2; ours (the theorem's B is an order, not a number)."""

MOST_PAIRS = 600
"""Most pairs (s, a) for which a critic is built: inputs are one-hot of that length; ours."""


@dataclass(frozen=True, eq=False)
class Critic:
    """A critic network at its initial weights.

    Attributes:
        network: the network: one agent whose actions are the joint actions, scalar output.
        W: initial weights, (1, D m^2).
    """

    network: NeuralPolicy
    W: np.ndarray

    @classmethod
    def draw(cls, mdp: FiniteMDP, seed: int = 0, *, depth: int = CRITIC_DEPTH, width: int = CRITIC_WIDTH) -> Critic:
        """A random critic for an MDP.

        Args:
            mdp: the MDP.
            seed: of H, W and b.
            depth: D.
            width: m.

        Source: zhang2025 Sec. 3.2.
        """
        network, W = NeuralPolicy.draw(
            mdp.n_states, (mdp.n_joint_actions,), width=width, depth=depth, seed=seed, head="action-input"
        )
        return cls(network, W)

    def gradient(self, W: np.ndarray) -> np.ndarray:
        """dQ/dW at every pair, (S A, D m^2).

        Args:
            W: weights, (1, D m^2).
        """
        found = self.network.logit_jacobian(0, W[0])
        return found.reshape(-1, found.shape[-1])

    def values(self, W: np.ndarray) -> np.ndarray:
        """Q at every pair, (S A,): by Euler's identity the derivative along W over the depth.

        Args:
            W: weights, (1, D m^2).
        """
        values: np.ndarray = self.gradient(W) @ W[0] / self.network.depth
        return values

    def norms(self, radius: float) -> np.ndarray:
        """``|W_h(0)| + radius`` for every layer, (D,).

        Args:
            radius: B.
        """
        m = self.network.width
        return np.linalg.norm(self.W.reshape(-1, m, m), ord=2, axis=(1, 2)) + radius

    def lipschitz(self, radius: float = RADIUS) -> float:
        """L_W on the ball of that radius, by the module's bound.

        Args:
            radius: B.
        """
        norms = self.norms(radius)
        return self._scale() * float(np.sqrt(((norms.prod() / norms) ** 2).sum()))

    def largest(self, radius: float = RADIUS) -> float:
        """Bound on ``|Q(x; W)|`` on the ball of that radius.

        Args:
            radius: B.
        """
        return self._scale() * float(self.norms(radius).prod())

    def _scale(self) -> float:
        net = self.network
        inputs = np.linalg.norm(net.inputs[0] @ net.H[0].T, axis=-1).max()
        return float(np.linalg.norm(net.b[0]) * inputs / net.width ** (net.depth / 2))


def critic_of(setting: Setting) -> Critic | Finding:
    """The critic of a setting, or why there is none.

    Args:
        setting: the problem and the search.
    """
    pairs = setting.mdp.n_states * setting.mdp.n_joint_actions
    if pairs > MOST_PAIRS:
        return Finding("does not apply", f"not built: {pairs:,} pairs (s, a), one-hot inputs stop at {MOST_PAIRS}")
    return Critic.draw(setting.mdp, setting.seed)


def lipschitz_in_ball(setting: Setting) -> Finding:
    """zhang2025 Assumption 5.8, second part, for W in the ball of Algorithm 2.

    Args:
        setting: the problem and the search.
    """
    critic = critic_of(setting)
    if isinstance(critic, Finding):
        return critic
    bound, steepest = critic.lipschitz(), float(np.linalg.norm(critic.gradient(critic.W), axis=1).max())
    return Finding("yes", f"L_W <= {bound:.4g} on B({RADIUS:g}) (D = {CRITIC_DEPTH}, m = {CRITIC_WIDTH}); slope "
                   f"{steepest:.3g} at W(0)", bound)  # fmt: skip


def lipschitz_everywhere(setting: Setting) -> Finding:
    """zhang2025 Assumption 5.8, second part, as printed: for any W and W'.

    Args:
        setting: the problem and the search.
    """
    critic = critic_of(setting)
    if isinstance(critic, Finding):
        return critic
    return everywhere(critic)


def everywhere(critic: Critic) -> Finding:
    """Whether the slope in W stays bounded: not for two layers or more.

    Args:
        critic: the critic.
    """
    one, ten = (float(np.linalg.norm(critic.gradient(c * critic.W), axis=1).max()) for c in (1.0, 10.0))
    if critic.network.depth > 1 and ten > 2 * one > 0:
        return Finding("no", f"slope {one:.3g} at W(0), {ten:.3g} at 10 W(0): homogeneous of degree "
                       f"{critic.network.depth}")  # fmt: skip
    if critic.network.depth == 1:
        bound = critic.lipschitz(0.0)
        return Finding("yes", f"L_W <= {bound:.4g} for all W (one layer)", bound)
    return Finding("not proven", f"slope {one:.3g} at W(0), {ten:.3g} at 10 W(0)")


def critic_error(setting: Setting) -> Finding:
    """zhang2025 Assumption 5.9: *some* finite eps_critic exists for all theta; that it is small is not asserted.

    ``|Q_theta| <= max |r_bar| / (1 - gamma)`` and the critic is bounded on the ball, wherever W* is. What a small value
    would take is measured at theta = 0: the distance from W(0) at which the linearised critic of Fact C.3 equals Q (a
    stationary point if the ball is that large), and the error of the network itself there.

    Args:
        setting: the problem and the search.
    """
    critic = critic_of(setting)
    if isinstance(critic, Finding):
        return critic
    bound = float(np.abs(setting.mdp.r_bar).max()) / (1 - setting.mdp.gamma) + critic.largest()
    fit = interpolation(critic, _uniform_Q(setting))
    if fit is None:
        text = "too few weights to interpolate Q"
    else:
        text = f"interpolating Q at theta = 0 takes B = {fit[0]:.3g}, where the network errs by {fit[1]:.3g}"
    return Finding("yes", f"trivially: eps_critic <= {bound:.3g} on B({RADIUS:g}); {text}", bound)


def interpolation(critic: Critic, Q: np.ndarray) -> tuple[float, float] | None:
    """Radius at which the linearised critic equals Q, and the network's error there.

    Args:
        critic: the critic.
        Q: target, (S A,).

    Returns:
        Largest layer distance ``|W_h - W_h(0)|_F`` of the least-norm solution and ``max |Q(x; W) - Q|``; None if the
        linearised critic cannot equal Q.
    """
    slopes, start = critic.gradient(critic.W), critic.values(critic.W)
    step = np.linalg.lstsq(slopes, Q - start, rcond=None)[0]
    if np.abs(start + slopes @ step - Q).max() > 1e-8 * max(1.0, float(np.abs(Q).max())):
        return None
    m = critic.network.width
    radius = np.linalg.norm(step.reshape(-1, m * m), axis=1).max()
    return float(radius), float(np.abs(critic.values(critic.W + step) - Q).max())


def _uniform_Q(setting: Setting) -> np.ndarray:
    shape = (setting.mdp.n_agents, setting.problem.policy.n_parameters)
    Q: np.ndarray = exact(setting.problem, np.zeros(shape)).Q.ravel()
    return Q
