import numpy as np
import pytest

from pipelines.config.sections import Detector
from pipelines.errors import Rejected
from pipelines.media.frames import frame_positions as sample
from pipelines.trackers.detector import Detection, SubjectDetector, choose, undisputed
from pipelines.trackers.segmenter import Box
from tests.pipelines.trackers.components import PATCHES


def detector(folder, **fields):
    return SubjectDetector(Detector(weights=str(folder), **fields))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (90, 160), (200, 120), (33, 47)])
def test_boxes_are_in_pixels_for_frames_of_any_shape(owlv2_folder, height, width):
    """The frame is padded at the right and below to a square, whose patches are the boxes."""
    white = np.full((height, width, 3), 255, np.uint8)
    finder = detector(owlv2_folder, threshold=0)
    seen = finder.processor(images=[white], return_tensors="pt").pixel_values[0].mean(dim=0)
    per_pixel = seen.shape[0] / max(height, width)
    inside = seen[: int(height * per_pixel) - 1, : int(width * per_pixel) - 1]
    assert inside.min() > seen.max() - 0.1
    assert (seen > seen.max() - 0.1).float().mean() < (
        height * width / max(height, width) ** 2
    ) + 0.1

    # Initial boxes of OWLv2 have the size of a patch around its lower right corner.
    patch = max(height, width) / PATCHES
    expected = []
    for row in range(1, PATCHES + 1):
        for column in range(1, PATCHES + 1):
            x0, y0 = (column - 0.5) * patch, (row - 0.5) * patch
            x1, y1 = min(x0 + patch, width), min(y0 + patch, height)
            if x1 - x0 >= 1 and y1 - y0 >= 1:
                expected.append((x0, y0, x1, y1))
    found = [detection.box for detection in finder.search(white, "a red circle", 0)]
    boxes = [(box.x0, box.y0, box.x1, box.y1) for box in found]
    np.testing.assert_allclose(boxes, expected, atol=0.02 * patch)


@pytest.fixture(params=["owlv2_folder", "grounding_dino_folder"])
def any_detector_folder(request):
    return request.getfixturevalue(request.param)


def test_detections_depend_on_the_words_and_the_frame(any_detector_folder):
    frames = np.random.default_rng(1).integers(0, 256, (2, 64, 96, 3), dtype=np.uint8)
    finder = detector(any_detector_folder, threshold=0)

    def scores(frame, words):
        return [d.score for d in finder.search(frame, words, 0)]

    circle = scores(frames[0], "a red circle")
    assert circle == scores(frames[0], "a red circle")
    assert circle != scores(frames[0], "a blue square")
    assert circle != scores(frames[1], "a red circle")
    scores(frames[0], "very " * 50 + "long words")  # longer than the text input of OWLv2


def test_the_chosen_detection_is_in_a_sampled_frame(any_detector_folder):
    frames = np.random.default_rng(2).integers(0, 256, (9, 48, 64, 3), dtype=np.uint8)
    found = detector(any_detector_folder, threshold=0, frames=2).find(frames, "a red circle")
    assert found.frame in (2, 6)
    assert found.box.x1 <= 64
    assert found.box.y1 <= 48


def test_no_detection_above_the_threshold_rejects_the_row(any_detector_folder):
    frames = np.zeros((5, 48, 64, 3), np.uint8)
    with pytest.raises(Rejected, match="no 'brown dog' with a score of 1 .* in 4 frames") as raised:
        detector(any_detector_folder, threshold=1).find(frames, "brown dog")
    assert raised.value.type == "SubjectNotFound"


@pytest.mark.parametrize(
    ("frames", "count", "expected"),
    [(16, 4, [2, 6, 10, 14]), (16, 1, [8]), (3, 4, [0, 1, 2]), (1, 4, [0]), (5, 2, [1, 3])],
)
def test_sampled_frames_are_spread_over_the_clip(frames, count, expected):
    assert sample(frames, count) == expected


def test_objects_are_found_in_the_order_of_their_phrases(any_detector_folder):
    frames = np.random.default_rng(2).integers(0, 256, (9, 48, 64, 3), dtype=np.uint8)
    finder = detector(any_detector_folder, threshold=0, frames=2)
    phrases = ["red circle", "blue square"]
    found = finder.find_all(frames, phrases)
    assert [each.words for each in found] == phrases[: len(found)]
    one, other = (
        [d for frame in (2, 6) for d in finder.search(frames[frame], words, frame)]
        for words in phrases
    )
    clear = undisputed({"red circle": one, "blue square": other})
    assert found[0] == choose(clear["red circle"])


def test_a_box_that_two_phrases_claim_belongs_to_the_higher_score():
    """The dog is also taken for a cat, and the cat at the right for a dog."""
    dogs = [at(0, 0.9, 10, words="dog"), at(0, 0.4, 10, 50, words="dog")]
    cats = [at(0, 0.6, 11, words="cat"), at(0, 0.5, 9, 50, words="cat")]
    elsewhere = at(1, 0.3, 10, words="cat")
    clear = undisputed({"dog": dogs, "cat": [*cats, elsewhere]})
    assert clear == {"dog": dogs[:1], "cat": [cats[1], elsewhere]}


def at(frame, score, side, x=0, words="dog"):
    return Detection(words, frame, Box(x, 0, x + side, side), score)


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        # Boxes equal except in score or in size: the higher score and the larger box win.
        ([at(0, 0.5, 10), at(1, 0.6, 10), at(2, 0.5, 10)], 1),
        ([at(0, 0.5, 10), at(1, 0.5, 11), at(2, 0.5, 10)], 1),
        # A dog in every frame wins over a much larger object in one frame.
        ([at(0, 0.8, 10), at(0, 0.5, 40), at(1, 0.8, 10), at(2, 0.9, 10)], 3),
        # The dog near the camera, not the one behind it.
        ([at(0, 0.8, 30), at(0, 0.8, 10, 50), at(1, 0.8, 31), at(1, 0.8, 10, 50)], 2),
        # A box of the whole frame with a low score is not chosen.
        ([at(0, 0.7, 30), at(0, 0.21, 100), at(1, 0.7, 30), at(1, 0.21, 100)], 0),
        ([at(3, 0.3, 5)], 0),
    ],
)
def test_the_largest_and_steadiest_detection_is_chosen(found, chosen):
    assert choose(found) is found[chosen]
