import pytest

from jobs.generate import generate
from pipelines.errors import RunError
from pipelines.media.encode import decode_video

PROMPT = "a red circle moving right over bricks"


def test_a_clip_of_the_presets_size_is_written(tmp_path):
    path = tmp_path / "new" / "clip.mp4"
    generate(PROMPT, path, "miniature", None, 5, 1, None, seed=0)
    assert decode_video(path.read_bytes()).shape == (5, 64, 64, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "clip.avi"}, "clip.avi: a video is written as .mp4"),
        ({"preset": "lavi"}, "no preset 'lavi'; there are miniature, miniature-fast"),
        ({"preset": "lavie"}, "Vchitect/LaVie cannot be fetched from http://127.0.0.1:9"),
        ({"weights": "lavei"}, "no preset or folder 'lavei'; .*; did you mean 'lavie'"),
        ({"weights": "no/where"}, "no/where is no model folder"),
        ({"guidance": float("nan")}, "guidance_scale must be a finite number or None, got nan"),
        ({"output": "file/clip.mp4"}, "file/clip.mp4: File exists"),
    ],
)
def test_what_cannot_be_made_is_said_in_a_line(tmp_path, monkeypatch, changes, message):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    monkeypatch.setenv("STRMATCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").touch()
    asked = {"output": "clip.mp4", "preset": "miniature", "weights": None, "guidance": None}
    asked |= changes
    path, model = tmp_path / asked["output"], (asked["preset"], asked["weights"])
    with pytest.raises(RunError, match=message):
        generate(PROMPT, path, *model, 1, 1, asked["guidance"], 0)
