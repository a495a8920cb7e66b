from strmatch.miniature.scenes import caption_words
from strmatch.miniature.tokenizer import make_tokenizer


def test_every_word_of_a_caption_is_one_token():
    tokenizer = make_tokenizer()
    for word in caption_words():
        assert tokenizer.tokenize(word) == [f"{word}</w>"]


def test_a_tokenizer_made_again_gives_the_same_ids():
    first, *others = (make_tokenizer().backend_tokenizer.to_str() for _ in range(4))
    assert all(other == first for other in others)
