"""The embedded model in 12 of 20 steps, 8 of which match: half the time, at a small price.

Of sixty edits of the test list (seed 11) all take the asked colour and the asked figure and keep
what was to be kept, 1.3 pixels off the true path, background 53.9 dB, IoU with the true edit 0.74;
with the preset `miniature` 100, 98 and 100 %, 0.6 pixels, 54.9 dB and 0.77.
"""

from dataclasses import replace

from strmatch.presets import miniature

PRESET = replace(
    miniature.PRESET,
    edit=replace(miniature.PRESET.edit, num_inference_steps=12, matched_share=0.67),
)
