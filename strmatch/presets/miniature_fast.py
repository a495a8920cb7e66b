"""The embedded model in half the steps: no longer the most exact edit, at half the time.

Measured in jobs/benchmark/results.md and jobs/evaluation/studies/cheaper.md.
"""

from dataclasses import replace

from strmatch.presets import miniature

PRESET = replace(miniature.PRESET, edit=replace(miniature.PRESET.edit, num_inference_steps=10))
