"""The network of zhang2025 Eq. (5) in exact arithmetic, for witnesses that can be checked by hand.

The factors ``1/sqrt(m)`` are irrational for most widths. They are left out of the layers here, so that `output` is
``m^(D/2) y`` and `slopes` are ``m^(D/2) dy/dW_h``; squares of both are rational multiples of the printed ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
from flint import fmpq

from mdp.linear import rational_array


@dataclass(frozen=True, eq=False)
class ReluNetwork:
    """One network with rational weights, one output per row of b.

    Attributes:
        H: input layer, (m, d).
        W: layers W_1..W_D, each (m, m).
        b: output layer, (A, m).

    Source: zhang2025 Sec. 3.2, Eq. (5).
    """

    H: np.ndarray
    W: tuple[np.ndarray, ...]
    b: np.ndarray

    @property
    def width(self) -> int:
        """Width m."""
        return int(self.H.shape[0])

    @property
    def depth(self) -> int:
        """Depth D."""
        return len(self.W)

    def layers(self, x: np.ndarray) -> list[np.ndarray]:
        """``H x`` and the outputs of all layers, without the factors 1/sqrt(m).

        Args:
            x: input, (d,).
        """
        found = [self.H @ x]
        for weight in self.W:
            found.append(relu(weight @ found[-1]))
        return found

    def output(self, x: np.ndarray) -> np.ndarray:
        """``m^(D/2) y``, (A,).

        Args:
            x: input, (d,).
        """
        value: np.ndarray = self.b @ self.layers(x)[-1]
        return value

    def slopes(self, x: np.ndarray) -> list[np.ndarray]:
        """``m^(D/2) dy/dW_h`` for every layer, each (A, m, m); 0 at a kink.

        Args:
            x: input, (d,).
        """
        layers, back = self.layers(x), self.b
        found: list[np.ndarray] = []
        for h in range(self.depth, 0, -1):
            back = back * live(layers[h])
            found.insert(0, back[:, :, None] * layers[h - 1][None, None, :])
            back = back @ self.W[h - 1]
        return found

    def over_paths(self, x: np.ndarray) -> np.ndarray:
        """The output again, as the sum over paths through live units: a second computation of `output`.

        Args:
            x: input, (d,).
        """
        layers, total = self.layers(x), self.b[:, 0] * 0
        for path in product(range(self.width), repeat=self.depth + 1):
            weight = layers[0][path[0]]
            for h, (low, high) in enumerate(pairwise(path)):
                weight = weight * self.W[h][high, low] * (1 if layers[h + 1][high] > 0 else 0)
            total = total + self.b[:, path[-1]] * weight
        return total

    def moved(self, factor: Any, layer: int = 0) -> ReluNetwork:
        """The same network with one layer multiplied.

        Args:
            factor: rational.
            layer: which, from 0.
        """
        layers = tuple(factor * W if h == layer else W for h, W in enumerate(self.W))
        return ReluNetwork(self.H, layers, self.b)

    def with_last(self, last: np.ndarray) -> ReluNetwork:
        """The same network with another last layer.

        Args:
            last: W_D, (m, m).
        """
        return ReluNetwork(self.H, (*self.W[:-1], last), self.b)


def relu(z: np.ndarray) -> np.ndarray:
    """Positive parts, in the shape of z.

    Args:
        z: rationals, any shape.
    """
    return z * live(z)


def live(z: np.ndarray) -> np.ndarray:
    """1 where positive, 0 elsewhere, as rationals, in the shape of z.

    Args:
        z: rationals, any shape.
    """
    return rational_array(np.asarray(z > 0, dtype=int))


def random_network(rng: np.random.Generator, *, depth: int, width: int, inputs: int, outputs: int = 1) -> ReluNetwork:
    """Random rational weights, none of them zero.

    Args:
        rng: randomness.
        depth: D.
        width: m.
        inputs: d.
        outputs: A.
    """
    layers = tuple(random_matrix(rng, (width, width)) for _ in range(depth))
    return ReluNetwork(random_matrix(rng, (width, inputs)), layers, random_matrix(rng, (outputs, width)))


def random_matrix(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Rationals k/3 with 1 <= |k| <= 9.

    Args:
        rng: randomness.
        shape: of the array.
    """
    return rational_array(rng.integers(1, 10, shape) * rng.choice([-1, 1], shape)) / fmpq(3)


def unit_vectors(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Distinct rational vectors of norm one, (count, size), by stereographic projection.

    Args:
        rng: randomness.
        count: how many.
        size: d, at least two: with d = 1 there are only two unit vectors.

    Raises:
        ValueError: d below two.
    """
    if size < 2:
        raise ValueError(f"size is {size}; the sphere of R^1 has two points, so d is at least 2")
    seen: dict[tuple[int, ...], None] = {}
    reach = max(6, count)  # at least 2 count + 1 corners to choose from, or the loop could not end
    while len(seen) < count:
        seen.setdefault(tuple(int(k) for k in rng.integers(-reach, reach + 1, size - 1)))
    points = []
    for corner in seen:
        t = [fmpq(k, 2) for k in corner]
        square = sum((v * v for v in t), fmpq(0))
        points.append([2 * v / (1 + square) for v in t] + [(1 - square) / (1 + square)])
    return rational_array(points)
