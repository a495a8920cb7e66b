"""The small world's model with joint attention. The settings of its edits are not measured yet.

No weights are shipped: `strmatch train-miniature --recipe joint` trains them, and
`--set backbone.weights=FOLDER` names them. Clips, metrics and limits are those of `miniature`.
"""

from dataclasses import replace

from strmatch.presets import miniature
from strmatch.settings import EditSettings

PRESET = replace(
    miniature.PRESET,
    weights=None,
    edit=EditSettings(num_inference_steps=20, guidance_scale=4.0, negative_prompt="", lam=0.4),
    editor_options={"flowedit": miniature.PRESET.editor_options["flowedit"]},
)
