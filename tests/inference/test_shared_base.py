"""One loaded base for several models: what each answers is what it answers when it is loaded alone, to the last bit."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from videoguard.inference import shared_base
from videoguard.inference.infer import ROWS, infer
from videoguard.inference.rows import read_rows
from videoguard.models.loading import load_model

pytestmark = pytest.mark.slow


@pytest.fixture
def other(trained, tmp_path) -> Path:
    """The trained adapter with its weights halved."""
    from safetensors.torch import load_file, save_file

    folder: Path = tmp_path / "other"
    shutil.copytree(trained.adapter, folder)
    weights = load_file(trained.adapter / "adapter_model.safetensors")
    save_file({name: values / 2 for name, values in weights.items()}, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture
def loads(monkeypatch) -> Iterator[list[Path]]:
    """The bases that are loaded, as they are; none is at the beginning, nor left at the end."""
    loaded: list[Path] = []

    def counted(base: Any, *arguments: Any, **options: Any) -> Any:
        loaded.append(base.folder)
        return load_model(base, *arguments, **options)

    monkeypatch.setattr("videoguard.inference.shared_base.load_model", counted)
    shared_base._shared.clear()
    yield loaded
    shared_base._shared.clear()


@pytest.fixture
def ask(inference_request, tmp_path_factory) -> Callable[..., list[dict[str, Any]]]:
    """What a model says to the test split, with all figures but the time that it took."""

    def answers(adapter: Path | None, **changes: object) -> list[dict[str, Any]]:
        output = tmp_path_factory.mktemp("answers")
        infer(inference_request(output, adapter=adapter, **changes), lambda event: None)
        return [row.model_dump(exclude={"latency_s"}) for row in read_rows(output / ROWS)]

    return answers


def test_models_on_one_loaded_base_answer_as_alone(ask, loads, trained, other):
    models = [trained.adapter, None, other]
    alone = []
    for model in models:
        shared_base._shared.clear()
        alone.append(ask(model))
    assert len({str(rows) for rows in alone}) == 3
    assert len(loads) == 3

    shared_base._shared.clear()
    loads.clear()
    assert [ask(model) for model in [*models, *models[::-1]]] == [*alone, *alone[::-1]]
    assert len(loads) == 1


def test_another_base_or_another_way_to_load_it_takes_the_place_of_the_first(ask, loads, tiny_base, tmp_path):
    shutil.copytree(tiny_base, tmp_path / "copy")
    ask(None)
    ask(None, dtype="bfloat16")
    ask(None, dtype="bfloat16", base=str(tmp_path / "copy"))
    assert loads == [tiny_base, tiny_base, tmp_path / "copy"]
    assert len(shared_base._shared) == 1
