"""The critic network: gradients three ways, scaling, projection; and the stationary point of its linearisation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numba import njit
from test_algorithms_neural import network, small

from algorithms.neural import PRINTED, REPAIRED, CriticNetwork, PairInputs, Reading, critic_fixed_point
from algorithms.neural._critics import _descend, _value, network_arrays
from mdp import exact
from mdp.exact import Exact


def draw(n: int = 7, width: int = 9, depth: int = 4, seed: int = 2) -> CriticNetwork:
    return CriticNetwork.draw(np.eye(n), width=width, depth=depth, seed=seed)


@njit
def kernel_value(critic, w, s, a):  # type: ignore[no-untyped-def]
    return _value(critic, w, s, a)


@njit
def kernel_descend(critic, w, s, a, step):  # type: ignore[no-untyped-def]
    value = _value(critic, w, s, a)
    _descend(critic, w, s, a, step)
    return value


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_gradient_is_the_complex_step_and_the_kernels(depth: int) -> None:
    net = draw(depth=depth)
    W = net.W0.ravel() + 0.1 * np.random.default_rng(0).normal(size=net.n_parameters)
    gradient = net.gradients(W)
    step = 1e-30
    turned = np.stack([net.values(W + 1j * step * e).imag / step for e in np.eye(net.n_parameters)], axis=1)
    assert np.abs(turned - gradient).max() < 1e-8 * np.abs(gradient).max()
    critic = network_arrays(net, 1, 7)
    for a in range(7):
        w = W.reshape(net.W0.shape).copy()
        assert kernel_descend(critic, w, 0, a, -1.0) == pytest.approx(net.values(W)[a], abs=1e-12)
        moved = w.ravel() - W
        assert np.abs(moved - gradient[a]).max() < 1e-12 * (1 + np.abs(gradient).max())


def test_gradient_is_the_finite_difference_away_from_kinks() -> None:
    net = draw()
    rng = np.random.default_rng(1)
    W, direction, h = net.W0.ravel(), rng.normal(size=net.n_parameters), 1e-6
    pattern = [net._layers(W + sign * h * direction) for sign in (-1, 1)]
    assert all(((x > 0) == (y > 0)).all() for x, y in zip(*pattern, strict=True))  # no kink between the two
    slope = (net.values(W + h * direction) - net.values(W - h * direction)) / (2 * h)
    np.testing.assert_allclose(slope, net.gradients(W) @ direction, rtol=1e-8)


def test_gradient_is_that_of_automatic_differentiation() -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    net = draw()
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():

        def value(W, x):  # type: ignore[no-untyped-def]
            for h in range(net.depth):
                x = jnp.maximum(0, W[h] @ x) / jnp.sqrt(net.width)
            return jnp.dot(net.b, x)

        first = net.first_layer()
        rows = [np.asarray(jax.grad(value)(jnp.asarray(net.W0), jnp.asarray(x))).ravel() for x in first]
    assert rows[0].dtype == np.float64
    assert np.abs(np.stack(rows) - net.gradients(net.W0)).max() < 1e-8


def test_a_dead_network_has_value_and_gradient_zero() -> None:
    net = draw(depth=2)
    W = -np.abs(net.W0)
    W[0] = 0.0
    assert (net.values(W) == 0).all()
    assert (net.gradients(W) == 0).all()


def test_values_are_homogeneous_and_the_linearisation_touches_at_the_start() -> None:
    net = draw(depth=3)
    W = net.W0.copy()
    W[1] *= 2.5
    np.testing.assert_allclose(net.values(W), 2.5 * net.values(net.W0), rtol=1e-13)
    np.testing.assert_array_equal(net.linearised(net.W0), net.values(net.W0))
    h, direction = 1e-5, np.random.default_rng(3).normal(size=net.W0.shape)
    bend = net.values(net.W0 + h * direction) - net.linearised(net.W0 + h * direction)
    assert np.abs(bend).max() < 1e-6 * np.abs(net.values(net.W0 + h * direction) - net.values(net.W0)).max() / h


def test_second_moment_of_every_layer_is_two_and_of_the_output_two_m() -> None:
    """Over 400 networks; the sampling error of a mean square is about 2 sqrt(2/400) = 14 % at most, and 10 standard
    errors of the actual spread are allowed."""
    layers, outputs = [], []
    for seed in range(400):
        net = CriticNetwork.draw(np.eye(1), width=30, depth=3, seed=seed)
        layers.append([float((x**2).mean()) for x in net._layers(net.W0)])
        outputs.append(float(net.values(net.W0)[0] ** 2))
    mean, error = np.mean(layers, axis=0), np.std(layers, axis=0) / 20
    # H x has variance 2; ReLU halves a second moment that W (variance 2, m terms, 1/m) has doubled
    assert (np.abs(mean - 2) < 5 * error).all(), mean
    assert abs(np.mean(outputs) - 60) < 5 * np.std(outputs) / 20
    assert not (np.abs(mean - 1) < 5 * error).any()


def test_projection_is_block_wise_and_leaves_the_inside_alone() -> None:
    net = draw(depth=3)
    W = net.W0.copy()
    W[0] += 3.0
    W[2] += 1e-3
    near = net.project(W, 1.0)
    np.testing.assert_array_equal(near[1:], W[1:])
    assert np.linalg.norm(near[0] - net.W0[0]) == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_array_equal(net.project(W, np.inf), W)
    # the nearest point: the angle to any other point of the ball is obtuse
    other = net.W0[0] + np.random.default_rng(0).normal(size=net.W0[0].shape)
    other = net.W0[0] + (other - net.W0[0]) / np.linalg.norm(other - net.W0[0])
    assert ((W[0] - near[0]) * (other - near[0])).sum() <= 0


def test_pair_inputs_are_the_normalised_table() -> None:
    rng = np.random.default_rng(4)
    pairs = PairInputs(rng.normal(size=(3, 2)), rng.normal(size=(4, 5)))
    net = CriticNetwork.draw(pairs, width=8, depth=2, seed=1)
    table = replace(net, inputs=pairs.table())
    np.testing.assert_allclose(np.linalg.norm(pairs.table(), axis=1), 1, atol=1e-14)
    one, two = (network_arrays(each, 3, 4) for each in (net, table))
    for s in range(3):
        for a in range(4):
            expected = net.values(net.W0)[4 * s + a]
            assert kernel_value(one, net.W0.copy(), s, a) == pytest.approx(expected, abs=1e-12)
            assert kernel_value(two, net.W0.copy(), s, a) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: draw(depth=0), "depth is 0"),
        (lambda: draw(width=0), "width is 0"),
        (lambda: replace(draw(), inputs=np.ones((2, 7))), r"inputs\[0\] has norm 2.64575, not 1"),
        (lambda: replace(draw(), W0=np.zeros((0, 9, 9))), "depth is 0"),
        (lambda: replace(draw(), b=np.zeros(3)), "b has shape"),
        (lambda: replace(draw(), H=np.full((9, 7), np.nan)), r"H\[0, 0\] is nan"),
        (lambda: draw().project(draw().W0, 0.0), "radius is 0"),
        (lambda: draw().values(np.zeros(3)), "W has shape"),
        (lambda: PairInputs(np.zeros((2, 2)), np.zeros((2, 3))), r"phi_s\[0\] and phi_a\[0\] are both zero"),
    ],
    ids=["depth", "width", "norm", "no layers", "b", "nan", "radius", "size", "zero pair"],
)
def test_bad_networks_are_refused(build, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        build()


# --- the stationary point --------------------------------------------------------------------------------------


def views() -> tuple[Exact, Exact]:
    problem, theta = small()
    return exact(problem, theta), exact(replace(problem, mdp=problem.mdp.restart()), theta)


@pytest.mark.parametrize("radius", [np.inf, 2.0, 0.3, 0.01])
@pytest.mark.parametrize("reading", [PRINTED, REPAIRED], ids=["printed", "repaired"])
def test_stationary_point_solves_the_variational_inequality(reading: Reading, radius: float) -> None:
    (view, restart), net = views(), network(small()[0])
    star = critic_fixed_point(net, view, restart, reading, radius)
    np.testing.assert_allclose(star.values, net.linearised(star.weights), atol=1e-9)
    # F(W*) in full coordinates, written out again
    kernel = (restart if reading.target_kernel == "restart" else view).P
    law = (view.restart_stationary[:, None] * view.pi).ravel()
    Q = star.values.reshape(view.pi.shape)
    after = kernel @ (view.pi * Q).sum(axis=1)
    delta = (Q - view.r_bar - view.gamma * after).ravel()
    F = ((law * delta) @ net.gradients(net.W0)).reshape(net.W0.shape)
    offset = star.weights - net.W0
    norms = np.linalg.norm(offset, axis=(1, 2))
    assert (norms <= radius * (1 + 1e-12)).all()
    assert star.monotonicity >= (1 - view.gamma if reading is PRINTED else 1 - np.sqrt(view.gamma)) - 1e-12
    if np.isinf(radius):
        assert np.abs(F).max() < 1e-9
        assert star.interior
        return
    gap = float((F * offset).sum() + radius * np.linalg.norm(F, axis=(1, 2)).sum())
    assert gap == pytest.approx(star.gap, abs=1e-9)
    assert gap < 1e-7 * radius * np.linalg.norm(F.ravel()) + 1e-9
    away = net.project(net.W0 + np.random.default_rng(0).normal(size=net.W0.shape), radius)
    assert (F * (away - star.weights)).sum() >= -1e-9
    assert (F * (net.W0 - star.weights)).sum() > 1e-6  # and W(0) itself is not stationary


def test_projected_iteration_ends_at_the_stationary_point() -> None:
    """The slow way: the mean of Algorithm 3's step, iterated in full coordinates."""
    (view, restart), net, radius = views(), network(small()[0]), 0.3
    star = critic_fixed_point(net, view, restart, PRINTED, radius)
    slope, value = net.gradients(net.W0), net.values(net.W0)
    law = (view.restart_stationary[:, None] * view.pi).ravel()
    W = net.W0.ravel().copy()
    for _ in range(20_000):
        Q = (value + slope @ (W - net.W0.ravel())).reshape(view.pi.shape)
        delta = Q - view.r_bar - view.gamma * (restart.P @ (view.pi * Q).sum(axis=1))
        W = net.project(W - 0.05 * (law * delta.ravel()) @ slope, radius)
    assert np.sqrt(law @ (net.linearised(W) - star.values) ** 2) < 1e-6 + star.error
    other = critic_fixed_point(net, view, restart, PRINTED, 2 * radius)
    assert np.sqrt(law @ (net.linearised(W) - other.values) ** 2) > 1e-3


def test_a_rich_linearisation_without_a_ball_has_q_itself() -> None:
    view, restart = views()
    net = CriticNetwork.draw(np.eye(36), width=20, depth=2, seed=0)
    star = critic_fixed_point(net, view, restart, REPAIRED, np.inf)
    np.testing.assert_allclose(star.values, view.Q.ravel(), atol=1e-8)
    with pytest.raises(ValueError, match="network has 7 inputs, and there are 36"):
        critic_fixed_point(draw(), view, restart, REPAIRED, 1.0)
