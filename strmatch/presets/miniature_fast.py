"""The embedded model in 12 of 20 steps, 7 of them guided, in half the time."""

from dataclasses import replace

from strmatch.presets import miniature

PRESET = replace(
    miniature.PRESET,
    edit=replace(
        miniature.PRESET.edit,
        num_inference_steps=12,
        guided_share=0.58,
        matched_share=0.58,
        # Twelve steps labelled by the level they leave are too coarse an inversion: 10 of 60 edits
        # lost their figure. Labelled by the level they enter nearly all keep it, and of far colours
        # a quarter to a half do not come, whatever the noise (to timestep 334), the guidance (4 to
        # 7) and λ (0 to 0.4). A start as fresh as this keeps the figures and lets the colours come.
        inversion_label="next",
        noised_until=168,
        fresh_share=0.81,
    ),
)
