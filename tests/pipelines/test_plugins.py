import os
import pickle
import subprocess
import sys

import pytest

from pipelines import plugins
from pipelines.config.loading import load_config
from pipelines.editors.str_match import STRMatchEditor
from pipelines.errors import ConfigError, RunError
from pipelines.runs.open_run import open_run
from pipelines.trackers.motion import MotionTracker
from tests.hub import Hub
from tests.pipelines.fakes.editors import Invert
from tests.pipelines.support.servers import Served, completion


def test_plug_ins_are_found_by_name_or_by_module():
    assert isinstance(plugins.find("tracker", "motion")(load_config()), MotionTracker)
    assert plugins.find_editor(load_config()) is STRMatchEditor
    assert plugins.find("editor", "tests.pipelines.fakes.editors:Invert") is Invert


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sam", "no tracker 'sam'; there is contrast, motion, none, sam2, sam2_hf"),
        ("nowhere.at_all:Tracker", "No module named 'nowhere'"),
        ("tests.pipelines.fakes.editors:Missing", "has no attribute 'Missing'"),
    ],
)
def test_a_missing_plug_in_is_reported_by_name(name, message):
    with pytest.raises(ConfigError, match=message):
        plugins.find("tracker", name)


class Counting:
    """A captioner that returns the number of instances created in this process."""

    made = 0

    def __init__(self, config):
        Counting.made += 1

    def __call__(self, frames):
        return f"{Counting.made} made, {len(frames)} frames"


def test_an_annotator_is_constructed_once_in_the_calling_process():
    name = f"annotate.captioner={__name__}:Counting"
    captioner = plugins.InWorker("captioner", load_config(assignments=[name]))
    assert Counting.made == 0
    sent = pickle.loads(pickle.dumps(captioner))
    assert [sent([1]), captioner([1, 2])] == ["1 made, 1 frames", "1 made, 2 frames"]


def test_captioners_and_prompters_are_imported_only_when_selected():
    program = (
        "import sys\n"
        "from pipelines import plugins\n"
        "names = {'pipelines.openai_client', 'pipelines.prompters.llm', 'torch'}\n"
        "names.add('pipelines.captioners')\n"
        "assert not names & set(sys.modules), names & set(sys.modules)\n"
        "vlm = plugins.find('captioner', 'transformers_vlm')\n"
        "made = [vlm, plugins.find('captioner', 'openai'), plugins.find('prompter', 'llm')]\n"
        "print(*(maker.__name__ for maker in made), 'transformers' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "TransformersVLM OpenAI LLM False\n", done.stderr


VLM = "annotate.captioner=transformers_vlm"
SAM2 = "annotate.tracker=sam2_hf"
DETECTOR = "annotate.detector.weights={model}"


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ([VLM, "annotate.vlm.weights={empty}"], "captioner transformers_vlm: {empty} holds no con"),
        ([VLM, "annotate.vlm.weights=file://{here}/none"], "cannot find weights at file://{here}/"),
        ([VLM, "annotate.vlm.weights={here}/none"], "there is no folder {here}/none, and it is no"),
        ([SAM2, DETECTOR, "annotate.sam2.weights={empty}"], "tracker sam2_hf: {empty} holds no"),
        (
            [SAM2, "annotate.sam2.weights={model}", "annotate.detector.weights=file://{empty}"],
            "tracker sam2_hf: file://{empty} holds no config.json",
        ),
        (["execution.gpus_per_tracker=1"], "gpus_per_tracker 1: tracker contrast runs on no GPU"),
        (
            ["annotate.tracker=motion", "annotate.objects_per_edit=2"],
            "annotate.objects_per_edit 2: tracker motion follows the subject alone",
        ),
    ],
)
def test_annotators_with_missing_weights_are_refused_before_any_work(
    assignments, message, tmp_path
):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").touch()
    model, places = tmp_path / "model", {"here": tmp_path, "empty": tmp_path / "empty"}
    for folder in (model, places["empty"]):
        folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (model / name).touch()
    places["model"] = model
    config = load_config(assignments=[text.format(**places) for text in assignments])
    with pytest.raises(RunError) as refused:
        open_run(str(tmp_path / "out"), config, str(tmp_path / "in")).__enter__()
    assert message.format(**places) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["measure.metrics=[motion]"], "no metric 'motion'; there is background_difference, "),
        (["measure.metrics=['nowhere.at:All']"], "metric nowhere.at:All: No module named 'nowhere"),
        (["measure.metrics=[background_lpips]"], "name a folder or URI with its weights: measure."),
        (
            ["measure.metrics=[motion_error_raft]"],
            "metric motion_error_raft: needs torchvision: ",
        ),
        (
            ["measure.metrics=[background_lpips]", "measure.lpips={here}/none"],
            "metric background_lpips: measure.lpips: there is no folder {here}/none",
        ),
        (["measure.rife={here}"], "metric frame_consistency: {here} holds no flownet*"),
        (
            ["measure.metrics=[background_lpips]", "measure.lpips=file://{here}/none"],
            "metric background_lpips: cannot find weights at file://{here}/none",
        ),
        (
            ["measure.metrics=[clip_similarity]", "measure.clip.weights={here}"],
            "metric clip_similarity: {here} holds no config.json",
        ),
    ],
)
def test_metrics_that_cannot_be_computed_are_refused(assignments, message, tmp_path):
    config = load_config(assignments=[text.format(here=tmp_path) for text in assignments])
    with pytest.raises(RunError) as refused:
        plugins.check_metrics(config, used=True)
    assert message.format(here=tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_metrics_need_their_weights_only_if_they_are_computed():
    names = "[frame_consistency, background_lpips, motion_error_raft]"
    plugins.check_metrics(load_config(assignments=[f"measure.metrics={names}"]), used=False)
    embedded = "measure.metrics=[frame_consistency, clip_similarity, motion_error]"
    weights = "measure.clip.weights=miniature"
    plugins.check_metrics(load_config(assignments=[embedded, weights]), used=True)


def test_a_model_missing_from_the_hub_is_refused(monkeypatch, tmp_path):
    with Hub() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(RunError, match="captioner transformers_vlm: .* no model Qwen/Qwen3-VL"):
            plugins.check_annotators(load_config(assignments=[VLM]), used=True)
    plugins.check_annotators(load_config(assignments=[VLM]), used=False)


def test_a_server_is_checked_before_any_work():
    def check(server):
        served = [f"execution.endpoint.base_url={server.url}", "annotate.endpoint.model=m"]
        served += ["annotate.captioner=openai", "annotate.prompter=llm"]
        served += ["execution.endpoint.total_timeout=1"]
        plugins.check_annotators(load_config(assignments=served), used=True)

    with Served(completion("Ready.")) as server:
        check(server)
        assert [request[2]["model"] for request in server.requests] == ["m", "m"]
    with pytest.raises(RunError, match="captioner openai: http://.*Connect"):
        check(server)
    refusal = pytest.raises(RunError, match="captioner openai: .*HTTP 404: no model 'm'")
    with Served((404, b"no model 'm'", {})) as server, refusal:
        check(server)
