from collections import Counter, defaultdict

import datasets
import pytest

from pipelines.exports.qa import QuestionsAndAnswers
from pipelines.storage import Storage
from tests.pipelines.exports.folders import content, write


@pytest.fixture(scope="module")
def folder(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("qa")
    write(published, QuestionsAndAnswers(), Storage(str(folder)))
    return folder


@pytest.fixture(scope="module")
def rows(folder, tmp_path_factory):
    return datasets.load_dataset(
        "json",
        data_files=str(folder / "qa.jsonl"),
        split="train",
        cache_dir=str(tmp_path_factory.mktemp("cache")),
    )


def test_every_question_is_asked_of_both_videos_with_different_answers(published, folder, rows):
    videos = {row["row_id"]: (row["source_video"], row["edited_video"]) for row in published.ok}
    pairs = defaultdict(list)
    for row in rows:
        pairs[row["pair"]].append(row)
        (video,) = row["videos"]
        source, edited = videos[row["pair"].split("-")[0]]
        assert (folder / video).read_bytes() == (edited if row["edited"] else source)
    for one, other in pairs.values():
        assert one["question"] == other["question"] and one["type"] == other["type"]
        assert one["answer"] != other["answer"]
        assert (one["edited"], other["edited"]) == (False, True)


def test_all_types_are_asked_and_yes_is_as_frequent_as_no(rows):
    types = Counter(rows["type"])
    assert set(types) == {"open", "choice", "yes_no"}
    answers = Counter(row["answer"] for row in rows if row["type"] == "yes_no")
    assert answers["Yes."] == answers["No."] == types["yes_no"] / 2


def test_answers_follow_from_the_prompts(published, rows):
    asked = {(row["pair"], row["edited"]): row for row in rows}
    recoloured = [r for r in published.ok if r["target_kind"] == "recolour"]
    assert recoloured
    for row in recoloured:
        first = f"{row['row_id']}-0"
        assert asked[first, False]["answer"] == f"{row['source_word'].capitalize()}."
        assert asked[first, True]["answer"] == f"{row['target_word'].capitalize()}."


def test_messages_repeat_question_and_answer(rows):
    for row in rows:
        user, assistant = row["messages"]
        assert (user["role"], assistant["role"]) == ("user", "assistant")
        assert [block["type"] for block in user["content"]] == ["video", "text"]
        assert user["content"][1]["text"] == row["question"]
        assert assistant["content"][0]["text"] == row["answer"]


def test_a_second_export_has_the_same_bytes(published, folder, tmp_path):
    write(published, QuestionsAndAnswers(), Storage(str(tmp_path)))
    assert content(tmp_path) == content(folder)
