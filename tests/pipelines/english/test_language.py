import pytest

from pipelines.english.language import is_english
from pipelines.english.subject import find_subject
from tests.pipelines.english.captions import captions


def test_captions_of_stock_footage_are_english():
    assert all(is_english(find_subject(said.caption)) for said in captions())


@pytest.mark.parametrize(
    "caption",
    [
        "A luthier carves the neck of a violin",
        "A zorb rolls down a hill",
        "A café in Paris",
        "dog running",
        "Two dogs",
        "A man in München waves",
        "The Eiffel Tower at night",
    ],
)
def test_rare_words_and_names_are_no_other_language(caption):
    assert is_english(find_subject(caption))


@pytest.mark.parametrize(
    "caption",
    [
        "Un chien court sur la plage",
        "Le chat dort",
        "Une femme cuisine",
        "Ein Hund läuft am Strand",
        "der Mann mit Hut",
        "Perro corriendo en la playa",
        "Una mujer cocina pasta en la cocina",
        "Una ragazza balla in una stanza",
        "Um homem anda de bicicleta",
        "A mulher canta no palco",
        "En man går på gatan",
        "Een hond rent op het strand",
        "Pies biegnie po plaży",
        "Seekor anjing berlari di pantai",
        "Bir köpek sahilde koşuyor",
        "Собака бежит по пляжу",
        "一只狗在草地上跑",
    ],
)
def test_other_languages_have_no_subject_or_are_not_english(caption):
    subject = find_subject(caption)
    assert subject is None or not is_english(subject)
