"""Reading of the datasets of runs, written here from rendered edits."""

from dataclasses import replace

import pytest

from jobs.evaluation.proof.edits import EDITORS, config, edit_clips
from jobs.evaluation.proof.material import counterfactuals
from jobs.evaluation.proof.settings import SETTINGS
from jobs.evaluation.proof.worlds import VALUES, draw_training, render_all
from pipelines.media.encode import encode_video
from pipelines.schema import DATASET, rows_table
from pipelines.storage import Storage
from strmatch.miniature.scenes import attributes, caption, with_attributes

FIGURE = SETTINGS[1]


@pytest.fixture(scope="module")
def samples():
    return draw_training(FIGURE, 4, 1.0, seed=3)


def edited(samples, change):
    """Scenes and their edits to another background, which `change` draws."""
    others = [next(v for v in VALUES["background"] if v != one.nuisance) for one in samples]
    wanted = [
        with_attributes(one.scene, background=other)
        for one, other in zip(samples, others, strict=True)
    ]
    drawn, _ = render_all([change(scene) for scene in wanted])
    for index, (one, target, frames) in enumerate(zip(samples, wanted, drawn, strict=True)):
        yield {
            "row_id": f"{index}",
            "level": "edit",
            "status": "rejected" if index == 2 else "ok",
            "source_uri": f"{index:04d}.mp4",
            "source_prompt": caption(one.scene),
            "target_prompt": caption(target),
            "edited_video": encode_video(frames, 8.0),
        }


def write_runs(output, samples, changes):
    """Write the datasets of all editors as finished runs, in any order of rows."""
    for name, change in changes.items():
        rows = list(edited(samples, change))[::-1]
        rows.append({"row_id": "none", "level": "clip", "status": "failed"})
        file = f"runs/{FIGURE.name}/editors/{name}/dataset/part-00000.parquet"
        output.write_table(file, rows_table(rows, DATASET))
    output.write(f"runs/{FIGURE.name}/_SUCCESS", b"")


def another_figure(scene):
    shape = "cross" if attributes(scene).shape != "cross" else "star"
    return with_attributes(scene, shape=shape)


def test_edits_are_read_with_their_verdict_and_compared_with_the_truth(samples, tmp_path):
    output = Storage(str(tmp_path))
    changes = {
        "str_match": lambda scene: scene,
        "lambda_0": another_figure,
        "sdedit": lambda scene: with_attributes(scene, colour="red"),
    }
    write_runs(output, samples, changes)
    frames, _ = render_all([one.scene for one in samples])
    found = edit_clips(FIGURE, samples, frames, output)
    assert list(found) == list(EDITORS)
    for edits in found.values():
        assert [edit.clip for edit in edits] == [0, 1, 2, 3]
        assert [edit.ok for edit in edits] == [True, True, False, True]
        assert edits[0].frames.shape == frames[0].shape
    assert all(edit.kept and edit.right for edit in found["str_match"])
    assert not any(edit.kept or edit.right for edit in found["lambda_0"])
    red = [attributes(one.scene).colour == "red" for one in samples]
    assert all(edit.kept for edit in found["sdedit"])
    assert [edit.right for edit in found["sdedit"]] == red


def test_editors_differ_in_their_own_settings_only():
    configs = [config(FIGURE, name) for name in EDITORS]
    assert [one.editor for one in configs] == ["str_match", "str_match", "sdedit"]
    assert [one.edit.lam for one in configs][1] == 0 < configs[0].edit.lam
    for one in configs:
        assert one.annotate.target_kinds == ("background",)
        assert one.publish.bounds == configs[0].publish.bounds != {}


def test_counterfactuals_have_another_background_and_nothing_else(samples):
    drawn = counterfactuals(FIGURE, samples, seed=3)
    for index, one in enumerate(samples):
        others = [replace(one.scene, background=v) for v in VALUES["background"]]
        shown, _ = render_all(others)
        same = [(drawn[index] == frames).all() for frames in shown]
        assert sum(same) == 1
        assert VALUES["background"][same.index(True)] != one.nuisance
