"""What a clip costs where no video is decoded and no model runs: the listing of the manifest, and the stored answers.

    python benchmarks/scale.py
    python benchmarks/scale.py --clips 1000 10000

Made-up clips, one question each; a process of its own for each size. Printed are bytes and milliseconds a clip, the memory
of making and reading a whole listing (peak above that of the started process), and what the largest size comes to for 10
million clips by proportion.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

from videoguard.digests import digest_json
from videoguard.inference.row_store import ROW_STORE, RowStore
from videoguard.inference.rows import AnswerRow
from videoguard.manifests.listing import Listing, read_listing, write_listing
from videoguard.manifests.sample import Sample

MANY = 10_000_000
QUESTION = "Which exercise is this and how is the form?"
ANSWER = "push-up - lower the hips until head, hips and heels form one line"
ADDED_AT_ONCE = 64
"""Rows that inference stores in one transaction, about."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = {}
    for clips in sorted(arguments.clips):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            figures[clips] = pool.apply(measure, (clips,))
    if arguments.json:
        print(json.dumps(figures))
        return
    largest = max(figures)
    print(f"{'a clip':24}" + "".join(f"{clips:>12,}" for clips in figures) + f"{'10 million':>16}")
    for name in figures[largest]:
        cells = "".join(f"{found[name]:>12.3g}" for found in figures.values())
        print(f"{name:24}{cells}{_total(name, figures[largest][name]):>16}")


def measure(clips: int) -> dict[str, float]:
    """Bytes and milliseconds a clip."""
    found, begun = {}, _peak()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        names = [f"clips/{number:08d}.mp4" for number in range(clips)]
        samples = [Sample(id=clip, root=folder, question=QUESTION, answer=ANSWER, video=clip) for clip in names]
        digests: dict[str, str | None] = {clip: digest_json(clip) for clip in names}
        listing = Listing(format="flat", samples=samples, media_digests=digests, problems=[])
        started = time.perf_counter()
        write_listing(listing, folder)
        found["listing write ms"] = _each(started, clips)
        found["listing bytes"] = (folder / "listing.json").stat().st_size / clips
        del names, samples, digests, listing
        started = time.perf_counter()
        read_listing(folder, folder)
        found["listing read ms"] = _each(started, clips)
        found["listing peak bytes"] = (_peak() - begun) / clips

        store = RowStore(folder / ROW_STORE)
        keys = [digest_json(["row", number]) for number in range(clips)]
        started = time.perf_counter()
        for start in range(0, clips, ADDED_AT_ONCE):
            store.add({key: _row(start + place) for place, key in enumerate(keys[start : start + ADDED_AT_ONCE])})
        found["answers add ms"] = _each(started, clips)
        found["answers bytes"] = (folder / ROW_STORE).stat().st_size / clips
        started = time.perf_counter()
        assert len(store.find(keys)) == clips
        found["answers find ms"] = _each(started, clips)
    return found


def _row(number: int) -> AnswerRow:
    clip = f"clips/{number:08d}.mp4"
    return AnswerRow(
        id=clip,
        video=clip,
        group=clip,
        label="push-up",
        question=QUESTION,
        reference=ANSWER,
        status="ok",
        answer=ANSWER,
        mean_token_logprob=-0.125,
        predicted_label="push-up",
        label_probability=0.875,
        new_tokens=16,
        latency_s=0.25,
    )


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _each(started: float, clips: int) -> float:
    return (time.perf_counter() - started) * 1000 / clips


def _total(name: str, each: float) -> str:
    if name.endswith("ms"):
        return f"{each * MANY / 1000 / 60:,.0f} min"
    return f"{each * MANY / 1e9:,.1f} GB"


if __name__ == "__main__":
    main()
