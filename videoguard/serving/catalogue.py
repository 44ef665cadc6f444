"""The models that are served, by the names that requests give, and the watch over their aliases."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from videoguard.config import RegistrySection
from videoguard.errors import UnavailableError, UserError
from videoguard.inference.label_form import LabelForm
from videoguard.manifests.reading import read_manifest
from videoguard.prediction.models import AskedModel, find_models
from videoguard.prediction.questions import find_labels
from videoguard.registry.references import version_behind
from videoguard.serving.base import ServedBase, key_of
from videoguard.serving.counters import Counters
from videoguard.serving.problems import ProblemError
from videoguard.serving.settings import ServeSettings

BASE = "#base"
"""Behind the name of an adapter: its base, asked as the adapter was trained."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedModel:
    """A name that requests may give."""

    name: str
    asked: AskedModel
    base: ServedBase
    loaded_at: datetime
    problem: str | None = None
    """Why a newer version of its alias is not served."""

    @property
    def version(self) -> str | None:
        """Number of the registered version."""
        return self.asked.version


class Catalogue:
    """Served models. An alias that moves in MLflow is followed; what is under way ends with the version it began with."""

    def __init__(self, settings: ServeSettings, counters: Counters) -> None:
        self._settings, self._counters = settings, counters
        self._uri = RegistrySection(tracking_uri=settings.tracking_uri).uri(settings.state)
        self.labels = _read_labels(settings)
        self._models: dict[str, ServedModel] = {}
        self._bases: dict[object, ServedBase] = {}
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._follow_aliases, name="aliases", daemon=True)
        self.checked_at: datetime | None = None
        """When MLflow last told where the aliases point."""

    def load(self, on_model: Callable[[str], None] = lambda name: None) -> None:
        """Load every model, and begin to watch the aliases.

        Raises:
            UserError: a model is named twice, is not there, or cannot be loaded.
            UnavailableError: MLflow does not answer.
        """
        names = self._settings.models
        if len(set(names)) < len(names):
            raise UserError(f"--model is {', '.join(names)}: each model can be served once")
        for asked in self._find(names):
            on_model(asked.name)
            self._serve(asked)
        if any(model.version is not None for model in self._models.values()):
            self.checked_at = datetime.now(UTC)
        self._watch.start()

    def all(self) -> list[ServedModel]:
        """Every name, in the order of the command; behind each adapter its base."""
        found = []
        for model in list(self._models.values()):
            found.append(model)
            if model.asked.adapter is not None:
                found.append(_base_of(model))
        return found

    def find(self, name: str | None) -> ServedModel:
        """The model of a name; the first one where none is given.

        Raises:
            ProblemError: 404, there is none of that name.
        """
        if name is None:
            return next(iter(self._models.values()))
        own, _, rest = name.rpartition(BASE)
        model = self._models.get(own if own and not rest else name)
        if model is not None and (model.name == name or model.asked.adapter is not None):
            return model if model.name == name else _base_of(model)
        known = ", ".join(each.name for each in self.all())
        raise ProblemError(404, "model", name, f"the service has {known}", "name one of these, or serve it with --model")

    @property
    def works(self) -> bool:
        """Whether every base can answer."""
        return all(base.works for base in list(self._bases.values()))

    def close(self) -> None:
        """Finish what was taken."""
        self._closing.set()
        for base in self._bases.values():
            base.close()

    def check_aliases(self) -> None:
        """Ask MLflow once where the aliases point, and load what is new."""
        for name, model in list(self._models.items()):
            try:
                version = version_behind(name, self._uri)
                if version is not None:
                    self.checked_at = datetime.now(UTC)
                if version not in {None, model.version}:
                    self._serve(*self._find([name]))
                    _log.warning("%s is version %s now", name, version)
            # What was served goes on being served; why the newer one is not is told with the models.
            except (UserError, UnavailableError) as reason:
                if model.problem != str(reason):
                    _log.warning("%s stays at version %s: %s", name, model.version, reason)
                self._models[name] = replace(model, problem=str(reason))

    def _follow_aliases(self) -> None:
        while not self._closing.wait(self._settings.alias_seconds):
            try:
                self.check_aliases()
            except Exception:  # noqa: BLE001  # the next look may go better
                _log.exception("the aliases could not be checked")

    def _find(self, names: Iterable[str]) -> list[AskedModel]:
        settings = self._settings
        found = find_models(list(names), self._uri, base=settings.base, dtype=settings.dtype, device=settings.device)
        return [_with_frames(model, settings.num_frames) for model in found]

    def _serve(self, asked: AskedModel) -> None:
        """Put a model in the place of the one that had its name."""
        key = key_of(asked)
        base = self._bases.get(key)
        if base is None:
            base = ServedBase(
                asked,
                device=self._settings.device,
                batch_size=self._settings.batch_size,
                max_new_tokens=self._settings.max_new_tokens,
                labels=self.labels,
                counters=self._counters,
            )
        base.require_fit(asked.adapter)
        self._bases[key] = base
        before = self._models.get(asked.name)
        self._models[asked.name] = ServedModel(asked.name, asked, base, datetime.now(UTC))
        self._counters.model.labels(asked.name, asked.version or "").set(1)
        if before is not None:
            self._retire(before)

    def _retire(self, before: ServedModel) -> None:
        self._counters.model.remove(before.name, before.version or "")
        left = list(self._models.values())
        if not any(model.base is before.base for model in left):
            del self._bases[before.base.key]
            before.base.close()
        elif before.asked.adapter is not None and not any(model.asked.adapter == before.asked.adapter for model in left):
            before.base.forget(before.asked.adapter)


def _with_frames(model: AskedModel, frames: int | None) -> AskedModel:
    """A base model is asked with so many frames; an adapter with its own."""
    if frames is None or model.adapter is not None:
        return model
    return replace(model, record=model.record.model_copy(update={"frames": frames}))


def _base_of(model: ServedModel) -> ServedModel:
    """The base of an adapter, with the adapter's preprocessing and prompts."""
    asked = replace(model.asked, name=model.name + BASE, adapter=None, version=None)
    return replace(model, name=asked.name, asked=asked, problem=None)


def _read_labels(settings: ServeSettings) -> LabelForm | None:
    return None if settings.labels is None else find_labels(read_manifest(settings.labels).samples)
