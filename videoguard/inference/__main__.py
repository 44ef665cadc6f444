"""The inference process."""

from videoguard.inference.infer import infer
from videoguard.inference.request import InferenceRequest
from videoguard.subprocesses import serve

if __name__ == "__main__":
    serve(InferenceRequest, infer)
