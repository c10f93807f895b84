"""Ball arithmetic: rigorous enclosures of exact quantities, also where exponentials, sines and roots enter.

Real numbers are python-flint's `arb`: known up to a radius that every operation enlarges by its own rounding.

* `mdp.enclose.arithmetic`: balls as arrays, linear systems, eigenvalues of symmetric matrices.
* `mdp.enclose.view`: `BallView`, the formulas of `mdp.exact` once more, over balls.
* `mdp.enclose.policies`: tables and scores of the policy classes as balls.
* `mdp.enclose.problem`: `enclose`, from a problem and theta.

`mdp.certify` uses them to say how far float results are from the truth. Nothing here imports `mdp.exact`.
"""

from mdp.enclose.arithmetic import balls, lower_float, upper_float
from mdp.enclose.policies import PolicyBalls, policy_balls
from mdp.enclose.problem import enclose
from mdp.enclose.view import ENCLOSED, BallView

__all__ = ["ENCLOSED", "BallView", "PolicyBalls", "balls", "enclose", "lower_float", "policy_balls", "upper_float"]
