"""How a model is loaded that no more is said of than its name."""

import logging

import pytest
from bitsandbytes.backends.cpu import ops

from videoguard.models.base import find_base
from videoguard.models.loading import choose_dtype, load_model


@pytest.mark.parametrize(
    ("device", "has_bfloat16", "dtype"),
    [
        ("cuda:0", True, "bfloat16"),
        ("cuda:1", False, "float32"),
        ("mps", False, "float32"),
        # Processors compute in it too, but slower than in float32.
        ("cpu", True, "float32"),
        ("mps", True, "float32"),
    ],
)
def test_half_the_bytes_are_taken_where_a_gpu_computes_in_them(device, has_bfloat16, dtype):
    assert choose_dtype(device, has_bfloat16=has_bfloat16) == dtype


def test_a_library_that_is_not_used_warns_of_nothing(tiny_base, caplog):
    load_model(find_base(str(tiny_base)), "float32", device="cpu")
    with caplog.at_level(logging.DEBUG):
        ops.logger.warning("Failed to load CPU gemm_4bit_forward from kernels-community")
    assert caplog.messages == []
