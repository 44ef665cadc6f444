"""The guard's decisions against those of the whole prefix read anew, and what it keeps."""

import math

import pytest
import torch

from videoguard.dataset.guard_texts import ClipNote, frame_answer, next_frame, open_clip, response_conversation
from videoguard.errors import UserError
from videoguard.inference.guard.guard import GuardSettings, StreamingGuard
from videoguard.inference.guard.trace import ClipTrace, FrameDecision, alarms_of, raise_categories
from videoguard.manifests.formats.guard_categories import CATEGORIES, QUESTION


def read_anew(model, preprocessor, messages, pictures, answer: str) -> torch.Tensor:
    """Log-probabilities of the tokens that follow each token of an answer, with all that stands before it read at once."""
    prompt = preprocessor.prompt(messages, list(pictures))
    tokens = torch.tensor(preprocessor.answer_tokens(answer))
    batch = {**prompt, "input_ids": torch.cat([prompt["input_ids"], tokens])[None]}
    with torch.inference_mode():
        logits: torch.Tensor = model(**batch).logits[0]
    return logits[len(prompt["input_ids"]) - 1 :]


def between(logits: torch.Tensor, first: int, second: int) -> float:
    """Probability of the second of two tokens."""
    return math.exp(logits[second]) / (math.exp(logits[first]) + math.exp(logits[second]))


def expected(model, preprocessor, messages, pictures) -> tuple[tuple[str, ...], dict[str, float]]:
    """Labels and probabilities of the last picture, worked out from whole answers: where they part is where is chosen."""
    probabilities = dict.fromkeys(CATEGORIES, 0.0)
    labels: tuple[str, ...] = ()
    reached = 1.0
    while not labels or labels[-1] != "C6":
        left = [code for code in CATEGORIES if not labels or code > labels[-1]]
        end = preprocessor.answer_tokens(frame_answer(labels))
        longer = {code: preprocessor.answer_tokens(frame_answer((*labels, code))) for code in left}
        after = {code: read_anew(model, preprocessor, messages, pictures, frame_answer((*labels, code))) for code in left}
        parts = next(place for place, token in enumerate(end) if token != longer[left[0]][place])
        going_on = between(after[left[0]][parts], end[parts], longer[left[0]][parts])
        shares = {left[0]: 1.0}
        if len(left) > 1:
            named = next(place for place, token in enumerate(longer[left[0]]) if token != longer[left[1]][place])
            weights = {code: math.exp(after[code][named][longer[code][named]]) for code in left}
            shares = {code: weight / sum(weights.values()) for code, weight in weights.items()}
        for code, share in shares.items():
            probabilities[code] += reached * going_on * share
        if going_on < 0.5:
            break
        best = max(shares, key=shares.__getitem__)
        reached *= going_on * shares[best]
        labels = (*labels, best)
    return labels, probabilities


def test_decisions_equal_those_of_the_whole_prefix_read_at_once(guard, streaming_model, streaming_preprocessor, pictures):
    stream = guard(clip_frames=None)
    messages = open_clip(QUESTION, None, ())
    seen = set()
    for count in range(1, 13):
        decision = stream.push(pictures[count - 1], float(count))
        labels, probabilities = expected(streaming_model, streaming_preprocessor, messages, pictures[:count])
        assert decision.labels == labels
        assert decision.probabilities == pytest.approx(probabilities, abs=1e-5)
        messages += next_frame(frame_answer(labels))
        seen.add(labels)
    # Otherwise the branches of the decision would not have been gone through.
    assert len(seen) > 1
    assert max(map(len, seen)) > 1


def test_a_clip_begins_as_if_only_the_text_of_the_clips_before_had_been_read(
    guard, streaming_model, streaming_preprocessor, pictures
):
    stream = guard(clip_frames=4)
    for place in range(10):
        stream.push(pictures[place], float(place))
    assert len(stream.notes) == 2
    messages = open_clip(QUESTION, None, stream.notes)
    last = guard(clip_frames=4)
    for place in range(8):
        last.push(pictures[place], float(place))
    decision = last.push(pictures[8], 8.0)
    labels, probabilities = expected(streaming_model, streaming_preprocessor, messages, pictures[8:9])
    assert decision.labels == labels
    assert decision.probabilities == pytest.approx(probabilities, abs=1e-5)


def test_a_summary_is_what_the_model_writes_after_the_whole_clip(guard, streaming_model, streaming_preprocessor, pictures):
    stream = guard(clip_frames=None)
    messages = open_clip(QUESTION, None, ())
    for place in range(3):
        decision = stream.push(pictures[place], float(place))
        if place < 2:
            messages += next_frame(frame_answer(decision.labels))
    before = stream.tokens_read
    clip = stream.close_clip("a.mp4")
    assert clip is not None
    assert (clip.video, [frame.time for frame in clip.frames]) == ("a.mp4", [0.0, 1.0, 2.0])
    # The start of the closing answer, and what was written: no picture is read again.
    assert stream.tokens_read - before < 80
    assert stream.notes == [ClipNote(clip.labels, clip.summary)]


def test_the_answer_at_the_end_is_what_the_model_writes_after_the_text_of_the_clips(
    guard, streaming_model, streaming_preprocessor, pictures
):
    stream = guard(clip_frames=2)
    clips = [
        item for item in stream.watch((float(place), pictures[place]) for place in range(5)) if isinstance(item, ClipTrace)
    ]
    assert [len(clip.frames) for clip in clips] == [2, 2, 1]
    answered = stream.respond()
    prompt = streaming_preprocessor.prompt(response_conversation(QUESTION, None, stream.notes))
    written = streaming_model.generate(
        input_ids=prompt["input_ids"][None], max_new_tokens=16, do_sample=False, eos_token_id=streaming_preprocessor.ends
    )
    assert answered.text == streaming_preprocessor.decode(written[0, len(prompt["input_ids"]) :])


def test_memory_and_reading_stay_the_same_however_long_the_stream(guard, pictures):
    stream = guard(clip_frames=4)
    memory, read = [], []
    for place in range(160):
        before = stream.tokens_read
        stream.push(pictures[place % 40], float(place))
        memory.append(stream.cache_bytes)
        read.append(stream.tokens_read - before)
    # From where as many clips are kept in mind as may be, each clip is like the one before.
    early, late = slice(40, 80), slice(120, 160)
    assert max(memory[late]) <= 1.2 * max(memory[early])
    assert sum(read[late]) <= 1.2 * sum(read[early])
    assert len(stream.notes) <= 64


def test_a_clip_that_would_not_fit_the_context_is_closed(streaming_model, streaming_preprocessor, pictures, monkeypatch):
    settings = GuardSettings(clip_frames=None, summary_tokens=8)
    stream = StreamingGuard(streaming_model, streaming_preprocessor, settings)
    monkeypatch.setattr(stream, "_room", 600)
    for place in range(20):
        stream.push(pictures[place], float(place))
    assert len(stream.notes) > 0


def test_a_family_that_does_not_go_on_from_its_cache_is_refused(tiny_family, streaming_model, streaming_preprocessor):
    from dataclasses import replace

    from videoguard.models.families import family_of, require_streaming

    assert replace(family_of("internvl")).streams
    with pytest.raises(UserError, match="runs with internvl, and the model is of the family qwen2_5_vl"):
        require_streaming("qwen2_5_vl")


def decision(time: float, raised: tuple[str, ...]) -> FrameDecision:
    probabilities = {code: 0.9 if code in raised else 0.1 for code in CATEGORIES}
    return FrameDecision(time=time, labels=raised, probabilities=probabilities, raised=raised)


def test_an_alarm_is_raised_where_a_category_was_not_in_the_frame_before():
    frames = [decision(0, ()), decision(1, ("C3",)), decision(2, ("C3", "C6")), decision(3, ()), decision(4, ("C3",))]
    assert [(alarm.category, alarm.time) for alarm in alarms_of(frames)] == [("C3", 1), ("C6", 2), ("C3", 4)]
    assert [alarm.time for alarm in alarms_of(frames[2:3], before=("C3",))] == [2]


def test_each_category_has_its_threshold():
    probabilities = {"C1": 0.5, "C2": 0.49, "C3": 0.3, "C6": 0.9}
    assert raise_categories(probabilities, {}) == ("C1", "C6")
    assert raise_categories(probabilities, {"C3": 0.3, "C6": 0.95}) == ("C1", "C3")
