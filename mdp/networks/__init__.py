"""Consensus networks: schedules, families of weights, contraction and its bounds, slowest and fastest weights."""

from mdp.networks.bounds import cut_bound, entry_bound, papers_bound, path_bound, quadratic_bound
from mdp.networks.contraction import (
    asymptotic_rate,
    connectivity_window,
    deviation,
    ergodic_coefficient,
    intercommunication_interval,
    product,
    round_contractions,
    window_contractions,
)
from mdp.networks.fastest import FastestMixing, fastest_mixing
from mdp.networks.schedule import (
    DisconnectedScheduleError,
    Schedule,
    disagreement_norm,
    full_average,
    metropolis_weights,
    require_connected,
    require_doubly_stochastic,
    row_deviation,
)
from mdp.networks.table import BoundRow, ContractionTable, contraction_table
from mdp.networks.worst import WorstCase, worst_weights

__all__ = [
    "BoundRow",
    "ContractionTable",
    "DisconnectedScheduleError",
    "FastestMixing",
    "Schedule",
    "WorstCase",
    "asymptotic_rate",
    "connectivity_window",
    "contraction_table",
    "cut_bound",
    "deviation",
    "disagreement_norm",
    "entry_bound",
    "ergodic_coefficient",
    "fastest_mixing",
    "full_average",
    "intercommunication_interval",
    "metropolis_weights",
    "papers_bound",
    "path_bound",
    "product",
    "quadratic_bound",
    "require_connected",
    "require_doubly_stochastic",
    "round_contractions",
    "row_deviation",
    "window_contractions",
    "worst_weights",
]
