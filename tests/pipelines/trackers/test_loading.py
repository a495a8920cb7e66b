import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Sam2VideoModel

from pipelines.errors import ConfigError
from pipelines.trackers.segmenter_package import PackageSegmenter
from pipelines.trackers.segmenter_transformers import HFSegmenter
from strmatch.weights.errors import WeightsError
from strmatch.weights.source import Source
from tests.pipelines.trackers.components import PACKAGE_OVERRIDES, small_sam2


def test_a_model_with_a_missing_tensor_is_refused(sam2_hf_folder, tmp_path):
    shutil.copytree(sam2_hf_folder, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["no_memory_embedding"]
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match="no_memory_embedding"):
        HFSegmenter.load(Source(str(tmp_path)))


def test_transformers_models_in_pickles_are_refused(sam2_hf_folder, tmp_path):
    shutil.copy(sam2_hf_folder / "config.json", tmp_path)
    torch.save(small_sam2().state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="cannot load Sam2VideoModel"):
        HFSegmenter.load(Source(str(tmp_path)))


def test_loaded_weights_equal_the_saved_ones(sam2_hf_folder):
    saved = small_sam2().state_dict()
    loaded = HFSegmenter.load(Source(str(sam2_hf_folder))).model
    assert isinstance(loaded, Sam2VideoModel)
    assert not loaded.training
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, saved[name])


class Bomb:
    """Creates a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_loading_a_checkpoint_executes_no_code(sam2_folder, tmp_path):
    exploded = tmp_path / "exploded"
    torch.save({"model": Bomb(exploded)}, tmp_path / "sam2.1_hiera_tiny.pt")
    with pytest.raises(WeightsError, match="cannot load SAM2 from"):
        PackageSegmenter.load(Source(str(tmp_path)), overrides=PACKAGE_OVERRIDES)
    assert not exploded.exists()


@pytest.mark.parametrize("change", ["missing", "unexpected", "misshapen"])
def test_a_checkpoint_with_other_tensors_is_refused(sam2_folder, tmp_path, change):
    tensors = torch.load(sam2_folder / "sam2.1_hiera_tiny.pt", weights_only=True)["model"]
    if change == "missing":
        del tensors["no_mem_embed"]
    else:
        tensors["surplus" if change == "unexpected" else "no_mem_embed"] = torch.zeros(3)
    torch.save({"model": tensors}, tmp_path / "sam2.1_hiera_tiny.pt")
    with pytest.raises(WeightsError, match="no_mem_embed|surplus"):
        PackageSegmenter.load(Source(str(tmp_path)), overrides=PACKAGE_OVERRIDES)


def test_a_folder_without_one_known_checkpoint_is_refused(sam2_folder, tmp_path):
    with pytest.raises(WeightsError, match="must hold one file .*, and holds 0"):
        PackageSegmenter.load(Source(str(tmp_path)))
    (tmp_path / "mine.pt").touch()
    with pytest.raises(WeightsError, match="no model is known for mine.pt; there is sam2_"):
        PackageSegmenter.load(Source(str(tmp_path)))


def test_a_missing_package_is_reported_with_the_install_command(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sam2", None)
    with pytest.raises(ConfigError, match="pip install --no-build-isolation 'strmatch\\[sam2\\]'"):
        PackageSegmenter.load(Source(str(tmp_path)))
