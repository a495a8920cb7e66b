import datasets
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast
from trl import data_utils

from pipelines.exports.dpo import Preferences
from pipelines.exports.qa import QuestionsAndAnswers
from pipelines.storage import Storage
from tests.pipelines.exports.folders import content, write

TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{% for block in message.content %}"
    "{% if block.type == 'video' %}<video>{% else %}{{ block.text }}{% endif %}"
    "{% endfor %}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
"""A chat template with blocks, as those of vision-language models."""


@pytest.fixture(scope="module")
def folder(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dpo")
    write(published, Preferences(), Storage(str(folder)))
    return folder


@pytest.fixture(scope="module")
def rows(folder, tmp_path_factory):
    return load(folder / "dpo.jsonl", tmp_path_factory.mktemp("cache"))


def load(file, cache):
    return datasets.load_dataset("json", data_files=str(file), split="train", cache_dir=str(cache))


def test_trl_takes_the_rows_for_conversational_preferences(rows):
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel({"?": 0}, "?")), chat_template=TEMPLATE
    )
    for row in rows:
        assert data_utils.is_conversational(row)
        assert data_utils.maybe_extract_prompt(row) == row
        text = data_utils.apply_chat_template(row, tokenizer)
        question = row["prompt"][0]["content"][1]["text"]
        assert text["prompt"] == f"<user><video>{question}</s><assistant>"
        assert text["chosen"] == row["chosen"][0]["content"][0]["text"] + "</s>"
        assert text["chosen"] != text["rejected"]
    unpaired = data_utils.unpair_preference_dataset(
        rows.select_columns(["prompt", "chosen", "rejected"])
    )
    assert len(unpaired) == 2 * len(rows)
    assert sum(unpaired["label"]) == len(rows)


def test_what_is_chosen_for_one_video_is_rejected_for_the_other(rows):
    pairs = {}
    for row in rows:
        pairs.setdefault(row["pair"], []).append(row)
    for one, other in pairs.values():
        assert one["prompt"] == other["prompt"]
        assert one["chosen"] == other["rejected"] and one["rejected"] == other["chosen"]
        assert one["videos"] != other["videos"]


def test_the_chosen_answers_are_those_of_qa(published, rows, folder, tmp_path):
    write(published, QuestionsAndAnswers(), Storage(str(tmp_path / "qa")))
    answers = load(tmp_path / "qa" / "qa.jsonl", tmp_path / "cache")
    assert len(answers) == len(rows)
    for row, answered in zip(rows, answers, strict=True):
        assert row["videos"] == answered["videos"]
        assert [*row["prompt"], *row["chosen"]] == answered["messages"]
    videos = [name for name in content(folder) if name.endswith(".mp4")]
    assert {video for row in rows for video in row["videos"]} == set(videos)
