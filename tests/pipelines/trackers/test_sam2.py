import numpy as np
import pytest

from pipelines import plugins
from pipelines.config.loading import load_config
from pipelines.errors import Rejected
from pipelines.trackers.segmenter_package import PackageSegmenter
from tests.pipelines.trackers.components import PACKAGE_OVERRIDES

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 48, 80, 3), dtype=np.uint8)


def configured(folder, detector, *assignments):
    return load_config(
        assignments=[
            f"annotate.sam2.weights={folder}",
            f"annotate.detector.weights={detector}",
            "annotate.detector.threshold=0",
            "annotate.detector.frames=2",
            *assignments,
        ]
    )


@pytest.fixture(params=["sam2_hf", "sam2"])
def make(request, monkeypatch, owlv2_folder):
    """Construct the tracker as a worker does."""
    if request.param == "sam2":
        # The configurations of the package define model sizes, so the small model needs its own.
        load = PackageSegmenter.load
        monkeypatch.setattr(
            PackageSegmenter, "load", lambda *where: load(*where, overrides=PACKAGE_OVERRIDES)
        )
    folder = request.getfixturevalue(f"{request.param}_folder")

    def make(*assignments):
        config = configured(folder, owlv2_folder, *assignments)
        return plugins.find("tracker", request.param)(config)

    return make


def test_the_subject_is_detected_and_followed(make):
    tracker = make()
    mask = tracker(FRAMES, "red circle")
    seen = tracker.detector.find(FRAMES, "red circle")
    assert mask.dtype == bool
    assert mask.shape == (5, 48, 80)
    expected = tracker.segmenter.track(FRAMES, seen.box, seen.frame)
    np.testing.assert_array_equal(mask, expected)


def test_each_object_is_detected_and_followed(make):
    tracker = make()
    found = tracker.objects(FRAMES, ["red circle", "blue square"])
    seen = tracker.detector.find_all(FRAMES, ["red circle", "blue square"])
    assert [(each.words, each.score) for each in found] == [(s.words, s.score) for s in seen]
    for each, box in zip(found, seen, strict=True):
        expected = tracker.segmenter.track(FRAMES, box.box, box.frame)
        np.testing.assert_array_equal(each.mask, expected)


def test_a_missing_caption_or_subject_rejects_the_row(make):
    with pytest.raises(Rejected, match="annotate.tracker=motion") as raised:
        make()(FRAMES, None)
    assert raised.value.type == "NoSubject"
    with pytest.raises(Rejected) as raised:
        make("annotate.detector.threshold=1")(FRAMES, "red circle")
    assert raised.value.type == "SubjectNotFound"
