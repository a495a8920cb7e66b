"""Several editors on the same clips and targets, measured and shown side by side."""
