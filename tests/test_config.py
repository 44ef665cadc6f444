"""Sections of a recipe: what belongs together is demanded together, and what has no effect is refused."""

from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import ValidationError

from videoguard.config import AugmentationSection, FrameLimits, FramesSection, QualitySection
from videoguard.config.places import ExecutionSection, RegistrySection
from videoguard.frames.rule import MEMORY_MB, FrameRule, SourceLimits


def told(section, **settings) -> str:
    with pytest.raises(ValidationError) as refused:
        section(**settings)
    (error,) = refused.value.errors()
    return str(error["msg"]).removeprefix("Value error, ")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sampling": "first_to_last"},
        {"sampling": "fps", "fps": 1.0},
        {"sampling": "stride", "stride": 15, "count": 20},
        {"resize": "pixels", "max_pixels": 200_704},
        {"resize": "cover", "width": 448, "height": 448},
        {"resize": "exact", "width": 448, "height": 448},
    ],
)
def test_a_rule_with_its_values_is_accepted(settings):
    section = FramesSection(**settings)
    assert all(getattr(section, name) == value for name, value in settings.items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampling": "fps"}, "sampling is 'fps': fps must be given with it"),
        ({"fps": 2.0}, "fps is 2.0, sampling is 'uniform': fps goes with sampling: fps alone"),
        ({"sampling": "stride"}, "sampling is 'stride': stride must be given with it"),
        ({"resize": "pixels"}, "resize is 'pixels': max_pixels must be given with it"),
        (
            {"width": 448},
            "width is 448, resize is 'fit': width goes with resize: cover or resize: exact alone",
        ),
        (
            {"resize": "cover"},
            "resize is 'cover': width must be given with it; resize is 'cover': height must be given with it",
        ),
    ],
)
def test_a_value_without_its_rule_or_a_rule_without_its_value_is_refused(settings, message):
    assert told(FramesSection, **settings) == message


def test_the_decoder_has_the_same_rule_and_limits_as_the_recipe():
    rule, section = {field.name for field in fields(FrameRule)}, set(FramesSection.model_fields)
    assert section - rule == {"shards", "workers", "timeout_s", "memory_mb"}
    assert rule <= section
    defaults = FramesSection()
    given = defaults.model_dump(include=rule - {"limits"})
    assert FrameRule(**given) == FrameRule(count=8, max_side=640, codec="jpeg", jpeg_quality=95)
    assert FrameLimits().model_dump() == vars(SourceLimits())
    assert defaults.memory_mb == MEMORY_MB


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"min_brightness": 190, "max_brightness": 35},
            "min_brightness 190 is above max_brightness 35: no video could be kept",
        ),
        ({"motion": ("plank",), "hold": ("plank",)}, "'plank' is in motion and in hold: name it in one"),
    ],
)
def test_quality_rules_that_contradict_each_other_are_refused(settings, message):
    assert told(QualitySection, **settings) == message


def test_an_augmentation_that_changes_nothing_is_refused():
    assert told(AugmentationSection, copies=3).startswith("it changes nothing: set at least one of flip, rotate, blur,")
    assert AugmentationSection(flip=0.5).copies == 1


def test_a_cluster_is_named_by_the_recipe_or_else_by_the_environment(monkeypatch):
    monkeypatch.setenv("VIDEO_GUARD_CLUSTER", "tcp://team:8786")
    assert ExecutionSection().scheduler == "tcp://team:8786"
    assert ExecutionSection(address="tls://[::1]:8786").scheduler == "tls://[::1]:8786"
    assert ExecutionSection().runner == "threads"


@pytest.mark.parametrize("address", ["team:8786", "http://team:8786", "tcp://team", "tcp://:8786 ", "tcp:///team:1"])
def test_what_is_no_address_of_a_scheduler_is_refused(address):
    assert told(ExecutionSection, address=address).startswith(
        f"{address} is no address of a scheduler: write tcp://HOST:PORT"
    )


def test_a_shared_folder_is_meant_from_here():
    assert ExecutionSection(store="team").shared == str(Path("team").absolute())


def test_what_a_team_shares_is_named_by_the_recipe_or_else_by_the_environment(monkeypatch):
    for name in ("VIDEO_GUARD_TRACKING_URI", "VIDEO_GUARD_STORE"):
        monkeypatch.delenv(name, raising=False)
    assert RegistrySection().uri(Path("/state")) == "sqlite:////state/mlflow.db"
    assert ExecutionSection().shared is None
    monkeypatch.setenv("VIDEO_GUARD_TRACKING_URI", "http://team:5000")
    monkeypatch.setenv("VIDEO_GUARD_STORE", "s3://team/artifacts")
    assert RegistrySection().uri(Path("/state")) == "http://team:5000"
    assert ExecutionSection().shared == "s3://team/artifacts"
    assert RegistrySection(tracking_uri="http://mine:5000").uri(Path("/state")) == "http://mine:5000"
    assert ExecutionSection(store="/mine").shared == "/mine"
    # An empty variable is none.
    monkeypatch.setenv("VIDEO_GUARD_TRACKING_URI", "")
    monkeypatch.setenv("VIDEO_GUARD_STORE", "")
    assert RegistrySection().uri(Path("/state")) == "sqlite:////state/mlflow.db"
    assert ExecutionSection().shared is None
