"""Metrics by object, on a clip with a white square at the left and one at the right."""

import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.config.sections import Bounds
from pipelines.english.change import EditedPrompt
from pipelines.metrics import BackgroundDifference, Changed
from pipelines.stages.metrics.object_metrics import measured_objects, object_samples
from pipelines.stages.quality_limits import apply_limits
from strmatch.metrics.base import Sample
from tests.pipelines.fakes.metrics import Length

FRAMES = 4
EDITS = [
    {"words": f"white {noun}", "kind": "recolour", "source_word": "white", "target_word": colour}
    | {"where": "subject"}
    for noun, colour in (("cat", "red"), ("dog", "blue"))
]
PROMPTS = EditedPrompt("a white cat and a white dog", "a red cat and a blue dog", edits=EDITS)


def squares():
    masks = np.zeros((2, FRAMES, 32, 64), bool)
    masks[0, :, 8:24, 8:24] = True
    masks[1, :, 8:24, 40:56] = True
    return masks


def edit(*colours):
    """The edit in which the squares have these colours."""
    source = np.full((FRAMES, 32, 64, 3), 90, np.uint8)
    masks = squares()
    source[masks.any(axis=0)] = 255
    edited = source.copy()
    for mask, colour in zip(masks, colours, strict=True):
        edited[mask] = colour
    union = masks.any(axis=0)
    return Sample(source, edited, union, PROMPTS.source_prompt, PROMPTS.target_prompt, fps=8.0)


def measure(sample, *metrics, length=FRAMES):
    objects = object_samples(sample, [*squares()], PROMPTS)
    named = {type(metric).__name__: metric for metric in metrics}
    return measured_objects(named, sample, objects, length)


RED, BLUE, WHITE = (200, 30, 30), (30, 30, 200), (255, 255, 255)


def test_each_object_is_judged_as_if_it_were_the_only_edit():
    sample = edit(RED, BLUE)
    cat, dog = object_samples(sample, [*squares()], PROMPTS)
    alone = edit(RED, WHITE)
    assert (cat.edited == alone.edited).all() and (cat.mask == squares()[0]).all()
    assert cat.target_prompt == "a red cat and a white dog"
    assert dog.target_prompt == "a white cat and a blue dog"
    assert cat.source_prompt == dog.source_prompt == PROMPTS.source_prompt


def test_the_value_of_an_edit_is_that_of_its_worst_object():
    """A dog that stays white is hidden in the mean over both squares."""
    config = load_config()
    metrics = (Changed(config), BackgroundDifference(config))
    both, half = measure(edit(RED, BLUE), *metrics), measure(edit(RED, WHITE), *metrics)
    assert dict(both["metrics"])["Changed"] > 0.9
    assert metrics[0](edit(RED, WHITE)) > 0.9
    cat, dog = (dict(values)["Changed"] for values in half["by_object"])
    assert cat > 0.9 and dog == 0
    assert dict(half["metrics"]) == {"Changed": 0.0, "BackgroundDifference": 0.0}
    assert [list(dict(values)) for values in half["by_object"]] == [["Changed"], ["Changed"]]

    given = half | {"status": "ok", "measure_seconds": 1.0}
    given |= dict.fromkeys(("error_stage", "error_type", "error_message"))
    verdict = apply_limits(given, {"Changed": Bounds(min=0.5)})
    assert verdict["status"] == "rejected"
    assert verdict["error_message"] == "Changed 0 is under 0.5 (publish.limits)"
    assert verdict["edit_metrics"] == f'[{{"Changed": {cat}}}, {{"Changed": 0.0}}]'
    assert apply_limits(given, {})["status"] == "ok"


@pytest.mark.parametrize("length", [2, 4])
def test_the_worst_window_is_that_of_the_worst_object(length):
    sample = edit(RED, BLUE)
    sample.edited[2:, :, 32:] = sample.source[2:, :, 32:]
    found = measure(sample, Changed(load_config()), length=length)
    assert dict(found["metrics"])["Changed"] == pytest.approx(
        0.49 if length == 2 else 0.95, abs=0.05
    )
    assert found["worst"] == (None if length == 4 else [("Changed", 0.0)])


def test_a_metric_of_the_whole_is_computed_once():
    result = measure(edit(RED, BLUE), Length(load_config()))
    assert result["metrics"] == [("Length", FRAMES)]
    assert result["by_object"] == [[], []]
