"""The embedded model: the LaVie architecture at a size that runs on a laptop CPU."""

from pathlib import Path

from strmatch.presets import Preset
from strmatch.settings import EditSettings

PRESET = Preset(
    weights=str(Path(__file__).parents[1] / "miniature" / "weights"),
    num_frames=16,
    height=64,
    width=64,
    fps=8.0,
    edit=EditSettings(
        num_inference_steps=20,
        # With label "next", flat colours survive an inversion of 20 steps: the noisiest latents of
        # eight clips have 0.38 of the standard deviation of noise, and the subject's mean is 0.37
        # of the clip's own (correlation 0.99). With label "current" and noise up to timestep 51,
        # the values are 1.00 and 0.06, and the reconstruction has 29 to 35 dB. Of ten edits of the
        # training list to distant colours (yellow to green, blue to orange …), all take the target
        # colour at guidance 3 and 5. With label "next", 5 do at guidance 5 and 8 at guidance 8.
        inversion_label="current",
        noised_until=51,
        # λ counteracts the displacement caused by guidance. Guidance 3 and λ 0.2 displace the
        # subject by 3.6 pixels (ten edits to distant colours). Guidance 4 and λ 0.4: 0.8 and 1.8
        # pixels (12 and 15 edits of all kinds, with 17 of 18 target colours and all 18 target
        # shapes). Guidance 3 and λ 1: 1.1 pixels and 7 of 10 target colours.
        guidance_scale=4.0,
        negative_prompt="",
        lam=0.4,
        # The resolutions 8×8 and 4×4, which are all but the finest, as in the paper.
        scored_levels=(1, 2),
    ),
    editor_options={
        # The published guidance and negative prompt are Zeroscope's, and this model's vocabulary
        # lacks all words of that prompt. On three clips of the training list, lr 0.05 displaces the
        # subject by 1.2, 3.4 and 31 pixels. With lr 0.0175, whose total change in 8 optimised steps
        # equals that of 0.007 in 20, the displacements are 2.7, 7.1 and 30 pixels. The third clip,
        # a figure that stands still, fails with both. lr 0.1 also fails on the first.
        "dmt": {"guidance_scale": 4.0, "negative_prompt": "", "lr": 0.05},
        # The published scales 13.5 and 3.5 are for Stable Diffusion 3. On three clips of the dev
        # list, from start share 0.7, all edits take the target's colour and figure. Their mean PSNR
        # to the counterfactual is 22.9 dB with the published scales, 24.2 with 7 and 2.5, 26.7 with
        # 4 and 1, 26.9 with 4 and 1.5, 29.0 with 2.5 and 1, 29.4 with 1.75 and 1, and 29.5 with
        # these.
        "flowedit": {"guidance_scale": 2.5, "source_guidance_scale": 1.5},
    },
    pipeline={
        "measure": {
            "metrics": [
                *("edited", "recaption", "changed", "background_difference", "background_peak"),
                *("subject_motion", "frame_consistency", "motion_error", "clip_similarity"),
            ],
            "options": {
                # The embedded CLIP was trained on whole frames, and mistakes the figures of crops.
                "edited": {"crops": False, "averaged": True},
                # The embedded captioner describes equal clips in equal words.
                "recaption": {"words": "all"},
            },
            "clip": {"weights": "miniature"},
        },
        # Chosen on the dev list by `strmatch study verdict`.
        "publish": {
            "limits": {
                "edited": {"min": 0.3},
                "recaption": {"min": 1.0},
                "changed": {"min": 0.5},
                "background_difference": {"max": 6.0},
                "background_peak": {"max": 15.0},
                "subject_motion": {"max": 0.8},
            },
        },
    },
)
