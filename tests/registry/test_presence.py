"""Whether a version still exists."""

import pytest

from videoguard.config import RegistrySection
from videoguard.registry.presence import version_exists

pytestmark = pytest.mark.slow


def test_a_version_exists_until_it_is_deleted(tracking, workspace):
    uri = RegistrySection().uri(workspace / "state")
    assert not version_exists(uri, "walks", "1")
    tracking.client.create_registered_model("walks")
    tracking.client.create_model_version("walks", source="s3://bucket/walks")
    assert version_exists(uri, "walks", "1")
    assert not version_exists(uri, "walks", "2")
    tracking.client.delete_model_version("walks", "1")
    assert not version_exists(uri, "walks", "1")


def test_without_a_database_or_in_another_file_there_is_none(tmp_path):
    missing = tmp_path / "mlflow.db"
    assert not version_exists(f"sqlite:///{missing}", "walks", "1")
    assert not missing.exists()
    missing.write_text("no database")
    assert not version_exists(f"sqlite:///{missing}", "walks", "1")


def test_a_server_is_not_asked():
    assert version_exists("http://127.0.0.1:9", "walks", "1")
