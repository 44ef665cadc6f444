"""The checking process: libraries that take seconds to load stay out of the flow."""

from videoguard.subprocesses import Emit
from videoguard.world.adapters.checks import Expected, check_adapter
from videoguard.world.adapters.converting import convert_adapter, require_same_base
from videoguard.world.adapters.files import read_adapter
from videoguard.world.adapters.request import CheckReply, CheckRequest
from videoguard.world.architecture import read_architecture


def check(request: CheckRequest, emit: Emit) -> CheckReply:
    """Check an adapter and write it as a peft folder.

    Raises:
        UserError: it cannot be used on the base.
    """
    found = read_adapter(request.adapter)
    facts = check_adapter(found, read_architecture(request.base), Expected(request.rank, request.alpha, request.targets))
    require_same_base(found, request.base)
    convert_adapter(found, facts, request.output)
    return CheckReply(facts=facts)


SERVED = (CheckRequest, check)
