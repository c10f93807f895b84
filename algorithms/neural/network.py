"""The critic network of zhang2025 Eq. (5): values, gradients, linearisation, projection ball."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from jaxtyping import Float

from mdp.policies.neural import INPUT_VARIANCE, NORM_TOLERANCE
from mdp.validate import as_float_array, require_shape


@dataclass(frozen=True, eq=False)
class PairInputs:
    """Inputs ``xi(s, a) = (phi_s, phi_a) / norm``, put together when asked for: S + A rows instead of S A.

    Attributes:
        phi_s: state features, (S, d_s).
        phi_a: features of joint actions, (A, d_a).

    Raises:
        ValueError: on construction: shapes, NaN, a pair whose features are all zero.

    Source: zhang2025 Sec. 3.2 asks for unit vectors and leaves xi open.
    """

    phi_s: np.ndarray
    phi_a: np.ndarray

    def __post_init__(self) -> None:
        for name in ("phi_s", "phi_a"):
            object.__setattr__(self, name, as_float_array(name, getattr(self, name), 2))
        state, action = self.squares
        s, a = int(state.argmin()), int(action.argmin())
        if not state[s] + action[a] > 0:
            raise ValueError(f"phi_s[{s}] and phi_a[{a}] are both zero: that pair cannot be normalised")

    @property
    def squares(self) -> tuple[np.ndarray, np.ndarray]:
        """Squared norms of the rows of `phi_s` and `phi_a`, (S,) and (A,)."""
        return (self.phi_s**2).sum(axis=1), (self.phi_a**2).sum(axis=1)

    @property
    def dimension(self) -> int:
        """D = d_s + d_a."""
        return int(self.phi_s.shape[1] + self.phi_a.shape[1])

    def table(self) -> Float[np.ndarray, "n d"]:
        """Every input as a row, state slowest, shape (S A, d)."""
        S, A = len(self.phi_s), len(self.phi_a)
        rows = np.concatenate([np.repeat(self.phi_s, A, axis=0), np.tile(self.phi_a, (S, 1))], axis=1)
        unit: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


@dataclass(frozen=True, eq=False)
class CriticNetwork:
    r"""``x_0 = H x``, ``x_h = ReLU(W_h x_{h-1}) / sqrt(m)`` for h = 1..D, ``y = b^T x_D``; only W is trained.

    The text leaves open the derivative at a kink (ours: 0). At the start each entry of x_h has second moment 2, so
    y has variance 2 m: with m = 20 the critic starts at values of size 6, whatever the rewards.

    Attributes:
        inputs: unit rows, (n, d); n = S A with the state slowest when the network serves an MDP; or `PairInputs`.
        H: fixed input layer, (m, d).
        W0: initial weights W(0), (D, m, m), centre of the projection ball.
        b: fixed output layer, (m,).

    Raises:
        ValueError: on construction, naming the argument: shapes, NaN, width or depth below one, an input whose
            norm is not one.

    Source: zhang2025 Sec. 3.2, Eq. (5).
    """

    inputs: np.ndarray | PairInputs
    H: np.ndarray
    W0: np.ndarray
    b: np.ndarray

    def __post_init__(self) -> None:
        if np.ndim(self.W0) == 3 and np.shape(self.W0)[0] == 0:
            raise ValueError("depth is 0; the network has at least one layer")
        H, W0, b = as_float_array("H", self.H, 2), as_float_array("W0", self.W0, 3), as_float_array("b", self.b, 1)
        m = H.shape[0]
        require_shape("W0", W0, (W0.shape[0], m, m), "(D, m, m)")
        require_shape("b", b, (m,), "(m,)")
        inputs = self.inputs
        if isinstance(inputs, PairInputs):
            dimension = inputs.dimension
        else:
            inputs = as_float_array("inputs", inputs, 2)
            dimension = inputs.shape[1]
            norms = np.linalg.norm(inputs, axis=1)
            k = int(np.abs(norms - 1).argmax())
            if abs(norms[k] - 1) > NORM_TOLERANCE:
                raise ValueError(f"inputs[{k}] has norm {norms[k]:.6g}, not 1")
        require_shape("H", H, (m, dimension), "(m, d)")
        for name, value in (("inputs", inputs), ("H", H), ("W0", W0), ("b", b)):
            object.__setattr__(self, name, value)

    @classmethod
    def draw(
        cls,
        inputs: Float[np.ndarray, "n d"] | PairInputs,
        *,
        width: int,
        depth: int,
        seed: int | np.random.SeedSequence | np.random.Generator,
    ) -> CriticNetwork:
        """Random initial layers: entries of H and W are N(0, 2), those of b are N(0, 1).

        Args:
            inputs: unit rows (n, d), or `PairInputs`.
            width: m, at least 1.
            depth: D, at least 1.
            seed: of H, then W_1..W_D, then b.

        Raises:
            ValueError: width or depth below one; inputs as on construction.

        Source: zhang2025 Sec. 3.2, below Eq. (5).
        """
        for name, value in (("width", width), ("depth", depth)):
            if value != int(value) or value < 1:
                raise ValueError(f"{name} is {value}; it is a whole number of at least 1")
        rng, root = np.random.default_rng(seed), np.sqrt(INPUT_VARIANCE)
        d = inputs.dimension if isinstance(inputs, PairInputs) else as_float_array("inputs", inputs, 2).shape[1]
        H = root * rng.normal(size=(width, d))
        W0 = root * rng.normal(size=(depth, width, width))
        return cls(inputs, H, W0, rng.normal(size=width))

    @property
    def width(self) -> int:
        """M."""
        return int(self.H.shape[0])

    @property
    def depth(self) -> int:
        """D."""
        return int(self.W0.shape[0])

    @property
    def n_parameters(self) -> int:
        """Trained parameters, D m^2; the stated dimension m (D m + d + 1) counts H and b, which stay fixed."""
        return int(self.W0.size)

    @property
    def n_inputs(self) -> int:
        """Number of inputs."""
        if isinstance(self.inputs, PairInputs):
            return len(self.inputs.phi_s) * len(self.inputs.phi_a)
        return len(self.inputs)

    def first_layer(self) -> Float[np.ndarray, "n m"]:
        """The first layer ``H x`` of every input."""
        table = self.inputs.table() if isinstance(self.inputs, PairInputs) else self.inputs
        product: np.ndarray = table @ self.H.T
        return product

    def values(self, W: Float[np.ndarray, "D m m"] | Float[np.ndarray, " P"]) -> Float[np.ndarray, " n"]:
        """``Q-hat(x; W)`` of every input.

        Args:
            W: weights, (D, m, m) or flat; complex weights are continued analytically (for complex steps).
        """
        output: np.ndarray = self._layers(W)[-1] @ self.b
        return output

    def gradients(self, W: Float[np.ndarray, "D m m"] | Float[np.ndarray, " P"]) -> Float[np.ndarray, "n P"]:
        """Gradient of `values` in W, flattened (D, m, m), one row per input.

        Args:
            W: weights, (D, m, m) or flat.
        """
        weights, layers = self._shaped(W), self._layers(W)
        n = len(layers[0])
        back = np.broadcast_to(self.b, (n, self.width))
        pieces: list[np.ndarray] = []
        for h in range(self.depth, 0, -1):
            back = back * (layers[h] > 0) / np.sqrt(self.width)
            pieces.insert(0, (back[:, :, None] * layers[h - 1][:, None, :]).reshape(n, -1))
            back = back @ weights[h - 1]
        return np.concatenate(pieces, axis=1)

    def linearised(self, W: Float[np.ndarray, "D m m"] | Float[np.ndarray, " P"]) -> Float[np.ndarray, " n"]:
        """Eq. (12): ``Q-hat_0(x; W) = Q-hat(x; W(0)) + grad Q-hat(x; W(0)) . (W - W(0))``.

        Args:
            W: weights, (D, m, m) or flat.

        Source: zhang2025 Eq. (12).
        """
        value: np.ndarray = self.values(self.W0) + self.gradients(self.W0) @ (self._shaped(W) - self.W0).ravel()
        return value

    def project(self, W: Float[np.ndarray, "D m m"] | Float[np.ndarray, " P"], radius: float) -> np.ndarray:
        """Nearest weights with ``||W_h - W_h(0)||_F <= radius`` for every h, in the shape of `W`.

        Args:
            W: weights, (D, m, m) or flat.
            radius: B, positive; infinity leaves W alone.

        Raises:
            ValueError: the radius is not positive.

        Source: zhang2025 Algorithm 2, lines 2 and 8.
        """
        radius = require_radius(radius)
        if radius == float("inf"):
            return np.array(W)
        offset = self._shaped(W) - self.W0
        norms = np.linalg.norm(offset, axis=(1, 2), keepdims=True)
        # a block inside the ball is returned bit by bit: W(0) + (W - W(0)) would round
        shrunk = np.where(norms > radius, self.W0 + offset * (radius / np.maximum(norms, radius)), self._shaped(W))
        return shrunk.reshape(np.shape(W))

    def _shaped(self, W: np.ndarray) -> np.ndarray:
        array = np.asarray(W)
        if array.size != self.W0.size:
            raise ValueError(f"W has shape {array.shape}, not (D, m, m) = {self.W0.shape} or flat")
        return array.reshape(self.W0.shape)

    def _layers(self, W: np.ndarray) -> list[np.ndarray]:
        layers = [self.first_layer()]
        for weight in self._shaped(W):
            z = layers[-1] @ weight.T
            layers.append(z * (z.real > 0) / np.sqrt(self.width))
        return layers


def require_radius(radius: float) -> float:
    """Return the projection radius as a float.

    Args:
        radius: B.

    Raises:
        ValueError: it is not positive (infinity is allowed: no projection).
    """
    value = float(radius)
    if not value > 0 or (not isfinite(value) and value != float("inf")):
        raise ValueError(f"radius is {value:g}; the projection ball has a positive radius")
    return value
