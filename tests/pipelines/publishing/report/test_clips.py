import numpy as np

from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_frames, encode_video
from pipelines.media.video.opening import open_video
from pipelines.publishing.report.clips import TINT, TINTS, write_clips
from pipelines.storage import Storage


def test_a_mask_is_laid_over_the_source(tmp_path):
    frames = np.full((4, 48, 64, 3), (40, 120, 60), np.uint8)
    mask = np.zeros(frames.shape[:3], bool)
    mask[:3, 12:36, 16:40] = True  # the mask of the last frame is empty
    video = encode_video(frames, 8.0)
    row = {
        "row_id": "masked",
        "fps": 8.0,
        "timestamps": None,
        "height": 48,
        "width": 64,
        "source_video": video,
        "edited_video": video,
    }
    written = write_clips(Storage(str(tmp_path)), row | {"mask": masks.encode(mask)})

    assert written == ["source", "edit", "mask"]
    shown = decode_video((tmp_path / "report/clips/masked-mask.mp4").read_bytes()).astype(int)
    source = decode_video(video)
    # Colour is stored at half the resolution, and bleeds over edges.
    half = (frames[0, 0, 0] // 2 + TINT // 2).astype(int)
    assert np.abs(shown[:3, 16:32, 20:36] - half).max() < 16
    assert np.abs(shown[:3, 12:36, [16, 39]] - half).mean() > 16
    assert np.abs(shown[:, :8] - source[:, :8]).max() < 16
    assert np.abs(shown[3] - source[3]).max() < 16


def test_each_of_several_edits_has_a_colour_of_its_own(tmp_path):
    frames = np.full((2, 48, 96, 3), (40, 120, 60), np.uint8)
    left = np.zeros(frames.shape[:3], bool)
    left[:, :, :32] = True
    right = left[:, :, ::-1]
    things = [{"id": n, "mask": masks.encode(mask)} for n, mask in enumerate((left, right))]
    row = {"row_id": "r", "fps": 8.0, "timestamps": None, "height": 48, "width": 96}
    row |= {"source_video": encode_video(frames, 8.0), "edited_video": None, "objects": things}
    row |= {"mask": masks.encode(left | right), "edits": [{"object": 1}, {"object": 0}]}
    write_clips(Storage(str(tmp_path)), row)
    shown = decode_video((tmp_path / "report/clips/r-mask.mp4").read_bytes()).astype(int)
    for columns, tint in ((slice(4, 28), TINTS[1]), (slice(68, 92), TINTS[0])):
        half = (frames[0, 0, 0] // 2 + tint // 2).astype(int)
        assert np.abs(shown[:, 4:44, columns] - half).max() < 16
    assert np.abs(shown[:, 8:40, 40:56] - frames[0, 0, 0]).max() < 16


def test_the_overlay_of_a_large_source_is_small(tmp_path):
    frames = np.full((3, 540, 961, 3), (40, 120, 60), np.uint8)
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, :270] = True
    row = {"row_id": "r", "fps": 8.0, "timestamps": [0.0, 0.1, 0.5], "height": 540, "width": 961}
    row |= {"source_video": encode_frames(frames, 8.0), "edited_video": None}
    write_clips(Storage(str(tmp_path)), row | {"mask": masks.encode(mask)})
    with open_video(str(tmp_path / "report/clips/r-mask.mp4")) as video:
        assert (video.height, video.width) == (288, 512)
        np.testing.assert_allclose(video.timestamps, row["timestamps"], atol=1e-4)
        shown = video.frames([0])[0].astype(int)
    half = (frames[0, 0, 0] // 2 + TINT // 2).astype(int)
    assert np.abs(shown[8:136, 8:-8] - half).max() < 16
    assert np.abs(shown[152:] - frames[0, 0, 0]).max() < 16


def test_only_existing_videos_become_files(tmp_path):
    video = encode_video(np.zeros((2, 16, 16, 3), np.uint8), 8.0)
    row = {
        "row_id": "r",
        "fps": 8.0,
        "timestamps": None,
        "source_video": video,
        "edited_video": None,
        "mask": None,
    }
    assert write_clips(Storage(str(tmp_path)), row) == ["source"]
    assert [path.name for path in tmp_path.glob("report/clips/*")] == ["r-source.mp4"]
    nothing = row | {"row_id": "n", "source_video": None, "mask": [{"size": [1, 1], "counts": "0"}]}
    assert write_clips(Storage(str(tmp_path)), nothing) == []
