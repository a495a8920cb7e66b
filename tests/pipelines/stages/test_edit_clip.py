import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.media.encode import encode_video
from pipelines.schema import CLIPS, rows_table
from pipelines.stages.edit_clip import ClipEditor
from pipelines.storage import Storage
from tests.pipelines.fakes.editors import Large


@pytest.fixture
def output(tmp_path):
    frames = np.zeros((4, 16, 16, 3), np.uint8)
    clip = {"row_id": "c", "source_video": encode_video(frames, 8, 12), "fps": 8.0}
    output = Storage(str(tmp_path))
    output.commit_table("clips/a.parquet", rows_table([clip], CLIPS))
    return output


def test_a_clip_that_runs_out_of_memory_is_retried_with_a_lean_editor(output):
    def work(*targets):
        return {
            "clip_file": "clips/a.parquet",
            "clip_row": "c",
            "source_prompt": "a cat",
            "edit_ids": list(targets),
            "target_prompts": list(targets),
            "seeds": [0] * len(targets),
        }

    Large.made.clear()
    editor = ClipEditor(load_config(), output, Large, "1")
    committed, seconds = editor(work("small", "huge"))
    assert (committed["ok"], committed["failed"], len(seconds)) == (1, 1, 2)
    (failed,) = committed["failures"]
    assert (failed["row_id"], failed["error_type"]) == ("huge", "OutOfMemory")
    assert "even with execution.memory=lean" in failed["error_message"]
    assert editor(work("another"))[0]["ok"] == 1
    assert Large.made == ["normal", "lean"]
