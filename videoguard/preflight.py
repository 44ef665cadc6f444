"""Looking at everything that the user gave before any expensive step."""

from collections.abc import Sequence
from importlib.util import find_spec

from videoguard.cluster import check_runner
from videoguard.config import AnswerSection, ModelSection, RunConfig
from videoguard.dataset.messages import PromptTemplates
from videoguard.dataset.requirements import require_fields
from videoguard.errors import UserError, refuse_all
from videoguard.evaluation.custom import load_custom_metrics
from videoguard.manifests.reading import read_manifest
from videoguard.manifests.sample import Sample
from videoguard.manifests.trainable import is_guarded, is_text_alone, keep_trainable
from videoguard.models.base import check_base
from videoguard.models.families import Family, family_of, require_streaming
from videoguard.training.launching import check_launch


def check_inputs(config: RunConfig) -> None:
    """Refuse a run whose manifest, base model or launcher cannot be used.

    Raises:
        UserError: naming the file or model, and the rule.
    """
    samples: Sequence[Sample] | None = None
    if not config.data.is_made:
        data, rule = config.data, config.dataset
        reading = read_manifest(data.manifest, data.media_root, allow_outside=data.allow_outside)
        templates = PromptTemplates(rule.system_prompt, rule.question)
        samples = keep_trainable(reading, data.manifest).samples
        require_fields(samples, rule.group_by, templates)
        if rule.answer is not None:
            # With the library of JSON Schema, which no other recipe needs.
            from videoguard.dataset.cleaning import clean_for

            clean_for(samples, rule.answer)
        _require_media(config, samples)
    if config.dataset.answer is not None:
        _require_grammar(config, config.dataset.answer)
    if config.inference.engine == "vllm":
        _require_vllm(config)
    check_launch(config.training)
    check_runner(config.execution)
    if config.evaluation.custom is not None:
        load_custom_metrics(config.evaluation.custom)
    family = _family(config.model)
    if family.media == "text" and (samples is None or not is_text_alone(samples)):
        raise UserError(
            f"{config.data.manifest} shows videos or images, and a {family.model_type} model reads text only: "
            "take a vision-language model, or samples without media"
        )
    if config.data.synthetic_guard is not None or (samples is not None and is_guarded(samples)):
        _require_streaming(config, family)


def _family(model: ModelSection) -> Family:
    """The family of the base, which is refused where it could not be loaded."""
    if model.base is not None:
        return check_base(model.base, model.revision)
    assert model.tiny is not None
    return family_of(model.tiny.family)


def _require_grammar(config: RunConfig, answer: AnswerSection) -> None:
    """Refuse a schema that decoding is to be held to and cannot be."""
    if config.inference.constrained:
        from videoguard.dataset.answer_schema import load_answer_schema
        from videoguard.inference.structured.schemas import require_grammar

        require_grammar(load_answer_schema(answer.json_schema).content)


def _require_vllm(config: RunConfig) -> None:
    """Refuse the engine vLLM where it is not installed, or could not load what this run trains."""
    if find_spec("vllm") is None:
        raise UserError(
            "inference.engine is vllm, which is not installed: install it with pip install 'video-guard[vllm]' on a machine "
            "with a GPU, or set inference.engine to transformers"
        )
    training, lora = config.training, config.training.lora
    unread = {
        f"model.quantization is {config.model.quantization}": config.model.quantization != "none",
        f"training.lora.kind is {lora.kind}": lora.kind == "dora",
        f"training.lora.modules_to_save is {', '.join(lora.modules_to_save)}": bool(lora.modules_to_save),
        f"training.lora.parts is {', '.join(lora.parts)}": set(lora.parts) != {"language"},
        f"training.train_whole is {', '.join(training.train_whole)}": bool(training.train_whole),
    }
    refuse_all(
        "inference.engine is vllm, which reads whole weights and low-rank adapters of the language model alone",
        (told for told, is_so in unread.items() if is_so),
    )


def _require_streaming(config: RunConfig, family: Family) -> None:
    """Refuse a model that cannot judge guarded videos frame by frame, and a choice of the checkpoint by what it writes."""
    require_streaming(family.model_type)
    if config.inference.engine == "vllm":
        raise UserError("inference.engine is vllm: guarded videos are judged frame by frame, so take transformers")
    if config.training.metric != "loss":
        raise UserError(
            f"training.metric is {config.training.metric}: guarded videos are judged frame by frame, so take loss"
        )


def _require_media(config: RunConfig, samples: Sequence[Sample]) -> None:
    """Refuse sections that look at frames where the data set has none."""
    if is_text_alone(samples):
        given = {"quality": config.quality, "augmentation": config.augmentation}
        refuse_all(
            f"{config.data.manifest} is text alone",
            (f"{name} judges or changes frames: leave it out" for name, section in given.items() if section is not None),
        )
