import pytest

from pipelines.english.change import EditedPrompt, find_change


def change(source, target, kind=None, source_word=None, target_word=None, where="subject"):
    row = {"source_prompt": source, "target_prompt": target, "target_kind": kind}
    row |= {"source_word": source_word, "target_word": target_word, "target_where": where}
    found = find_change(EditedPrompt.of_row(row))
    return found.there, found.back


def test_a_noun_keeps_its_modifiers_and_gets_its_article():
    there, back = change("A red car turns", "A red bus turns", "noun_near", "car", "bus")
    ends = {"old": "a red car", "new": "a red bus"}
    assert there == ("replace", {"noun": "red car", **ends})
    ends = {"old": "a red bus", "new": "a red car"}
    assert back == ("replace", {"noun": "red bus", **ends})
    there, back = change("An owl turns", "A mouse turns", "noun_near", "owl", "mouse")
    assert (there.fields["new"], back.fields["new"]) == ("a mouse", "an owl")


def test_plurals_and_mass_nouns_have_no_article():
    there, _ = change("Two red cars turn", "Two red owls turn", "noun_far", "cars", "owls")
    assert there.fields["old"] == there.fields["noun"] == "red cars"
    assert there.fields["new"] == "red owls"
    there, _ = change("Smoke rises", "Water rises", "noun_near", "Smoke", "water")
    assert (there.fields["old"], there.fields["new"]) == ("smoke", "water")


def test_capitals_of_a_sentence_are_dropped_and_those_of_names_kept():
    def noun(source, word):
        target = source.replace(word, "cottage")
        return change(source, target, "noun_near", word, "cottage")[0].fields["noun"]

    assert noun("Golden retriever on a lawn", "Golden retriever") == "golden retriever"
    assert noun("Japanese temple on a hill", "temple") == "Japanese temple"
    assert noun("Traditional Japanese temple in fog", "temple") == "traditional Japanese temple"
    assert noun("The Eiffel Tower at night", "Eiffel Tower") == "Eiffel Tower"


def test_names_have_the_article_of_their_caption():
    there, back = change("The Eiffel Tower at night", "A lighthouse at night")
    assert (there.fields["noun"], there.fields["old"]) == ("Eiffel Tower", "the Eiffel Tower")
    assert there.fields["new"] == back.fields["old"] == "a lighthouse"
    there, _ = change("Truck on a road", "Bus on a road")
    assert (there.fields["old"], there.fields["new"]) == ("a truck", "a bus")


def test_a_named_colour_is_replaced_at_its_own_noun():
    source, target = "A woman in a green coat walks", "A woman in an orange coat walks"
    there, back = change(source, target, "recolour", "green", "orange")
    coat = {"noun": "coat", "is": "is"}
    assert there == ("recolour", coat | {"old": "green", "new": "orange", "a_new": "an orange"})
    assert back == ("recolour", coat | {"old": "orange", "new": "green", "a_new": "a green"})
    there, _ = change("A man in red shoes", "A man in blue shoes", "recolour", "red", "blue")
    assert (there.fields["noun"], there.fields["is"]) == ("shoes", "are")


@pytest.mark.parametrize(
    ("source", "word", "agreement"),
    [
        ("A car turns", "car", {"is": "is", "has": "has", "its": "its"}),
        ("Two dogs run", "dogs", {"is": "are", "has": "have", "its": "their"}),
        ("A king waves", "king", {"is": "is", "has": "has", "its": "his"}),
        ("A chef cooks", "chef", {"is": "is", "has": "has", "its": "their"}),
    ],
)
def test_words_agree_with_the_noun(source, word, agreement):
    made = source.replace(word, f"{word} made of glass")
    there, back = change(source, made, "restyle", word, f"{word} made of glass")
    assert {**there.fields, **agreement} == there.fields
    assert there.name == "restyle" and there.fields["style"] == "made of glass"
    assert back.name == "unstyle" and f"real {word}" in back.fields["new"]


def test_a_colour_that_was_not_named_leads_back_to_the_natural_one():
    there, back = change("A car turns", "A blue car turns", "recolour", "car", "blue car")
    assert (there.name, back.name) == ("colour", "uncolour")
    assert there.fields["noun"] == "car" and there.fields["new"] == "blue"


def test_a_background_is_named_without_its_preposition():
    def ends(source_word, target_word):
        source, target = f"A dog runs {source_word}", f"A dog runs {target_word}"
        there, back = change(source, target, "background", source_word, target_word, "background")
        assert back.fields == {"old": there.fields["new"], "new": there.fields["old"]}
        return there.fields["old"], there.fields["new"]

    assert ends("through a meadow", "along a sandy beach") == ("a meadow", "a sandy beach")
    assert ends("in her garden", "on a frozen lake") == ("the garden", "a frozen lake")
    assert ends("on the streets of Rome", "in a quiet village")[0] == "the streets of Rome"
    assert ends("bricks", "stripes") == ("bricks", "stripes")


def test_prompts_of_a_user_tell_by_their_difference():
    there, _ = change("A red car turns.", "a blue truck turns")
    assert (there.name, there.fields["noun"]) == ("replace", "red car")
    assert there.fields["new"] == "a blue truck"
    there, _ = change("a red car turns", "a blue car turns")
    assert there.name == "recolour" and there.fields["noun"] == "car"
    there, _ = change("a car turns", "a blue car turns")
    assert there.name == "colour" and there.fields["noun"] == "car"
    there, _ = change("a dog on a meadow", "a dog on a beach", where="background")
    assert there == ("background", {"old": "a meadow", "new": "a beach"})


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("a dog runs", "a dog sleeps"),
        ("a red dog on bricks", "a blue dog on stripes"),
        ("ein Hund läuft", "eine Katze läuft"),
        ("一只狗在跑", "一只猫在跑"),
        ("a dog", "a dog"),
        ("🚤", "{noun} {0} %s"),
    ],
)
def test_what_has_no_simpler_words_is_told_by_both_prompts(source, target):
    there, back = change(f" {source}\n.", target)
    assert there == ("prompt", {"old": source, "new": target})
    assert back.fields == {"old": there.fields["new"], "new": there.fields["old"]}


def test_words_that_are_not_in_the_prompt_are_not_relied_on():
    there, _ = change("A dog runs", "A cat runs", "noun_near", "submarine", "cat")
    assert there.name == "prompt"
    there, _ = change("A dog runs", "A blue dog runs", "recolour", "green", "blue")
    assert there.name == "prompt"
