"""The export to a dataset repository of the Hugging Face Hub."""
