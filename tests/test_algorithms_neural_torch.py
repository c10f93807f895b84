"""The yardstick in PyTorch follows the kernel's trajectory; gradients of the critic by a second autodiff library."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is an optional extra")

from algorithms.neural import CriticNetwork
from benchmarks.neural_c import Case
from benchmarks.neural_torch import FASTER, TOLERANCE, Form, TorchLoop, compare, trajectory_gap


@pytest.mark.parametrize("form", get_args(Form))
def test_pytorch_and_numba_give_one_trajectory(form: Form) -> None:
    case = Case.default()
    assert trajectory_gap(case, form, horizon=30) < TOLERANCE
    longer = replace(case, steps=replace(case.steps, batch=3, critic_iterations=4, beta=0.01))
    assert trajectory_gap(longer, form, horizon=10) < TOLERANCE
    ours = case.in_numba(1, 30)[1]
    other = TorchLoop(replace(case, steps=replace(case.steps, beta=0.002)), form).run(1, 30)[1]
    assert np.abs(ours - other).max() > 1e-4  # what a wrong step size would look like


def test_gradients_agree_with_autograd() -> None:
    import torch

    network = CriticNetwork.draw(np.eye(4), width=7, depth=3, seed=0)
    W = torch.tensor(network.W0 + 0.1 * np.random.default_rng(1).normal(size=network.W0.shape), requires_grad=True)
    ours = network.gradients(W.detach().numpy())
    for k, row in enumerate(network.first_layer()):
        x = torch.tensor(row)
        for h in range(network.depth):
            x = torch.relu(W[h] @ x) / network.width**0.5
        (slope,) = torch.autograd.grad(torch.tensor(network.b) @ x, W)
        assert np.abs(slope.numpy().ravel() - ours[k]).max() < 1e-12


@pytest.mark.slow
def test_the_kernel_is_twenty_times_faster() -> None:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert min(float(np.median(compare(Case.default(), form)[1])) for form in get_args(Form)) > FASTER
    finally:
        torch.set_num_threads(threads)
