"""The baselines as editors of a run, on a tiny backbone, without Ray."""

import json
import re

import numpy as np
import pytest
import torch
import yaml
from diffusers import AutoencoderKL

from pipelines import plugins
from pipelines.config.loading import load_config
from pipelines.editors.base import editor_settings
from pipelines.errors import ConfigError, RunError
from pipelines.media.encode import decode_video, encode_video
from pipelines.runs.open_run import open_run
from pipelines.schema import CLIPS, rows_table
from pipelines.stages.edit_clip import ClipEditor
from pipelines.stages.plan_edits import PlanEdits
from pipelines.storage import Storage
from strmatch.backbones.diffusion import VideoDiffusion
from tests.strmatch.tiny import FRAMES, SIZE, save_backbone, tiny_backbone

NAMES = ("sdedit", "dmt", "uniedit", "flowedit")
STRENGTH = {
    "sdedit": "strength",
    "dmt": "lr",
    "uniedit": "injected_share",
    "flowedit": "start_share",
}
CLIP = "clips/a.parquet"
PROMPTS = {"source_prompt": "a red circle", "targets": [{"prompt": "a blue square"}]}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    save_backbone(tiny_backbone(dtype=torch.float32), folder)
    return folder


@pytest.fixture
def configured(weights):
    def load(name, *assignments):
        tiny = (f"backbone.weights={weights}", "edit.num_inference_steps=2", f"editor={name}")
        return load_config(assignments=[*tiny, *assignments])

    return load


@pytest.fixture
def output(tmp_path):
    output = Storage(str(tmp_path))
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), np.uint8)
    clip = {"row_id": "c", "clip_id": "c", "status": "ok", "fps": 8.0, **PROMPTS}
    clip["source_video"] = encode_video(frames, 8, 12)
    output.commit_table(CLIP, rows_table([clip], CLIPS))
    return output


def edited(output, config, seed=0):
    """The counts of one edit made by a worker."""
    editor = plugins.find_editor(config)
    work = {"clip_file": CLIP, "clip_row": "c", "source_prompt": "a red circle", "seeds": [seed]}
    work |= {"edit_ids": ["e"], "target_prompts": ["a blue square"], "target_wheres": ["subject"]}
    work |= {"edit_lists": [None]}
    done, _ = ClipEditor(config, output, editor, "r")(work)
    return done


def committed(output, config, seed=0):
    """The row and the frames of one edit made by a worker."""
    done = edited(output, config, seed)
    assert done["ok"] == 1, done
    (name,) = output.files("edits", ".parquet")
    (row,) = output.read_table(name).to_pylist()
    output.remove("edits")
    return row, decode_video(row["edited_video"])


def planned(output, config):
    rows = PlanEdits(output, config, plugins.find_editor(config), "r", {})(
        {"file": CLIP, "clip_rows": ["c"]}
    )
    (row,) = rows
    return row["edit_id"]


@pytest.mark.parametrize("name", NAMES)
def test_an_edit_records_the_settings_it_was_made_with(name, configured, output):
    config = configured(name, f"editor_options.{STRENGTH[name]}=0.5")
    row, frames = committed(output, config)
    assert frames.shape == (FRAMES, SIZE, SIZE, 3)
    assert row["editor"] == name
    said = json.loads(row["editor_settings"])
    assert said[STRENGTH[name]] == 0.5
    assert said["num_inference_steps"] == 2  # the backbone's, by `edit`
    assert ("mask_dilation" in said) == (name in ("sdedit", "flowedit"))
    assert "lam" not in said
    assert said == editor_settings(plugins.find_editor(config), config)


@pytest.mark.parametrize("name", ["str_match", *NAMES])
@pytest.mark.parametrize(
    ("method", "place"),
    [
        (AutoencoderKL.encode, "latents of the clip"),
        (VideoDiffusion.predict, r"latents at .* step \d"),
        (AutoencoderKL.decode, "decoded frames"),
    ],
)
def test_one_nan_in_latents_or_frames_is_a_failed_row(
    name, method, place, configured, output, monkeypatch
):
    def planted(*args, **kwargs):
        result = method(*args, **kwargs)
        tensor = getattr(result, "sample", result)
        tensor = result.latent_dist.mean if hasattr(result, "latent_dist") else tensor
        tensor[(-1,) * tensor.ndim] = torch.nan
        return result

    home = VideoDiffusion if method is VideoDiffusion.predict else AutoencoderKL
    monkeypatch.setattr(home, method.__name__, planted)
    (failed,) = edited(output, configured(name, "edit.scored_levels=[1]"))["failures"]
    assert failed["error_type"] == "NotFinite"
    assert re.search(f"not finite: {place}.*backbone.dtype", failed["error_message"])


@pytest.mark.parametrize("name", NAMES)
def test_only_stochastic_editors_depend_on_the_seed(name, configured, output):
    config = configured(name)
    first, again, other = (committed(output, config, seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    stochastic = plugins.find_editor(config).stochastic
    assert np.array_equal(first, other) != stochastic
    seeded = configured(name, "seed=1")
    assert (planned(output, config) != planned(output, seeded)) == stochastic


@pytest.mark.parametrize("name", NAMES)
def test_an_edit_id_depends_only_on_the_options_of_its_own_editor(name, configured, output):
    base = planned(output, configured(name))
    assert planned(output, configured(name, f"editor_options.{STRENGTH[name]}=0.7")) != base
    assert planned(output, configured(name, "editor_options.negative_prompt=red")) != base
    assert planned(output, configured(name, "edit.num_inference_steps=3")) != base
    assert planned(output, configured(name, "edit.lam=7")) == base


def test_given_options_override_those_of_a_preset():
    def options(*assignments, preset="miniature"):
        return load_config(preset, assignments=["editor=dmt", *assignments]).editor_options

    assert options()["negative_prompt"] == "" and options(preset="zeroscope") == {}
    assert options("editor_options.lr=3") == options() | {"lr": 3}
    assert load_config().editor_options == {}


@pytest.mark.parametrize(
    ("editor", "option", "message"),
    [
        (
            "sdedit",
            "strenght=1",
            "editor_options.strenght: no such option of sdedit; there is num_",
        ),
        ("sdedit", "strength=2", "editor_options: strength must be from 0 to 1, got 2.0"),
        ("uniedit", "injected_share=much", "editor_options.injected_share: .*, got 'much'"),
        ("str_match", "lam=1", "editor_options: str_match has none"),
    ],
)
def test_invalid_options_are_refused_before_any_work(editor, option, message, configured, tmp_path):
    with pytest.raises(ConfigError, match=message):
        configured(editor, f"editor_options.{option}")
    name, _, value = option.partition("=")
    wrong = {"editor_options": {name: yaml.safe_load(value)}}
    config = configured(editor).model_copy(update=wrong)
    with pytest.raises(ConfigError, match=message):
        editor_settings(plugins.find_editor(config), config)
    (tmp_path / "in.mp4").touch()
    given = str(tmp_path / "out"), config, str(tmp_path / "in.mp4")
    with pytest.raises(RunError, match=message), open_run(*given):
        pass
    assert not (tmp_path / "out").exists()
