"""What the modules `test_verify_second_routes*` share: the ledger's numbers, and the mark of what a test recomputes."""

from __future__ import annotations

import pytest

from verify.context import PROFILES, Context
from verify.evidence import Evidence
from verify.ledger import select

CONTEXT = Context(PROFILES["quick"])


def measured(id: str, variant: str, piece: int = 0, context: Context = CONTEXT) -> Evidence:
    """The ledger's evidence, by its short check where there is one."""
    (claim,) = select([id])
    (found,) = (v for v in claim.variants if v.name == variant)
    evidence = (found.recheck or found.check)(context)
    return evidence if isinstance(evidence, Evidence) else evidence[piece]


def second_route(*ids: str) -> pytest.MarkDecorator:
    """The test computes by another route what refutes these statements; all that are refuted need one."""
    return pytest.mark.second_route(*ids)
