"""Text-to-video transformers that attend jointly over space and time, as backbones."""
