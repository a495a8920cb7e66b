import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.media.encode import encode_video
from pipelines.schema import CLIPS, rows_table
from pipelines.stages.edit_clip import ClipEditor
from pipelines.storage import Storage
from tests.pipelines.fakes.editors import Careless, Large


@pytest.fixture
def output(tmp_path):
    frames = np.zeros((4, 16, 16, 3), np.uint8)
    clip = {"row_id": "c", "source_video": encode_video(frames, 8, 12), "fps": 8.0}
    output = Storage(str(tmp_path))
    output.commit_table("clips/a.parquet", rows_table([clip], CLIPS))
    return output


def work(*targets):
    return {
        "clip_file": "clips/a.parquet",
        "clip_row": "c",
        "source_prompt": "a cat",
        "edit_ids": list(targets),
        "target_prompts": list(targets),
        "seeds": [0] * len(targets),
    }


def test_a_clip_that_runs_out_of_memory_is_retried_with_a_lean_editor(output):
    Large.made.clear()
    editor = ClipEditor(load_config(), output, Large, "1")
    committed, seconds = editor(work("small", "huge"))
    assert (committed["ok"], committed["failed"], len(seconds)) == (1, 1, 2)
    (failed,) = committed["failures"]
    assert (failed["row_id"], failed["error_type"]) == ("huge", "OutOfMemory")
    assert "even with execution.memory=lean" in failed["error_message"]
    assert editor(work("another"))[0]["ok"] == 1
    assert Large.made == ["normal", "lean"]


def test_anything_but_frames_of_the_clips_shape_is_a_failed_edit(output):
    faults = {
        "nan": ("NotFinite", "NaN or infinite values"),
        "infinite": ("NotFinite", "NaN or infinite values"),
        "float": ("BadFrames", "returned float64 (4, 16, 16, 3), not uint8 (4, 16, 16, 3)"),
        "integers": ("BadFrames", "returned int64 (4, 16, 16, 3), not uint8"),
        "shorter": ("BadFrames", "returned uint8 (3, 16, 16, 3), not uint8 (4, 16, 16, 3)"),
        "smaller": ("BadFrames", "returned uint8 (4, 8, 8, 3), not uint8 (4, 16, 16, 3)"),
        "transposed": ("BadFrames", "returned uint8 (4, 3, 16, 16), not uint8 (4, 16, 16, 3)"),
        "list": ("BadFrames", "returned list, not uint8"),
        "nothing": ("BadFrames", "returned NoneType, not uint8"),
    }
    editor = ClipEditor(load_config(), output, Careless, "1")
    committed, _ = editor(work("frames", *faults))
    assert (committed["ok"], committed["failed"]) == (1, len(faults))
    for failed in committed["failures"]:
        kind, message = faults[failed["row_id"]]
        assert failed["error_type"] == kind and message in failed["error_message"]
