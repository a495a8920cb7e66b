"""Metrics of the windows of a clip, and of the objects of an edit."""
