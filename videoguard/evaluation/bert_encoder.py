"""A BERT sentence encoder on torch's own layers: ready in two seconds where the library for any encoder takes ten."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

# A batch has one of a few shapes, filled up where there are too few texts: which instructions compute a product depends on
# its shape, and with them the last bits of every row. So a text has the same vector whatever it stands beside.
_TOKENS_AT_ONCE = 256
_LENGTH_STEP = 8


class BertEncoder:
    """Encoder of a sentence-transformers folder that is BERT, mean pooling and normalization, as all-MiniLM-L6-v2 is.

    Args:
        folder: of which `is_plain_bert` holds.

    Raises:
        OSError, ValueError, KeyError, SafetensorError: its files are damaged or are not what they say.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file

        config = _read(folder / "config.json")
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(int(_read(folder / "sentence_bert_config.json")["max_seq_length"]))
        self._longest = int(config["max_position_embeddings"])
        self._network = _Bert(config)
        weights = {name.removeprefix("bert."): tensor for name, tensor in load_file(folder / "model.safetensors").items()}
        self._network.load_state_dict(_renamed(weights, int(config["num_hidden_layers"])))
        self._network.to(self._device).eval()

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Mean of each text's token vectors (texts, width): the same of a text, bit by bit, beside whichever others."""
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        by_length: dict[int, list[int]] = {}
        for number, ids in enumerate(encoded):
            length = min(-(-len(ids) // _LENGTH_STEP) * _LENGTH_STEP, self._longest)
            by_length.setdefault(length, []).append(number)
        vectors: list[npt.NDArray[np.float32]] = [np.empty(0, np.float32)] * len(encoded)
        for length, numbers in by_length.items():
            size = max(1, _TOKENS_AT_ONCE // length)
            for start in range(0, len(numbers), size):
                part = numbers[start : start + size]
                batch = [encoded[number] for number in part]
                found = self._encode(batch + [batch[0]] * (size - len(batch)), length)
                for number, vector in zip(part, found, strict=False):
                    vectors[number] = vector
        return np.stack(vectors)

    def _encode(self, batch: list[list[int]], longest: int) -> npt.NDArray[np.float32]:
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in batch], device=self._device)
        lengths = torch.tensor([len(row) for row in batch], device=self._device)
        is_padding = torch.arange(longest, device=self._device)[None, :] >= lengths[:, None]
        hidden = self._network(ids, is_padding)
        mean = hidden.masked_fill(is_padding[:, :, None], 0.0).sum(dim=1) / lengths[:, None]
        found: npt.NDArray[np.float32] = mean.cpu().numpy()
        return found


def is_plain_bert(folder: Path) -> bool:
    """Whether a sentence-transformers folder is what `BertEncoder` computes."""
    try:
        kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in _read(folder / "modules.json")]
        pooling = _read(folder / "1_Pooling" / "config.json")
        config = _read(folder / "config.json")
        length = _read(folder / "sentence_bert_config.json").get("max_seq_length")
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False
    modes = {mode for mode, chosen in pooling.items() if mode.startswith("pooling_mode") and chosen}
    return (
        kinds == ["Transformer", "Pooling", "Normalize"]
        and modes == {"pooling_mode_mean_tokens"}
        and config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and isinstance(length, int)
        and all((folder / name).is_file() for name in ("tokenizer.json", "model.safetensors"))
    )


class _Bert(nn.Module):
    """BERT without its pooler (Devlin et al. 2019, https://arxiv.org/abs/1810.04805)."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width = config["hidden_size"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.positions = nn.Embedding(config["max_position_embeddings"], width)
        self.kinds = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, eps=config["layer_norm_eps"])
        layer = nn.TransformerEncoderLayer(
            width,
            config["num_attention_heads"],
            config["intermediate_size"],
            dropout=0.0,
            activation="gelu",
            layer_norm_eps=config["layer_norm_eps"],
            batch_first=True,
        )
        self.layers = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)

    def forward(self, ids: Tensor, is_padding: Tensor) -> Tensor:
        """Token vectors (rows, tokens, width) of ids (rows, tokens)."""
        places = torch.arange(ids.shape[1], device=ids.device)
        embedded = self.words(ids) + self.positions(places) + self.kinds(torch.zeros_like(ids))
        hidden: Tensor = self.layers(self.norm(embedded), src_key_padding_mask=is_padding)
        return hidden


def _renamed(weights: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """BERT's weights by the names of torch's layers."""
    renamed = {
        "words.weight": weights["embeddings.word_embeddings.weight"],
        "positions.weight": weights["embeddings.position_embeddings.weight"],
        "kinds.weight": weights["embeddings.token_type_embeddings.weight"],
        "norm.weight": weights["embeddings.LayerNorm.weight"],
        "norm.bias": weights["embeddings.LayerNorm.bias"],
    }
    parts = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    for layer in range(layers):
        ours, theirs = f"layers.layers.{layer}", f"encoder.layer.{layer}"
        for kind in ("weight", "bias"):
            attention = [weights[f"{theirs}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            renamed[f"{ours}.self_attn.in_proj_{kind}"] = torch.cat(attention)
            renamed |= {f"{ours}.{mine}.{kind}": weights[f"{theirs}.{name}.{kind}"] for mine, name in parts.items()}
    return renamed


def _read(path: Path) -> Any:  # noqa: ANN401  JSON of any form
    return json.loads(path.read_text(encoding="utf-8"))
