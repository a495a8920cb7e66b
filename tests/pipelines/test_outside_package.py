"""A package outside the repository adds one plug-in of every kind with separate options."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines import plugins
from pipelines.config.fingerprints import SETTINGS, fingerprints
from pipelines.config.loading import load_config, resolve, show
from pipelines.config.options import choose
from pipelines.editors.base import editor_settings
from pipelines.errors import ConfigError
from pipelines.media.encode import encode_video
from pipelines.stages.plan_edits import PlanClip
from pipelines.stages.track import Track
from pipelines.tables.clips import name_row

pytestmark = pytest.mark.ray
MODULE = '''
import numpy as np

from pipelines.config.options import Options
from pipelines.errors import ConfigError
from pipelines.target_prompt import TargetPrompt


class Bright:
    class Options(Options):
        threshold: int = 128
        """Least brightness of the subject, 0–255."""

    def __init__(self, config, options):
        self.threshold = options.threshold

    def __call__(self, frames, subject):
        mask = frames.mean(axis=-1) >= self.threshold
        return mask if mask.any() else None


class Fixed:
    class Options(Options):
        noun: str = "cat"

    def __init__(self, config, options):
        self.noun = options.noun

    @classmethod
    def validate(cls, config, options):
        if options.noun == "unicorn":
            raise ConfigError("annotate.captioner_options.noun: there is no unicorn")

    def __call__(self, frames):
        return f"A {self.noun} sits on a wall."


class Suffix:
    class Options(Options):
        style: str = "in ink"

    def __init__(self, config, options):
        self.style = options.style

    def __call__(self, prompt, subject, count, seed):
        return [TargetPrompt(f"{prompt.rstrip('.')} {self.style}")]


class Tint:
    stochastic = False

    class Options(Options):
        red: int = 64

    def __init__(self, config, options):
        self.red = options.red

    @classmethod
    def revision(cls, config, options):
        return "1"

    def invert(self, frames, source_prompt):
        return frames

    def edit(self, inversion, target_prompt, mask, seed):
        tinted = (inversion.astype(int) + np.array([self.red, 0, 0])).clip(0, 255)
        return np.where(mask[..., None], tinted, inversion).astype(np.uint8)


class Redness:
    """Mean of the red channel.

    Unit: 0 to 255 times the gain.
    """

    class Options(Options):
        gain: float = 1.0

    def __init__(self, config, options):
        self.gain = options.gain

    def __call__(self, sample):
        return self.gain * float(sample.edited[..., 0].mean())
'''
ENTRY_POINTS = """
[strmatch.tracker]
bright = outside_plugins:Bright
[strmatch.captioner]
fixed = outside_plugins:Fixed
[strmatch.prompter]
suffix = outside_plugins:Suffix
[strmatch.editor]
tint = outside_plugins:Tint
[strmatch.metric]
redness = outside_plugins:Redness
"""
CHOSEN = [
    *("clip.num_frames=4", "clip.height=32", "clip.width=48", "clip.skip_duplicates=null"),
    *("annotate.mask_check.max_area=1", "editor=tint", "measure.metrics=[redness]"),
    *("annotate.tracker=bright", "annotate.captioner=fixed", "annotate.prompter=suffix"),
]
OPTIONS = [
    "annotate.tracker_options.threshold=100",
    "annotate.captioner_options.noun=dog",
    "annotate.prompter_options.style=in oil",
    "editor_options.red=30",
    "measure.options.redness.gain=2",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which the package is installed."""
    site = tmp_path_factory.mktemp("site")
    (site / "outside_plugins.py").write_text(MODULE, encoding="utf-8")
    info = site / "outside_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-plugins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return site


@pytest.fixture
def installed(site, monkeypatch):
    monkeypatch.syspath_prepend(str(site))


def strmatch(site, *arguments):
    """Run the command in an environment with the installed package."""
    path = os.pathsep.join([str(site), *sys.path])
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def set_all(assignments):
    return [part for assignment in assignments for part in ("--set", assignment)]


def test_plug_ins_of_each_kind_are_listed_and_get_validated_options(installed):
    config = load_config(assignments=[*CHOSEN, *OPTIONS, "annotate.tracker_options.threshold='9'"])
    for kind, name in (
        ("tracker", "bright"),
        ("captioner", "fixed"),
        ("prompter", "suffix"),
        ("editor", "tint"),
        ("metric", "redness"),
    ):
        assert name in plugins.names(kind)
        assert plugins.find(kind, name).__module__ == "outside_plugins"
    assert choose("tracker", config).build().threshold == 9
    assert choose("captioner", load_config(assignments=CHOSEN)).build().noun == "cat"
    assert plugins.metrics(config)["redness"].gain == 2


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "annotate.tracker_options.treshold=1",
            "annotate.tracker_options.treshold: no such option of bright; there is threshold; "
            "did you mean annotate.tracker_options.threshold?",
        ),
        (
            "annotate.tracker_options.threshold=high",
            "annotate.tracker_options.threshold: Input should be a valid integer, unable to parse "
            "string as an integer, got 'high' (tracker bright)",
        ),
        ("annotate.captioner_options.nuon=a", "did you mean annotate.captioner_options.noun?"),
        ("annotate.captioner_options.noun=unicorn", "there is no unicorn"),
        ("annotate.prompter_options.style=[]", "a valid string, got [] (prompter suffix)"),
        ("editor_options.green=1", "editor_options.green: no such option of tint; there is red"),
        ("editor_options.red=true", "editor_options.red: a number is expected, got true or false"),
        ("editor_options.red=x", "editor_options.red: Input should be a valid integer"),
        ("measure.options.redness.gian=1", "did you mean measure.options.redness.gain?"),
        ("measure.options.redness.gain=x", "got 'x' (metric redness)"),
        ("measure.options.redness=3", "measure.options.redness: Input should be a valid dict"),
        ("annotate.tracker=motion", "annotate.tracker_options: tracker motion has no options"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(installed, assignment, message):
    options = OPTIONS if assignment == "annotate.tracker=motion" else []
    with pytest.raises(ConfigError) as refused:
        load_config(assignments=[*CHOSEN, *options, assignment])
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("assignment", "phase"),
    [
        ("annotate.tracker_options.threshold=101", "annotate"),
        ("annotate.captioner_options.noun=fox", "annotate"),
        ("annotate.prompter_options.style=in chalk", "annotate"),
        ("editor_options.red=31", "plan"),
        ("measure.options.redness.gain=3", "measure"),
    ],
)
def test_options_change_the_fingerprints_of_their_phase_and_later_ones(
    installed, assignment, phase
):
    before = fingerprints(load_config(assignments=CHOSEN))
    after = fingerprints(load_config(assignments=[*CHOSEN, assignment]))
    changed = [name for name in SETTINGS if before[name] != after[name]]
    assert changed == list(SETTINGS)[list(SETTINGS).index(phase) :]


def test_ids_depend_on_the_options_that_change_the_result(installed):
    frames = np.zeros((4, 32, 48, 3), np.uint8)
    frames[:, :16], frames[:, 16:24] = 200, 110
    row = {"mask": None, "subject": None, "source_video": encode_video(frames, 8, 12)}
    row |= {"source_row": "s", "clip_id": "c", "level": "clip", "source_prompt": "A dog."}
    row |= {"targets": [{"prompt": "A fox."}], "num_frames": len(frames)}

    def clip_id(threshold):
        config = load_config(
            assignments=[*CHOSEN, f"annotate.tracker_options.threshold={threshold}"]
        )
        track = Track("bright", choose("tracker", config).build(), config.annotate.mask_check)
        return name_row(row | track(row))["row_id"]

    assert clip_id(100) == clip_id(101) != clip_id(150)

    def edit_id(*assignments):
        config = load_config(assignments=[*CHOSEN, *assignments])
        plan = PlanClip(config, plugins.find_editor(config), "1", {})
        clip = row | {"row_id": "r", "status": "ok", "source_uri": "a", "start_seconds": 0.0}
        (planned,) = plan(clip)
        return planned["edit_id"]

    assert edit_id() == edit_id("editor_options.red=64") != edit_id("editor_options.red=65")
    settings = editor_settings(
        plugins.find_editor(load_config(assignments=CHOSEN)), load_config(assignments=CHOSEN)
    )
    assert settings["red"] == 64


def test_a_printed_configuration_describes_the_options(installed):
    config = load_config(assignments=[*CHOSEN, *OPTIONS])
    text = show(config)
    told = "# threshold: Least brightness of the subject, 0–255. In effect: 100."
    assert f"  {told}\n  tracker_options: {{threshold: 100}}" in text
    assert "# redness.gain: " in text
    assert resolve(yaml.safe_load(text)) == config


@pytest.fixture(scope="module")
def published(site, tmp_path_factory):
    """A whole run with all five plug-ins."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "in").mkdir()
    frames = np.full((8, 32, 48, 3), 40, np.uint8)
    frames[:, 8:24, 8:24] = 160
    (folder / "in" / "a.mp4").write_bytes(encode_video(frames, 8.0))
    done = strmatch(
        *(site, "run", "--input", folder / "in", "--output", folder / "out"),
        *set_all([*CHOSEN, *OPTIONS]),
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_a_run_uses_the_options_and_the_dataset_records_them(published):
    output = published / "out"
    rows = pd.read_parquet(output / "dataset")
    assert set(rows.status) == {"ok"} and len(rows) == 2
    assert set(rows.source_prompt) == {"A dog sits on a wall."}
    assert set(rows.target_prompt) == {"A dog sits on a wall in oil"}
    assert {json.loads(text)["red"] for text in rows.editor_settings} == {30}
    inside = 16 * 16 / (32 * 48)
    expected = 2 * (40 + inside * (160 - 40 + 30))
    assert np.allclose(rows.metric_redness, expected, atol=6)
    recorded = [
        {"kind": "tracker", "name": "bright", "options": {"threshold": 100}},
        {"kind": "captioner", "name": "fixed", "options": {"noun": "dog"}},
        {"kind": "prompter", "name": "suffix", "options": {"style": "in oil"}},
        {"kind": "metric", "name": "redness", "options": {"gain": 2.0}},
    ]
    (file,) = (output / "dataset").glob("*.parquet")
    assert json.loads(pq.read_schema(file).metadata[b"strmatch_options"]) == recorded
    card = (output / "README.md").read_text()
    assert "| options of the tracker bright | threshold 100 |" in card
    assert "; red 30 |" in card and "Mean of the red channel. Unit: 0 to 255" in card
    run = json.loads((output / "run.json").read_text())["config"]
    assert run["annotate"]["prompter_options"] == {"style": "in oil"}
    assert run["measure"]["options"] == {"redness": {"gain": 2}}


@pytest.mark.slow
def test_changed_options_measure_again_but_never_mix_annotations(site, published):
    output = published / "out"
    edits = {file.name for file in (output / "edits").iterdir()}
    run = (site, "run", "--input", published / "in", "--output", output)
    done = strmatch(*run, *set_all([*CHOSEN, *OPTIONS, "measure.options.redness.gain=4"]))
    assert done.returncode == 0, done.stderr
    assert len(list((output / "measures").iterdir())) == 4
    assert {file.name for file in (output / "edits").iterdir()} == edits
    rows = pd.read_parquet(output / "dataset")
    assert rows.metric_redness.min() > 4 * 40
    done = strmatch(*run, *set_all([*CHOSEN, *OPTIONS, "annotate.tracker_options.threshold=7"]))
    assert done.returncode == 1
    (line,) = [text for text in done.stderr.splitlines() if text.startswith("strmatch:")]
    assert "annotate.tracker_options.threshold: 100 → 7" in line
