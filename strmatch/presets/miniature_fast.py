"""The embedded model in 12 of 20 steps, 8 of which are guided: little more than half the time.

Its price, in the median small, is that one edit in six leaves the path of its source altogether:
see "What is cheaper" in jobs/evaluation/studies/README.md.
"""

from dataclasses import replace

from strmatch.presets import miniature

PRESET = replace(
    miniature.PRESET,
    edit=replace(miniature.PRESET.edit, num_inference_steps=12, guided_share=0.67),
)
