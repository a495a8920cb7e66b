import json

import pytest

from pipelines import plugins
from pipelines.config.loading import resolve
from pipelines.english.subject import find_subject
from pipelines.errors import RowError
from pipelines.prompters.llm import proposed
from tests.pipelines.support.prompters import noun_swap
from tests.pipelines.support.servers import Served, completion

SAID = "A brown dog wags its tail on a sandy beach."


def prompter(url, kinds=("noun_near", "noun_far", "recolour")):
    config = resolve(
        {
            "annotate": {
                "prompter": "llm",
                "target_kinds": list(kinds),
                "endpoint": {"model": "tiny-llm"},
            },
            "execution": {"endpoint": {"base_url": url, "timeout": 1.0, "attempts": 1}},
        }
    )
    return plugins.find("prompter", "llm")(config)


def answered(near=(), far=()):
    return json.dumps({"noun_near": near, "noun_far": far})


def by_word(said, near=(), far=(), subject=None):
    found = find_subject(said, subject)
    return {t.target_word: t for t in proposed(found, answered(near, far))}


def test_nouns_come_from_the_model_and_other_kinds_from_noun_swap():
    answer = answered(["fox", "cat"], ["skateboard"])
    with Served(completion(answer)) as server:
        targets = prompter(server.url)(SAID, None, 4, 2**63 + 7)
        request = server.requests[0][2]
    swaps = noun_swap(("noun_near", "noun_far", "recolour"))(SAID, None, 4, 2**63 + 7)
    assert [t.kind for t in targets] == ["noun_near", "noun_far", "recolour", "noun_near"]
    assert targets[0].prompt == "A brown fox wags its tail on a sandy beach."
    assert targets[1].prompt == "A brown skateboard wags its tail on a sandy beach."
    assert targets[2] == swaps[2]
    assert targets[3].prompt == "A brown cat wags its tail on a sandy beach."
    assert (targets[0].source_word, targets[0].target_word) == ("dog", "fox")
    assert targets[0].distance < targets[1].distance
    assert (request["temperature"], request["seed"]) == (0.0, 7)
    question = request["messages"][0]["content"]
    assert SAID in question and '"dog"' in question
    assert '"noun_near": [6 nouns' in question and '"noun_far": [5 nouns' in question


def test_noun_swap_fills_missing_targets_without_duplicates():
    kinds = ("noun_near",)
    swaps = noun_swap(kinds)(SAID, None, 4, 0)
    with Served(completion(answered([swaps[1].target_word]))) as server:
        targets = prompter(server.url, kinds)(SAID, None, 3, 0)
    assert targets == [swaps[1], swaps[0], swaps[2]]


@pytest.mark.parametrize(
    "answer",
    [
        "I would rather not.",
        "{",
        "[]",
        '{"noun_near": "cat", "noun_far": {"cat": 1}}',
        '{"near": ["cat"]}',
        answered([None, 3, ["cat"], ""], ["the", "puppies"]),
        answered(["dog", "puppy", "guide dog", "beach", "animal", "CATS"], ["cat", "dragons"]),
    ],
)
def test_an_unusable_answer_falls_back_to_noun_swap(answer):
    kinds = ("noun_near", "noun_far")
    with Served(completion(answer)) as server:
        targets = prompter(server.url, kinds)(SAID, None, 4, 1)
        assert len(server.requests) == 1
    assert targets == noun_swap(kinds)(SAID, None, 4, 1)


def test_json_is_found_within_other_text():
    answer = f"Sure!\n```json\n{answered(['Fox'])}\n```"
    with Served(completion(answer)) as server:
        targets = prompter(server.url, ("noun_near",))(SAID, None, 1, 0)
    assert [t.prompt for t in targets] == ["A brown fox wags its tail on a sandy beach."]


def test_no_request_is_made_without_noun_kinds_or_a_parsed_caption():
    with Served(completion("")) as server:
        assert len(prompter(server.url, ("recolour",))(SAID, None, 2, 0)) == 2
        assert prompter(server.url)("the sublime", None, 2, 0) == []
        assert server.requests == []


def test_a_missing_answer_fails_the_row():
    with (
        Served((503, b"starting", {})) as server,
        pytest.raises(RowError, match="EndpointFailed.*HTTP 503: starting"),
    ):
        prompter(server.url)(SAID, None, 2, 0)


def test_the_named_subject_is_swapped():
    found = by_word("A man throws a stick to a dog.", ["cat"], subject="dog")
    assert found["cat"].prompt == "A man throws a stick to a cat."


def test_grammar_follows_the_noun_and_nothing_else_changes():
    assert by_word("Two dogs play in a park.", ["fox"])["foxes"].prompt == (
        "Two foxes play in a park."
    )
    assert by_word("A dog runs.", [], ["umbrella"])["umbrella"].prompt == "An umbrella runs."
    assert by_word("A woman brushes her hair.", ["king"])["king"].prompt == (
        "A king brushes his hair."
    )
    assert by_word("A dog barks.", [], ["water"]) == {}


def test_a_noun_outside_the_table_has_no_distance():
    found = by_word(SAID, ["axolotl", "dingo pup"], ["gramophone stand"])
    assert found["axolotl"].prompt == "A brown axolotl wags its tail on a sandy beach."
    assert {target.distance for target in found.values()} == {None}


@pytest.mark.parametrize(
    ("near", "far"),
    [
        (["teapot"], []),  # far
        (["blacksmither"], []),  # a person, by the ending
        (["wolfdog"], []),  # a dog, by the ending
        ([], ["cat"]),  # near
        ([], ["blorgs"]),  # perhaps many
        (["running", "very", "quickly", "of", "is"], []),  # no nouns
        (["a cat", "cat!", "cat\ndog", "x" * 60 + " is what i would say to that"], []),
    ],
)
def test_answers_that_are_not_another_noun_of_the_kind_are_dropped(near, far):
    assert by_word(SAID, near, far) == {}
