"""The neural class of zhang2025 Eq. (5) with a softmax head, at exact gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from mdp.policy import softmax_score
from mdp.validate import as_float_array, require_shape

Trainable = Literal["W", "all"]
Head = Literal["per-action", "action-input"]

INPUT_VARIANCE = 2.0
"""Variance of the entries of H and W at the start: N(0, 2). Source: zhang2025 Sec. 3.2, below Eq. (5)."""

NORM_TOLERANCE = 1e-12
"""Slack for input vectors of norm one; ours: rounding of a division."""


@dataclass(frozen=True, eq=False)
class NeuralPolicy:
    r"""A fully connected ReLU network per agent, softmax over its outputs.

    ``x0 = H x``, ``x_h = ReLU(W_h x_{h-1}) / sqrt(m)`` for h = 1..D, ``y = b^T x_D``, ``pi = softmax(y)``.

    What the text leaves open, and what we do:

    - *Output layer.* Eq. (5) has one output, ``b`` in R^m; a softmax over actions needs A_i. The text feeds the
      state alone to the actor, so by default (``head = "per-action"``) ``b`` has one column per action, entries
      N(0, 1). The other reading (``"action-input"``) keeps the scalar output and feeds ``xi(s, a)``, as the critic
      does; only it gives the stated dimension.
    - *Dimension.* The text says m (D m + d + 1) parameters, which counts H and b, and also says that only W is
      trained. ``trainable = "W"`` (default) has D m^2 of them; ``"all"`` has m (D m + d + A_i), and
      m (D m + d + 1) with ``"action-input"``. `paper_dimension` gives the stated number.
    - *Scale.* With these variances each entry of x_h has second moment 2 for every h, so the logits have
      variance 2 m at the start: a softmax of them is nearly deterministic (standard deviation 6.3 at m = 20).
      `logit_scale` multiplies the logits; 1 is the printed form.

    What follows for the papers' assumptions:

    - ReLU has kinks: the policy is not differentiable on a null set of thetas, and J is not smooth
      (zhang2025 Assumption 5.2 asks for differentiability). At a kink we take the derivative 0.
    - Outputs are homogeneous of degree one in every W_h. For D >= 2 the direction (W_1, -W_2, 0, ...) therefore
      leaves the policy unchanged to first order: the Fisher information is singular at *every* theta, and no
      mu_f > 0 of Assumption 5.5 exists (`homogeneity_null_vectors`). Its rank is at most S (A_i - 1) per agent in
      any case.
    - For D >= 2 the score is unbounded (degree D - 1 in theta); for D = 1 with W trained it is bounded.

    Attributes:
        inputs: one array per agent of unit vectors: (S, d), or (S, A_i, d) for the head ``"action-input"``.
        n_actions: actions per agent; equal unless only W is trained or the head is ``"action-input"``.
        H: one (m, d) array per agent: fixed input layer (ignored by theta of ``trainable = "all"``).
        b: one (A_i, m) array per agent, or (1, m) for ``"action-input"``: fixed output layer.
        depth: D.
        trainable: what theta holds: ``"W"``: W_1, ..., W_D row by row; ``"all"``: H, then those, then b.
        logit_scale: factor on the logits.
        n_shared: H of `mdp.policy.Policy`: number of leading columns of theta that agents share.

    Raises:
        ValueError: on construction: shapes, NaN, inputs that are not unit vectors, depth below one.

    Source: zhang2025 Sec. 3.2, Eq. (5) and the paragraph after it.
    """

    inputs: tuple[np.ndarray, ...]
    n_actions: tuple[int, ...]
    H: tuple[np.ndarray, ...]
    b: tuple[np.ndarray, ...]
    depth: int
    trainable: Trainable = "W"
    logit_scale: float = 1.0
    n_shared: int = 0

    def __post_init__(self) -> None:
        n_actions = tuple(int(k) for k in self.n_actions)
        if int(self.depth) < 1:
            raise ValueError(f"depth is {self.depth}; the network has at least one layer")
        if self.trainable not in ("W", "all"):
            raise ValueError(f"trainable is {self.trainable!r}, not 'W' or 'all'")
        if not n_actions or {len(self.inputs), len(self.H), len(self.b)} != {len(n_actions)}:
            counts = f"{len(self.inputs)} inputs, {len(self.H)} H, {len(self.b)} b"
            raise ValueError(f"{counts} for {len(n_actions)} agents; one of each per agent")
        inputs, H, b = [], [], []
        for i, width in enumerate(n_actions):
            ndim = np.ndim(self.inputs[i])
            table = as_float_array(f"inputs[{i}]", self.inputs[i], 3 if ndim == 3 else 2)
            norms = np.linalg.norm(table, axis=-1)
            off = np.unravel_index(np.abs(norms - 1).argmax(), norms.shape)
            if abs(norms[off] - 1) > NORM_TOLERANCE:
                raise ValueError(f"inputs[{i}]{[int(k) for k in off]} has norm {norms[off]:.6g}, not 1")
            H.append(as_float_array(f"H[{i}]", self.H[i], 2))
            b.append(as_float_array(f"b[{i}]", self.b[i], 2))
            m = H[0].shape[0]
            require_shape(f"H[{i}]", H[i], (m, table.shape[-1]), "(m, d)")
            require_shape(f"b[{i}]", b[i], (width if ndim == 2 else 1, m), "(A_i, m), or (1, m) for action inputs")
            if ndim == 3:
                require_shape(f"inputs[{i}]", table, (len(table), width, table.shape[2]), "(S, A_i, d)")
            inputs.append(table)
        for name, value in (("inputs", tuple(inputs)), ("H", tuple(H)), ("b", tuple(b)), ("n_actions", n_actions)):
            object.__setattr__(self, name, value)
        for i, table in enumerate(inputs):
            if len(table) != self.n_states:
                raise ValueError(f"inputs[{i}] has {len(table)} states and inputs[0] has {self.n_states}")
            if self._size(i) != self._size(0):
                sizes = f"agent {i} has {self._size(i)} parameters and agent 0 {self._size(0)}"
                raise ValueError(f"{sizes}; theta is one (N, D) array")
        if not 0 <= self.n_shared <= self.n_parameters:
            raise ValueError(f"n_shared is {self.n_shared}; it lies between 0 and {self.n_parameters}")

    @classmethod
    def draw(
        cls,
        n_states: int,
        n_actions: tuple[int, ...],
        *,
        width: int,
        depth: int,
        seed: int | np.random.Generator,
        head: Head = "per-action",
        trainable: Trainable = "W",
        logit_scale: float = 1.0,
    ) -> tuple[NeuralPolicy, Float[np.ndarray, "N D"]]:
        """A policy with random fixed layers and one-hot inputs, and its random initial theta.

        Args:
            n_states: S.
            n_actions: actions per agent.
            width: m.
            depth: D.
            seed: seed or generator: per agent H, then W_1..W_D, with variance 2, then b with variance 1.
            head: ``"per-action"`` (d = S) or ``"action-input"`` (d = S A_i).
            trainable: ``"W"`` or ``"all"``.
            logit_scale: factor on the logits; 1 as printed, ``1 / sqrt(2 m)`` for logits of variance one.

        Returns:
            The policy, and theta of shape (N, D m^2) (or more for ``"all"``).

        Raises:
            ValueError: sizes below one, an unknown head.

        Source: zhang2025 Sec. 3.2.
        """
        if min(n_states, width, depth, *n_actions) < 1:
            sizes = f"n_states {n_states}, n_actions {n_actions}, width {width}, depth {depth}"
            raise ValueError(f"{sizes}: all are at least one")
        if head not in ("per-action", "action-input"):
            raise ValueError(f"head is {head!r}, not 'per-action' or 'action-input'")
        rng, root = np.random.default_rng(seed), np.sqrt(INPUT_VARIANCE)
        inputs, H, b, rows = [], [], [], []
        for A in n_actions:
            pairs = head == "action-input"
            d = n_states * A if pairs else n_states
            inputs.append(np.eye(d).reshape(n_states, A, d) if pairs else np.eye(d))
            H.append(root * rng.normal(size=(width, d)))
            W = root * rng.normal(size=(depth, width, width))
            b.append(rng.normal(size=(1 if pairs else A, width)))
            rows.append(W.ravel() if trainable == "W" else np.concatenate([H[-1].ravel(), W.ravel(), b[-1].ravel()]))
        policy = cls(tuple(inputs), tuple(n_actions), tuple(H), tuple(b), depth, trainable, logit_scale)
        return policy, np.stack(rows)

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return int(self.inputs[0].shape[0])

    @property
    def width(self) -> int:
        """Width m of the layers."""
        return int(self.H[0].shape[0])

    @property
    def n_parameters(self) -> int:
        """Number of trainable parameters of one agent: D m^2, or those of H and b too."""
        return self._size(0)

    @property
    def paper_dimension(self) -> int:
        """The dimension of theta^i as stated, m (D m + d + 1). Source: zhang2025 Sec. 3.2."""
        return self.width * (self.depth * self.width + int(self.inputs[0].shape[-1]) + 1)

    def probabilities(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Tables pi_i(a_i | s).

        Args:
            theta: parameters, shape (N, D).

        Returns:
            One (S, A_i) array per agent.

        Raises:
            ValueError: theta has another shape or a NaN.
        """
        return [_softmax(self._logits(i, row)) for i, row in enumerate(self._check(theta))]

    def log_jacobian(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Scores, by backpropagation of every logit.

        Args:
            theta: parameters, shape (N, D).

        Returns:
            One (S, A_i, D) array per agent.

        Raises:
            ValueError: theta has another shape or a NaN.
        """
        rows = self._check(theta)
        return [
            softmax_score(self.logit_jacobian(i, row), _softmax(self._logits(i, row))) for i, row in enumerate(rows)
        ]

    def homogeneity_null_vectors(self, theta: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "k N D"]:
        """Directions (.., W_h, -W_{h+1}, ..) of each agent, along which every score vanishes.

        By Euler's identity the derivative of a logit along W_h is the logit itself, whatever h.

        Args:
            theta: parameters, shape (N, D).

        Returns:
            Array (N (depth - 1), N, D); empty at depth one.
        """
        theta = self._check(theta)
        vectors = []
        size, start = self.width**2, self.H[0].size if self.trainable == "all" else 0
        for i in range(len(theta)):
            for h in range(self.depth - 1):
                vector = np.zeros_like(theta)
                low = slice(start + h * size, start + (h + 1) * size)
                high = slice(start + (h + 1) * size, start + (h + 2) * size)
                vector[i, low], vector[i, high] = theta[i, low], -theta[i, high]
                vectors.append(vector)
        return np.array(vectors).reshape(-1, *theta.shape)

    def logit_jacobian(self, agent: int, row: Float[np.ndarray, " D"]) -> Float[np.ndarray, "S A_i D"]:
        """Derivatives of one agent's logits in its parameters.

        Args:
            agent: index of the agent.
            row: its parameters, shape (D,).

        Returns:
            Array (S, A_i, D).
        """
        _, W, b = self._unpack(agent, row)
        layers = self._layers(agent, row)
        S, A = self.n_states, self.n_actions[agent]
        layers = [np.broadcast_to(x if x.ndim == 3 else x[:, None, :], (S, A, x.shape[-1])) for x in layers]
        back = np.broadcast_to(b if len(b) > 1 or A == 1 else b[[0] * A], (S, A, self.width))
        pieces: list[np.ndarray] = []
        for h in range(self.depth, 0, -1):
            back = back * (layers[h] > 0) / np.sqrt(self.width)  # the derivative at a kink is 0
            pieces.insert(0, (back[..., :, None] * layers[h - 1][..., None, :]).reshape(S, A, -1))
            back = back @ W[h - 1]
        if self.trainable == "all":
            x = self.inputs[agent]
            x = np.broadcast_to(x if x.ndim == 3 else x[:, None, :], (S, A, x.shape[-1]))
            pieces.insert(0, (back[..., :, None] * x[..., None, :]).reshape(S, A, -1))
            selector = np.eye(A) if len(b) == A else np.ones((A, 1))
            last = selector[None, :, :, None] * layers[-1][:, :, None, :]
            pieces.append(last.reshape(S, A, -1))
        return self.logit_scale * np.concatenate(pieces, axis=-1)

    def _layers(self, agent: int, row: np.ndarray) -> list[np.ndarray]:
        H, W, _ = self._unpack(agent, row)
        layers = [self.inputs[agent] @ H.T]
        for weight in W:
            z = layers[-1] @ weight.T
            layers.append(z * (z.real > 0) / np.sqrt(self.width))
        return layers

    def _logits(self, agent: int, row: np.ndarray) -> np.ndarray:
        output = self._layers(agent, row)[-1] @ self._unpack(agent, row)[2].T
        scaled: np.ndarray = self.logit_scale * (output[..., 0] if output.ndim == 3 else output)
        return scaled

    def _unpack(self, agent: int, row: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        H, b, m = self.H[agent], self.b[agent], self.width
        if self.trainable == "W":
            return H, row.reshape(self.depth, m, m), b
        first, second = H.size, H.size + self.depth * m * m
        return row[:first].reshape(H.shape), row[first:second].reshape(self.depth, m, m), row[second:].reshape(b.shape)

    def _size(self, agent: int) -> int:
        fixed = self.H[agent].size + self.b[agent].size if self.trainable == "all" else 0
        return int(self.depth * self.width**2 + fixed)

    def _check(self, theta: Any) -> np.ndarray:
        array = as_float_array("theta", theta, 2)
        require_shape("theta", array, (len(self.n_actions), self.n_parameters), "(N, D)")
        return array


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.real.max(axis=1, keepdims=True))  # complex logits: for complex-step checks
    table: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return table
