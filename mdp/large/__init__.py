"""Large problems: sparse or computed kernels, compact policies, and their exact quantities with error bounds.

`SparseMDP` keeps its kernel as CSR; `SimpleSpread` keeps none and computes successors. Both are a `LargeMDP`, and
`sparse_exact`, `sparse_exact_from_tables` and `optimum` take either. No (S, S) or (S, A, D) array is ever formed.
"""

from collections.abc import Callable

from mdp.large._grid_kernels import MOVES
from mdp.large.episodes import EPISODE, Episode, episode, episode_optimum
from mdp.large.exact import sparse_exact, sparse_exact_from_tables
from mdp.large.model import SparseMDP
from mdp.large.operator import MatrixOperator, PolicyOperator
from mdp.large.optimum import Optimum, optimum
from mdp.large.policy import BlockLogLinear, LogLinear, ObservedLogLinear
from mdp.large.protocol import LargeMDP
from mdp.large.simple_spread import simple_spread
from mdp.large.solvers import ConvergenceError, Solution
from mdp.large.spread_model import SimpleSpread
from mdp.large.view import SparseExact

LARGE_INSTANCES: dict[str, Callable[..., LargeMDP]] = {
    "simple-spread": simple_spread,
}
"""Bundled large problems by name, each a function of optional keyword arguments; see `mdp.INSTANCES` for small ones."""

__all__ = [
    "EPISODE",
    "LARGE_INSTANCES",
    "MOVES",
    "BlockLogLinear",
    "ConvergenceError",
    "Episode",
    "LargeMDP",
    "LogLinear",
    "MatrixOperator",
    "ObservedLogLinear",
    "Optimum",
    "PolicyOperator",
    "SimpleSpread",
    "Solution",
    "SparseExact",
    "SparseMDP",
    "episode",
    "episode_optimum",
    "optimum",
    "simple_spread",
    "sparse_exact",
    "sparse_exact_from_tables",
]
