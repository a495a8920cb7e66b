import numpy as np
import torch

from jobs.benchmark.memory import peak_bytes
from jobs.benchmark.models import SOURCE, TARGETS, random_model
from jobs.benchmark.projection import project
from strmatch.guidance import guided_prediction
from strmatch.matching import Matcher
from tests.strmatch.tiny import tiny_lavie


def test_the_projection_equals_the_measured_memory():
    def make():
        clip = np.zeros((4, 64, 64, 3), np.uint8)
        return random_model(tiny_lavie(), text=32, image=8, clip=clip, steps=1)

    projected, long = project(make, torch.float32), project(make, torch.float32, frames=20)
    for part in ("inversion", "score pass", "score pass, lean", "denoising"):
        latents_and_frames = 4 * 20 * 4 * 8 * 8 * 4 + 20 * 64 * 64 * 3
        assert projected[part] < long[part] < projected[part] + latents_and_frames
    assert long["frames"] == 5 * projected["frames"] == 20 * 64 * 64 * 3
    assert long["decoding"] == projected["decoding"]
    model = make()
    backbone = model.backbone
    latents = backbone.encode(model.frames)
    source, target = backbone.embed(SOURCE), backbone.embed(TARGETS[0])
    for part, lean in (("score pass", False), ("score pass, lean", True)):
        matcher = Matcher(backbone, backbone.settings, lean)
        features = matcher.features(latents, 500, source)

        def score(matcher=matcher, features=features):
            matcher.loss_and_gradient(latents, 500, [target], features)

        assert projected[part] == peak_bytes(score)
    assert projected["score pass, lean"] < projected["score pass"]
    with torch.no_grad():
        denoising = peak_bytes(
            lambda: guided_prediction(backbone, latents, 500, source, target, 7.5)
        )
    assert projected["denoising"] == denoising
    assert projected["weights"] == sum(
        weight.nbytes
        for module in (backbone.unet, backbone.vae, backbone.text_encoder)
        for weight in module.parameters()
    )
