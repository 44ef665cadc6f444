"""What one run is: `RunConfig` and its sections, as the YAML recipes under `configs/` write them.

Unknown keys are refused, and every error is reported at once. Paths are relative to the working folder.
"""

from typing import Annotated

from pydantic import Field, model_validator

from videoguard.config.augmentation import AugmentationSection
from videoguard.config.data import DataSection, SyntheticGuardVideos, SyntheticVideos
from videoguard.config.dataset import AnswerSection, DatasetSection
from videoguard.config.evaluation import EvaluationSection, JudgeSection, MetricName
from videoguard.config.frames import FrameLimits, FramesSection
from videoguard.config.inference import InferenceSection
from videoguard.config.model import ModelSection, TinyModel
from videoguard.config.nightly import DriftSection, NightlyModel, NightlySection
from videoguard.config.places import ExecutionSection, RegistrySection
from videoguard.config.promotion import PromotionSection
from videoguard.config.quality import QualitySection
from videoguard.config.report import SHEET_TITLES, Band, Colour, ReportSection, SamplesSection, SheetName
from videoguard.config.scoring import ScoringConfig, check_bands
from videoguard.config.section import Section
from videoguard.config.training import LoraSection, TrainingSection

__all__ = [
    "SHEET_TITLES",
    "AnswerSection",
    "AugmentationSection",
    "Band",
    "Colour",
    "DataSection",
    "DatasetSection",
    "DriftSection",
    "EvaluationSection",
    "ExecutionSection",
    "FrameLimits",
    "FramesSection",
    "InferenceSection",
    "JudgeSection",
    "LoraSection",
    "MetricName",
    "ModelSection",
    "NightlyModel",
    "NightlySection",
    "PromotionSection",
    "QualitySection",
    "RegistrySection",
    "ReportSection",
    "RunConfig",
    "SamplesSection",
    "ScoringConfig",
    "Section",
    "SheetName",
    "SyntheticGuardVideos",
    "SyntheticVideos",
    "TinyModel",
    "TrainingSection",
]


class RunConfig(Section):
    """One recipe: everything that decides the result of the flow `train-eval`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Short name of the recipe; it stands in the run's and the workbook's name."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of everything random."""
    data: DataSection
    frames: FramesSection = FramesSection()
    quality: QualitySection | None = None
    """Scores and rules of quality; absent, nothing is measured and nothing left out."""
    dataset: DatasetSection = DatasetSection()
    augmentation: AugmentationSection | None = None
    """Changed copies of the training split; absent, there are none."""
    model: ModelSection
    training: TrainingSection = TrainingSection()
    inference: InferenceSection = InferenceSection()
    evaluation: EvaluationSection = EvaluationSection()
    report: ReportSection = ReportSection()
    registry: RegistrySection = RegistrySection()
    nightly: NightlySection = NightlySection()
    """The evaluation that is repeated every night."""
    execution: ExecutionSection = ExecutionSection()

    @model_validator(mode="after")
    def _bands_are_of_metrics(self) -> "RunConfig":
        check_bands(self.report, self.evaluation)
        return self

    @model_validator(mode="after")
    def _promotion_is_by_metrics_of_the_evaluation(self) -> "RunConfig":
        rule, known = self.registry.promotion, self.evaluation.metrics
        # What the metrics of a user's file are called is known only to the file.
        if rule is None or self.evaluation.custom is not None:
            return self
        named = {"metric": [rule.metric] if rule.metric else [], "guards": list(rule.guards or ())}
        for field, metrics in named.items():
            unknown = [metric for metric in metrics if metric not in {*known, "judge"}]
            if unknown:
                raise ValueError(
                    f"registry.promotion.{field} names {unknown[0]}, which is not evaluated: "
                    f"name one of evaluation.metrics ({', '.join(known)}), or add it there"
                )
        return self

    @model_validator(mode="after")
    def _know_what_to_hold_answers_to(self) -> "RunConfig":
        if self.inference.constrained and self.dataset.answer is None:
            raise ValueError(
                "inference.constrained holds answers to dataset.answer, which is absent: say there what they are"
            )
        return self
