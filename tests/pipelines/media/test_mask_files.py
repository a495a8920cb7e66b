"""Masks in every usual form, against the boxes that were drawn."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from pipelines.errors import RowError
from pipelines.media import masks
from pipelines.media.mask_files import Frames, read_mask
from tests.pipelines.support.videos import write_video

COUNT, HEIGHT, WIDTH = 12, 32, 64
FRAMES = Frames(COUNT, HEIGHT, WIDTH, (HEIGHT, WIDTH))
CHOSEN = [2, 9, 11]


def boxes():
    """bool (COUNT, HEIGHT, WIDTH): a box that moves."""
    drawn = np.zeros((COUNT, HEIGHT, WIDTH), bool)
    for number, frame in enumerate(drawn):
        frame[8:24, 2 * number : 2 * number + 20] = True
    return drawn


def labels():
    """uint8 (COUNT, HEIGHT, WIDTH): the box has label 3, another object 7."""
    drawn = boxes().astype(np.uint8) * 3
    drawn[:, 28:, :8] = 7
    return drawn


def load(path, label=None, frames=FRAMES, chosen=CHOSEN):
    return np.stack([*read_mask(str(path), chosen, frames, {}, label)])


def refusal(path, label=None, frames=FRAMES):
    with pytest.raises(RowError) as caught:
        load(path, label, frames)
    assert caught.value.type == "BadMask" and path.name in caught.value.message
    return caught.value.message


def write_pictures(folder, images, name="{}.png"):
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        image.save(folder / name.format(number))
    return folder


def palette(frame):
    image = Image.fromarray(frame, "P")
    image.putpalette([200, 10, 10, *([0, 0, 0] * 255)])  # the background is red, the object black
    return image


def cut_out(frame):
    colours = np.random.default_rng(0).integers(0, 256, (*frame.shape, 3), np.uint8)
    return Image.fromarray(np.dstack([colours, frame * np.uint8(255)]), "RGBA")


FORMS = {
    "0 and 255": lambda frame: Image.fromarray(frame * np.uint8(255)),
    "0 and 1": lambda frame: Image.fromarray(frame.astype(np.uint8)),
    "one bit": lambda frame: Image.fromarray(frame),
    "16 bits": lambda frame: Image.fromarray(frame.astype(np.uint16) * 513),
    "palette": lambda frame: palette(frame.astype(np.uint8)),
    "colours": lambda frame: Image.fromarray(frame[..., None] * np.array([0, 0, 90], np.uint8)),
    "transparency": cut_out,
    "opaque": lambda frame: Image.fromarray(frame * np.uint8(255)).convert("RGBA"),
}


@pytest.mark.parametrize("form", FORMS)
def test_pictures_of_every_form_are_read_by_number(tmp_path, form):
    folder = write_pictures(tmp_path / "masks", map(FORMS[form], boxes()))  # 10.png before 2.png
    (folder / ".DS_Store").write_bytes(b"x")
    np.testing.assert_array_equal(load(folder), boxes()[CHOSEN])


def test_pictures_may_be_jpeg_and_begin_at_any_number(tmp_path):
    images = [Image.fromarray(frame * np.uint8(255)) for frame in boxes()]
    (tmp_path / "masks").mkdir()
    for number, image in enumerate(images, start=1):
        image.save(tmp_path / "masks" / f"clip7_{number:03d}.jpg", quality=95)
    assert (load(tmp_path / "masks") == boxes()[CHOSEN]).mean() > 0.99


def test_a_label_selects_one_object(tmp_path):
    pictures = write_pictures(tmp_path / "masks", map(Image.fromarray, labels()))
    palettes = write_pictures(tmp_path / "palettes", map(palette, labels()))
    np.savez(tmp_path / "masks.npz", masks=labels().astype(np.int32))
    for path in (pictures, palettes, tmp_path / "masks.npz"):
        np.testing.assert_array_equal(load(path, 3), boxes()[CHOSEN])
        np.testing.assert_array_equal(load(path), labels()[CHOSEN] > 0)
    colours = write_pictures(tmp_path / "colours", map(FORMS["colours"], boxes()))
    assert "no labels" in refusal(colours, 3)


def test_arrays_are_read(tmp_path):
    for name, array in {
        "bool.npy": boxes(),
        "last.npy": boxes()[..., None],
        "probability.npy": np.where(boxes(), 0.8, 0.3),
    }.items():
        np.save(tmp_path / name, array)
        np.testing.assert_array_equal(load(tmp_path / name), boxes()[CHOSEN])
    np.savez(tmp_path / "two.npz", a=boxes(), b=boxes())
    assert "the arrays a, b" in refusal(tmp_path / "two.npz")
    np.save(tmp_path / "nan.npy", np.where(boxes(), np.nan, 0))
    assert "not finite" in refusal(tmp_path / "nan.npy")
    np.save(tmp_path / "object.npy", np.array([{}] * COUNT), allow_pickle=True)
    assert "allow_pickle" in refusal(tmp_path / "object.npy")
    np.save(tmp_path / "flat.npy", boxes()[0])
    assert "shape (32, 64)" in refusal(tmp_path / "flat.npy")


def test_run_lengths_are_those_of_coco():
    for frame in (*boxes(), np.zeros((5, 7), bool), np.ones((5, 7), bool)):
        rle = coco.encode(np.asfortranarray(frame, np.uint8))
        np.testing.assert_array_equal(masks.decode(masks.encode(frame[None]))[0], frame)
        text = {"size": rle["size"], "counts": rle["counts"].decode()}
        np.testing.assert_array_equal(masks.decode([text])[0], coco.decode(rle).astype(bool))
    noise = np.random.default_rng(0).random((40, 50)) > 0.5
    np.testing.assert_array_equal(masks.decode(masks.encode(noise[None]))[0], noise)


def test_null_is_an_empty_frame(tmp_path):
    rles = masks.encode(boxes())
    rles[9] = None
    (tmp_path / "m.json").write_text(json.dumps(rles))
    expected = boxes()
    expected[9] = False
    np.testing.assert_array_equal(load(tmp_path / "m.json"), expected[CHOSEN])


@pytest.mark.parametrize("counts", ["04", [0, 10], [10, 5000], [-5, 2053], "0"])
def test_run_lengths_that_do_not_fill_the_frame_are_refused(tmp_path, counts):
    rles = masks.encode(boxes())
    rles[9] = {"size": [HEIGHT, WIDTH], "counts": counts}
    (tmp_path / "m.json").write_text(json.dumps(rles))
    assert f"not {HEIGHT} × {WIDTH}" in refusal(tmp_path / "m.json")


def test_another_count_or_shape_is_refused(tmp_path):
    white = [Image.fromarray(frame * np.uint8(255)) for frame in boxes()]
    folder = write_pictures(tmp_path / "masks", white)
    for change, words in (
        ({"total": COUNT - 1}, "has 12 frames, the video 11"),
        ({"total": COUNT + 1}, "has 12 frames, the video 13"),
        ({"width": 65, "stored": (HEIGHT, 65)}, "is 64×32 pixels, the video 65×32"),
    ):
        assert words in refusal(folder, frames=FRAMES._replace(**change))
    wide = FRAMES._replace(width=2 * WIDTH)  # pixels twice as wide as high
    np.testing.assert_array_equal(load(folder, frames=wide)[..., ::2], boxes()[CHOSEN])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "notes.txt").write_text("x"), "notes.txt"),
        (lambda folder: (folder / "cover.png").write_bytes(b"x"), "cover.png"),
        (lambda folder: (folder / "sub").mkdir(), "sub"),
        (lambda folder: (folder / "5.png").rename(folder / "15.png"), "no picture has number 5"),
        (lambda folder: (folder / "05.png").write_bytes(b""), "the same number"),
        (lambda folder: (folder / "9.png").write_bytes(b"x"), "9.png is no picture"),
    ],
)
def test_a_folder_with_other_files_or_gaps_is_refused(tmp_path, change, words):
    white = [Image.fromarray(frame * np.uint8(255)) for frame in boxes()]
    folder = write_pictures(tmp_path / "masks", white)
    change(folder)
    assert words in refusal(folder)


def test_a_video_is_read_and_a_dark_one_refused(tmp_path):
    white = np.repeat(boxes()[..., None], 3, axis=-1) * np.uint8(255)
    path = write_video(tmp_path / "white.mp4", white)
    assert (load(path) == boxes()[CHOSEN]).mean() > 0.98
    dark = write_video(tmp_path / "dark.mp4", white // 200 * 2, options={"crf": "0"})
    assert "white is inside" in refusal(dark)
    empty = write_video(tmp_path / "empty.mp4", white * 0)
    assert not load(empty).any()
    short = write_video(tmp_path / "short.mp4", white[:-1])
    assert "has 11 frames" in refusal(short)


def test_a_dark_jpeg_is_refused(tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    for number, frame in enumerate(boxes()):
        cv2.imwrite(str(folder / f"{number}.jpg"), frame.astype(np.uint8) * 3)
    assert "white is inside" in refusal(folder)
