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


@pytest.fixture(scope="session")
def tiny_language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained language model of a few thousand parameters, as transformers saves it."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from tokenizers.decoders import ByteLevel
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<pad>", "<end>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevel()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )
    model = LlamaForCausalLM(config)
    folder = tmp_path_factory.mktemp("tiny-language-model")
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>").save_pretrained(folder)
    return folder
