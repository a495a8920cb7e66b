import pytest

from pipelines.trackers.segmenter_package import PackageSegmenter
from pipelines.trackers.segmenter_transformers import HFSegmenter
from strmatch.weights.source import Source
from tests.pipelines.trackers.components import (
    PACKAGE_OVERRIDES,
    save_grounding_dino,
    save_owlv2,
    save_sam2_package,
    small_sam2,
)


@pytest.fixture(scope="session")
def sam2_hf_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sam2_hf")
    small_sam2().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sam2_folder(tmp_path_factory):
    """A folder with the same weights as `sam2_hf_folder`."""
    pytest.importorskip("sam2")
    folder = tmp_path_factory.mktemp("sam2")
    save_sam2_package(folder)
    return folder


@pytest.fixture(scope="session")
def owlv2_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("owlv2")
    save_owlv2(folder)
    return folder


@pytest.fixture(scope="session")
def grounding_dino_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grounding_dino")
    save_grounding_dino(folder)
    return folder


@pytest.fixture(scope="session")
def hf_segmenter(sam2_hf_folder):
    return HFSegmenter.load(Source(str(sam2_hf_folder)))


@pytest.fixture(scope="session")
def package_segmenter(sam2_folder):
    return PackageSegmenter.load(Source(str(sam2_folder)), overrides=PACKAGE_OVERRIDES)


@pytest.fixture(params=["hf_segmenter", "package_segmenter"])
def segmenter(request):
    return request.getfixturevalue(request.param)
