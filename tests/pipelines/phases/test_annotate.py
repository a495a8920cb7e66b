"""Annotators that require a GPU, on a real local cluster that declares one."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipelines.captioners.transformers_vlm import TransformersVLM
from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.media.encode import decode_video, encode_video
from pipelines.phases.annotate import divide
from pipelines.runs.open_run import open_run
from tests.pipelines.captioners.models import SENTENCES, qwen, teach
from tests.pipelines.trackers.components import save_owlv2, small_sam2

RED, BLUE = (200, 30, 30), (20, 30, 230)
SMALL = ["clip.num_frames=4", "clip.height=32", "clip.width=64"]
ASKED = ["annotate.captions.frames=2", "annotate.captions.max_new_tokens=10"]


@pytest.mark.parametrize(
    ("captioner", "tracker", "jobs"),
    [
        ("miniature", "contrast", ["clips captions masks targets"]),
        ("openai", "contrast", ["clips captions masks targets"]),
        ("transformers_vlm", "contrast", ["clips", "captions", "masks targets"]),
        ("template", "sam2_hf", ["clips captions", "masks", "targets"]),
        ("transformers_vlm", "sam2", ["clips", "captions", "masks", "targets"]),
    ],
)
def test_a_model_that_requires_a_gpu_has_a_separate_job(captioner, tracker, jobs):
    served = ["execution.endpoint.base_url=http://h/v1", "annotate.endpoint.model=m"]
    pinned = ["annotate.sam2.revision=main", "annotate.detector.revision=main"]
    chosen = [f"annotate.captioner={captioner}", f"annotate.tracker={tracker}"]
    config = load_config(assignments=[*served, *pinned, *chosen])
    assert [" ".join(steps) for steps in divide(config)] == jobs


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of tiny models: a captioner that tells red from blue, SAM2, and a detector."""
    folder = tmp_path_factory.mktemp("models")
    qwen(folder / "vlm")
    small_sam2().save_pretrained(folder / "sam2")
    save_owlv2(folder / "detector")
    vlm = [f"annotate.vlm.weights={folder / 'vlm'}"]
    captioner = TransformersVLM(load_config(assignments=[*vlm, *ASKED]))
    clips = [np.full((4, 32, 64, 3), colour, np.uint8) for colour in (RED, BLUE)]
    teach(captioner, clips, folder / "vlm")
    return folder


def write_input(folder, colours):
    folder.mkdir()
    rows = []
    for index, colour in enumerate(colours):
        frames = np.full((4, 32, 64, 3), colour, np.uint8)
        (folder / f"{index}.mp4").write_bytes(encode_video(frames, 8.0))
        rows.append({"uri": f"{index}.mp4"})
    (folder / "short.mp4").write_bytes(encode_video(frames[:2], 8.0))
    rows += [{"uri": "short.mp4"}, {"uri": "0.mp4", "caption": "A cat."}]
    manifest = folder / "manifest.jsonl"
    manifest.write_text("\n".join(json.dumps(row) for row in rows))
    return manifest


def begin(manifest, output, models):
    assignments = [
        *SMALL,
        *ASKED,
        *(f"annotate.{name}.weights={models / name}" for name in ("vlm", "sam2", "detector")),
        "annotate.captioner=tests.pipelines.fakes.annotators:Captioner",
        "annotate.tracker=tests.pipelines.fakes.annotators:Tracker",
        *("annotate.detector.threshold=0", "annotate.mask_check.max_area=1"),
        *("annotate.mask_check.max_empty=1", "annotate.mask_check.min_area=0"),
        *("annotate.mask_check.max_shift=9", "annotate.mask_check.max_growth=99"),
        *("editor=tests.pipelines.fakes.editors:Invert", "measure.metrics=[]"),
    ]
    return open_run(str(output), load_config(assignments=assignments), str(manifest))


def columns(folder, name):
    return pq.read_table(folder, columns=[name])[name].to_pylist()


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.slow
def test_models_use_one_gpu_one_after_the_other(models, tmp_path):
    manifest, output = write_input(tmp_path / "in", [RED, BLUE]), tmp_path / "out"
    with begin(manifest, output, models) as run, cluster(run.config.execution):
        run.all_phases()
    rows = pd.read_parquet(output / "dataset")

    edits = rows[rows["status"] == "ok"]
    assert edits["source_uri"].value_counts().to_dict() == {"0.mp4": 4, "1.mp4": 2}
    assert set(edits[edits["source_uri"] == "0.mp4"]["source_prompt"]) == {SENTENCES[0], "A cat."}
    assert set(edits[edits["source_uri"] == "1.mp4"]["source_prompt"]) == {SENTENCES[1]}
    assert rows[rows["status"] == "failed"]["error_type"].tolist() == ["TooShort"]
    counts = run.record.phases["annotate"]
    assert [counts[n] for n in ("sources", "clips", "rejected", "failed")] == [4, 3, 0, 1]
    assert all(source.endswith(":Tracker") for source in edits["mask_source"])
    for row in edits.to_dict("records"):
        assert len(row["mask"]) == len(decode_video(row["source_video"])) == 4

    loaded = {name: list((models / name).glob("loaded-by-*")) for name in ("vlm", "sam2")}
    assert all(loaded.values())
    assert not {path.name for path in loaded["vlm"]} & {path.name for path in loaded["sam2"]}
    assert all(path.read_text() == "0" for paths in loaded.values() for path in paths)

    # Videos are stored once, and lost clip rows are restored without repeated annotation.
    assert sum(video is not None for video in columns(output / "steps/clips", "source_video")) == 3
    for folder in ("steps/captions", "steps/masks", "clips"):
        assert set(columns(output / folder, "source_video")) == {None}
    before = sorted(columns(output / "clips", "row_id"))
    for path in (output / "clips").iterdir():
        path.unlink()
    with begin(manifest, output, models) as run:
        run.annotate()
    assert sorted(columns(output / "clips", "row_id")) == before
    assert loaded == {name: list((models / name).glob("loaded-by-*")) for name in loaded}
