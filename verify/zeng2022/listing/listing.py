"""The listing of zeng2022 Algorithm 1 as data: numbered lines that read and write named, indexed variables.

`run` executes the lines literally. A variable that is read before it is assigned is an error, and the store keeps
which line assigned what, so the flow of data, the order of lines and the line numbers that the text cites can be
checked. `verify.zeng2022.listing.displays` is the same iteration from Eqs. (9)-(13). Both run over rationals and
over floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Key = tuple[str, int, int]
"""Name, agent (-1 for what all agents share), and time of a variable."""

Start = tuple[np.ndarray, np.ndarray, np.ndarray]
"""theta (N, D), omega (N, K), lambda (N, L)."""


class UnassignedError(LookupError):
    """A line reads a variable that no line has assigned."""


@dataclass(frozen=True)
class Sample:
    """One tuple of line 3.

    Attributes:
        s: state.
        actions: one per agent.
        s_next: successor.
    """

    s: int
    actions: tuple[int, ...]
    s_next: int


Draw = Callable[[int, np.ndarray], Sample]
"""The sample of iteration t, given all agents' parameters (N, D)."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What the listing takes as given.

    Attributes:
        W: consensus matrices, used in turn, each (N, N).
        steps: alpha, beta, zeta.
        gamma: discount.
        n_shared: H, the leading columns of theta that are averaged.
        r: local rewards, (N, S, A).
        phi_state: (S, K).
        phi_joint: (S, A, L).
        n_actions: actions per agent.
        score: gradient of ``log pi_i(a_i | s)`` from agent, state, action and the agent's parameters.
        project_omega: projection of a critic.
        project_lambda: projection of a reward model.
        draw: line 3, or the first sample of Algorithm 2.
        draw_actor: the second sample of Algorithm 2; None for Algorithm 1.
    """

    W: Sequence[np.ndarray]
    steps: tuple[Any, Any, Any]
    gamma: Any
    n_shared: int
    r: np.ndarray
    phi_state: np.ndarray
    phi_joint: np.ndarray
    n_actions: tuple[int, ...]
    score: Callable[[int, int, int, np.ndarray], np.ndarray]
    project_omega: Callable[[np.ndarray], np.ndarray]
    project_lambda: Callable[[np.ndarray], np.ndarray]
    draw: Draw
    draw_actor: Draw | None = None

    def joint(self, actions: Sequence[int]) -> int:
        """Index of a joint action, agent 0 slowest.

        Args:
            actions: one per agent.
        """
        return int(np.ravel_multi_index(tuple(actions), self.n_actions))


@dataclass
class Store:
    """The variables so far.

    Attributes:
        values: by key.
        writers: the lines that assigned each key, in order.
        line: the line that runs now.
    """

    values: dict[Key, Any] = field(default_factory=dict)
    writers: dict[Key, list[int]] = field(default_factory=dict)
    line: int = 1

    def get(self, name: str, agent: int, time: int) -> Any:
        """Read a variable.

        Args:
            name: such as ``omega``.
            agent: index, -1 if shared.
            time: t.

        Raises:
            UnassignedError: nothing has assigned it.
        """
        key = (name, agent, time)
        if key not in self.values:
            raise UnassignedError(f"line {self.line} reads {name} of agent {agent} at time {time}, not yet assigned")
        return self.values[key]

    def set(self, name: str, agent: int, time: int, value: Any) -> None:
        """Assign a variable.

        Args:
            name: such as ``omega``.
            agent: index, -1 if shared.
            time: t.
            value: what it becomes.
        """
        self.values[name, agent, time] = value
        self.writers.setdefault((name, agent, time), []).append(self.line)


@dataclass(frozen=True)
class Line:
    """One line of the listing.

    Attributes:
        number: as printed.
        per_agent: whether it stands in the loop over agents.
        run: executes it for (store, setting, agent, t).
    """

    number: int
    per_agent: bool
    run: Callable[[Store, Setting, int, int], None]


def _line_3(store: Store, setting: Setting, i: int, t: int) -> None:
    theta = np.stack([store.get("theta", j, t) for j in range(len(setting.r))])
    samples = [("", setting.draw(t, theta))]
    if setting.draw_actor is not None:
        samples.append(("~", setting.draw_actor(t, theta)))
    for mark, sample in samples:
        store.set("s" + mark, -1, t, sample.s)
        for j, action in enumerate(sample.actions):
            store.set("a" + mark, j, t, action)
        store.set("s" + mark, -1, t + 1, sample.s_next)


def _line_4(store: Store, setting: Setting, i: int, t: int) -> None:
    W, agents = setting.W[t % len(setting.W)], range(len(setting.r))
    shared = np.stack([store.get("theta", j, t)[: setting.n_shared] for j in agents])
    for name, rows in (
        ("omega", np.stack([store.get("omega", j, t) for j in agents])),
        ("lambda", np.stack([store.get("lambda", j, t) for j in agents])),
        ("theta^s", shared),
    ):
        for j, row in enumerate(W @ rows):
            store.set(name + " mixed", j, t, row)


def _pair(store: Store, setting: Setting, t: int, mark: str = "") -> tuple[int, int, int]:
    actions = [int(store.get("a" + mark, j, t)) for j in range(len(setting.r))]
    return int(store.get("s" + mark, -1, t)), setting.joint(actions), int(store.get("s" + mark, -1, t + 1))


def _td_error(store: Store, setting: Setting, i: int, t: int, critic: np.ndarray) -> Any:
    s, a, s_next = _pair(store, setting, t)
    ahead = setting.gamma * (setting.phi_state[s_next] @ critic)
    return setting.r[i, s, a] + ahead - setting.phi_state[s] @ critic


def _line_6(store: Store, setting: Setting, i: int, t: int) -> None:
    personal = store.get("theta", i, t)[setting.n_shared :]
    store.set("theta mixed", i, t, np.concatenate([store.get("theta^s mixed", i, t), personal]))
    store.set("delta", i, t, _td_error(store, setting, i, t, store.get("omega", i, t)))


def _line_7(store: Store, setting: Setting, i: int, t: int) -> None:
    s, _, _ = _pair(store, setting, t)
    step = setting.steps[1] * store.get("delta", i, t) * setting.phi_state[s]
    store.set("omega", i, t + 1, setting.project_omega(store.get("omega mixed", i, t) + step))


def _line_8(store: Store, setting: Setting, i: int, t: int) -> None:
    s, a, _ = _pair(store, setting, t)
    feature = setting.phi_joint[s, a]
    error = setting.r[i, s, a] - feature @ store.get("lambda", i, t)
    moved = store.get("lambda mixed", i, t) + setting.steps[2] * error * feature
    store.set("lambda", i, t + 1, setting.project_lambda(moved))


def _line_9(store: Store, setting: Setting, i: int, t: int) -> None:
    mark = "" if setting.draw_actor is None else "~"
    s, a, s_next = _pair(store, setting, t, mark)
    omega = store.get("omega", i, t)
    signal = (
        setting.phi_joint[s, a] @ store.get("lambda", i, t)
        + setting.gamma * (setting.phi_state[s_next] @ omega)
        - setting.phi_state[s] @ omega
    )
    score = setting.score(i, s, int(store.get("a" + mark, i, t)), store.get("theta", i, t))
    store.set("theta", i, t + 1, store.get("theta mixed", i, t) + setting.steps[0] * signal * score)


LISTING = (
    Line(3, False, _line_3),
    Line(4, False, _line_4),
    Line(6, True, _line_6),
    Line(7, True, _line_7),
    Line(8, True, _line_8),
    Line(9, True, _line_9),
)
"""Algorithm 1; lines 1, 2, 5, 10 and 11 are the input, the loops and their ends."""


def delta_at_mixed(store: Store, setting: Setting, i: int, t: int) -> None:
    """Line 6 with the TD error at the averaged critic: a wrong form, for controls.

    Args:
        store: variables.
        setting: what is given.
        i: agent.
        t: time.
    """
    _line_6(store, setting, i, t)
    store.set("delta", i, t, _td_error(store, setting, i, t, store.get("omega mixed", i, t)))


def run(
    setting: Setting,
    start: Start,
    horizon: int,
    *,
    listing: Sequence[Line] = LISTING,
    reverse_agents: bool = False,
) -> Store:
    """Execute the listing.

    Args:
        setting: what it takes as given.
        start: theta (N, D), omega (N, K), lambda (N, L): line 1.
        horizon: T.
        listing: its lines, in order.
        reverse_agents: run the loop of line 5 from the last agent to the first.

    Raises:
        UnassignedError: a line reads what nothing has assigned.
    """
    store, agents = Store(), range(len(setting.r))
    for name, rows in zip(("theta", "omega", "lambda"), start, strict=True):
        for i in agents:
            store.set(name, i, 0, rows[i])
    for t in range(horizon):
        for line in (x for x in listing if not x.per_agent):
            store.line = line.number
            line.run(store, setting, -1, t)
        for i in reversed(agents) if reverse_agents else agents:
            for line in (x for x in listing if x.per_agent):
                store.line = line.number
                line.run(store, setting, i, t)
    return store


def final(store: Store, n_agents: int, time: int) -> Start:
    """theta, omega and lambda of all agents at a time.

    Args:
        store: variables.
        n_agents: N.
        time: t.
    """
    theta, omega, lam = (
        np.stack([store.get(name, i, time) for i in range(n_agents)]) for name in ("theta", "omega", "lambda")
    )
    return theta, omega, lam
