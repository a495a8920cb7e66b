"""A CLIP tokenizer with one token per word of the small world and byte-level fallback."""

import json

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTokenizer

from strmatch.miniature.scenes import caption_words

END_OF_WORD = "</w>"
MAX_TOKENS = 32  # the longest caption has 23 words


def make_tokenizer() -> CLIPTokenizer:
    """Learn byte-pair merges from the words of captions, in the layout of CLIP's vocabulary."""
    alphabet = sorted(ByteLevel.alphabet())
    endings = [letter + END_OF_WORD for letter in alphabet]
    learner = Tokenizer(BPE(end_of_word_suffix=END_OF_WORD))
    trainer = BpeTrainer(
        vocab_size=10_000,
        min_frequency=1,
        initial_alphabet=alphabet,
        # Pairs of equal count are merged in the order of their ids, which are otherwise random for
        # letters that end a word.
        special_tokens=endings,
        end_of_word_suffix=END_OF_WORD,
        show_progress=False,
    )
    learner.train_from_iterator(sorted(caption_words()), trainer)
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]

    tokens = alphabet + endings + [left + right for left, right in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_TOKENS)
