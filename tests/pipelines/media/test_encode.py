import os
import subprocess
import sys

import numpy as np

from pipelines.media.encode import encode_video

SCRIPT = """
import hashlib, sys
import numpy as np
from pipelines.media.encode import encode_video
from pipelines.media.video import decode_video, open_video

noise = np.random.default_rng(0).integers(0, 256, (96, 160, 3), dtype=np.uint8)
noise = (noise.astype(int) + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) // 3
frames = np.stack([noise[i : i + 64, 2 * i : 2 * i + 96] for i in range(16)]).astype(np.uint8)
data = encode_video(frames, 8.0)
with open(sys.argv[1], "wb") as file:
    file.write(data)
with open_video(sys.argv[1]) as video:
    shown = video.frames(range(16))
for result in (data, decode_video(data).tobytes(), shown.tobytes()):
    print(hashlib.sha256(result).hexdigest())
"""


def test_bytes_and_pixels_do_not_depend_on_uninitialised_memory(tmp_path):
    """Reading uninitialised memory would make an encoder or scaler differ between processes."""
    results = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / f"{fill}.mp4")],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"MALLOC_PERTURB_": str(fill)},
        ).stdout
        for fill in (0, 1, 85, 170, 255)
    }
    assert len(results) == 1


def test_equal_frames_give_equal_bytes():
    frames = np.random.default_rng(0).integers(0, 256, (5, 32, 48, 3), dtype=np.uint8)
    assert encode_video(frames, 7.5) == encode_video(frames.copy(), 7.5)
