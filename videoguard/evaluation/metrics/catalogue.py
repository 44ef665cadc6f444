"""Every metric by name: how its scores are read, what it is measured against, and what builds it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.evaluation.encoding import TextEncoder, load_text_encoder
from videoguard.evaluation.metrics.row_metric import RowMetric
from videoguard.evaluation.scores import MetricFacts, Scale
from videoguard.evaluation.sentence_model import digest_encoder, locate_sentence_model


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What metrics are built of."""

    cache_dir: str
    """Where `evaluate` may put its files."""
    state: Path
    """State folder; WordNet is looked for there, and copied there where the system has it elsewhere."""
    sentence_model: str
    """Folder or hub name of the sentence encoder."""
    answer_schema: AnswerSchema | None = None
    """What an answer must fit beside being JSON."""
    labels: tuple[str, ...] = ()
    """The known labels."""
    encoder: Callable[[], TextEncoder] | None = None
    """Gives the encoder of the sentence model where it is loaded already; may raise MissingResourceError."""

    def text_encoder(self) -> TextEncoder:
        """The encoder of the sentence model.

        Raises:
            MissingResourceError: it cannot be had, or its files cannot be loaded.
        """
        return load_text_encoder(self.sentence_model) if self.encoder is None else self.encoder()


@dataclass(frozen=True, slots=True)
class KnownMetric:
    """A metric that can be named in a recipe."""

    facts: MetricFacts
    build: Callable[[Ingredients], RowMetric]
    """Raises MissingResourceError where what it needs cannot be had."""
    against: Literal["reference", "label"] = "reference"
    """Whether answers are measured against the wanted answer or the sample's label."""
    encodes: bool = False
    """Whether it needs the sentence encoder, whose work can be done beside that of the others."""
    of: Literal["answer", "generated"] = "answer"
    """Whether the answer that counts is measured, or what was generated before a repair."""
    decided_by: Callable[[Ingredients], dict[str, object]] | None = None
    """What decides the score of a row beside its two texts and the code, where scores are kept; raises as `build` does.
    None where a score may depend on other rows, where there is a figure over all rows at once, or where to compute it is
    as quick as to look it up."""


def known_metrics() -> dict[str, KnownMetric]:
    """Every metric by its name, in the order in which they are shown."""
    return {metric.facts.name: metric for metric in _METRICS}


def _bert_similarity(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.bert_similarity import BertSimilarity

    return BertSimilarity(given.text_encoder(), given.cache_dir)


def _meteor(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.meteor import Meteor
    from videoguard.evaluation.wordnet import open_wordnet, provide_wordnet

    return Meteor(open_wordnet(provide_wordnet(given.state, install=False)), given.cache_dir)


def _rouge_l(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.rouge_l import RougeL

    return RougeL(given.cache_dir)


def _exercise_accuracy(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.exercise_accuracy import ExerciseAccuracy

    return ExerciseAccuracy(given.cache_dir)


def _exercise_exact(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.exercise_accuracy import ExerciseExact

    return ExerciseExact(given.cache_dir)


def _exercise_listed(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.label_list import LabelList
    from videoguard.evaluation.metrics.exercise_accuracy import ExerciseListed

    return ExerciseListed(given.cache_dir, LabelList(given.labels))


def _action_top1(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.label_list import LabelList
    from videoguard.evaluation.metrics.action import ActionTop1

    return ActionTop1(given.cache_dir, LabelList(given.labels), given.text_encoder())


def _action_description(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.action import ActionDescription

    return ActionDescription(given.cache_dir)


def _json_validity(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.json_validity import JsonValidity

    return JsonValidity(given.cache_dir)


def _json_schema(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.json_validity import JsonSchema

    return JsonSchema(given.cache_dir, given.answer_schema)


def _timeline_valid(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.timeline import TimelineValid

    return TimelineValid(given.cache_dir)


def _timeline_coverage(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.timeline import TimelineCoverage

    return TimelineCoverage(given.cache_dir)


def _timeline_sentiment(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.timeline import TimelineSentiment

    return TimelineSentiment(given.cache_dir)


def _timeline_redundancy(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.timeline import TimelineRedundancy

    return TimelineRedundancy(given.cache_dir)


def _bleu(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.overlap import Bleu

    return Bleu(given.cache_dir)


def _chrf(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.overlap import ChrF

    return ChrF(given.cache_dir)


def _exact_match(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.answer_text import ExactMatch

    return ExactMatch(given.cache_dir)


def _answer_words(given: Ingredients) -> RowMetric:
    from videoguard.evaluation.metrics.answer_text import AnswerWords

    return AnswerWords(given.cache_dir)


def _facts(
    name: str, title: str, scale: Scale, about: str, better: Literal["higher", "lower"] | None = "higher"
) -> MetricFacts:
    return MetricFacts(name=name, title=title, scale=scale, about=about, better=better)


def _by_words(*packages: str) -> Callable[[Ingredients], dict[str, object]]:
    return lambda given: _versions(*packages)


def _by_wordnet(given: Ingredients) -> dict[str, object]:
    from videoguard.evaluation.wordnet import provide_wordnet

    # Where it is absent nothing is scored, whatever is stored.
    provide_wordnet(given.state, install=False)
    return _versions("nltk")


def _by_encoder(given: Ingredients) -> dict[str, object]:
    located = locate_sentence_model(given.sentence_model, check=False)
    return {"encoder": digest_encoder(located), **_versions("torch", "tokenizers", "sentence-transformers")}


def _by_labels_and_encoder(given: Ingredients) -> dict[str, object]:
    return {"labels": list(given.labels), **_by_encoder(given)}


def _versions(*packages: str) -> dict[str, object]:
    return {package: version(package) for package in packages}


_METRICS = (
    KnownMetric(
        _facts("bert_similarity", "BERT similarity", "share", "Cosine of the sentence embeddings."),
        _bert_similarity,
        encodes=True,
        decided_by=_by_encoder,
    ),
    KnownMetric(
        _facts("meteor", "METEOR", "share", "Words in common, with stems, synonyms and order."),
        _meteor,
        decided_by=_by_wordnet,
    ),
    KnownMetric(
        _facts("rouge_l", "ROUGE-L", "share", "Longest common subsequence of words."),
        _rouge_l,
        decided_by=_by_words("rouge-score"),
    ),
    KnownMetric(
        _facts("exercise_accuracy", "Exercise identification", "yes_no", "The answer names the wanted exercise."),
        _exercise_accuracy,
    ),
    KnownMetric(
        _facts("exercise_exact", "Exercise, letter by letter", "yes_no", "The exercise is written as it was wanted."),
        _exercise_exact,
    ),
    KnownMetric(
        _facts("exercise_listed", "Exercise anywhere", "yes_no", "The only known exercise in the answer is the wanted one."),
        _exercise_listed,
    ),
    KnownMetric(
        _facts("action_top1", "Action, top-1", "yes_no", "Of the known actions the answer is nearest to the wanted one."),
        _action_top1,
        against="label",
        encodes=True,
        decided_by=_by_labels_and_encoder,
    ),
    KnownMetric(
        _facts(
            "action_description", "Action description", "share", "Content words of the wanted description in the answer."
        ),
        _action_description,
    ),
    KnownMetric(
        _facts("json_validity", "JSON validity", "yes_no", "The answer was generated as JSON where JSON was wanted."),
        _json_validity,
        of="generated",
    ),
    KnownMetric(
        _facts("json_repaired", "JSON after repair", "yes_no", "The answer is JSON after broken JSON was mended."),
        _json_validity,
    ),
    KnownMetric(
        _facts("json_schema", "JSON fits schema", "yes_no", "The answer that counts fits its JSON Schema."), _json_schema
    ),
    KnownMetric(
        _facts("timeline_valid", "Timeline valid", "yes_no", "The answer is a timeline of whole entries."), _timeline_valid
    ),
    KnownMetric(
        _facts("timeline_coverage", "Timeline coverage", "share", "Wanted times that the answer has."), _timeline_coverage
    ),
    KnownMetric(
        _facts("timeline_sentiment", "Timeline sentiment", "share", "Wanted sentiments that the answer has."),
        _timeline_sentiment,
    ),
    KnownMetric(
        _facts("timeline_redundancy", "Timeline redundancy", "share", "Events that repeat an earlier one.", "lower"),
        _timeline_redundancy,
    ),
    KnownMetric(_facts("bleu", "BLEU", "share", "Precision of word sequences up to four."), _bleu),
    KnownMetric(_facts("chrf", "chrF", "share", "Character sequences up to six in common."), _chrf),
    KnownMetric(_facts("exact_match", "Exact match", "yes_no", "The answer is the wanted answer."), _exact_match),
    KnownMetric(_facts("answer_words", "Words in the answer", "count", "How long answers are.", None), _answer_words),
)
