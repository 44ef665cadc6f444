"""`Night`: one nightly evaluation as it is kept, with the scores of every sample, so that later nights compare with it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import AwareDatetime, BaseModel, ConfigDict

from videoguard.digests import digest_json
from videoguard.evaluation.comparison import PairedDifference
from videoguard.evaluation.promotion import PromotionDecision
from videoguard.evaluation.scores import MetricFacts, MetricSummary

NIGHT, SAMPLES = "night.json", "samples.parquet"
MEASURES = ("brightness", "sharpness", "duration_s", "width", "height")
"""What is measured of a video: grey level, variance of the Laplacian, seconds, pixels, pixels."""
_TEXTS = ("key", "id", "content", "group", "label")

Outcome = Literal["passed", "regressed", "drifted", "undecided"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AskedModel(_Record):
    """One model of a night."""

    version: str | None
    """Number in the registry; None for the base model."""
    scores: dict[str, MetricSummary] = {}
    """By metric; empty where it could not be asked."""
    refusal: str | None = None
    """Why it could not be asked about these samples."""
    failed: int = 0
    """Samples without an answer."""
    computed: int = 0
    """Answers that were made tonight; the others were stored."""


class EarlierComparison(_Record):
    """The champion of tonight against that of an earlier night, on the samples that both nights have."""

    night: str
    """Name of the earlier night."""
    version: str | None
    """The earlier champion."""
    samples: int
    """Samples of both nights."""
    added: int
    """Samples that the earlier night had not, or with another wanted answer: in no figure here."""
    removed: int
    pairs: list[PairedDifference] = []
    """Tonight second. P-values are corrected over all tests of this night's rule."""


class ScoreShift(_Record):
    """The champion's scores of new samples against those of the earlier samples, a video a value."""

    metric: str
    earlier: int
    """Videos."""
    new: int
    earlier_mean: float
    new_mean: float
    p_value: float | None
    p_corrected: float | None = None


class InputShift(_Record):
    """One property of the new videos against that of the earlier ones."""

    name: str
    earlier: int
    new: int
    distance: float | None = None
    """Wasserstein in standard deviations of the earlier ones; of labels Jensen-Shannon, from 0 to 1."""
    p_value: float | None = None
    """Kolmogorov-Smirnov; of labels the chi-square statistic by permutation. None where there are too few videos."""
    p_corrected: float | None = None
    drifted: bool = False
    words: str = ""
    """What changed, for readers."""


class Night(_Record):
    """What one night found."""

    schema_version: Literal[1] = 1
    recipe: str
    model: str
    """Registered model."""
    started: AwareDatetime
    digest: str
    """Of the samples and all scores: equal nights have equal digests."""
    scored_by: str
    """Digest of the code and settings that scored."""
    measured_by: str = ""
    """Digest of the code and the rule of sampling that the measures come from."""
    samples: int
    asked: dict[str, AskedModel]
    """By `champion`, `candidate`, `base`."""
    absent: list[str] = []
    """Models that were wanted and do not exist."""
    metrics: dict[str, MetricFacts] = {}
    outcome: Outcome
    reasons: list[str]
    """In sentences, the figures in them."""
    new_standard: str | None = None
    """Why this night begins a new standard, and is compared with none before it."""
    comparisons: list[EarlierComparison] = []
    score_shifts: list[ScoreShift] = []
    input_shifts: list[InputShift] = []
    promotion: PromotionDecision | None = None
    workbook: str | None = None

    @property
    def date(self) -> str:
        """Day on which it began, in the time zone of the machine: `2026-11-29`."""
        return f"{self.started.astimezone():%Y-%m-%d}"

    @property
    def name(self) -> str:
        """Date, time and digest: `2026-11-29-020013-1f6a09c2`; sorts by time."""
        return f"{self.started.astimezone():%Y-%m-%d-%H%M%S}-{self.digest[:8]}"

    @property
    def is_good(self) -> bool:
        """Whether later nights may be held to it."""
        return self.outcome == "passed" or self.new_standard is not None

    @property
    def computed(self) -> int:
        """Answers made tonight, of all models."""
        return sum(model.computed for model in self.asked.values())


class NightSample(_Record):
    """One sample of a night."""

    key: str
    """Of what is shown, asked and wanted: the same sample has the same key on every night, whatever it is called."""
    id: str
    content: str
    """Digest of the video or images; the group where nothing is shown."""
    group: str
    label: str | None
    measures: dict[str, float] = {}
    """By the names of `MEASURES`; empty for text alone."""
    scores: dict[str, dict[str, float | None]] = {}
    """By model, then by metric; None where unscored."""


def sample_keys(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    """Keys of samples by content, question and wanted answer; repeats get a number."""
    seen: dict[str, int] = {}
    keys = []
    for row in rows:
        digest = digest_json(list(row))[:32]
        seen[digest] = seen.get(digest, 0) + 1
        keys.append(digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
    return keys


def write_night(night: Night, samples: Sequence[NightSample], folder: Path) -> None:
    """Write `samples.parquet` and `night.json` into a folder."""
    columns: dict[str, list[object]] = {name: [getattr(sample, name) for sample in samples] for name in _TEXTS}
    for measure in MEASURES:
        columns[measure] = [sample.measures.get(measure) for sample in samples]
    scored = dict.fromkeys((model, metric) for each in samples for model, of in each.scores.items() for metric in of)
    for model, metric in scored:
        columns[f"{model}/{metric}"] = [sample.scores.get(model, {}).get(metric) for sample in samples]
    schema = pa.schema([(name, pa.string() if name in _TEXTS else pa.float64()) for name in columns])
    pq.write_table(pa.table(columns, schema=schema), folder / SAMPLES)
    (folder / NIGHT).write_text(night.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_samples(folder: Path) -> list[NightSample]:
    """The samples of a night's folder."""
    table = pq.ParquetFile(folder / SAMPLES).read(use_threads=False).to_pylist()
    return [_sample(row) for row in table]


def _sample(row: dict[str, object]) -> NightSample:
    scores: dict[str, dict[str, object]] = {}
    for name, value in row.items():
        model, slash, metric = name.partition("/")
        if slash:
            scores.setdefault(model, {})[metric] = value
    measures = {name: row[name] for name in MEASURES if row[name] is not None}
    known = {name: row[name] for name in _TEXTS}
    return NightSample.model_validate({**known, "measures": measures, "scores": scores})


def started_words(started: datetime) -> str:
    """Date and time for readers."""
    return f"{started.astimezone():%Y-%m-%d %H:%M}"
