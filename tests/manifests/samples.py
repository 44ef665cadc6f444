"""Samples of every format, for property tests: as a reader would give them."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from videoguard.manifests.formats.catalogue import FORMATS
from videoguard.manifests.formats.classes import QUESTION as CLASS_QUESTION
from videoguard.manifests.formats.feedbacks import QUESTION as FEEDBACK_QUESTION
from videoguard.manifests.formats.guard_categories import CATEGORIES, class_of, response
from videoguard.manifests.formats.guard_categories import QUESTION as GUARD_QUESTION
from videoguard.manifests.sample import Exchange, GuardAnnotation, Sample, Segment

# Everything that a text may hold and a carrier may trip over: quotes, ends of lines, null, other planes, JSON, formulas.
CHARACTERS = st.characters(codec="utf-8") | st.sampled_from("\"',;\t\n\r\0[]{}:= \u2028\ufeff𝄞")
TEXTS = (
    (st.text(CHARACTERS, min_size=1, max_size=12) | st.sampled_from(['{"exercise": "squat"}', "[1]", "null", "=1+1", "12"]))
    .map(str.strip)
    .filter(bool)
)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=6).filter(
    lambda name: bool(name.strip()) and name != ".." and name != "." and "\ufeff" not in name
)
FILES = st.builds("{}/{}.mp4".format, st.sampled_from(["clips", "ünïcode", "a b"]), NAMES)
LABELS = st.lists(st.sampled_from(sorted(CATEGORIES)), unique=True, max_size=3).map(lambda found: tuple(sorted(found)))
# Integers and truth values become texts in a table of text, so they are told apart in tests of their own.
FIELDS = st.dictionaries(st.sampled_from(["subject", "camera", "day of recording"]), TEXTS, max_size=2)
SPLITS = st.sampled_from([None, "train", "validation", "test"])
HISTORY = st.lists(st.builds(Exchange, TEXTS, TEXTS), max_size=2).map(tuple)


def _sample(root: Path, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Sample]:
    common: dict[str, st.SearchStrategy[Any]] = {"split": SPLITS, "fields": FIELDS, "system": st.none() | TEXTS}
    return st.builds(Sample, **{"id": st.just(""), "root": st.just(root), **common, **parts})


def _conversation(root: Path) -> st.SearchStrategy[Sample]:
    """About a video, about images, or about neither."""
    said = {"question": TEXTS, "answer": TEXTS, "history": HISTORY, "label": st.none() | TEXTS}
    images = st.lists(FILES, min_size=1, max_size=3).map(tuple)
    return _sample(root, **said, video=FILES) | _sample(root, **said, images=images) | _sample(root, **said)


@st.composite
def _guarded(draw, root: Path, *, live: bool) -> Sample:
    labels = draw(LABELS.filter(bool) if live else LABELS)
    start = draw(st.integers(0, 9000))
    description = None if live else draw(TEXTS)
    segments = tuple(
        Segment(
            labels=draw(LABELS.filter(bool) if live else LABELS),
            start=float(start + place * 7),
            end=float(start + place * 7 + draw(st.integers(1, 7))),
            video=None if live else draw(FILES),
            description=None if live else draw(st.none() | TEXTS),
        )
        for place in range(draw(st.integers(0 if live else 1, 3)))
    )
    sample: Sample = draw(
        _sample(
            root,
            video=FILES,
            question=st.just(GUARD_QUESTION),
            answer=st.just(None if description is None else response(description, labels)),
            label=st.just(class_of(labels)),
            guard=st.just(GuardAnnotation(labels, segments, description)),
        )
    )
    return sample


def samples_of(name: str, root: Path) -> st.SearchStrategy[Sample]:
    """Samples that the format `name` can hold, without ids."""
    optional_label = st.none() | TEXTS
    video = {"video": FILES}
    asked = {"question": TEXTS, "answer": TEXTS}
    labelled = TEXTS.flatmap(
        lambda label: _sample(root, **video, question=st.just(CLASS_QUESTION), answer=st.just(label), label=st.just(label))
    )
    feedback = {"question": st.just(FEEDBACK_QUESTION), "answer": TEXTS}
    strategies: dict[str, st.SearchStrategy[Sample]] = {
        "conversations": _sample(root, **video, **asked, history=HISTORY, label=optional_label),
        "flat": _sample(root, **video, **asked, label=optional_label),
        "messages": _conversation(root),
        "sharegpt": _conversation(root),
        "instruction": _sample(root, **asked, history=HISTORY, label=optional_label),
        "feedbacks": _sample(root, **video, **feedback, label=optional_label),
        "fine_grained": _sample(root, **video, **feedback, label=TEXTS),
        "guard_clips": _guarded(root, live=False),
        "guard_live": _guarded(root, live=True),
        "classes": labelled,
        "world": _sample(root, **video, question=TEXTS, answer=st.none(), output_video=FILES, label=optional_label),
    }
    assert strategies.keys() == FORMATS.keys()
    return strategies[name]
