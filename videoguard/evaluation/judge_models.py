"""Who judges: a model of transformers that runs here, or one behind an OpenAI-compatible server."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from videoguard.config import JudgeSection
from videoguard.errors import UnavailableError, UserError

_BATCH = 8
_ATTEMPTS = 3
_PAUSE_S = 1.0
_WORTH_ANOTHER = {408, 429, 500, 502, 503, 504}


class Judge(Protocol):
    """Replies to prompts."""

    def replies(self, prompts: Sequence[str]) -> Iterator[str | Exception]:
        """A reply to each prompt, in their order, as they come; the fault where there is none."""
        ...


def open_judge(settings: JudgeSection) -> Judge:
    """The judge of a recipe.

    Raises:
        UserError: the model cannot be loaded.
    """
    return LocalJudge(settings) if settings.url is None else ServedJudge(settings)


def describe_judge(settings: JudgeSection) -> dict[str, object]:
    """What ratings depend on beside the prompt. A model in a folder is told by the sizes of its files."""
    folder = Path(settings.model)
    files = sorted(path for path in folder.glob("*") if path.is_file()) if settings.url is None and folder.is_dir() else []
    return {
        "model": folder.name if files else settings.model,
        "url": settings.url,
        "max_new_tokens": settings.max_new_tokens,
        "files": {path.name: path.stat().st_size for path in files},
    }


class LocalJudge:
    """A causal language model of transformers; greedy, so that equal prompts have equal replies."""

    def __init__(self, settings: JudgeSection) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._new_tokens = settings.max_new_tokens
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(settings.model, padding_side="left")
            model = AutoModelForCausalLM.from_pretrained(settings.model, dtype="auto")
        except (OSError, ValueError, KeyError) as fault:
            reason = str(fault).strip().splitlines()[0]
            raise UserError(
                f"evaluation.judge.model {settings.model} is no language model that can be loaded: {reason}"
            ) from fault
        self._model = model.eval().to(torch.device(self._device))
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token

    def replies(self, prompts: Sequence[str]) -> Iterator[str | Exception]:
        """A reply to each prompt, in their order."""
        for start in range(0, len(prompts), _BATCH):
            yield from self._reply([self._chat(prompt) for prompt in prompts[start : start + _BATCH]])

    def _reply(self, texts: list[str]) -> list[str]:
        import torch

        # A chat template has written the beginning of the text already.
        special = self._tokenizer.chat_template is None
        inputs = self._tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=special).to(self._device)
        with torch.inference_mode():
            outputs = self._model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=self._new_tokens,
                do_sample=False,
                pad_token_id=self._tokenizer.pad_token_id,
            )
        new = outputs[:, inputs["input_ids"].shape[1] :]
        found: list[str] = self._tokenizer.batch_decode(new, skip_special_tokens=True)
        return found

    def _chat(self, prompt: str) -> str:
        if self._tokenizer.chat_template is None:
            return prompt
        messages = [{"role": "user", "content": prompt}]
        return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


class ServedJudge:
    """A model behind `POST {url}/chat/completions`, asked for several answers at once."""

    def __init__(self, settings: JudgeSection) -> None:
        assert settings.url is not None
        self._settings = settings
        self._address = f"{settings.url.rstrip('/')}/chat/completions"
        self._headers = {"Content-Type": "application/json"}
        if key := os.environ.get(settings.api_key_variable):
            self._headers["Authorization"] = f"Bearer {key}"

    def replies(self, prompts: Sequence[str]) -> Iterator[str | Exception]:
        """A reply to each prompt, in their order; a fault that three attempts did not mend stands in its place."""
        with ThreadPoolExecutor(self._settings.concurrency) as threads:
            yield from threads.map(self._ask, prompts)

    def _ask(self, prompt: str) -> str | Exception:
        body = {
            "model": self._settings.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": self._settings.max_new_tokens,
        }
        fault: Exception = UnavailableError(f"judge {self._address}: not asked")
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_S * attempt)
            try:
                return self._post(body)
            except urllib.error.HTTPError as refusal:
                fault = refusal
                if refusal.code not in _WORTH_ANOTHER:
                    break
            except (OSError, ValueError, KeyError, IndexError, TypeError) as other:
                fault = other
        return fault

    def _post(self, body: dict[str, object]) -> str:
        data = json.dumps(body).encode()
        request = urllib.request.Request(self._address, data, self._headers)  # noqa: S310  the configured address
        with urllib.request.urlopen(request, timeout=self._settings.timeout_s) as response:  # noqa: S310
            content = json.load(response)["choices"][0]["message"]["content"]
        if not isinstance(content, str):
            raise TypeError(f"the reply's content is {type(content).__name__}")
        return content
