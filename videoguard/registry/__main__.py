"""The registration process: MLflow loads the model that it logs, and its memory is freed."""

from videoguard.registry.request import RegistrationRequest
from videoguard.registry.versions import register_adapter

SERVED = (RegistrationRequest, lambda request, emit: register_adapter(request))
