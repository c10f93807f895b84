"""The bundled papers, as the entry points of this distribution name them; a third party's look the same."""

from pathlib import Path

from verify import bhandari2018, zeng2022, zhang2025
from verify.paper import Paper

DATA = Path(__file__).parent / "data"
"""Coverage lists and recorded verdicts of the two papers that are bundled in full."""

ZENG2022 = Paper("zeng2022", zeng2022.LEDGER, DATA / "zeng2022.statements.toml", DATA / "zeng2022.verdicts.toml")
"""The paper on the coupled actor-critic."""

ZHANG2025 = Paper("zhang2025", zhang2025.LEDGER, DATA / "zhang2025.statements.toml", DATA / "zhang2025.verdicts.toml")
"""The paper on deep neural actor-critic."""

BHANDARI2018 = bhandari2018.PAPER
"""The worked example: four lemmas on TD(0)."""
