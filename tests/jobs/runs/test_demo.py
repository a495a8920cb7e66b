import json
from pathlib import Path

from jobs.runs.demo import EXAMPLES, SETTINGS, write_input
from pipelines.config.loading import load_config
from pipelines.reliability.deadline import Deadline
from pipelines.sources.listing import find_sources
from pipelines.stages.find_clips import FindClips
from pipelines.stages.track import Track
from pipelines.trackers.contrast import ContrastTracker


def test_the_demos_input_is_a_manifest_that_the_main_job_takes(tmp_path):
    manifest = write_input(tmp_path / "input")
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert [row["caption"] for row in rows[:3]] == [
        "a red circle moving right over bricks",
        "a yellow star moving up over stripes",
        "a purple square moving left over checks",
    ]
    assert rows[0]["targets"] == [
        "a blue square moving right over bricks",
        "a green circle moving right over bricks",
    ]
    assert rows[-2]["caption"] == "a green square over stripes"
    assert rows[-1]["uri"] == "bigbuckbunny.mp4"
    given = {row["uri"]: "mask_uri" in row for row in rows}
    config, lengths = load_config(assignments=SETTINGS), {}
    for source in find_sources(str(manifest), {}).to_pylist():
        (clip,) = FindClips(config.clip, {}, Deadline(60))(source)
        assert clip["status"] == "ok", clip["error_message"]
        lengths[Path(source["source_uri"]).stem] = clip["num_frames"]
        columns = Track("contrast", ContrastTracker(config), config.annotate.mask_check)(clip)
        masked_by = "manifest" if given[source["source_uri"]] else "contrast"
        assert (clip | columns)["mask_source"] == masked_by
    long = lengths.pop("a-green-square-over-stripes")
    assert long == 32 and set(lengths.values()) == {16}
    assert len(rows) == len(EXAMPLES) + 1
