from importlib.resources import files

import pytest
import yaml

from pipelines.english.taxonomy import Taxonomy, distance, taxonomy


def concept(word):
    return taxonomy().senses[word].concept


def test_the_packaged_table_has_a_thousand_nouns_without_duplicates():
    text = files("pipelines.english").joinpath("nouns.yaml").read_text(encoding="utf-8")

    def leaves(tree):
        for below in tree.values():
            yield from [below] if isinstance(below, str) else leaves(below)

    entries = [entry for leaf in leaves(yaml.safe_load(text)) for entry in leaf.split(",")]
    written = [word.split("/")[0].strip() for entry in entries for word in entry.split("=")]
    assert all(written)
    assert sorted(written) == sorted(set(written))
    assert len([c for c in taxonomy().concepts if not c.hidden]) > 1000


def test_the_packaged_table_uses_only_known_marks():
    text = files("pipelines.english").joinpath("nouns.yaml").read_text(encoding="utf-8")
    body = "".join(line for line in text.splitlines(True) if not line.startswith("#"))
    marks = {mark for word in body.replace(",", " ").split() for mark in word.split("/")[1:]}
    assert marks == {"f", "m", "mass", "plural", "hidden"}


def test_a_tree_is_read_as_concepts_and_their_forms():
    tree = {
        "animal": {
            "is": "animal = wildlife/mass",
            "pet": "cat = kitten, fish",
            "farm": "sheep, cow/f = cattle/plural, yeti/hidden",
        }
    }
    small = Taxonomy(tree)
    assert [c.path for c in small.concepts] == [
        ("animal",),
        ("animal", "pet", "cat"),
        ("animal", "pet", "fish"),
        ("animal", "farm", "sheep"),
        ("animal", "farm", "cow"),
        ("animal", "farm", "yeti"),
    ]
    assert [c.name for c in small.concepts if c.hidden] == ["animal", "yeti"]
    assert small.senses["kittens"].concept is small.concepts[1]
    numbers = {word: sense.numbers for word, sense in small.senses.items()}
    assert numbers["kittens"] == ("plural",) and numbers["cattle"] == ("plural",)
    assert numbers["sheep"] == ("singular", "plural")
    assert numbers["wildlife"] == ("mass",)
    assert small.senses["cows"].gender == "f" and small.senses["cat"].gender == "n"


def test_the_longest_matching_noun_is_used():
    assert taxonomy().longest_match(["golden", "retriever", "dog"])[0] == 2
    length, sense = taxonomy().longest_match(["fire", "trucks"])
    assert (length, sense.concept.name, sense.numbers) == (2, "fire truck", ("plural",))
    assert taxonomy().longest_match(["sublime"]) is None
    assert taxonomy().longest_match([]) is None


def test_the_distance_is_the_length_of_the_path():
    assert distance(concept("cat"), concept("kitten")) == 0
    assert distance(concept("cat"), concept("dog")) == 2
    assert distance(concept("cat"), concept("horse")) == 4
    assert distance(concept("cat"), concept("eagle")) == 6
    assert distance(concept("cat"), concept("basketball")) == 8
    assert distance(concept("basketball"), concept("cat")) == 8


@pytest.mark.parametrize(
    ("one", "other"),
    [("couch", "sofa"), ("woman", "lady"), ("bike", "bicycle"), ("people", "person")],
)
def test_synonyms_are_one_concept(one, other):
    assert concept(one) is concept(other)


def test_a_branch_s_name_includes_its_parts():
    assert concept("bird").includes(concept("owl"))
    assert concept("bird").includes(concept("bird"))
    assert not concept("owl").includes(concept("bird"))
    assert not concept("bird").includes(concept("cat"))
    assert not concept("cat").includes(concept("dog"))
