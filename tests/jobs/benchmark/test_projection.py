import numpy as np
import torch

from jobs.benchmark.memory import peak_bytes
from jobs.benchmark.models import SOURCE, TARGETS, random_model
from jobs.benchmark.projection import project
from strmatch.guidance import guided_epsilon
from strmatch.matching import Matcher
from tests.strmatch.tiny import tiny_lavie


def test_the_projection_equals_the_measured_memory():
    def make():
        clip = np.zeros((4, 64, 64, 3), np.uint8)
        return random_model(tiny_lavie(), text=32, image=8, clip=clip, steps=1)

    projected = project(make, torch.float32)
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
        denoising = peak_bytes(lambda: guided_epsilon(backbone, latents, 500, source, target, 7.5))
    assert projected["denoising"] == denoising
    assert projected["weights"] == sum(
        weight.nbytes
        for module in (backbone.unet, backbone.vae, backbone.text_encoder)
        for weight in module.parameters()
    )
