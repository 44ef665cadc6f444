"""The tiny model's brief pre-training: it learns to see and to speak, but not which exercise is which.

Most examples describe the motion of a rendered clip by its joint ranges, without a name. The others ask the real question
and answer with a random label, so that the base speaks the form of the answers at chance.
"""

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import Trainer, TrainingArguments

from videoguard.config import TinyModel
from videoguard.dataset.messages import conversation
from videoguard.exercises.captions import CAPTION_REQUEST, motion_caption
from videoguard.exercises.catalogue import CLASSES, AnswerKind, answer_text, question_text
from videoguard.models.base import find_base
from videoguard.models.loading import load_model, load_processor
from videoguard.models.preprocessing import Example, Preprocessor
from videoguard.models.reporting import Emit, Reporter
from videoguard.models.tiny.clips import Clip, render_clips
from videoguard.models.tiny.internvl import build_internvl
from videoguard.models.tiny.request import PretrainingReply, PretrainingRequest

MODEL = "model"
_WARMUP_STEPS = 20
_ANSWER_KINDS: tuple[AnswerKind, ...] = ("text", "json")


def pretrain(request: PretrainingRequest, emit: Emit) -> PretrainingReply:
    """Build the tiny model, pre-train all its parameters on rendered clips, save it to `request.output`."""
    size = request.size
    folder = request.output / MODEL
    with tempfile.TemporaryDirectory() as scratch:
        untrained = Path(scratch)
        parameters = build_internvl(size, tokenizer_corpus(), request.seed, untrained)
        base = find_base(str(untrained))
        processor = load_processor(base)
        model = load_model(base, "float32").train()
    clips = render_clips(size.pretraining_videos_per_form, request.seed, request.workers)
    loss = None
    if size.pretraining_steps:
        examples = _Mixture(clips, Preprocessor(processor, base.family), size, request.seed)
        trainer = Trainer(
            model=model,
            args=_arguments(size, request.seed),
            train_dataset=examples,
            data_collator=examples.collate,
            callbacks=[Reporter(emit, {"loss": "pretraining_loss"})],
        )
        loss = trainer.train().training_loss
    model.save_pretrained(str(folder))
    processor.save_pretrained(str(folder))
    return PretrainingReply(parameters=parameters, clips=len(clips), steps=size.pretraining_steps, last_loss=loss)


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
        self._prompts: dict[tuple[int, str], Example] = {}

    def __len__(self) -> int:
        return len(self._drawn)

    def __getitem__(self, index: int) -> Example:
        clip, question, answer = self._drawn[index]
        if (clip, question) not in self._prompts:
            prompt = self._preprocessor.prompt(conversation(question), self._clips[clip].frames)
            self._prompts[clip, question] = prompt
        return self._preprocessor.with_answer(self._prompts[clip, question], conversation(question, answer))

    def collate(self, examples: Sequence[Example]) -> Example:
        return self._preprocessor.collate(examples, side="right")


def _arguments(size: TinyModel, seed: int) -> TrainingArguments:
    return TrainingArguments(
        output_dir=tempfile.gettempdir(),
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
        save_strategy="no",
        use_cpu=not torch.cuda.is_available(),
        seed=seed,
        data_seed=seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
    )
