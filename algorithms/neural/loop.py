"""A run of the kernels that can be continued, on any environment that they know; `actor_critic` drives one."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from jaxtyping import Float

from algorithms.neural import _kernels, _state
from algorithms.neural._state import Plan, State
from algorithms.neural.network import require_radius
from algorithms.neural.readings import Reading
from mdp.networks.schedule import Schedule, require_connected, require_doubly_stochastic
from mdp.validate import as_float_array, require_shape

PLACES = {
    _state.CRITIC: "the critic's TD error (Algorithm 2, line 6)",
    _state.SIGNAL: "the actor's TD error (Algorithm 1, line 9)",
    _state.DIRECTION: "the direction d (Algorithm 1, line 16)",
    _state.PARAMETERS: "the policy parameters (Algorithm 1, line 17)",
}
"""Where a number that is not finite can be met."""

FORMS = {
    "q": _state.FORM_Q,
    "v": _state.FORM_V,
    "advantage": _state.FORM_ADVANTAGE,
    "undiscounted": _state.FORM_UNDISCOUNTED,
}
NORMALISATIONS = {"agent": _state.PER_AGENT, "stacked": _state.STACKED, "none": _state.UNNORMALISED}


@dataclass(frozen=True)
class Steps:
    """Step sizes and loop lengths of Algorithms 1 and 2.

    Attributes:
        batch: M, at least 1.
        critic_iterations: K, at least 1 (0 for a critic that nobody learns).
        gossip_rounds: t_gossip, at least 0.
        alpha: actor scale, nonnegative (0 freezes the policy).
        alpha_exponent: the actor's step is ``alpha / t^alpha_exponent`` for t = 1, 2, ...: 1 as in Theorem 5.10,
            0 for the constant step that Appendix D.1 seems to use. The listing counts t from 0, where alpha / t
            has no value: we start at 1.
        beta: critic step, positive; None for ``1 / sqrt(K)``, as in Theorem 5.10.
        radius: B, positive; infinity for no projection. The paper gives no B among its defaults.
        episode: reset the state by the initial law after so many steps (Appendix D.1); 0 for never.

    Raises:
        ValueError: on construction, naming the argument and its value.

    Source: zhang2025 Theorem 5.10 and Appendix D.1.
    """

    batch: int = 1
    critic_iterations: int = 1
    gossip_rounds: int = 10
    alpha: float = 1.0
    alpha_exponent: float = 1.0
    beta: float | None = None
    radius: float = 10.0
    episode: int = 0

    def __post_init__(self) -> None:
        for name, least in (("batch", 1), ("critic_iterations", 0), ("gossip_rounds", 0), ("episode", 0)):
            value = getattr(self, name)
            if not isfinite(value) or value != int(value) or value < least:
                raise ValueError(f"{name} is {value}; it is a whole number of at least {least}")
        for name in ("alpha", "alpha_exponent"):
            value = getattr(self, name)
            if not isfinite(value) or value < 0:
                raise ValueError(f"{name} is {value:g}; it is finite and not negative")
        if self.beta is not None and not (isfinite(self.beta) and self.beta > 0):
            raise ValueError(f"beta is {self.beta:g}; the critic's step is finite and positive")
        require_radius(self.radius)

    @property
    def critic_step(self) -> float:
        """beta, by default ``1 / sqrt(K)``."""
        return float(max(self.critic_iterations, 1) ** -0.5 if self.beta is None else self.beta)


def plan_of(
    reading: Reading, steps: Steps, gamma: float, *, track: bool = False, central_iterations: int = 0
) -> Plan:
    """The kernels' numbers for a reading.

    Args:
        reading: the reading.
        steps: step sizes and loop lengths.
        gamma: discount factor.
        track: whether Algorithm 3 runs on the same tuples.
        central_iterations: its number of iterations, at most K.
    """
    form = FORMS[reading.td_form] if reading.actor_signal == "td" else _state.FORM_Q_VALUE
    return Plan(
        gamma=float(gamma),
        data_restart=reading.data_kernel == "restart",
        target_restart=reading.target_kernel == "restart",
        form=form,
        sign=-1.0 if reading.flipped else 1.0,
        normalisation=NORMALISATIONS[reading.normalisation],
        warm=reading.critic_start == "previous",
        penultimate=reading.hand_over == "penultimate",
        alpha=float(steps.alpha),
        exponent=float(steps.alpha_exponent),
        beta=steps.critic_step,
        radius=float(steps.radius),
        critic_iterations=int(steps.critic_iterations),
        batch=int(steps.batch),
        episode=int(steps.episode),
        track=bool(track),
        central_iterations=int(central_iterations),
    )


def gossip_matrix(consensus: Schedule | Float[np.ndarray, "N N"], n_agents: int, rounds: int) -> np.ndarray:
    """``A^t_gossip``: the product of the first `rounds` matrices of a schedule, the latest on the left, (N, N).

    Args:
        consensus: a schedule, or one doubly stochastic matrix.
        n_agents: N.
        rounds: t_gossip; 0 gives the identity.

    Raises:
        ValueError: a matrix of another size, negative entries, sums off one.
        DisconnectedScheduleError: agents that never exchange anything (unless `rounds` is 0).

    Source: zhang2025 Algorithm 1, line 13, Algorithm 2, line 12, Assumption 5.1.
    """
    fixed = not isinstance(consensus, Schedule)
    matrices = as_float_array("consensus", consensus, 2)[None] if fixed else consensus.matrices  # type: ignore[union-attr]
    require_shape("consensus", matrices[0], (n_agents, n_agents), "(N, N)")
    for matrix in matrices:
        require_doubly_stochastic(matrix, "consensus")
    if rounds > 0:
        require_connected(matrices)
    product = np.eye(n_agents)
    for k in range(rounds):
        product = matrices[k % len(matrices)] @ product
    return np.ascontiguousarray(product)


class Loop:
    """A run in progress.

    Attributes:
        state: arrays that the kernels write; see `algorithms.neural._state.State`.
        critic: the kernels' critic; a `Fixed` one may be written to between calls.
        plan: the kernels' numbers.
    """

    def __init__(
        self, env: Any, policy: Any, critic: Any, plan: Plan, gossip: np.ndarray, theta: np.ndarray,
        rng: np.random.Generator, *, state: int | None = None, horizon: int = 0,
    ) -> None:  # fmt: skip
        """Start a run: every critic at W(0), the state drawn from the initial law.

        Args:
            env: an `Environment`, or a NamedTuple with overloads of `_start`, `_successor`, `_reward`.
            policy: as of `policy_arrays`; it has a field ``n_actions``.
            critic: as of `network_arrays` and its neighbours; it has a field ``centre``.
            plan: as of `plan_of`.
            gossip: as of `gossip_matrix`.
            theta: initial parameters, (N, P); copied.
            rng: of the run.
            state: first state; None draws it.
            horizon: iterations for which Algorithm 3 may be tracked.
        """
        self._env, self._policy, self._gossip, self._rng = env, policy, gossip, rng
        self.critic, self.plan = critic, plan
        N, shape = len(policy.n_actions), critic.centre.shape
        first = _kernels._first_state(rng, env) if state is None else int(state)
        self.state = State(
            theta=np.array(theta, dtype=np.float64, order="C"),
            W=np.broadcast_to(critic.centre, (N, *shape)).copy(),  # a copy: for one agent the view would be read-only
            central=critic.centre.copy(),
            direction=np.zeros_like(theta, dtype=np.float64),
            place=np.array([first, 0, 0], dtype=np.int64),
            counts=np.zeros(5, dtype=np.int64),
            earned=np.zeros(1),
            distance=np.full(horizon if plan.track else 0, np.nan),
        )

    @property
    def t(self) -> int:
        """Outer iterations done."""
        return int(self.state.place[2])

    def advance(self, stop: int, part: int = _state.ALL) -> None:
        """Run until `stop` outer iterations are done, or one part of the next.

        Args:
            stop: number of iterations in all.
            part: `ALL`, `CRITIC_ONLY` (Algorithm 2, no step) or `STEP_ONLY` (line 17 with ``state.direction``).

        Raises:
            FloatingPointError: something was not finite; the message names what, when and whose.
        """
        _kernels._advance(
            self._rng, self._env, self._policy, self.critic, self.plan, self._gossip, int(stop), part, self.state
        )
        code, t, agent = (int(x) for x in self.state.counts[2:])
        if code:
            whose = f"agent {agent}" if agent < len(self.state.theta) else "the centralised critic"
            where = f"{PLACES[code]}, outer iteration {t}, {whose}"
            raise FloatingPointError(f"not finite: {where}; the steps are too large")

    def reward_and_tuples(self) -> tuple[float, int]:
        """Sum of team rewards so far, and number of tuples."""
        return float(self.state.earned[0]), int(self.state.counts[1])
