"""Tiny models in the published layouts, behind the ids and commits that the presets pin."""

import shutil

import numpy as np

from pipelines.captioners.transformers_vlm import TransformersVLM
from pipelines.config.loading import load_config, resolve
from strmatch.backbones.folder import weights_folder
from strmatch.presets import load_preset
from tests.pipelines.captioners.models import SENTENCES, qwen, teach
from tests.pipelines.trackers.components import save_owlv2, small_sam2
from tests.strmatch.backbones.joint.tiny import save_joint
from tests.strmatch.published import (
    lavie_tensors,
    save_lavie,
    save_motion_adapter,
    save_stable_diffusion,
    save_zeroscope,
)

CAPTIONS = {"frames": 2, "max_new_tokens": 10}
SMALL = {
    "clip": {"num_frames": 4, "height": 32, "width": 64, "max_clips_per_video": 1},
    "edit": {"num_inference_steps": 2},
    "annotate": {
        "captions": CAPTIONS,
        "targets_per_clip": 1,
        # A detector with random weights finds its best patch anywhere.
        "detector": {"threshold": 0.0},
        "mask_check": {
            **{"min_area": 0.0, "max_area": 1.0, "max_empty": 1.0},
            **{"max_shift": 9.0, "max_growth": 99.0},
        },
    },
    # No edit by random weights is within limits.
    "publish": {"limits": None},
}
"""A configuration for clips and models of this size, of which no other setting is given."""


def serve_annotators(hub, folder):
    """Serve the tracker, the detector, the captioner and CLIP of every preset."""
    annotate = load_config("lavie").annotate
    measure = load_config("lavie").measure
    small_sam2().save_pretrained(folder / "sam2")
    save_owlv2(folder / "detector")
    qwen(folder / "vlm")
    values = {"annotate": {"vlm": {"weights": str(folder / "vlm")}, "captions": CAPTIONS}}
    captioner = TransformersVLM(resolve(values))
    clips = [np.full((4, 32, 64, 3), colour, np.uint8) for colour in ((200, 30, 30), (20, 30, 230))]
    teach(captioner, clips[: len(SENTENCES)], folder / "vlm")
    shutil.copytree(weights_folder("miniature") / "clip", folder / "clip")
    for model, name in (
        (annotate.sam2, "sam2"),
        (annotate.detector, "detector"),
        (annotate.vlm, "vlm"),
        (measure.clip, "clip"),
    ):
        hub.add(f"{model.weights}@{model.revision}", folder / name)


def serve_lavie(hub, folder):
    source = load_preset("lavie").weights
    (folder / "lavie").mkdir()
    save_lavie(lavie_tensors(), folder / "lavie" / "lavie_base.pt")
    save_stable_diffusion(folder / "sd14")
    hub.add(source.checkpoint.weights, folder / "lavie")
    hub.add(source.base.weights, folder / "sd14")


def serve_zeroscope(hub, folder):
    save_zeroscope(folder / "zeroscope")
    hub.add(load_preset("zeroscope").weights.checkpoint.weights, folder / "zeroscope")


def serve_animatediff(hub, folder):
    source = load_preset("animatediff").weights
    save_motion_adapter(folder / "adapter")
    save_stable_diffusion(folder / "sd15", unet=True)
    hub.add(source.checkpoint.weights, folder / "adapter")
    hub.add(source.base.weights, folder / "sd15")


def serve_transformer(name):
    """Returns a function that serves a video transformer, in several files, of as many blocks as
    its preset scores."""

    def serve(hub, folder):
        preset = load_preset(name)
        layers = max(preset.edit.scored_levels) + 1
        save_joint(name, folder / name, layers, max_shard_size="100KB")
        assert len(list((folder / name / "transformer").glob("*.safetensors"))) > 1
        hub.add(preset.weights.checkpoint.weights, folder / name)

    return serve


BACKBONES = {
    "lavie": serve_lavie,
    "zeroscope": serve_zeroscope,
    "animatediff": serve_animatediff,
    "wan": serve_transformer("wan"),
    "cogvideox": serve_transformer("cogvideox"),
}
