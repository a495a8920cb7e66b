"""Baseline editors for comparison with STR-Match on the same backbones."""
