"""What a training is fed with: its examples, in which order and in which batches, all looked at before the first step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import Sampler

from videoguard.dataset.building import read_split
from videoguard.dataset.splits import Split
from videoguard.frames.store import FrameStore
from videoguard.models.preprocessing import Example, Preprocessor
from videoguard.training.examples import Augmentation, TrainingExamples, require_trained_tokens
from videoguard.training.launching import count_processes
from videoguard.training.packing import PackedExamples, collate_packed, pack
from videoguard.training.request import TrainingRequest
from videoguard.training.sampling import ByLength


@dataclass(frozen=True)
class TrainingData:
    """What is trained on, and what the best adapter is chosen by."""

    examples: TrainingExamples
    sequences: TrainingExamples | PackedExamples
    """The examples, or what they were packed into."""
    validation: TrainingExamples
    frames: FrameStore | None
    """None where the dataset is text alone."""
    sampler: Sampler[int] | None
    """Order of the sequences; None to draw them anew each epoch."""
    preprocessor: Preprocessor

    def collate(self, sequences: Sequence[Example]) -> Mapping[str, torch.Tensor | bool]:
        """A batch of examples, or of packed sequences of them."""
        if "position_ids" in sequences[0]:
            return collate_packed(sequences, self.preprocessor.tokenizer.pad_token_id)
        return self.preprocessor.collate(sequences, side="right")


def read_data(request: TrainingRequest, preprocessor: Preprocessor) -> TrainingData:
    """The data of a training.

    Raises:
        UserError: examples are longer than `max_tokens` (all of them are named), nothing or everything in an example is
            trained, or examples with media are to be packed.
    """
    settings = request.training
    frames = None if request.frame_store is None else FrameStore(request.frame_store, request.frame_shards)
    examples = _examples(request, "train", frames, preprocessor)
    validation = _examples(request, "validation", frames, preprocessor)
    for split in (examples, validation):
        split.require_short()
    require_trained_tokens([examples[0]])
    sequences: TrainingExamples | PackedExamples = examples
    lengths = examples.lengths
    if settings.packing:
        packs = pack(lengths, settings.max_tokens)
        sequences = PackedExamples(examples, packs)
        lengths = [sum(examples.lengths[place] for place in places) for places in packs]
    step_size = settings.batch_size * settings.accumulation * count_processes(settings)
    sampler = ByLength(lengths, step_size, request.seed) if settings.group_by_length else None
    return TrainingData(examples, sequences, validation, frames, sampler, preprocessor)


def _examples(
    request: TrainingRequest, split: Split, frames: FrameStore | None, preprocessor: Preprocessor
) -> TrainingExamples:
    wanted = request.augmentation if split == "train" else None
    augmentation = None if wanted is None else Augmentation(wanted, request.seed)
    rows = read_split(request.dataset, split)
    return TrainingExamples(rows, frames, preprocessor, request.training.max_tokens, augmentation)
