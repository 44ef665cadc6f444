"""Videos for `make demo-world`: short exercise clips, a batch to generate from them, and one to train on."""

import json
import sys
from pathlib import Path

from videoguard.exercises.catalogue import CLASSES
from videoguard.exercises.rendering import render_frames
from videoguard.world.media import write_clip

BATCH, TRAINING = "batch.json", "training.json"
_FPS, _FRAMES, _SIZE = 16, 24, 96


def write_demo(folder: Path, videos: int = 3) -> None:
    """Draw as many videos, each of another exercise, and write the two batch files beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    batch, training = [], []
    for number, (exercise, form) in enumerate(CLASSES[:: len(CLASSES) // videos][:videos]):
        name = f"demo_{number}"
        frames = render_frames(exercise, form, name, range(_FRAMES), size=_SIZE, seconds=_FRAMES / _FPS, fps=_FPS)
        write_clip(folder / f"{name}.mp4", frames, _FPS)
        prompt = f"A stick figure does the exercise {exercise}, seen by a static camera."
        batch.append({"input_video": f"{name}.mp4", "prompt": prompt, "output_video": f"{name}.mp4"})
        training.append({"input_video": f"{name}.mp4", "prompt": prompt})
    for file, rows in ((BATCH, batch), (TRAINING, training)):
        (folder / file).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_demo(Path(sys.argv[1]))
