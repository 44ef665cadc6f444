"""What the OpenAPI document promises holds: whatever it allows, or forbids, is answered without a fault and in its form."""

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

EXAMPLES = 25
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def api(served):
    """The document of the running service."""
    return schemathesis.openapi.from_url(f"{served.address}/openapi.json")


OPERATIONS = [
    ("GET", "/health"),
    ("GET", "/metrics"),
    ("GET", "/ready"),
    ("GET", "/v1/models"),
    ("GET", "/v1/reports"),
    ("GET", "/v1/reports/{name}"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/frames"),
    ("POST", "/v1/guard"),
    ("POST", "/v1/predict"),
    ("POST", "/v1/timeline/generate"),
]


# What takes nothing cannot be asked wrongly.
CASES = [
    (method, path, mode)
    for method, path in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or method == "POST" or "{" in path
]


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_no_request_is_a_fault_and_every_answer_is_as_described(api, method, path, mode):
    operation = api[path][method]

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case):
        case.call_and_validate(checks=CHECKS, timeout=60)

    call()


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/frames", "/v1/guard"])
def test_whatever_is_asked_about_a_real_video_is_no_fault(api, video, path):
    clip, statuses = video.read_bytes(), set()

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=api[path]["POST"].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def call(case):
        given_fields = case.body if isinstance(case.body, dict) else {}
        fields = {name: value for name, value in given_fields.items() if name not in {"model", "path", "url", "video"}}
        case.body = {"question": "Which?", **fields, "video": clip}
        statuses.add(case.call_and_validate(checks=CHECKS, timeout=60).status_code)

    call()
    assert {200, 422} <= statuses


def test_every_endpoint_is_described_with_an_example_where_it_takes_something(served):
    document = served.client.get("/openapi.json").json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == set(OPERATIONS)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["description"], path
    text = str(document)
    assert "HTTPValidationError" not in text
    assert Path(__file__).anchor + "tmp" not in text
