"""Evaluation on rendered clips, where the truth is known exactly."""
