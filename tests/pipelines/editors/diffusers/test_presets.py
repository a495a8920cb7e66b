"""The presets of the editor `diffusers`, with the installed classes and tiny pipelines."""

import copy
import json
from importlib.util import find_spec

import numpy as np
import pytest

from pipelines.config.loading import load_config, show
from pipelines.config.options import choose
from pipelines.editors.base import editor_revision, weights_licence
from pipelines.editors.diffusers.editor import DiffusersEditor
from pipelines.editors.diffusers.loading import parameters, pipeline_class
from pipelines.errors import ConfigError
from pipelines.plugins import check_editor
from strmatch import load_backbone
from strmatch.presets import PRESETS, load_preset
from strmatch.weights.errors import WeightsError
from tests.pipelines.editors.diffusers.tiny import save

NAMES = [name for name in PRESETS.built_in if load_preset(name).editor == "diffusers"]
PINNED = [name for name in NAMES if name != "cosmos-transfer"]
TINY = [name for name in PINNED if name != "wan-vace-14b"]  # which differs from wan-vace by model
COMMIT = "f" * 40


def test_there_are_six():
    wan = ["wan-vace", "wan-vace-14b", "wan-v2v"]
    assert [*wan, "ltx", "cogvideox-v2v", "cosmos-transfer"] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_options_are_what_the_installed_pipeline_takes(name):
    config = load_config(name, assignments=[f"editor_options.revision={COMMIT}"])
    choice = choose("editor", config)
    choice.validate()
    if name == "cosmos-transfer" and find_spec("cosmos_guardrail") is None:
        with pytest.raises(ConfigError, match="needs the Python packages .*cosmos_guardrail"):
            choice.call("check")  # the last of its checks
    else:
        choice.call("check")
    # A clip of the preset is one call, of which the model takes every frame.
    rule, length = choice.options().frames, config.clip.num_frames
    assert (length - rule.remainder) % rule.multiple == 0
    assert rule.max is None or length <= rule.max
    steps = parameters(pipeline_class(choice.options().pipeline))["num_inference_steps"]
    assert isinstance(steps.default, int)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_size_or_number_of_frames_is_one_line_before_any_work(name):
    given = [f"editor_options.revision={COMMIT}"]
    for wrong, message in (
        ("editor_options.size={multiple: 4, height: 100}", "editor_options.size: .* takes no 100×"),
        ("editor_options.frames={multiple: 2, max: null}", "editor_options.frames: .* takes k · "),
    ):
        if name == "cosmos-transfer" and "frames" in message:
            continue  # this pipeline pads a clip itself
        config = load_config(name, assignments=[*given, wrong])
        with pytest.raises(Exception, match=message) as error:
            check_editor(config)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", PINNED)
def test_the_revision_is_the_commit(name):
    config = load_config(name)
    revision = editor_revision(DiffusersEditor, config)
    assert len(revision) == 40 and set(revision) <= set("0123456789abcdef")


def test_a_preset_without_a_commit_asks_for_it():
    config = load_config("cosmos-transfer")
    with pytest.raises(Exception, match="set editor_options.revision to its commit") as error:
        check_editor(config)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", TINY)
def test_a_tiny_pipeline_edits_by_the_options_of_the_preset(name, tmp_path):
    pipeline = load_preset(name).editor_options["diffusers"]["pipeline"]
    small = [
        *(f"editor_options.model={save(pipeline, tmp_path)}", "backbone.dtype=float32"),
        *("clip.height=64", "clip.width=96", "editor_options.call.num_inference_steps=3"),
        "editor_options.call.max_sequence_length=16",
    ]
    config = load_config(name, assignments=small)
    assert config.editor_options["revision"] is None  # that of the model which was replaced
    check_editor(config)
    editor = choose("editor", config).build()
    frames = np.random.default_rng(0).integers(0, 256, (6, 64, 96, 3), np.uint8)
    mask = np.zeros((6, 64, 96), bool)
    mask[:, 16:40, 30:60] = True
    inversion = editor.invert(frames, "a red circle")
    edited = editor.edit(inversion, "a blue circle", mask, 1)
    assert (edited != frames).any(-1)[mask].mean() > 0.9
    np.testing.assert_array_equal(edited[:, 50:], frames[:, 50:])


def test_another_editor_takes_neither_options_nor_licence():
    config = load_config("wan-vace", assignments=["editor=sdedit"])
    assert (config.editor, config.editor_options) == ("sdedit", {})
    assert weights_licence(config) is None
    lavie = load_config("lavie", assignments=["editor=sdedit"])
    assert "OpenRAIL" in str(weights_licence(lavie)).replace(" ", "")


def test_single_options_are_overridden_and_presets_stay_as_they_are():
    before = copy.deepcopy(load_preset("wan-vace").editor_options)
    config = load_config("wan-vace", assignments=["editor_options.call.guidance_scale=7.5"])
    call = config.editor_options["call"]
    assert (call["guidance_scale"], call["num_inference_steps"]) == (7.5, 30)
    assert load_preset("wan-vace").editor_options == before


@pytest.mark.parametrize("name", NAMES)
def test_the_licence_of_the_weights_is_shown(name):
    config = load_config(name)
    licence = load_preset(name).licence
    assert f"# Licence of its weights: {licence}.\n" in show(config)
    assert weights_licence(config) == licence
    beside = ["editor=diffusers", f"editor_options={json.dumps(config.editor_options)}"]
    assert weights_licence(load_config("lavie", assignments=beside)) == licence
    other = load_config(name, assignments=["editor_options.model=s3://bucket/mine"])
    assert weights_licence(other) is None


def test_there_is_no_backbone_to_load():
    with pytest.raises(WeightsError, match="the preset 'wan-vace' has no backbone"):
        load_backbone("wan-vace")


def test_a_class_of_another_family_is_not_judged():
    options = {"pipeline": "tests.pipelines.editors.diffusers.test_editor:Recording"}
    config = load_config("wan-vace", assignments=["editor_options.frames={multiple: 2, max: 79}"])
    assert config.editor_options["frames"]["multiple"] == 2
    with pytest.raises(ConfigError, match="takes no such argument"):
        DiffusersEditor.check(
            config, DiffusersEditor.Options(**{**config.editor_options, **options})
        )
