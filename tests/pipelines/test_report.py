import numpy as np

from pipelines import masks
from pipelines.encode import encode_video
from pipelines.report import TINT, write_report
from pipelines.schema import DATASET, rows_table
from pipelines.storage import Storage
from pipelines.video import decode_video


def test_a_mask_is_laid_over_the_source(tmp_path):
    frames = np.full((4, 48, 64, 3), (40, 120, 60), np.uint8)
    mask = np.zeros(frames.shape[:3], bool)
    mask[:3, 12:36, 16:40] = True  # in the last frame there is nothing
    video = encode_video(frames, 8.0)
    common = {"level": "edit", "status": "ok", "source_uri": "a.mp4", "start_seconds": 0.0}
    common |= {"fps": 8.0, "seconds": 1.0, "source_video": video, "edited_video": video}
    rows = [common | {"row_id": "masked", "mask": masks.encode(mask)}, common | {"row_id": "bare"}]
    output = Storage(str(tmp_path))
    output.write_table("dataset/part.parquet", rows_table(rows, DATASET))
    write_report(output, 10)

    assert not (tmp_path / "report/bare-mask.mp4").exists()
    page = (tmp_path / "report/index.html").read_text()
    assert page.count("<video") == 5 and 'src="masked-mask.mp4"' in page
    shown = decode_video((tmp_path / "report/masked-mask.mp4").read_bytes()).astype(int)
    source = decode_video(video)
    # Colour is stored at half the resolution, and bleeds over edges.
    half = (frames[0, 0, 0] // 2 + TINT // 2).astype(int)
    assert np.abs(shown[:3, 16:32, 20:36] - half).max() < 16
    assert np.abs(shown[:3, 12:36, [16, 39]] - half).mean() > 16
    assert np.abs(shown[:, :8] - source[:, :8]).max() < 16
    assert np.abs(shown[3] - source[3]).max() < 16
