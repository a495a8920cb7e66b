"""Proof of use: whether a model that is trained on edits gets better."""
