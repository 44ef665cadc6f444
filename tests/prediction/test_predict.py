"""Any model, any videos: the same answers as the run gives, failed rows for what cannot be answered, nothing asked twice."""

import csv
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from peft import PeftModel
from typer.testing import CliRunner

import videoguard
from commands.main import app
from videoguard.errors import UserError
from videoguard.inference.infer import ROWS, infer
from videoguard.inference.row_store import RowStore
from videoguard.inference.rows import AnswerRow, read_rows
from videoguard.inference.shared_base import SharedBase
from videoguard.inference.voting import vote
from videoguard.models.base import find_base
from videoguard.prediction import predict as module
from videoguard.prediction.api import VideoError
from videoguard.prediction.models import find_models
from videoguard.prediction.predict import PredictionSettings, predict
from videoguard.prediction.questions import sample_of_video

LENGTH = "12"


@pytest.fixture(scope="module")
def other_adapter(trained, tmp_path_factory) -> Path:
    """The adapter with other weights."""
    from safetensors.torch import load_file, save_file

    folder: Path = tmp_path_factory.mktemp("other") / "adapter"
    shutil.copytree(trained.adapter, folder)
    weights = load_file(folder / "adapter_model.safetensors")
    save_file({name: weight.flip(0) * 3 for name, weight in weights.items()}, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture
def asked(small_set) -> list[Path]:
    return [sample.path for sample in small_set.samples[:3]]


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_the_test_split_is_answered_as_by_the_run_and_from_its_rows(
    inference_request, small_set, trained, tiny_base, tmp_path
):
    state = tmp_path / "state"
    request = inference_request(tmp_path, row_store=state / "rows.db")
    infer(request, lambda event: None)
    rows = {row.id: row for row in read_rows(tmp_path / ROWS)}
    output = tmp_path / "rows.jsonl"
    common = ["--base", tiny_base, "--state", state, "--max-new-tokens", LENGTH]
    code, _ = run(small_set.manifest, "--model", trained.adapter, *common, "--output", output)
    assert code == 0
    told = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["id"] for row in told] == [sample.id for sample in small_set.samples]
    for row in told:
        if row["id"] in rows:
            assert (row["answer"], row["latency_s"]) == (rows[row["id"]].answer, rows[row["id"]].latency_s)


def test_models_answer_side_by_side_and_each_form_of_output_holds_all_rows(
    asked, trained, other_adapter, tiny_base, tmp_path
):
    (tmp_path / "text.mp4").write_text("no video")
    videos = [asked[0], tmp_path / "text.mp4", asked[1], tmp_path / "gone.mp4"]
    models = [str(trained.adapter), str(other_adapter)]
    arguments = [*videos, "--base", tiny_base, "--state", tmp_path, "--max-new-tokens", LENGTH, "--question", "Which?"]
    for name in models:
        arguments += ["--model", name]
    tables = {}
    for suffix in ("jsonl", "csv", "parquet"):
        code, shown = run(*arguments, "--vote", "--output", tmp_path / f"rows.{suffix}")
        assert code == 1
        assert "6 answers, 6 failed" in shown
        tables[suffix] = tmp_path / f"rows.{suffix}"
    lines = [json.loads(line) for line in tables["jsonl"].read_text().splitlines()]
    assert [(row["id"], row["model"]) for row in lines] == [
        (str(video), model) for video in videos for model in (*models, "vote")
    ]
    errors = {row["video"]: row["error"] for row in lines}
    assert errors == {
        str(videos[0]): None,
        str(videos[1]): "it is not a video file",
        str(videos[2]): None,
        str(videos[3]): "the file is missing",
    }
    with tables["csv"].open(newline="") as file:
        assert [row["answer"] or None for row in csv.DictReader(file)] == [row["answer"] for row in lines]
    assert pq.read_table(tables["parquet"]).to_pylist() == lines


def test_what_was_answered_is_neither_decoded_nor_asked_again(asked, trained, tiny_base, tmp_path, monkeypatch):
    models = find_models([str(trained.adapter)], "sqlite://", base=str(tiny_base))
    samples = [sample_of_video(video) for video in asked]
    settings = PredictionSettings(max_new_tokens=4, question="Which?")
    store = RowStore(tmp_path / "rows.db")
    first = predict(samples, models, settings, store)
    copies = [tmp_path / f"renamed-{number}.mp4" for number in range(len(asked))]
    for video, copy in zip(asked, copies, strict=True):
        shutil.copy(video, copy)
    monkeypatch.setattr(module, "SharedBase", lambda *arguments, **options: pytest.fail("a model was loaded"))
    again = predict([sample_of_video(copy) for copy in copies], models, settings, store)
    assert [row.answer for row in again[0]] == [row.answer for row in first[0]]
    assert [row.id for row in again[0]] == [str(copy) for copy in copies]


def test_a_base_is_asked_with_as_many_frames_as_wanted_and_an_adapter_with_its_own(asked, trained, tiny_base, tmp_path):
    (model,) = find_models([str(tiny_base)], "sqlite://", frames=3)
    assert (model.adapter, model.record.frame_rule().count) == (None, 3)
    samples = [sample_of_video(asked[0])]
    (rows,) = predict(samples, [model], PredictionSettings(4, "Which?"), RowStore(tmp_path / "rows.db"))
    assert rows[0].status == "ok"
    with pytest.raises(UserError, match="was trained with 4 frames of a video, and --num-frames is 3: leave it out"):
        find_models([str(trained.adapter)], "sqlite://", base=str(tiny_base), frames=3)
    with pytest.raises(UserError, match=r"no question is given for .*: the model was trained on the questions"):
        predict(samples, [model], PredictionSettings(4), RowStore(tmp_path / "rows.db"))


def test_an_adapter_and_a_base_that_do_not_fit_are_refused_before_any_work(trained, tiny_family, asked, tmp_path):
    with pytest.raises(UserError, match=r"does not fit its base .*: base_digest: trained with '.*', found '"):
        run(asked[0], "--model", trained.adapter, "--base", tiny_family("internvl"), "--state", tmp_path)
    assert not (tmp_path / "rows.db").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output", "rows.xlsx"], r"--output is rows.xlsx: its suffix must be one of .jsonl, .csv, .parquet"),
        (["--output", "nowhere/rows.csv"], "the folder .*nowhere does not exist"),
        (["--vote"], "give --model at least twice"),
        (["--model", "a"], "each model can be asked once"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, said):
    with pytest.raises(UserError, match=said):
        run("clip.mp4", "--model", "a", *arguments)


def test_adapters_are_switched_on_one_base(trained, other_adapter, tiny_base):
    shared = SharedBase(find_base(str(tiny_base)), "float32")
    states = {}
    for name, adapter in (("base", None), ("one", trained.adapter), ("two", other_adapter), ("base again", None)):
        with shared.using(adapter) as model:
            prompt = shared.preprocessor.prompt([{"role": "user", "content": [{"type": "text", "text": "Which?"}]}])
            states[name] = model(**shared.preprocessor.collate([prompt], side="left")).logits[0, -1].tolist()
    assert states["base"] == states["base again"]
    assert states["base"] != states["one"] != states["two"] != states["base"]
    with shared.using(trained.adapter) as model:
        assert isinstance(model, PeftModel)
        again = model(**shared.preprocessor.collate([prompt], side="left")).logits[0, -1].tolist()
    assert again == states["one"]


def test_a_model_answers_in_three_lines(asked, trained, tiny_base, tmp_path):
    model = videoguard.load_model(str(trained.adapter), base=str(tiny_base), state=tmp_path)
    answer = videoguard.predict_video(model, asked[0], "Which exercise is this?")
    assert answer == model.predict([asked[0]], "Which exercise is this?")[0].answer
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match=r"text.mp4: it is not a video file"):
        videoguard.predict_video(model, tmp_path / "text.mp4", "Which?")


def row(answer: str | None, logprob: float = -1.0, **fields: object) -> AnswerRow:
    given = {"id": "1", "video": "v", "group": "g", "label": None, "question": "?", "reference": ""}
    status = "failed" if answer is None else "ok"
    return AnswerRow.model_validate({**given, "status": status, "answer": answer, "mean_token_logprob": logprob, **fields})


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        # Two of three name the squat, in other words; the surer of the two is given.
        ([("squat - deeper", -0.9), ("Squat - fine", -0.5), ("lunge - fine", -0.1)], "Squat - fine"),
        # One against one: the surer.
        ([("squat - deeper", -0.9), ("lunge - fine", -0.1)], "lunge - fine"),
        # A failed row has no vote, and three surer opinions of nobody else are one each.
        ([(None, 0.0), ("You did well, and more.", -2.0), ("You did well, and more.", -3.0), ("No, you.", -0.1)],
         "You did well, and more."),
    ],
)  # fmt: skip
def test_most_decide_and_of_equals_the_surer(answers, wanted):
    assert vote([row(answer, logprob) for answer, logprob in answers]).answer == wanted


def test_scored_labels_are_averaged():
    rows = [
        row("squat", -1.0, predicted_label="squat", label_probability=0.4),
        row("squat", -2.0, predicted_label="squat", label_probability=0.3),
        row("lunge", -0.1, predicted_label="lunge", label_probability=0.9),
    ]
    chosen = vote(rows)
    # 0.9 against 0.4 + 0.3, over three opinions.
    assert chosen.predicted_label == "lunge"
    assert chosen.label_probability == pytest.approx(0.3)


def test_where_all_failed_the_first_reason_is_told():
    assert vote([row(None, error="a"), row(None, error="b")]).error == "a"


def test_answers_are_held_to_a_schema_where_that_is_asked_for(asked, tiny_base, tmp_path):
    schema = tmp_path / "schema.json"
    wanted = {
        "type": "object",
        "properties": {"good": {"type": "boolean"}},
        "required": ["good"],
        "additionalProperties": False,
    }
    schema.write_text(json.dumps(wanted))
    output = tmp_path / "rows.jsonl"
    common = ["--model", tiny_base, "--num-frames", 4, "--question", "Is it good?", "--max-new-tokens", 40]
    code, _ = run(
        *asked, *common, "--json-schema", schema, "--constrained", "--state", tmp_path / "state", "--output", output
    )
    assert code == 0
    answers = [json.loads(json.loads(line)["answer"]) for line in output.read_text().splitlines()]
    assert len(answers) == len(asked)
    assert all(set(answer) == {"good"} and isinstance(answer["good"], bool) for answer in answers)

    with pytest.raises(UserError, match="--constrained holds answers to a schema: give --json-schema with it"):
        run(*asked, *common, "--constrained", "--state", tmp_path / "state")
