"""The embedded model in 12 of 20 steps, 8 of which match and are guided, at a small price."""

from dataclasses import replace

from strmatch.presets import miniature

PRESET = replace(
    miniature.PRESET,
    edit=replace(
        miniature.PRESET.edit,
        num_inference_steps=12,
        # With steps this large the label of the level that a step leaves loses the figure in one
        # edit of ten: it appears elsewhere. Guided to the end, the label of the next level holds
        # far colours; not so here.
        inversion_label="next",
        matched_share=0.67,
        guided_share=0.67,
    ),
)
