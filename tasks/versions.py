"""Step champion: a registered version, fetched from MLflow and asked about the test samples of another run."""

from collections.abc import Sequence

from prefect import task
from pydantic import BaseModel, ConfigDict

from tasks.base_model import BaseReference
from tasks.evaluation import ScoredModel, score_answers
from tasks.frames import StoredFrames
from tasks.inference import Answers, answer_all
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import ModelSection, RunConfig
from videoguard.digests import digest_source
from videoguard.errors import UserError
from videoguard.registry.champion import FetchReply, FetchRequest
from videoguard.subprocesses import call


class AskedVersion(BaseModel):
    """What a version answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scored: ScoredModel | None = None
    """None where it cannot be asked about these samples."""
    refusal: str | None = None
    """Why it cannot."""
    made: tuple[Artifact, ...] = ()
    """What was made or reused to ask it: its adapter, answers and scores."""


def ask_version(
    place: Workplace,
    config: RunConfig,
    number: str,
    source: str,
    base: BaseReference | None,
    dataset: Artifact,
    frames: StoredFrames | None,
) -> AskedVersion:
    """A version's answers to the test samples, on its own base; those that the row store has cost nothing.

    Args:
        place: where the run works.
        config: the recipe.
        number: of the version.
        source: where MLflow keeps its model.
        base: of the run, which is taken where the version has the same; None takes the version's own.
        dataset: whose test split is asked.
        frames: of its videos.
    """
    try:
        fetched = fetch_version(place, config, number, source)
        own = own_base(fetched)
        chosen = base if base is not None and base.digest == own.digest else own
        answers = answer_all(place, loaded_as(config, fetched), chosen, fetched, dataset, frames).result()
    except UserError as refusal:
        return AskedVersion(refusal=str(refusal))
    scored = score_all(place, config, answers)
    return AskedVersion(scored=scored, made=(fetched, *answers, scored.evaluation))


def score_all(place: Workplace, config: RunConfig, answers: Sequence[Artifact]) -> ScoredModel:
    """Answers and their scores."""
    return ScoredModel(answers=Answers(shards=tuple(answers)), evaluation=score_answers(place, config, list(answers)))


def own_base(fetched: Artifact) -> BaseReference:
    """The base model that a fetched version was trained on."""
    known = FetchReply.model_validate(fetched.facts)
    return BaseReference(
        name=known.base_name, location=known.base, revision=None, digest=known.base_digest, artifact=fetched
    )


def loaded_as(config: RunConfig, fetched: Artifact) -> RunConfig:
    """The recipe with the weights of the base loaded as the version's own recipe loads them."""
    known = FetchReply.model_validate(fetched.facts)
    section = ModelSection.model_validate({**config.model.model_dump(), **known.loaded})
    return config.model_copy(update={"model": section})


def _fetching(place: Workplace, config: RunConfig, number: str, source: str) -> Provenance:
    return Provenance(
        step="champion",
        code=digest_source(["registry/champion.py", "registry/references.py"]),
        settings={"model": config.registry.registered_model, "uri": config.registry.uri(place.state)},
        inputs={"version": number, "source": source},
    )


@task(name="champion", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_fetching), **OPTIONS)
def fetch_version(place: Workplace, config: RunConfig, number: str, source: str) -> Artifact:
    """A version's adapter, from where MLflow keeps it."""

    def fill(draft: Draft) -> None:
        request = FetchRequest(
            tracking_uri=config.registry.uri(place.state),
            model=config.registry.registered_model,
            version=number,
            output=draft.folder.absolute(),
        )
        reply = call("videoguard.registry.champion", request, FetchReply, threads=1, timeout_s=HOUR)
        draft.facts = reply.model_dump(mode="json")

    return place.make(_fetching(place, config, number, source), fill)
