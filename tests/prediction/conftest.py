"""The request of a run, to compare with."""

from tests.inference.conftest import inference_request

__all__ = ["inference_request"]
