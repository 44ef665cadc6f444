"""A video file in, an answer out: the same as the batch inference gives on the stored frames."""

import pytest

from videoguard.errors import UserError
from videoguard.inference.predictor import Predictor, VideoAnswer, load_predictor
from videoguard.models.preprocessing import read_record


@pytest.fixture(scope="module")
def predictor(trained, tiny_base) -> Predictor:
    return load_predictor(trained.adapter, str(tiny_base))


def test_video_files_are_answered_as_the_stored_frames_are(predictor, answered, small_set):
    rows = answered[1]
    paths = {sample.video: sample.path for sample in small_set.samples}
    answers = predictor.predict([paths[row.video] for row in rows], rows[0].question, max_new_tokens=12)
    assert [answer.answer for answer in answers] == [row.answer for row in rows]
    assert [answer.video for answer in answers] == [str(paths[row.video]) for row in rows]
    assert all(answer.error is None for answer in answers)


def test_a_video_that_cannot_be_decoded_gets_its_reason_and_the_others_their_answers(predictor, small_set, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    good = small_set.samples[0].path
    videos = [tmp_path / "text.mp4", good, tmp_path / "empty.mp4", tmp_path / "gone.mp4", tmp_path]
    text, answered, empty, gone, folder = predictor.predict(videos, "Which exercise?", max_new_tokens=4)
    assert text == VideoAnswer(str(videos[0]), None, "it is not a video file")
    assert empty == VideoAnswer(str(videos[2]), None, "the file is empty")
    assert gone == VideoAnswer(str(videos[3]), None, "the file is missing")
    assert folder.answer is None
    assert folder.error
    assert answered.answer is not None


def test_no_video_has_no_answer(predictor):
    assert predictor.predict([], "Which?") == []


def test_a_question_must_be_asked_where_the_training_had_many(predictor, small_set):
    with pytest.raises(UserError, match="no question is given: the model was trained on the questions of its manifest"):
        predictor.predict([small_set.samples[0].path])


def test_the_one_question_of_the_training_is_asked_where_none_is_given(predictor, small_set):
    question = small_set.samples[0].question
    record = predictor._record.model_copy(update={"question": question})
    knowing = Predictor(predictor._engine, predictor._preprocessor, record)
    path = small_set.samples[0].path
    assert knowing.predict([path], max_new_tokens=8) == predictor.predict([path], question, max_new_tokens=8)


def test_the_templates_of_the_training_are_filled(predictor, small_set):
    path = small_set.samples[0].path
    record = predictor._record.model_copy(
        update={"question": "{question} Subject {subject}.", "system_prompt": "Coach {subject}."}
    )
    templated = Predictor(predictor._engine, predictor._preprocessor, record)
    plain = predictor._record.model_copy(update={"system_prompt": "Coach 7."})
    filled = Predictor(predictor._engine, predictor._preprocessor, plain)
    answers = templated.predict([path], "Which?", max_new_tokens=8, fields={"subject": 7})
    assert answers == filled.predict([path], "Which? Subject 7.", max_new_tokens=8)
    with pytest.raises(UserError, match="no value is given for question, subject: the prompts of the training name it"):
        templated.predict([path])


def test_another_base_is_refused_with_both_digests(trained, tiny_base, tmp_path):
    for file in tiny_base.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    with pytest.raises(UserError) as refused:
        load_predictor(trained.adapter, str(tmp_path))
    record = read_record(trained.adapter)
    assert f"base_digest: trained with '{record.base_digest}', asked for '" in str(refused.value)
    assert f"processor_digest: trained with '{record.processor_digest}', asked for '" in str(refused.value)
