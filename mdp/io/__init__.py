"""Files and other packages' models: JSON, npz, Storm's DRN, QuantEcon, Gymnasium tables, PettingZoo.

Nothing here needs the network, a pickle or an optional package, except the functions that talk to one.
"""

from mdp.io.drn import read_drn, write_drn
from mdp.io.errors import FormatError
from mdp.io.exact_text import parse_rational, readable_rational
from mdp.io.json_file import read_json, read_json_exact, write_json
from mdp.io.npz_file import read_npz, write_npz
from mdp.io.packages import from_quantecon, from_toy_text, to_pettingzoo, to_quantecon
from mdp.io.rational_mdp import RationalMDP

__all__ = [
    "FormatError",
    "RationalMDP",
    "from_quantecon",
    "from_toy_text",
    "parse_rational",
    "read_drn",
    "read_json",
    "read_json_exact",
    "read_npz",
    "readable_rational",
    "to_pettingzoo",
    "to_quantecon",
    "write_drn",
    "write_json",
    "write_npz",
]
