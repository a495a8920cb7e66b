import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from strmatch import WeightsError, load_backbone
from strmatch.backbones.folder import weights_folder
from strmatch.weights.manifest import weights_revision
from strmatch.weights.source import Access
from tests.strmatch.tiny import save_backbone, tiny_backbone

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone(dtype=torch.float32)


@pytest.fixture(scope="module")
def saved(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny model")
    save_backbone(backbone, folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "model"))


def change_weights(path, change):
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def test_a_saved_model_is_loaded_unchanged(backbone, folder):
    loaded = load_backbone(folder, device="cpu")
    latents = torch.randn(1, 4, 4, 8, 8)
    embedding = backbone.embed("a red circle")
    assert torch.equal(loaded.embed("a red circle"), embedding)
    assert torch.equal(
        loaded.predict(latents, 500, embedding), backbone.predict(latents, 500, embedding)
    )
    assert loaded.revision == weights_revision(folder)
    assert load_backbone(folder, dtype=torch.float64).dtype == torch.float64


def test_the_revision_depends_on_the_contents(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    assert weights_revision(copy) == weights_revision(folder)
    change_weights(copy / UNET, lambda weights: weights["conv_in.bias"].add_(1))
    assert weights_revision(copy) != weights_revision(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda weights, name: weights.pop(name),
        lambda weights, name: weights.update({"surplus": torch.zeros(1)}),
        lambda weights, name: weights.update({name: torch.zeros(3)}),
    ],
    ids=["missing", "surplus", "misshapen"],
)
@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("unet", "conv_in.bias"),
        ("vae", "encoder.conv_in.bias"),
        ("text_encoder", "final_layer_norm.bias"),
    ],
)
def test_weights_that_do_not_fit_exactly_are_refused(folder, part, name, change):
    (path,) = (folder / part).glob("*.safetensors")
    change_weights(path, lambda weights: change(weights, name))
    with pytest.raises(WeightsError, match=part):
        load_backbone(folder)


def test_the_message_lists_three_of_many_mismatched_tensors(folder):
    (path,) = (folder / "vae").glob("*.safetensors")

    def strip(weights):
        for name in sorted(weights)[:5]:
            del weights[name]

    change_weights(path, strip)
    with pytest.raises(
        WeightsError,
        match=r"^\S+/vae does not fit AutoencoderKL: (\S+ is missing(, |; )){3}2 more$",
    ):
        load_backbone(folder)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"_class_name": "UNet2DConditionModel"}', "LaVieUNet, UNet3DConditionModel, UNetMotion"),
        ("{}", "_class_name must be one of .* got None"),
        ("{", "cannot read .*config.json"),
    ],
)
def test_a_unet_of_an_unknown_class_is_refused(folder, config, message):
    (folder / "unet/config.json").write_text(config)
    with pytest.raises(WeightsError, match=message):
        load_backbone(folder)


def test_pickled_weights_are_not_read(folder):
    weights = load_file(folder / UNET)
    (folder / UNET).unlink()
    torch.save(weights, folder / "unet/diffusion_pytorch_model.bin")
    with pytest.raises(WeightsError, match="LaVieUNet"):
        load_backbone(folder)


def test_a_uri_is_downloaded_only_once(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("STRMATCH_CACHE", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/models/tiny", recursive=True)
    loaded = load_backbone("memory://models/tiny")
    assert loaded.revision == weights_revision(folder)
    memory.rm("/models/tiny", recursive=True)
    assert load_backbone("memory://models/tiny").revision == loaded.revision
    with pytest.raises(WeightsError, match="memory://models/none"):
        load_backbone("memory://models/none")
    assert sum(path.is_dir() for path in (tmp_path / "cache").iterdir()) == 1


def test_editors_that_start_together_download_once(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("STRMATCH_CACHE", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/models/shared", recursive=True)
    fetched, get = [], type(memory).get

    def slow(self, *arguments, **options):
        fetched.append(arguments[0])
        time.sleep(0.3)
        return get(self, *arguments, **options)

    monkeypatch.setattr(type(memory), "get", slow)
    with ThreadPoolExecutor(4) as editors:
        folders = set(editors.map(weights_folder, ["memory://models/shared"] * 4))
    assert len(fetched) == 1 and len(folders) == 1


def test_missing_weights_are_reported_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("STRMATCH_CACHE", str(tmp_path / "cache"))
    with pytest.raises(WeightsError, match="Vchitect/LaVie at f3d0.* is not in the cache"):
        load_backbone("lavie", access=Access(offline=True))
    assert not list((tmp_path / "cache").glob("lavie*/"))
    with pytest.raises(WeightsError, match=r"nowhere is no model folder: it has no unet/"):
        load_backbone(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("source", "options", "error", "message"),
    [
        ("lavei", {}, WeightsError, "no preset or folder 'lavei'; the presets are miniature, .*"
         "; did you mean 'lavie'"),
        (None, {}, TypeError, "source must be a string or of type PathLike, got None"),
        ("miniature", {"dtype": "float16"}, TypeError, "dtype must be of type dtype or None"),
        ("miniature", {"dtype": torch.int8}, ValueError, "dtype must be a floating-point type"),
        ("miniature", {"device": "gpu"}, ValueError, "device 'gpu' cannot be used: "),
        ("miniature", {"device": "cuda:99"}, ValueError, "device 'cuda:99' cannot be used: "),
        ("miniature", {"compiled": "no"}, TypeError, "compiled must be True or False, got 'no'"),
        ("miniature", {"settings": {}}, TypeError, "settings must be of type EditSettings or"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused_by_its_name(source, options, error, message):
    with pytest.raises(error, match=message) as raised:
        load_backbone(source, **options)
    assert "\n" not in str(raised.value)


def test_importing_the_library_does_not_import_the_pipelines():
    code = (
        "import sys, strmatch; "
        "print([m for m in ('ray', 'pyarrow', 'decord', 'diffusers') if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert printed.stdout.strip() == "[]"
