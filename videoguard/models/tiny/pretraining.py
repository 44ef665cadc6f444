"""A tiny model's brief pre-training: it learns to see and to speak, but not which exercise is which.

Most examples describe the motion of a rendered clip by its joint ranges, without a name. The others ask the real question
and answer with a random label, so that the base speaks the form of the answers at chance.

The model of the streaming guard learns to see signs in the same way (`videoguard.models.tiny.signs`).

A model of text alone copies lines of the questions that it will be trained on instead (`videoguard.models.tiny.corpus`).
"""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import Trainer, TrainingArguments

from videoguard.config import TinyModel
from videoguard.dataset.messages import conversation
from videoguard.exercises.captions import CAPTION_REQUEST, motion_caption
from videoguard.exercises.catalogue import CLASSES, AnswerKind, answer_text, question_text
from videoguard.models.base import BaseModelFolder, find_base
from videoguard.models.checkpoints import (
    CheckpointKeeper,
    checkpoint_at,
    newest_whole_checkpoint,
    read_state,
    train_to_the_end,
)
from videoguard.models.families import family_of
from videoguard.models.loading import load_model, load_processor
from videoguard.models.preprocessing import TOKEN_TENSORS, Example, Preprocessor
from videoguard.models.reporting import Emit, Reporter
from videoguard.models.tiny.building import build_tiny
from videoguard.models.tiny.clips import Clip, render_clips
from videoguard.models.tiny.corpus import draw_copies, question_lines, training_texts
from videoguard.models.tiny.request import PretrainingReply, PretrainingRequest
from videoguard.models.tiny.signs import SignExamples, sign_texts

MODEL = "model"
_WEIGHTS = "model.safetensors"
_WARMUP_STEPS = 20
_CHECKPOINTS = 4
_ANSWER_KINDS: tuple[AnswerKind, ...] = ("text", "json")


def pretrain(request: PretrainingRequest, emit: Emit) -> PretrainingReply:
    """Build the tiny model, pre-train all its parameters on rendered clips or a corpus, write it to `request.output`.

    A pre-training that was killed goes on from its last whole checkpoint in `request.checkpoints` and ends with the same
    weights as an undisturbed one.
    """
    folder = request.output / MODEL
    texts = texts_for(request.size, request.corpus)
    parameters = build_tiny(request.size, texts, request.seed, folder)
    steps = request.size.pretraining_steps
    if steps == 0:
        return PretrainingReply(parameters=parameters, clips=0, steps=0, last_loss=None)
    base = find_base(str(folder))
    preprocessor = Preprocessor(load_processor(base), base.family)
    clips = [] if request.corpus is not None else _clips(request)
    loss = _train(request, _examples(request, clips, preprocessor), preprocessor, base, emit)
    return PretrainingReply(parameters=parameters, clips=len(clips), steps=steps, last_loss=loss)


def _examples(request: PretrainingRequest, clips: Sequence[Clip], preprocessor: Preprocessor) -> "_Examples":
    if request.corpus is not None:
        return _copies(request, request.corpus, preprocessor)
    drawn = SignExamples if request.size.pretraining == "signs" else _Mixture
    return drawn(clips, preprocessor, request.size, request.seed)


def _clips(request: PretrainingRequest) -> list[Clip]:
    if family_of(request.size.family).media == "text":
        return [Clip(exercise, form, None) for exercise, form in CLASSES]
    return render_clips(request.size.pretraining_videos_per_form, request.seed, request.workers)


def _copies(request: PretrainingRequest, corpus: Path, preprocessor: Preprocessor) -> list[Example]:
    count = request.size.pretraining_steps * request.size.pretraining_batch
    drawn = draw_copies(question_lines(corpus), count, request.seed)
    examples = (preprocessor.example(conversation(text, text, shows=False)) for text in drawn)
    # Every token is learnt, what is read too: a model that only copies does not know the words of its data.
    return [{**example, "labels": example["input_ids"].clone()} for example in examples]


def _train(
    request: PretrainingRequest,
    examples: "_Examples",
    preprocessor: Preprocessor,
    base: BaseModelFolder,
    emit: Emit,
) -> float:
    """Put trained weights in the place of those of `base`; return the last logged loss.

    Args:
        request: the settings.
        examples: of all steps, in order.
        preprocessor: of the base.
        base: with random weights.
        emit: called as the pre-training goes on.
    """
    # Resuming, the trainer does not find the weights of a whole model: transformers saves them under other names than it
    # gives them in memory. So they are loaded here, and the trainer adds the optimizer and the random generators.
    resumed = newest_whole_checkpoint(request.checkpoints)
    start = base if resumed is None else find_base(str(resumed))
    trainer = Trainer(
        model=load_model(start, "float32").train(),
        args=_arguments(request),
        train_dataset=examples,
        data_collator=lambda examples: preprocessor.collate(examples, side="right"),
        callbacks=[Reporter(emit, {"loss": "pretraining_loss"}), CheckpointKeeper()],
    )
    train_to_the_end(trainer, emit)
    last = checkpoint_at(request.checkpoints, request.size.pretraining_steps)
    # Replaced, not overwritten: the loaded model may still have the old file mapped into memory.
    (base.folder / _WEIGHTS).unlink()
    shutil.copyfile(last / _WEIGHTS, base.folder / _WEIGHTS)
    return float(next(entry["loss"] for entry in reversed(read_state(last).log_history) if "loss" in entry))


def texts_for(size: TinyModel, corpus: Path | None = None) -> list[str]:
    """What the tokenizer of a tiny model is made from.

    Args:
        size: the model.
        corpus: folder of the dataset of text alone that it is pre-trained on; None where it sees rendered clips.
    """
    if corpus is not None:
        return training_texts(corpus)
    return sign_texts() if size.pretraining == "signs" else tokenizer_corpus()


def tokenizer_corpus() -> list[str]:
    """Texts that the tokenizer should write in few tokens: answers in both forms, questions, captions, the chat's words."""
    answers = [answer_text(exercise, form, kind) for exercise, form in CLASSES for kind in _ANSWER_KINDS]
    captions = [motion_caption(exercise, form) for exercise, form in CLASSES]
    frame_names = " ".join(f"Frame{number}:" for number in range(1, 17))
    questions = [*map(question_text, _ANSWER_KINDS), CAPTION_REQUEST]
    framing = [*questions, frame_names, "system\nYou are a fitness coach.", "user\n", "assistant\n"]
    return answers * 4 + captions * 3 + framing * 60


class _Mixture(torch.utils.data.Dataset[Example]):
    """The examples of all steps in order: drawn by a seed, so that no shuffling is left to the trainer."""

    def __init__(self, clips: Sequence[Clip], preprocessor: Preprocessor, size: TinyModel, seed: int) -> None:
        self._preprocessor = preprocessor
        draw = random.Random(seed)
        self._drawn: list[tuple[int, str, str]] = []
        """Clip, question and answer of each example."""
        for _ in range(size.pretraining_steps * size.pretraining_batch):
            clip = draw.randrange(len(clips))
            if draw.random() < size.answer_share:
                kind = draw.choice(_ANSWER_KINDS)
                self._drawn.append((clip, question_text(kind), answer_text(*draw.choice(CLASSES), kind)))
            else:
                self._drawn.append((clip, CAPTION_REQUEST, motion_caption(clips[clip].exercise, clips[clip].form)))
        self._clips = clips
        self._media: dict[int, Example] = {}
        self._tokens: dict[tuple[str, str], Example] = {}

    def __len__(self) -> int:
        return len(self._drawn)

    def __getitem__(self, index: int) -> Example:
        # All clips have the same number of frames of the same size: the tokens depend on the texts alone, the media on the
        # clip alone. So the processor is called once for each of them, and not for each pair.
        clip, question, answer = self._drawn[index]
        if clip not in self._media:
            self._media[clip] = self._example(clip, question, answer)
        if (question, answer) not in self._tokens:
            example = self._example(clip, question, answer)
            self._tokens[question, answer] = {name: example[name] for name in example if name in TOKEN_TENSORS}
        return {**self._media[clip], **self._tokens[question, answer]}

    def _example(self, clip: int, question: str, answer: str) -> Example:
        frames = self._clips[clip].frames
        messages = conversation(question, answer, shows=frames is not None)
        return self._preprocessor.example(messages, frames)


_Examples = list[Example] | _Mixture | SignExamples


def _arguments(request: PretrainingRequest) -> TrainingArguments:
    size = request.size
    return TrainingArguments(
        output_dir=str(request.checkpoints),
        max_steps=size.pretraining_steps,
        per_device_train_batch_size=size.pretraining_batch,
        learning_rate=size.pretraining_learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.05},
        warmup_steps=min(_WARMUP_STEPS, size.pretraining_steps),
        weight_decay=0.01,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        train_sampling_strategy="sequential",
        logging_steps=max(1, size.pretraining_steps // 40),
        save_strategy="steps",
        save_steps=max(1, size.pretraining_steps // _CHECKPOINTS),
        use_cpu=not torch.cuda.is_available(),
        seed=request.seed,
        data_seed=request.seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
    )
