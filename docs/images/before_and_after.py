"""Draws edits of a published dataset beside their sources: the picture of the front page.

python docs/images/before_and_after.py demo/output/dataset docs/images/before_and_after.png
"""

import sys

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from pipelines.media.encode import decode_video

TARGETS = [
    "a blue square moving right over bricks",
    "a red cross moving left over checks",
    "a yellow circle moving up over stripes",
    "a green triangle moving down over bricks",
]
FRAMES = [0, 5, 10, 15]
SIDE, GAP, LINE, MARGIN = 128, 4, 26, 14


def strip(row: pd.Series, column: str, label: str, prompt: str) -> Image.Image:
    """A line of text above some frames of a clip, from left to right in time."""
    width = len(FRAMES) * (SIDE + GAP) - GAP
    image = Image.new("RGB", (width, LINE + SIDE), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(17)
    draw.text((0, 1), label, "#8a8f98", font)
    draw.text((62, 1), prompt, "#16181d", font)
    for place, frame in enumerate(decode_video(row[column])[FRAMES]):
        shown = Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        image.paste(shown, (place * (SIDE + GAP), LINE))
    return image


def pair(row: pd.Series) -> np.ndarray:
    """A source above its edit, with a margin."""
    rows = [
        strip(row, "source_video", "source", row.source_prompt),
        strip(row, "edited_video", "edit", row.target_prompt),
    ]
    stacked = np.concatenate([np.asarray(image) for image in rows])
    return np.pad(stacked, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=255)


def main(dataset: str, output: str) -> None:
    """Write the picture of `TARGETS`, two a line."""
    rows = pd.read_parquet(dataset).set_index("target_prompt", drop=False)
    pairs = [pair(rows.loc[target]) for target in TARGETS]
    lines = [np.concatenate(pairs[at : at + 2], axis=1) for at in range(0, len(pairs), 2)]
    picture = Image.fromarray(np.concatenate(lines))
    picture.quantize(255, dither=Image.Dither.NONE).save(output, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
