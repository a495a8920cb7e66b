"""The shipped weights on a small sample, far enough from the edge to hold on any machine."""

from collections import defaultdict
from functools import partial

import pytest

from jobs.evaluation.miniature.cases import draw_edits, draw_scenes
from jobs.evaluation.miniature.examiner import METHODS, MiniatureExaminer
from jobs.evaluation.miniature.suite import edit_figures, figures
from jobs.evaluation.pool import Pool

pytestmark = pytest.mark.slow
SEED = 0


@pytest.fixture(scope="module")
def pool():
    with Pool(partial(MiniatureExaminer, "miniature"), processes=2) as pool:
        yield pool


def rows(pool, tasks):
    return [clip.row for clips in pool.run(tasks) for clip in clips]


def test_clips_show_what_their_prompts_say(pool):
    scenes = draw_scenes(6, "test", SEED)
    made = rows(pool, [("generation", ([scene], i)) for i, scene in enumerate(scenes)])
    generation = figures(defaultdict(list, generation=made))
    shown = {name: figure.value for name, figure in generation["generation"].items()}
    assert shown["colour"] >= 0.75 and shown["background"] >= 0.75
    assert shown["shape"] >= 0.5 and shown["motion"] >= 0.6


def test_clips_come_back_from_latents_and_from_noise_and_clip_knows_them(pool):
    scenes = draw_scenes(6, "test", SEED)
    trips = rows(pool, [("round_trip", (scene, i)) for i, scene in enumerate(scenes)])
    assert all(row["vae_psnr"] > 31 for row in trips)
    # In 2 of 24 clips of the dev list, stripes or checks come back shifted (13 and 16 dB).
    assert sum(row["psnr"] > 25 for row in trips) >= 5
    assert sum(row["clip_top1"] for row in trips) >= 5


def test_edits_do_what_is_asked_and_keep_the_rest(pool):
    cases = draw_edits(3, "test", SEED + 1)
    methods = {name: METHODS[name] for name in ("str_match", "str_match_masked")}
    made = rows(pool, [("edits", (case, i, methods)) for i, case in enumerate(cases)])
    free, masked = edit_figures(made[0::2]), edit_figures(made[1::2])
    for edits in (free, masked):
        assert edits["subject_colour"].value >= 0.6
        assert edits["subject_shape"].value >= 0.5
        assert edits["centroid_px"].value < 3
        assert edits["background_psnr"].value > 35
