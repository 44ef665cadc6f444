"""The registration process: MLflow loads the model that it logs, and its memory is freed."""

from videoguard.registry.request import RegistrationRequest
from videoguard.registry.versions import register_adapter
from videoguard.subprocesses import serve

if __name__ == "__main__":
    serve(RegistrationRequest, lambda request, emit: register_adapter(request))
