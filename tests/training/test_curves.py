import pytest
from PIL import Image

from videoguard.training.curves import draw_curves


@pytest.mark.parametrize(
    ("points", "best_step"),
    [
        ([], None),
        ([{"step": 1, "train_loss": 2.0, "learning_rate": 0.1}], None),
        ([{"step": 1, "train_loss": 2.0}, {"step": 1, "validation_loss": 2.5}, {"step": 2, "validation_loss": 2.1}], 2),
        ([{"step": 1, "validation_loss": 2.0}, {"step": 1, "validation_rouge_l": 0.3}], 1),
    ],
)
def test_any_log_can_be_drawn(points, best_step, tmp_path, recwarn):
    draw_curves(points, best_step, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        image.verify()
    # What other tests left open is noticed whenever the collector comes by.
    own = [warning for warning in recwarn if not issubclass(warning.category, ResourceWarning)]
    assert [str(warning.message) for warning in own] == []
