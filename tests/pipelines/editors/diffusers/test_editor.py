"""Tiny random pipelines of diffusers as editors, and pipelines that note what they get."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from accelerate.hooks import AlignDevicesHook, CpuOffload

from pipelines.config.loading import resolve
from pipelines.config.options import choose
from pipelines.editors.diffusers import loading
from pipelines.editors.diffusers.options import Memory
from pipelines.errors import ConfigError, RowError
from strmatch.weights.errors import WeightsError
from tests.pipelines.editors.diffusers.tiny import MADE, OPTIONS, save

SOURCE, TARGET = "a red circle over bricks", "a blue circle over bricks"
HERE = "tests.pipelines.editors.diffusers.test_editor"


def chosen(**options):
    return choose("editor", resolve({"editor": "diffusers", "editor_options": options}))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folder of each tiny pipeline."""
    root = tmp_path_factory.mktemp("pipelines")
    return {name: save(name, root / name) for name in MADE}


def clip(length, height=64, width=64):
    frames = np.random.default_rng(0).integers(0, 256, (length, height, width, 3), np.uint8)
    mask = np.zeros((length, height, width), bool)
    mask[:, 20:40, 16:40] = True
    return frames, mask


def grown(mask, pixels):
    """A mask that has grown by pixels in both directions, by shifts."""
    found = np.zeros_like(mask)
    for down in range(-pixels, pixels + 1):
        for right in range(-pixels, pixels + 1):
            found |= np.roll(mask, (down, right), (1, 2))
    return found


@pytest.mark.parametrize("name", MADE)
def test_a_pipeline_edits_inside_the_mask_and_repeats_itself(name, folders):
    choice = chosen(pipeline=name, model=str(folders[name]), **OPTIONS[name])
    choice.call("check")
    frames, mask = clip(7)
    editors = choice.build(), choice.build()
    made = [editor.edit(editor.invert(frames, SOURCE), TARGET, mask, 5) for editor in editors]
    np.testing.assert_array_equal(*made)
    assert made[0].shape == frames.shape and made[0].dtype == np.uint8
    region = grown(mask, 8)
    np.testing.assert_array_equal(made[0][~region], frames[~region])
    assert (made[0] != frames)[region].mean() > 0.9
    other = editors[0].edit(editors[0].invert(frames, SOURCE), TARGET, mask, 6)
    assert (other != made[0]).any()


@pytest.mark.parametrize("name", ["WanVACEPipeline", "LTXConditionPipeline"])
@pytest.mark.parametrize("length", [5, 16, 40])
def test_frame_rules_hold_for_clips_of_any_length(name, length, folders):
    choice = chosen(pipeline=name, model=str(folders[name]), **OPTIONS[name])
    frames, mask = clip(length, 48, 80)
    editor = choice.build()
    made = editor.edit(editor.invert(frames, SOURCE), TARGET, mask, 5)
    region = grown(mask, 8)
    assert made.shape == frames.shape
    np.testing.assert_array_equal(made[~region], frames[~region])
    assert (made != frames).any(-1)[region].reshape(length, -1).mean(1).min() > 0.9


@dataclass
class Result:
    frames: list


class Recording:
    """Returns its video, white where the mask is white, and notes its arguments."""

    noted: ClassVar[list[dict[str, Any]]] = []

    @classmethod
    def from_pretrained(cls, folder, **options):
        return cls()

    def set_progress_bar_config(self, disable):
        pass

    def to(self, device):
        pass

    def __call__(self, clip, region, words, hint, tall, seed_of, edges=None, strength=1.0):
        self.noted.append(locals())
        lit = [
            np.maximum(np.asarray(frame), np.asarray(white)[..., None])
            for frame, white in zip(clip, region, strict=True)
        ]
        return Result([lit])


ARGUMENTS = {
    "clip": "video",
    "region": "mask",
    "words": "instruction",
    "hint": "source_prompt",
    "tall": "height",
    "seed_of": "generator",
    "edges": "edges",
}


def recording(tmp_path, **options):
    (tmp_path / "model_index.json").write_text("{}")
    given = {"pipeline": f"{HERE}:Recording", "model": str(tmp_path), "arguments": ARGUMENTS}
    return chosen(**given | {"mask": {"dilation": 2}} | options)


def test_an_unknown_class_with_other_parameters_works_by_options(tmp_path):
    options = {"frames": {"multiple": 4, "remainder": 1}, "call": {"strength": 0.5}}
    choice = recording(tmp_path, **options, composite=False, size={"multiple": 16})
    choice.call("check")
    frames, mask = clip(6)
    editor = choice.build()
    Recording.noted.clear()
    made = editor.edit(editor.invert(frames, SOURCE), TARGET, mask, 5)
    (noted,) = Recording.noted
    assert "circle" in noted["words"] and "blue" in noted["words"] and noted["words"][-1] == "."
    assert (noted["hint"], noted["tall"], noted["strength"]) == (SOURCE, 64, 0.5)
    assert noted["seed_of"].initial_seed() == 5
    assert len(noted["clip"]) == len(noted["region"]) == len(noted["edges"]) == 9
    assert {image.mode for image in noted["edges"]} == {"RGB"}
    assert {value for image in noted["edges"] for value in np.unique(image)} == {0, 255}
    # White is where editing is wanted.
    white = np.stack([np.asarray(each) for each in noted["region"]]) == 255
    np.testing.assert_array_equal(white[:6], grown(mask, 2))
    np.testing.assert_array_equal(made, np.where(white[:6, ..., None], 255, frames))


def test_white_may_mean_to_keep(tmp_path):
    choice = recording(tmp_path, mask={"white": "keep", "dilation": 0})
    frames, mask = clip(4)
    Recording.noted.clear()
    choice.build().edit(choice.build().invert(frames, SOURCE), TARGET, mask, 5)
    white = np.stack([np.asarray(each) for each in Recording.noted[0]["region"]]) == 255
    np.testing.assert_array_equal(white, ~mask)


def test_a_chunk_keeps_the_edited_frames_of_the_chunk_before(tmp_path):
    choice = recording(tmp_path, frames={"max": 8, "overlap": 3}, composite=False)
    frames, mask = clip(20)
    editor = choice.build()
    Recording.noted.clear()
    made = editor.edit(editor.invert(frames, SOURCE), TARGET, mask, 5)
    np.testing.assert_array_equal(made, np.where(grown(mask, 2)[..., None], 255, frames))
    second = Recording.noted[1]
    kept = np.stack([np.asarray(each) for each in second["region"]])
    assert not kept[:3].any() and (kept[3:] == 255).any((1, 2)).all()
    np.testing.assert_array_equal(np.stack(second["clip"][:3]), made[5:8])


def test_other_frames_than_those_of_the_clip_fail_the_edit(tmp_path, monkeypatch):
    frames, mask = clip(6)
    editor = recording(tmp_path).build()
    half = lambda self, clip, **others: Result([[np.asarray(f) for f in clip[:3]]])  # noqa: E731
    monkeypatch.setattr(Recording, "__call__", half)
    with pytest.raises(RowError, match="BadFrames.*returned \\(3, 64, 64, 3\\) for a video of"):
        editor.edit(editor.invert(frames, SOURCE), TARGET, mask, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arguments": {"vidoe": "video"}}, "arguments.vidoe: WanVACEPipeline takes no such arg"),
        (
            {"call": {"steps": 2}},
            "call.steps: WanVACEPipeline takes no such argument; there ar",
        ),
        ({"pipeline": "WanVACPipeline"}, "diffusers has no WanVACPipeline; did you mean WanVACEPi"),
        ({"pipeline": "nowhere:Pipe"}, "editor_options.pipeline nowhere:Pipe: No module named"),
        (
            {"pipeline": "StableDiffusionPipeline"},
            "no parameter of StableDiffusionPipeline gets",
        ),
    ],
)
def test_what_cannot_work_is_one_line_before_any_work(options, message, folders):
    given = {"pipeline": "WanVACEPipeline", "model": str(folders["WanVACEPipeline"])}
    choice = chosen(**given | options)
    with pytest.raises(ConfigError) as error:
        choice.call("check")
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": {"height": 100, "multiple": 16}}, "height 100 is no multiple of 16"),
        ({"frames": {"max": 80, "multiple": 4, "remainder": 1}}, "max 80 is not k · 4 + 1"),
        ({"frames": {"max": 8, "overlap": 8}}, "overlap 8 must be less than max 8"),
        ({"arguments": {"video": "film"}}, "editor_options.arguments.video"),
    ],
)
def test_wrong_options_are_refused_when_the_configuration_is_loaded(options, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        chosen(pipeline="WanVACEPipeline", model="/nowhere", **options).validate()


def test_a_hub_id_needs_its_commit():
    with pytest.raises(WeightsError, match="name its commit"):
        chosen(pipeline="WanVACEPipeline", model="Wan-AI/Wan2.1-VACE-1.3B-diffusers").call(
            "revision"
        )
    pinned = chosen(pipeline="WanVACEPipeline", model="Wan-AI/x", revision="f" * 40)
    assert pinned.call("revision") == "f" * 40


def test_the_revision_is_that_of_the_files(folders):
    first = folders["WanVACEPipeline"]
    revision = chosen(pipeline="WanVACEPipeline", model=str(first)).call("revision")
    (first / "vae" / "config.json").write_text((first / "vae" / "config.json").read_text() + " ")
    assert chosen(pipeline="WanVACEPipeline", model=str(first)).call("revision") != revision


def test_memory_modes_are_those_of_the_pipeline(folders):
    given = {"pipeline": "WanVACEPipeline", "model": str(folders["WanVACEPipeline"])}
    saving = chosen(**given, memory={"vae_tiling": True, "vae_slicing": True}).build().pipeline
    plain = chosen(**given).build().pipeline
    assert saving.vae.use_tiling and saving.vae.use_slicing
    assert not plain.vae.use_tiling and not plain.vae.use_slicing


@pytest.fixture(params=MADE)
def on_meta(request, folders, monkeypatch):
    """Puts a pipeline in a mode on the device whose tensors have no contents; returns its models.

    Hooks are set there, and nothing can be computed.
    """
    # This device has no cache to empty.
    monkeypatch.setattr("diffusers.pipelines.pipeline_utils.empty_device_cache", lambda device: 0)

    def put(offload):
        pipeline = loading.pipeline_class(request.param).from_pretrained(folders[request.param])
        loading.place(pipeline, Memory(offload=offload), "meta")
        assert pipeline._execution_device.type == "meta"
        return [each for each in pipeline.components.values() if hasattr(each, "parameters")]

    return put


def test_offload_of_models_puts_a_hook_on_each(on_meta):
    models = on_meta("model")
    assert len(models) >= 3
    for model in models:
        assert isinstance(model._hf_hook, CpuOffload)
        assert model._hf_hook.execution_device.type == "meta"
        assert {weight.device.type for weight in model.parameters()} == {"cpu"}


def test_sequential_offload_puts_a_hook_on_every_layer_with_weights(on_meta):
    models = on_meta("sequential")
    assert len(models) >= 3
    for model in models:
        for layer in model.modules():
            if any(weight is not None for weight in layer._parameters.values()):
                hooks = getattr(layer._hf_hook, "hooks", [layer._hf_hook])
                assert any(isinstance(hook, AlignDevicesHook) and hook.offload for hook in hooks)
        assert {weight.device.type for weight in model.parameters()} == {"meta"}


def test_on_a_cpu_nothing_is_offloaded(folders):
    given = {"pipeline": "WanVACEPipeline", "model": str(folders["WanVACEPipeline"])}
    pipeline = chosen(**given, memory={"offload": "model"}).build().pipeline
    assert not hasattr(pipeline.transformer, "_hf_hook")
