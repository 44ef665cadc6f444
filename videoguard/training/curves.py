"""The loss curves as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure


def draw_curves(points: Sequence[Mapping[str, float]], best_step: int | None, path: Path) -> None:
    """Draw training and validation loss, scores and the learning rate over the steps to a PNG file.

    Args:
        points: logged points, each with `step` and any of `train_loss`, `validation_loss`, `learning_rate` and scores of the
            validation split, `validation_*`.
        best_step: marked where it is given.
        path: of the PNG file.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    scores = sorted({name for point in points for name in point if name.startswith("validation_")} - {"validation_loss"})
    loss, *panels, rate = figure.subplots(2 + len(scores), 1, sharex=True, height_ratios=[3, *(1.5 for _ in scores), 1])
    for name, panel in zip(scores, panels, strict=True):
        panel.plot(*zip(*((point["step"], point[name]) for point in points if name in point), strict=True), "o-")
        panel.set_ylabel(name.removeprefix("validation_"))
        panel.grid(alpha=0.3)
    for name, label, style in (("train_loss", "training", "-"), ("validation_loss", "validation", "o-")):
        drawn = [(point["step"], point[name]) for point in points if name in point]
        if drawn:
            loss.plot(*zip(*drawn, strict=True), style, label=label)
    if best_step:
        loss.axvline(best_step, color="grey", linestyle=":", label=f"kept adapter (step {best_step})")
    loss.set_ylabel("loss (nats a token)")
    if loss.get_legend_handles_labels()[0]:
        loss.legend()
    loss.grid(alpha=0.3)
    rates = [(point["step"], point["learning_rate"]) for point in points if "learning_rate" in point]
    if rates:
        rate.plot(*zip(*rates, strict=True), color="grey")
    rate.set_ylabel("learning rate")
    rate.set_xlabel("optimizer step")
    rate.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
