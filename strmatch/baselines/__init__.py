"""Editors that STR-Match is compared with, on the same backbones."""
