"""WordNet as `make setup` leaves it in the checkout's state folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from videoguard.evaluation.resources import MissingResourceError
from videoguard.evaluation.wordnet import WordNetSource, open_wordnet, provide_wordnet

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader


@pytest.fixture(scope="session")
def state() -> Path:
    return Path(__file__).resolve().parents[2] / ".video-guard"


@pytest.fixture(scope="session")
def wordnet_source(state: Path) -> WordNetSource:
    try:
        return provide_wordnet(state, install=False)
    except MissingResourceError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def wordnet(wordnet_source: WordNetSource) -> "WordNetCorpusReader":
    return open_wordnet(wordnet_source)


@pytest.fixture
def no_wordnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A state folder on a machine where WordNet is nowhere."""
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setattr("videoguard.evaluation.wordnet_origins.SYSTEM_DATABASE", tmp_path / "absent")
    return tmp_path / "state"
