"""Edits of clips with several objects, of one, several or all of them."""
