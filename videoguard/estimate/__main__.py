"""The process of an estimate."""

from videoguard.estimate.estimating import estimate_run
from videoguard.estimate.result import Estimate, EstimateRequest
from videoguard.subprocesses import Emit


def estimate(request: EstimateRequest, emit: Emit) -> Estimate:
    """Estimate the run of a recipe."""
    return estimate_run(request.config)


SERVED = (EstimateRequest, estimate)
