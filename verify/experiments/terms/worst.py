"""How far a network critic of zhang2025 can be from its linearisation anywhere on the projection ball."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from verify.experiments.terms.wide import Block, WideNetwork


def worst_on_ball(network: WideNetwork, radius: float, *, steps: int = 15) -> float:
    """Largest ``|Q-hat - Q-hat_0|`` found on the ball at the first input: a lower bound on the maximum.

    It starts where every layer, alone, would be best moved (`best_moves`), and climbs: a step goes
    to the point of the ball where the linearisation of the difference is largest.

    Args:
        network: the network.
        radius: B.
        steps: of the climb, for either sign.
    """
    one = network.alone(0)
    start, base = one.slopes()
    best = 0.0
    for sign in (1.0, -1.0):
        offset = _layerwise(one, base, sign, radius)
        for _ in range(steps):
            value, slopes = one.slopes(offset)
            flat = sum(((s.left.T @ b.left) * (s.right.T @ b.right)).sum() for s, b in zip(base, offset, strict=True))
            best = max(best, sign * float(value[0] - start[0] - flat))
            offset = [
                _to_sphere(np.hstack([sign * s.left, -sign * b.left]), np.hstack([s.right, b.right]), radius)
                for s, b in zip(slopes, base, strict=True)
            ]
    return best


def _layerwise(one: WideNetwork, base: Sequence[Block], sign: float, radius: float) -> list[Block]:
    """In every layer the moves that gain most if the layers above and below stay what they are."""
    found = []
    for h, layer in enumerate(one.layers):
        x = base[h].right
        z = layer.times(x)[:, 0]
        # derivative of the output in x_h, dead units included
        above = one.layers[h + 1].transposed_times(base[h + 1].left)[:, 0] if h + 1 < one.depth else one.scale * one.b
        size = float(np.linalg.norm(x))
        d = best_moves(np.abs(z), np.maximum(sign * above, 0.0), (radius * size) ** 2)
        found.append(Block((-np.sign(z) * d)[:, None], x / size**2))
    return found


def _to_sphere(left: np.ndarray, right: np.ndarray, radius: float) -> Block:
    norm = Block(left, right).norm
    return Block(left * (radius / norm) if norm > 0 else left, right)


def best_moves(
    distance: Float[np.ndarray, " m"], weight: Float[np.ndarray, " m"], budget: float
) -> Float[np.ndarray, " m"]:
    r"""Moves d that maximise ``sum_i w_i (d_i - |z_i|)^+`` with ``sum d_i^2 <= budget``: which ReLUs to switch.

    At a price p per unit of ``d^2`` the units with ``|z| <= w/(4p)`` are worth their move, and a given set is best
    moved in proportion to w. The price is found by bisection, and of the two sets on either side of the budget the
    better one is returned: they differ by one unit, so a wide layer is at its maximum up to a vanishing share.

    Args:
        distance: ``|z|`` of every unit.
        weight: w, nonnegative.
        budget: of the squared moves, positive.
    """

    def worth(price: float) -> np.ndarray:
        return np.where(distance <= weight / (4 * price), weight, 0.0)

    def spent(price: float) -> float:
        return float((worth(price) ** 2).sum()) / (4 * price**2)

    if not weight.any():
        return np.zeros_like(weight)
    low = high = float(weight.max()) / budget**0.5
    while spent(high) > budget:
        high *= 2
    while low > 1e-300 and spent(low) <= budget:
        low /= 2
    for _ in range(60):
        price = (low * high) ** 0.5
        low, high = (price, high) if spent(price) > budget else (low, price)
    best, most = np.zeros_like(weight), 0.0
    for moved in (worth(low), worth(high)):
        norm = float(np.linalg.norm(moved))
        d = moved * (budget**0.5 / norm) if norm > 0 else moved
        gain = float((weight * np.maximum(d - distance, 0.0)).sum())
        if gain > most:
            best, most = d, gain
    return best


def one_layer_worst(network: WideNetwork, radius: float) -> float:
    """The maximum of ``|Q-hat - Q-hat_0|`` on the ball at the first input, for one layer (`best_moves`).

    Only the parts of the rows along ``h = H x`` matter, their squares add up to at most ``(B ||h||)^2``, and a unit
    adds ``b_i (|d_i| - |z_i|)^+ / sqrt(m)`` where d_i turns it on or off; units of one sign of b are moved.

    Args:
        network: of one layer.
        radius: B.

    Raises:
        ValueError: the network has more layers.
    """
    if network.depth != 1:
        raise ValueError(f"network has {network.depth} layers; the maximum is known for one")
    h = network.first[:, :1]
    z, best = np.abs(network.layers[0].times(h)[:, 0]), 0.0
    for sign in (1.0, -1.0):
        weight = np.maximum(sign * network.b, 0.0)
        d = best_moves(z, weight, (radius * float(np.linalg.norm(h))) ** 2)
        best = max(best, float((weight * np.maximum(d - z, 0.0)).sum()))
    return best * network.scale / network.width**0.5


WORST_CONSTANT = 3 * (32 * np.pi) ** (-1 / 3)
r"""Limit in m of the maximum of ``|Q-hat - Q-hat_0|`` over ``B^(4/3) m^(1/3)``, one layer, one input, B fixed: 0.6452.

With ``||h||^2 ~ 2 m`` the z are N(0, 4 m), density ``1/sqrt(2 pi m)`` of |z| at zero. Summing the moves ``b/(2p)`` of
the units with b > 0 and ``|z| <= b/(4p)``, where ``E[b^3; b > 0] = 2/sqrt(2 pi)``, gives ``p^3 = 1/(32 pi B^2
sqrt(m))`` for the budget ``2 m B^2`` and the gain ``(3/(32 pi)) p^-2``."""
