"""Error certificates: how far a float result can be from the exact quantity, rounding of the bound included.

Which exact quantity? The inputs of an `Exact` view are floats, that is, dyadic rationals, and rows of a float
kernel add up to one only up to rounding (`Certificate.row_defect` says how far off they are). Two readings:

``"given"``
    The inputs are what they are. ``P_pi = sum_a pi P`` is not renormalised; V, Q, grad J, visitation and the
    least-squares solutions solve their systems with that matrix; the stationary laws are those of the chain
    with its off-diagonal entries (the diagonal makes rows sum to one), which is what GTH elimination reads.
``"rounded"``
    Every input is some real number rounded once to nearest, rows of the unrounded kernel and laws add up to
    one exactly, zeros are zeros. The bound covers every problem with these roundings: that is what a float
    view of a rational problem needs to be compared with the rational twin.

Two methods. ``"enclosure"`` evaluates the quantity in ball arithmetic (`mdp.enclose`) and measures the distance:
tight, and O(S^3) operations of some 128 bits. ``"residual"`` needs a few float matrix-vector products: it is
for quantities that a contraction or the subtraction-free GTH elimination controls, at sizes where ball
arithmetic is slow. It assumes that no float operation underflowed.

What has a certificate: the quantities of `Exact` (`mdp.enclose.ENCLOSED`), those of `FORMULAS` (Fisher information,
compatible error, expected directions, biases, floors, approximation errors, mixing), any function of a view that only
adds, multiplies, divides and sums (`certify_function`), and constants (`certified_mixing`, `certified_step_range`,
`certify_smoothness`). `mdp.exact.Exact.error` is the one name that looks here from below.
"""

from mdp.certify.certificate import Certificate, Inputs, Kind, Method
from mdp.certify.compute import certificate, certificate_from_theta, certificates, certify_function
from mdp.certify.constants import SmoothnessCertificate, certified_mixing, certified_step_range, certify_smoothness
from mdp.certify.quantities import FORMULAS
from mdp.certify.residual import RESIDUAL_NAMES
from mdp.certify.twins import lift_view

__all__ = [
    "FORMULAS",
    "RESIDUAL_NAMES",
    "Certificate",
    "Inputs",
    "Kind",
    "Method",
    "SmoothnessCertificate",
    "certificate",
    "certificate_from_theta",
    "certificates",
    "certified_mixing",
    "certified_step_range",
    "certify_function",
    "certify_smoothness",
    "lift_view",
]
