"""What a check of an assumption finds, and a row of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Met = Literal["yes", "no", "not proven", "does not apply"]
"""``yes``: proven for every theta; ``no``: a theta, a direction or an entry contradicts it; ``not proven``: neither;
``does not apply``: the class cannot be built on the problem, and the reason is given."""


@dataclass(frozen=True)
class Finding:
    """The answer of one check.

    Attributes:
        met: see `Met`.
        constant: the constants in words, or what contradicts the assumption.
        value: the headline constant, for compact tables; None if there is none.
    """

    met: Met
    constant: str
    value: float | None = None


@dataclass(frozen=True)
class AssumptionRow:
    """One assumption on one policy class and one instance.

    Attributes:
        instance: name of the problem.
        policy_class: name of the class, or ``any`` when the assumption does not speak of policies.
        assumption: paper and number.
        met: see `Met`.
        constant: the constant, or what contradicts it.
        value: the headline constant, if there is one.
    """

    instance: str
    policy_class: str
    assumption: str
    met: Met
    constant: str
    value: float | None = None
