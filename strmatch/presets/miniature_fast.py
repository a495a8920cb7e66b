"""The embedded model in half the steps: half the time, at a price.

Of sixty edits of the test list (seed 11) 100 % take the asked colour and 92 % the asked figure, 1.4
pixels off the true path; with the preset `miniature` 100 %, 98 % and 0.6 pixels.
"""

from dataclasses import replace

from strmatch.presets import miniature

PRESET = replace(miniature.PRESET, edit=replace(miniature.PRESET.edit, num_inference_steps=10))
