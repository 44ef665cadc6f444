"""Aliases of a registered model: `champion` is used, `candidate` was held back last, a rollback restores `previous`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from videoguard.errors import UnavailableError, UserError
from videoguard.evaluation.promotion import PromotionDecision
from videoguard.registry.references import scores_of
from videoguard.registry.standing import BY_HAND, CANDIDATE, CHAMPION, PREVIOUS, ROLLED_BACK, Holder, Standing, stand
from videoguard.registry.tracking import CONNECTION_FAULTS

REPLACED = "promotion.previous"
"""Tag of a version that became champion: the one whose place it took."""
DECIDED = "promotion.decided"
"""Tag: when."""
_ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model."""

    number: str
    created: datetime
    source: str
    """Where MLflow keeps its model."""
    run_id: str | None
    """Of the run that trained it."""
    tags: Mapping[str, str]


class Aliases:
    """The versions of one registered model and the names that point at them.

    Raises:
        UnavailableError: MLflow does not answer; of every method.
        UserError: the model or the version does not exist; of every method that needs one.
    """

    def __init__(self, tracking_uri: str, model: str) -> None:
        self.uri, self.model = tracking_uri, model
        with self._asking():
            self._client = MlflowClient(tracking_uri=tracking_uri)

    def holders(self) -> dict[str, str]:
        """Number of the version that each alias points at."""
        with self._asking():
            try:
                found = self._client.get_registered_model(self.model)
            except MlflowException as absent:
                if absent.error_code not in _ABSENT:
                    raise
                raise UserError(
                    f"no model {self.model} is registered in MLflow at {self.uri}; `video-guard run` registers one"
                ) from None
            return {str(alias): str(version) for alias, version in found.aliases.items()}

    def versions(self) -> list[RegisteredVersion]:
        """All versions, oldest first."""
        self.holders()
        with self._asking():
            found = [_registered(each) for each in self._client.search_model_versions(f"name='{self.model}'")]
        return sorted(found, key=lambda version: int(version.number))

    def version(self, name: str) -> RegisteredVersion:
        """The version of a number or an alias."""
        holders = self.holders()
        number = holders.get(name, name)
        with self._asking():
            if number.isdigit():
                try:
                    return _registered(self._client.get_model_version(self.model, number))
                except MlflowException as absent:
                    if absent.error_code not in _ABSENT:
                        raise
        numbers = ", ".join(version.number for version in self.versions())
        raise UserError(
            f"{name} is no version of {self.model}: it has the versions {numbers or '(none)'} "
            f"and the aliases {', '.join(sorted(holders)) or '(none)'}"
        )

    def standing(self, version: str) -> Standing:
        """Where a version stands against the champion."""
        standing = stand(version, self.holders().get(CHAMPION), self.version(version).tags)
        if standing.opponent is None:
            return standing
        return standing.model_copy(update={"opponent_source": self.version(standing.opponent).source})

    def carry_out(self, decision: PromotionDecision) -> None:
        """Record a decision as tags of the version and move the aliases as it says.

        Carrying out the same decision again changes nothing, so that a run that was killed in between goes on.

        Raises:
            UnavailableError: the champion is no longer the one that the version was tested against.
        """
        champion = self.holders().get(CHAMPION)
        if champion not in {decision.against, decision.version}:
            raise UnavailableError(
                f"model {self.model}: the champion became version {champion} while version {decision.version} was tested "
                f"against {decision.opponent}: run the same command again"
            )
        self._tag(decision.version, {**decision.tags(), DECIDED: _now()})
        if champion == decision.version:
            return
        if decision.outcome == "promoted":
            self._crown(decision.version, decision.against)
        else:
            self._point(CANDIDATE, decision.version)

    def promote(self, name: str, reason: str) -> tuple[str, str | None]:
        """Make a version champion without a test; its number, and that of the champion before.

        Raises:
            UserError: it is champion already.
        """
        version = self.version(name).number
        champion = self.holders().get(CHAMPION)
        if champion == version:
            raise UserError(f"version {version} of {self.model} is the champion already")
        self._untag(version, ROLLED_BACK)
        self._tag(version, {BY_HAND: f"promoted by hand: {reason}", DECIDED: _now()})
        self._crown(version, champion)
        return version, champion

    def roll_back(self, reason: str) -> tuple[str, str]:
        """Make `previous` champion again; its number, and that of the version that it replaces.

        The version that loses its place is not promoted again by a test. `previous` then is what the restored version had
        replaced, so that another rollback goes one further back.

        Raises:
            UserError: there is no champion, or nothing before it.
        """
        holders = self.holders()
        champion, previous = holders.get(CHAMPION), holders.get(PREVIOUS)
        if champion is None or previous is None:
            raise UserError(
                f"model {self.model} has no {CHAMPION if champion is None else PREVIOUS} version: there is nothing to go "
                "back to; `video-guard models ls` lists the versions, `video-guard models promote` chooses one"
            )
        restored = self.version(previous)
        self._tag(champion, {ROLLED_BACK: f"rolled back: {reason}", DECIDED: _now()})
        self._untag(champion, BY_HAND)
        self._tag(previous, {BY_HAND: f"restored in place of version {champion}: {reason}", DECIDED: _now()})
        self._untag(previous, ROLLED_BACK)
        self._point(CHAMPION, previous)
        before = restored.tags.get(REPLACED)
        if before is not None and before in {version.number for version in self.versions()}:
            self._point(PREVIOUS, before)
        else:
            self._unpoint(PREVIOUS)
        return previous, champion

    def run_data(self, version: RegisteredVersion) -> tuple[dict[str, str], dict[str, float]]:
        """Settings of the run that trained a version, and its metrics with those of the test; empty where there is none."""
        if not version.run_id:
            return {}, {}
        with self._asking():
            try:
                run = self._client.get_run(version.run_id)
                return dict(run.data.params), scores_of(self._client, run)
            except MlflowException as absent:
                if absent.error_code not in _ABSENT:
                    raise
                return {}, {}

    def _crown(self, version: str, before: str | None) -> None:
        """Make a version champion. What a kill leaves undone is done by the next try: the champion's alias moves last."""
        if before is not None:
            self._tag(version, {REPLACED: before})
            self._point(PREVIOUS, before)
        if self.holders().get(CANDIDATE) == version:
            self._unpoint(CANDIDATE)
        self._point(CHAMPION, version)

    def _point(self, alias: str, version: str) -> None:
        with self._asking():
            self._client.set_registered_model_alias(self.model, alias, version)

    def _unpoint(self, alias: str) -> None:
        with self._asking():
            self._client.delete_registered_model_alias(self.model, alias)

    def _tag(self, version: str, tags: dict[str, str]) -> None:
        with self._asking():
            for name, value in tags.items():
                self._client.set_model_version_tag(self.model, version, name, value)

    def _untag(self, version: str, name: str) -> None:
        if name not in self.version(version).tags:
            return
        with self._asking():
            self._client.delete_model_version_tag(self.model, version, name)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except CONNECTION_FAULTS as fault:
            reason = str(fault).strip().splitlines()[0]
            raise UnavailableError(f"MLflow at {self.uri} does not answer: {reason}; try again once it does") from None


def _registered(version: ModelVersion) -> RegisteredVersion:
    return RegisteredVersion(
        number=str(version.version),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        source=str(version.source),
        run_id=version.run_id or None,
        tags=dict(version.tags),
    )


def ask_standing(tracking_uri: str, model: str, version: str) -> Standing:
    """Where a version stands against the champion, as MLflow tells it."""
    return Aliases(tracking_uri, model).standing(version)


def ask_holders(tracking_uri: str, model: str) -> dict[str, Holder]:
    """The version that each alias of a model points at, as MLflow tells it; empty where no such model is registered."""
    aliases = Aliases(tracking_uri, model)
    try:
        holders = aliases.holders()
    except UserError:
        return {}
    return {alias: Holder(version=number, source=aliases.version(number).source) for alias, number in holders.items()}


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
