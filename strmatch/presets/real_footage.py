"""Sections of a configuration for real footage: masks, captions and metrics by published models.

Every model is pinned by its commit. The SHA-256 of the weights, as others attest them in public:
sam2.1-hiera-tiny 48c14467e5cf9e51870511feb72c89688e82dd74523142c0538b663e193ac2a7,
owlv2-base-patch16-ensemble e1e130b9e404cf91a75ad45644c1da9d7fa5284085eecc864266a6923efb99e7.
"""

from collections.abc import Mapping
from typing import Any

REAL_FOOTAGE: Mapping[str, Mapping[str, Any]] = {
    "annotate": {
        "tracker": "sam2_hf",
        "sam2": {
            "weights": "facebook/sam2.1-hiera-tiny",
            "revision": "de431c4043854a71d8101e17995dfe596bf101a5",
        },
        "detector": {
            "weights": "google/owlv2-base-patch16-ensemble",
            "revision": "cfd3195ba4ea9592eec887ded089f4c08eff231d",
        },
        "captioner": "transformers_vlm",
        "vlm": {
            "weights": "Qwen/Qwen3-VL-4B-Instruct",
            "revision": "ebb281ec70b05090aa6165b016eac8ec08e71b17",
        },
        "prompter": "noun_swap",
    },
    "measure": {
        "metrics": [
            *("edited", "changed", "background_difference", "background_peak", "subject_motion"),
            *("frame_consistency", "motion_error", "clip_similarity"),
        ],
        "clip": {
            "weights": "openai/clip-vit-large-patch14",
            "revision": "32bd64288804d66eefd0ccbe215aa642df71cc41",
        },
    },
    # By reasoning, unmeasured. Half: CLIP finds the target prompt more probable than the source
    # prompt. 0.3: an edit of the whole frame has a half, and a copy of the source 0. 10 and 30 are
    # five and fifteen times the just noticeable difference, on average and in the worst place:
    # Eq. 6 keeps the latents of the background, and the autoencoder loses less.
    "publish": {
        "limits": {
            "edited": {"min": 0.5},
            "changed": {"min": 0.3},
            "background_difference": {"max": 10.0},
            "background_peak": {"max": 30.0},
        },
    },
}
