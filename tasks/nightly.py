"""The steps of a night: who is asked, what they answer, how that compares with earlier nights."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from filelock import FileLock, Timeout
from prefect import task
from prefect.context import FlowRunContext
from pydantic import BaseModel, ConfigDict

from tasks.dataset import counts_of
from tasks.frames import StoredFrames, sampling_rule
from tasks.inference import answer_all, one_process
from tasks.promotion import Opponent, Promotion, decide_promotion
from tasks.step import Workplace
from tasks.versions import AskedVersion, ask_version, loaded_as, own_base, score_all
from videoguard.artifacts.records import Artifact
from videoguard.config import RunConfig
from videoguard.digests import digest_json, digest_source
from videoguard.errors import UserError
from videoguard.evaluation.scores import Evaluation, read_evaluation
from videoguard.inference.rows import AnswerRow, read_rows
from videoguard.nights.inputs import Measures, measure, measured_by, read_durations
from videoguard.nights.judging import CHAMPION, Earlier, choose_earlier, judge
from videoguard.nights.night import AskedModel, Night, NightSample, sample_keys
from videoguard.nights.options import NightlyOptions
from videoguard.nights.store import NightStore
from videoguard.registry.standing import Holder, read_holders, read_standing

BASE, CANDIDATE = "base", "candidate"
_VERSIONS: tuple[str, ...] = (CANDIDATE, CHAMPION)
_LOCK = "nightly.lock"


class AskedModels(BaseModel):
    """The models of a night, the base first and the champion last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    holders: dict[str, Holder]
    """The versions, by alias."""
    models: dict[str, AskedVersion]
    """By `base`, `candidate`, `champion`: those that exist."""
    absent: list[str]

    def made(self) -> list[Artifact]:
        """Adapters, answers and scores."""
        return [artifact for model in self.models.values() for artifact in model.made]


def reason_to_skip(options: NightlyOptions) -> str | None:
    """Why a scheduled night that starts now is too late; None where it is not, or was not scheduled."""
    context = FlowRunContext.get()
    run = None if context is None else context.flow_run
    if run is None or not run.auto_scheduled or run.expected_start_time is None:
        return None
    late = datetime.now(UTC) - run.expected_start_time
    if late <= timedelta(hours=options.late_after_hours):
        return None
    return f"it was due {run.expected_start_time:%Y-%m-%d %H:%M} UTC, {late.total_seconds() / 3600:.1f} hours ago"


@contextmanager
def only_night(config: RunConfig) -> Iterator[bool]:
    """Whether no other night of this state folder runs; it stays so until the end of the block."""
    state = config.execution.state
    state.mkdir(parents=True, exist_ok=True)
    lock = FileLock(state / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def find_models(place: Workplace, config: RunConfig) -> dict[str, Holder]:
    """The versions that the night asks about.

    Raises:
        UserError: there is none.
    """
    model, uri = config.registry.registered_model, config.registry.uri(place.state)
    found = read_holders(uri, model)
    holders: dict[str, Holder] = {name: found[name] for name in _VERSIONS if name in found and name in config.nightly.models}
    if not holders:
        wanted = " and no ".join(name for name in config.nightly.models if name != BASE) or CHAMPION
        raise UserError(
            f"model {model} in {uri} has no {wanted}: `video-guard run` registers versions, "
            "`video-guard models promote VERSION` makes one champion"
        )
    return holders


def ask_models(
    place: Workplace, config: RunConfig, holders: dict[str, Holder], dataset: Artifact, frames: StoredFrames | None
) -> AskedModels:
    """Answers and scores of each version, and of the base model that the champion (else the candidate) was trained on."""
    if not counts_of(dataset, "rows").get("test"):
        raise UserError(f"{config.data.manifest} has no test samples: set dataset.test, or `split: test` in its rows")
    asked: dict[str, AskedVersion] = {}
    with one_process(config):
        for name, holder in holders.items():
            asked[name] = ask_version(place, config, holder.version, holder.source, None, dataset, frames)
        fetched = next((asked[name].made[0] for name in (CHAMPION, CANDIDATE) if name in asked and asked[name].made), None)
        models = dict(asked)
        if BASE in config.nightly.models and fetched is not None:
            models = {BASE: _ask_base(place, config, fetched, dataset, frames), **asked}
    absent = [name for name in config.nightly.models if name not in models]
    return AskedModels(holders=holders, models=models, absent=absent)


def _ask_base(
    place: Workplace, config: RunConfig, fetched: Artifact, dataset: Artifact, frames: StoredFrames | None
) -> AskedVersion:
    try:
        answers = answer_all(place, loaded_as(config, fetched), own_base(fetched), None, dataset, frames).result()
    except UserError as refusal:
        return AskedVersion(refusal=str(refusal))
    scored = score_all(place, config, answers)
    return AskedVersion(scored=scored, made=(*answers, scored.evaluation))


def try_candidate(place: Workplace, config: RunConfig, asked: AskedModels) -> Promotion | None:
    """Put the candidate to the test against the champion on tonight's samples, where the recipe lets a night promote.

    None where one of the two is missing or could not be asked.
    """
    if not config.nightly.promote or config.registry.promotion is None:
        return None
    candidate, champion = asked.models.get(CANDIDATE), asked.models.get(CHAMPION)
    if candidate is None or champion is None or candidate.scored is None or champion.scored is None:
        return None
    holder = asked.holders[CANDIDATE]
    standing = read_standing(config.registry.uri(place.state), config.registry.registered_model, holder.version)
    opponent = Opponent(standing=standing, scored=champion.scored, made=champion.made)
    decided = decide_promotion(place, config, candidate.made[0], candidate.scored, opponent)
    return Promotion(decided=decided, asked=())


def open_nights(place: Workplace, config: RunConfig) -> NightStore:
    """The nights of the recipe."""
    return NightStore(place.state, config.registry.registered_model, config.name, place.shared_store)


@task(name="night", retries=2, retry_delay_seconds=[2.0, 15.0])
def examine_night(
    place: Workplace,
    config: RunConfig,
    options: NightlyOptions,
    asked: AskedModels,
    dataset: Artifact,
    frames: StoredFrames | None,
    promotion: Promotion | None,
) -> tuple[Night, list[NightSample]]:
    """What the night found, held against earlier ones."""
    store = open_nights(place, config)
    nights = store.nights()
    known = {name: _scored(place, model) for name, model in asked.models.items() if model.scored is not None}
    seen_by = measured_by(sampling_rule(config.frames))
    samples = _samples(place, known, frames, _known_measures(store, nights, seen_by))
    scored_by = digest_json(
        [digest_source(["evaluation", "manifests/labels.py"]), config.evaluation.model_dump(mode="json", exclude={"judge"})]
    )
    champion = asked.models.get(CHAMPION)
    if champion is None:
        champion = AskedVersion(refusal=f"{config.registry.registered_model} has none, or it was not wanted")
    evaluation = known[CHAMPION][1] if CHAMPION in known else None
    earlier = [] if options.new_standard else choose_earlier(nights, config.nightly.window)
    judged = judge(
        samples,
        asked.holders[CHAMPION].version if CHAMPION in asked.holders else None,
        {} if evaluation is None else evaluation.metrics,
        [] if evaluation is None else watched_metrics(config, evaluation),
        [Earlier(night, store.samples(night)) for night in earlier],
        config.nightly,
        refusal=champion.refusal,
        scored_by=scored_by,
        seed=config.seed,
    )
    night = Night(
        recipe=config.name,
        model=config.registry.registered_model,
        started=place.started,
        digest=digest_json([sample.model_dump(mode="json") for sample in samples]),
        scored_by=scored_by,
        measured_by=seen_by,
        samples=len(samples),
        asked={name: _described(place, name, model, asked, known) for name, model in asked.models.items()},
        absent=asked.absent,
        metrics={} if evaluation is None else evaluation.metrics,
        outcome=judged.outcome,
        reasons=judged.reasons,
        new_standard=options.new_standard,
        comparisons=judged.comparisons,
        score_shifts=judged.score_shifts,
        input_shifts=judged.input_shifts,
        promotion=None if promotion is None else promotion.decision(place),
    )
    return night, samples


def watched_metrics(config: RunConfig, evaluation: Evaluation) -> list[str]:
    """The metrics that may not fall."""
    rule = config.registry.promotion
    named = config.nightly.metrics
    if named is None and rule is not None and rule.metric is not None and rule.guards is not None:
        named = (rule.metric, *rule.guards)
    if named is not None:
        return [name for name in dict.fromkeys(named) if name in evaluation.summary]
    return [name for name, facts in evaluation.metrics.items() if facts.better is not None and evaluation.summary[name].n]


_Known = tuple[list[AnswerRow], Evaluation]


def _scored(place: Workplace, model: AskedVersion) -> _Known:
    assert model.scored is not None
    rows = [row for file in model.scored.answers.files(place) for row in read_rows(file)]
    return rows, read_evaluation(place.path(model.scored.evaluation))


def _described(place: Workplace, name: str, model: AskedVersion, asked: AskedModels, known: dict[str, _Known]) -> AskedModel:
    version = asked.holders[name].version if name in asked.holders else None
    if model.scored is None:
        return AskedModel(version=version, refusal=model.refusal)
    answers = model.scored.answers
    made = [int(str(shard.facts["computed"])) for shard in answers.shards if shard.created >= place.started]
    return AskedModel(version=version, scores=known[name][1].summary, failed=answers.failed, computed=sum(made))


def _known_measures(store: NightStore, nights: list[Night], seen_by: str) -> dict[str, Measures]:
    """Measures of the last night, by content, where they were taken in the same way."""
    if not nights or nights[-1].measured_by != seen_by:
        return {}
    return {sample.content: sample.measures for sample in store.samples(nights[-1]) if sample.measures}


def _samples(
    place: Workplace, known: dict[str, _Known], frames: StoredFrames | None, measures: dict[str, Measures]
) -> list[NightSample]:
    if not known:
        return []
    rows = next(iter(known.values()))[0]
    scores = {name: {row.id: row.scores for row in evaluation.rows} for name, (_, evaluation) in known.items()}
    opened = None if frames is None else frames.open(place)
    digests = {} if opened is None else opened.digests
    contents = [digests.get(row.video or "", row.group) for row in rows]
    measured: dict[str, Measures] = {}
    if opened is not None and frames is not None:
        shown = sorted({row.video for row in rows if row.video is not None and row.video in digests})
        measured = measure(opened, read_durations(frames.shard_folders(place)), shown, measures)
    keys = sample_keys([(content, row.question, row.reference) for content, row in zip(contents, rows, strict=True)])
    return [
        NightSample(
            key=key,
            id=row.id,
            content=content,
            group=row.group,
            label=row.label,
            measures=measured.get(content, {}),
            scores={name: by_id.get(row.id, {}) for name, by_id in scores.items()},
        )
        for key, content, row in zip(keys, contents, rows, strict=True)
    ]
