"""Captions by vision-language models: how they are asked, and what counts as an answer."""
