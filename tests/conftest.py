"""Shared fixtures."""

from __future__ import annotations

import numpy as np
import pytest

from mdp import Problem, ring3, ring3_nonrealisable


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261121)


@pytest.fixture(params=[ring3, ring3_nonrealisable], ids=["realisable", "nonrealisable"])
def ring(request: pytest.FixtureRequest) -> Problem:
    return request.param()
