"""zhang2025 Fact C.3: the stationary point of the linearised critic, solved exactly on small balls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from flint import fmpq

from mdp.exact import Exact
from mdp.linear import identity_like, rational_array
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.identities import rational_points
from verify.zhang2025.setting.pairs import box_solutions, pair_law, pair_matrix, positive_definite


@dataclass(frozen=True, eq=False)
class Linearised:
    """The linearised critic of Fact C.3 on a finite set of pairs, with m = 1, so that the ball is a box.

    Attributes:
        M: transition matrix of pairs in the TD target, (n, n).
        law: law of the samples over pairs, (n,).
        reward: mean reward, (n,).
        gamma: discount.
        start: values of the network at W(0), (n,).
        features: its gradient at W(0), (n, D).
        radius: B.
    """

    M: np.ndarray
    law: np.ndarray
    reward: np.ndarray
    gamma: fmpq
    start: np.ndarray
    features: np.ndarray
    radius: fmpq

    @property
    def operator(self) -> np.ndarray:
        """``I - gamma M``, (n, n)."""
        matrix: np.ndarray = identity_like(self.M, len(self.M)) - self.gamma * self.M
        return matrix

    def stationary_points(self) -> list[np.ndarray]:
        """Solutions W - W(0) of the variational inequality (14), one per face with an isolated one."""
        weighted = (self.features * self.law[:, None]).T
        return box_solutions(
            weighted @ self.operator @ self.features, weighted @ (self.operator @ self.start - self.reward), self.radius
        )

    def value(self, w: np.ndarray) -> np.ndarray:
        """The linearised critic at ``W(0) + w``, (n,).

        Args:
            w: offset, (D,).
        """
        values: np.ndarray = self.start + self.features @ w
        return values

    def projected_error(self, w: np.ndarray) -> fmpq:
        """MSPBE of the linearised critic at ``W(0) + w``, by an exact projection onto its class.

        Args:
            w: offset, (D,).
        """
        target = self.reward + self.gamma * (self.M @ self.value(w))
        weighted = (self.features * self.law[:, None]).T
        projection = box_solutions(weighted @ self.features, weighted @ (self.start - target), self.radius)[0]
        gap = self.features @ (w - projection)
        return (self.law * gap * gap).sum()


def network_critic() -> Linearised:
    """The network of Eq. (5) with m = 1, D = 2 on one state and two actions, linearised.

    ``Q^ = b ReLU(W2 ReLU(W1 H x))`` with ``W(0) = (1, 1)``, b = 1 and ``H x = 3/5, 4/5`` for the unit vectors
    ``x = (3/5, 4/5)`` and ``(4/5, 3/5)``, H = (1, 0). Both weights have the same gradient, so W* is not unique.
    """
    hx = rational_array([[3], [4]]) / 5
    half = rational_array([1, 1]) / 2
    return Linearised(
        M=rational_array([[1, 1], [1, 1]]) / 2, law=half, reward=rational_array([1, 2]) / 4, gamma=fmpq(1, 2),
        start=hx[:, 0], features=np.concatenate([hx, hx], axis=1), radius=fmpq(1),
    )


@statement("zhang2025", "fact-c.3", uses=("eq-7", "assumption-5.2"))
def fact_c_3() -> tuple[Variant, ...]:
    r"""A stationary point exists, and its linearised critic is the unique optimum of the MSPBE over the ball.

    .. math:: \mathbb{E}_{(s,a) \sim \nu}\big((\delta_0(x, r, x'; W^*) \nabla_W \hat Q_0(x; W^*))^T
        (W - W^*)\big) \ge 0, \quad \forall W \in \mathcal{B}(B)

    True as printed, for the linearised class and wherever nu is positive, with either kernel in the TD target.

    Existence: the map is affine, hence continuous, and the ball is compact and convex. Uniqueness of the *function*:
    for two solutions with difference f, adding the two inequalities gives ``<f, (I - gamma M) f> <= 0`` in the inner
    product of nu, while ``gamma ||M|| <= gamma`` if nu is stationary for M, and ``<= sqrt(gamma)`` for nu of the
    restart chain and M of the original kernel, since then ``nu M <= nu / gamma``. So f = 0. Optimality: (14) says that
    Q_0(W*) is the projection of its own target, so that its MSPBE is zero. Here m = 1, so that the ball is a box, and
    all its faces are enumerated in rationals; positive definiteness of the symmetric part of nu (I - gamma M) is
    certified by Sylvester's criterion on each instance, which is the uniqueness argument once more.

    Four neighbours that are false. W* itself is not unique: with m = 1 and D = 2 both weights have the same gradient.
    If pi may vanish, as Assumption 5.2 has it (pi >= 0), the function is free where nu is zero. The MSPBE of Eq. (7),
    with the network and not its linearisation, need not vanish at W*: ``1 + w1 + w2 = 2`` at w = (1/2, 1/2), where
    the network is 9/4 and its target 17/8. The control samples from a law that has nothing to do with the kernel;
    then there are three solutions.

    Hypotheses: nu positive on all pairs; the samples' law is stationary for the kernel of the target, or is the restart
    law. The inequality is in W, and F is the linearised class.

    Consequence: W* in Assumption 5.9 exists, and Q_0(.;W*) is well defined; but Assumption 5.9 speaks of Q^(.;W*), the
    network at W*, which depends on the choice of W*.
    """
    return (
        *(
            printed(
                lambda c, k=name: _exists_once(c, _family(c, k)),  # type: ignore[misc]
                f"TD target with the {name} kernel", name,
            )
            for name in ("restart", "original")
        ),
        reading(lambda c: _weights(), "W* itself is unique", "weights"),
        reading(lambda c: _unvisited(), "pi >= 0 as printed: a pair of probability zero", "zero probability"),
        reading(lambda c: _network_class(), "the MSPBE of Eq. (7) with the network itself at W*", "network"),
        control(lambda c: _exists_once(c, iter([_off_policy()])), "samples from another law", "off policy"),
    )


def _family(context: Context, kernel: str) -> Iterator[Linearised]:
    """The network above, then random features, every second time with a redundant column."""
    rng = context.rng(3109)
    if kernel == "restart":
        yield network_critic()
    for k, point in enumerate(rational_points(context, point_start=True)):
        original: Exact = point.exact()
        target = original if kernel == "original" else point.restart()
        law = pair_law(original, original.restart_stationary)
        features = rational_array(rng.integers(-2, 3, size=(len(law), 2)))
        if k % 2:
            features = np.concatenate([features, features[:, :1] - features[:, 1:]], axis=1)
        yield Linearised(
            pair_matrix(target), law, original.r_bar.reshape(-1), point.gamma,
            rational_array(rng.integers(-2, 3, size=len(law))), features, fmpq(int(rng.integers(1, 6)), 2),
        )


def _exists_once(context: Context, family: Iterator[Linearised]) -> tuple[Evidence, ...]:
    fewest, most, error, certified, count = 10**6, 0, fmpq(0), 0, 0
    for critic in family:
        points = critic.stationary_points()
        functions = {tuple(str(x) for x in critic.value(w)) for w in points}
        fewest, most, count = min(fewest, len(points)), max(most, len(functions)), count + 1
        error = max([error, *(critic.projected_error(w) for w in points)])
        certified += positive_definite(critic.law[:, None] * critic.operator)
    return (
        exact_evidence("stationary points found, fewest", fewest, 1, Relation.AT_LEAST, instances=count),
        exact_evidence("different functions among them, most", most, 1, Relation.AT_MOST, instances=count),
        exact_evidence("MSPBE at a stationary point, largest", error, 0, Relation.EQUAL, instances=count),
        exact_evidence(
            "instances where nu (I - gamma M) is not positive definite", count - certified, 0, Relation.EQUAL,
            instances=count,
        ),
    )


def _weights() -> Evidence:
    critic = network_critic()
    points = critic.stationary_points()
    spread = max(abs(v - w).max() for v in points for w in points)
    return exact_evidence(
        "largest difference between two stationary points", spread, 0, Relation.EQUAL, instances=1,
        witness=Witness(
            "m = 1, D = 2, W(0) = (1, 1): the two weights have the same gradient (3/5, 4/5)",
            {"W* - W(0)": points, "Q_0": critic.value(points[0]), "law": critic.law, "reward": critic.reward},
        ),
    )


def _single(
    M: list[list[int]], law: list[int], reward: list[int], features: list[list[int]], gamma: fmpq
) -> Linearised:
    return Linearised(
        rational_array(M), rational_array(law), rational_array(reward), gamma, rational_array([0] * len(law)),
        rational_array(features), fmpq(1),
    )


def _unvisited() -> Evidence:
    """One state, two actions, pi = (1, 0), one weight per action: the weight of the second one is free."""
    critic = _single([[1, 0], [1, 0]], [1, 0], [0, 0], [[1, 0], [0, 1]], fmpq(1, 2))
    solutions = [rational_array(w) for w in ([0, -1], [0, 1]) if _solves(critic, rational_array(w))]
    values = [critic.value(w) for w in solutions]
    spread = max((abs(u - v).max() for u in values for v in values), default=fmpq(0))
    return exact_evidence(
        "largest difference between two stationary functions", spread, 0, Relation.EQUAL, instances=1,
        witness=Witness("one state, two actions, pi = (1, 0), rewards 0", {"Q_0": values}),
    )


def _solves(critic: Linearised, w: np.ndarray) -> bool:
    """Whether w solves (14): the least of ``slope . (v - w)`` over the box is not negative."""
    weighted = (critic.features * critic.law[:, None]).T
    slope = weighted @ (critic.operator @ critic.value(w) - critic.reward)
    return bool(sum((-abs(x) * critic.radius for x in slope), fmpq(0)) - (slope * w).sum() >= 0)


def _network_class() -> Evidence:
    """One pair, m = 1, D = 2, W(0) = (1, 1), B = 1, reward 1, gamma = 1/2, at W* = (3/2, 3/2)."""
    critic = Linearised(
        rational_array([[1]]), rational_array([1]), rational_array([1]), fmpq(1, 2), rational_array([1]),
        rational_array([[1, 1]]), fmpq(1),
    )
    offset = rational_array([1, 1]) / 2
    if not _solves(critic, offset):
        raise ArithmeticError(f"W(0) + {offset} does not solve (14)")
    network = (1 + offset[0]) * (1 + offset[1])
    target = critic.reward[0] + critic.gamma * network
    projection = min(max(target, fmpq(0)), fmpq(4))  # the network takes every value of [0, 4] over the ball
    return exact_evidence(
        "MSPBE of the network at W*", (network - projection) ** 2, 0, Relation.EQUAL, instances=1,
        witness=Witness(
            "one pair with H x = 1, network ReLU(W2 ReLU(W1)), W(0) = (1, 1), B = 1, reward 1, gamma = 1/2",
            {"W*": 1 + offset, "Q_0 at W*": critic.value(offset), "network at W*": network, "its target": target},
        ),
    )


def _off_policy() -> Linearised:
    """Tsitsiklis and Van Roy's example: values (W, 2 W), samples from the first pair only, gamma = 9/10."""
    return _single([[0, 1], [0, 1]], [1, 0], [0, 0], [[1], [2]], fmpq(9, 10))


