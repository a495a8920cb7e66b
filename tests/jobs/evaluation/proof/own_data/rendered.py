"""A dataset of rendered clips whose colour goes with the motion, with edits of the other colour."""

import csv
import json

import numpy as np
import pyarrow as pa

from pipelines.ids import content_id
from pipelines.media.encode import encode_video
from pipelines.schema import DATASET, rows_table, with_extras
from pipelines.storage import Storage

FRAMES, SIZE, RATE = 8, 32, 8.0
RED, BLUE = (220, 20, 20), (20, 20, 220)
MOTIONS = ("left", "right")
USUAL = {"left": RED, "right": BLUE}
OTHER = {"left": BLUE, "right": RED}


def clip(motion, colour, place):
    """A square that moves, as MP4."""
    frames = np.full((FRAMES, SIZE, SIZE, 3), 120, np.uint8)
    for number in range(FRAMES):
        x = 2 + 2 * number if motion == "right" else SIZE - 12 - 2 * number
        frames[number, 2 + place : 12 + place, x : x + 10] = colour
    return encode_video(frames, RATE)


def rows(label=str, count=12, first=0, colours=USUAL, edited=OTHER):
    for number in range(first, first + count):
        motion = MOTIONS[number % 2]
        common = {"fps": RATE, "num_frames": FRAMES, "height": SIZE, "width": SIZE, "level": "edit"}
        common |= {"clip_id": content_id(clip=number), "label": label(motion), "status": "ok"}
        common |= {"source_video": clip(motion, colours[motion], number % 16)}
        common |= {"meta": json.dumps({"what": {"motion": motion}})}
        good = {"row_id": f"{number}-ok", "edited_video": clip(motion, edited[motion], number % 16)}
        wrong = clip(MOTIONS[1 - number % 2], RED, 0)
        bad = {"row_id": f"{number}-bad", "edited_video": wrong, "status": "rejected"}
        yield from (common | good, common | bad)


def write_dataset(folder, **choices):
    """Write a published dataset; returns its folder as text."""
    extras = pa.schema([("label", pa.string()), ("meta", pa.string())])
    table = rows_table(list(rows(**choices)), with_extras(DATASET, extras))
    Storage(str(folder)).write_table("dataset/part-00000.parquet", table, 5)
    return str(folder)


def write_folders(folder, count=12):
    """Write conflicting clips, a folder for each class, and a manifest beside them."""
    listed = []
    for number in range(count):
        motion = MOTIONS[number % 2]
        name = f"{motion}/{number}.mp4"
        (folder / motion).mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(clip(motion, OTHER[motion], number % 16))
        listed.append({"uri": name, "label": motion})
    with (folder / "manifest.csv").open("w") as file:
        writer = csv.DictWriter(file, ["uri", "label"])
        writer.writeheader()
        writer.writerows(listed)
    return str(folder)
