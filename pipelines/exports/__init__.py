"""Formats that published edits are exported to, each a module that reads only the dataset."""
