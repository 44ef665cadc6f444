"""Exported models: loaded by transformers and peft alone, they are the trained ones."""

import json

import pytest
import torch
from peft import PeftModel

from videoguard.config import FramesSection
from videoguard.dataset.messages import conversation
from videoguard.digests import digest_file
from videoguard.errors import UserError
from videoguard.export.folder import export_adapter, export_merged
from videoguard.models.base import find_base
from videoguard.models.loading import load_adapted, load_model, load_processor
from videoguard.models.preprocessing import Preprocessor, make_record


@pytest.fixture(scope="module")
def batch(small_set, tiny_base):
    base = find_base(str(tiny_base))
    preprocessor = Preprocessor(load_processor(base), base.family)
    video = small_set.store.videos()[0]
    prompt = preprocessor.prompt(conversation("Which exercise?"), small_set.store.frames(video))
    return preprocessor.collate([prompt], side="left")


def logits(model, batch):
    with torch.inference_mode():
        return model(**batch).logits


def test_merged_weights_say_what_base_and_adapter_say(trained, tiny_base, batch, tmp_path):
    base = find_base(str(tiny_base))
    export_merged(trained.adapter, base, "float32", tmp_path / "merged")
    merged = logits(load_model(find_base(str(tmp_path / "merged")), "float32"), batch)
    adapted = logits(load_adapted(base, "float32", trained.adapter), batch)
    untrained = logits(load_model(base, "float32"), batch)
    torch.testing.assert_close(merged, adapted, atol=1e-4, rtol=1e-4)
    assert (adapted - untrained).abs().max() > 0.05
    assert (tmp_path / "merged" / "preprocessing.json").is_file()


def test_merged_weights_have_the_number_format_that_is_asked(trained, tiny_base, tmp_path):
    export_merged(trained.adapter, find_base(str(tiny_base)), "bfloat16", tmp_path / "merged")
    assert json.loads((tmp_path / "merged" / "config.json").read_text())["dtype"] == "bfloat16"


def test_an_exported_adapter_names_its_base_and_loads_with_peft_alone(trained, tiny_base, batch, tmp_path):
    base = find_base(str(tiny_base))
    export_adapter(trained.adapter, "owner/base", tmp_path / "adapter")
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"] == "owner/base"
    loaded = PeftModel.from_pretrained(load_model(base, "float32"), str(tmp_path / "adapter")).eval()
    assert torch.equal(logits(loaded, batch), logits(load_adapted(base, "float32", trained.adapter), batch))


def test_the_adapter_itself_stays_as_it_was(trained, tmp_path):
    before = {path.name: digest_file(path) for path in trained.adapter.iterdir()}
    export_adapter(trained.adapter, "owner/base", tmp_path / "adapter")
    assert {path.name: digest_file(path) for path in trained.adapter.iterdir()} == before


def test_a_folder_with_something_in_it_is_refused(trained, tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(UserError, match="not an empty folder"):
        export_adapter(trained.adapter, "owner/base", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_another_base_is_refused(trained, tiny_base, tmp_path):
    base = find_base(str(tiny_base))
    adapter = tmp_path / "adapter"
    export_adapter(trained.adapter, str(tiny_base), adapter)
    record = make_record(base, "x", FramesSection(), base_name="b", system_prompt=None, question=None)
    record.model_copy(update={"base_digest": "other"}).save(adapter)
    with pytest.raises(UserError, match="base_digest"):
        export_merged(adapter, base, "float32", tmp_path / "merged")
