"""The experiment on a user's own clips: what the edits of a dataset gain."""
