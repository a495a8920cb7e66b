"""The presets of published models, with tiny models on a local hub."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipelines.config.loading import load_config
from tests.hub import SIGNATURE, Hub
from tests.hub_models import BACKBONES, SMALL, serve_annotators
from tests.pipelines.editors.diffusers.tiny import save
from tests.pipelines.support.videos import real_clip

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A local hub with the models of all presets."""
    folder = tmp_path_factory.mktemp("published")
    with Hub() as hub:
        serve_annotators(hub, folder)
        for serve in BACKBONES.values():
            serve(hub, folder)
        yield hub


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """The folder of a machine: caches, two videos, and the configuration of the tests."""
    folder = tmp_path_factory.mktemp("machine")
    (folder / "videos").mkdir()
    for name in ("bikes.mp4", "Megamind.avi"):
        shutil.copy(real_clip(name), folder / "videos" / name)
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    return folder


def strmatch(machine, endpoint, *arguments, caches="caches"):
    environment = os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(machine / caches / "hub"),
        "STRMATCH_CACHE": str(machine / caches / "strmatch"),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }
    environment.pop("HF_HUB_CACHE", None)
    command = [str(Path(sys.executable).parent / "strmatch"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=machine)


def run(machine, endpoint, output, *arguments, preset="lavie", caches="caches"):
    command = ["run", "--preset", preset, "--input", "videos", "--output", output]
    command += ["--config", "small.yaml", *arguments]
    return strmatch(machine, endpoint, *command, caches=caches)


def rows_of(machine, output):
    rows = pd.read_parquet(machine / output / "dataset")
    assert set(rows["status"]) == {"ok"}, rows["error_message"].tolist()
    return rows.set_index("source_uri").sort_index()


def check_equal(machine, output):
    """Check the one row of a run with --limit 1 against that of the first run."""
    columns = ["target_prompt", "row_id", "edited_video"]
    found, expected = rows_of(machine, output)[columns], rows_of(machine, "first")[columns]
    assert len(found) == 1 and found.equals(expected.loc[found.index])


@pytest.fixture(scope="module")
def first(served, machine):
    """The first run on a machine whose caches are empty."""
    ended = run(machine, served.url, "first")
    assert ended.returncode == 0, ended.stderr
    return ended


@pytest.mark.slow
def test_one_command_makes_a_dataset_of_a_folder_of_videos(served, machine, first):
    rows = rows_of(machine, "first")
    assert len(rows) == 2
    assert all("dog" in text or "boats" in text for text in rows["source_prompt"])
    assert (rows["source_prompt"] != rows["target_prompt"]).all()
    assert all(source.startswith("sam2_hf") for source in rows["mask_source"])
    assert rows["metric_clip_similarity"].notna().all()
    shown = " ".join(first.stderr.split())
    assert f"to fetch from {served.url} into {machine / 'caches/hub/hub'}" in shown
    for name in ("tracker sam2_hf: facebook/sam2.1-hiera-tiny@de431c40", "Vchitect/LaVie@f3d06bfd"):
        assert name in shown
    assert "15.6 GB of GPU memory" in shown
    assert SIGNATURE not in first.stderr + first.stdout
    assert "HTTP Request" not in first.stderr


@pytest.mark.slow
def test_offline_the_cached_models_suffice(served, machine, first):
    served.requests.clear()
    ended = run(machine, NOWHERE, "offline", "--offline", "--limit", "1")
    assert ended.returncode == 0, ended.stderr
    check_equal(machine, "offline")
    assert not served.requests


@pytest.mark.slow
def test_a_store_serves_machines_without_a_network(served, machine, first):
    fetch = ["weights", "fetch", "--preset", "lavie", "--to", "store"]
    ended = strmatch(machine, served.url, *fetch)
    assert ended.returncode == 0, ended.stderr
    manifest = json.loads((machine / "store" / "weights.json").read_text())
    assert manifest["preset"] == "lavie" and len(manifest["models"]) == 5
    again = strmatch(machine, NOWHERE, *fetch)
    assert again.returncode == 0 and "are there already" in again.stdout
    ended = run(machine, NOWHERE, "stored", "--weights", "store", "--limit", "1", caches="other")
    assert ended.returncode == 0, ended.stderr
    check_equal(machine, "stored")
    assert not (machine / "other" / "hub" / "hub").exists()
    for file in (machine / "store").rglob("*.safetensors"):
        if "sam2" in str(file):
            file.unlink()
    ended = run(machine, NOWHERE, "broken", "--weights", "store", caches="other")
    assert ended.returncode == 1 and "fetch the store again" in ended.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["zeroscope", "animatediff", "wan", "cogvideox"])
def test_check_passes_with_everything(served, machine, preset):
    ended = strmatch(machine, served.url, "check", "--preset", preset, "--config", "small.yaml")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for name in ("decoders", "plug-ins", "weights", "memory", "edit"):
        assert any(line.split()[:2] == [name, "ok"] for line in ended.stdout.splitlines())


@pytest.mark.slow
def test_a_preset_without_a_backbone_is_checked_and_fetched(served, machine):
    pipeline = save("WanVACEPipeline", machine / "wan")
    options = load_config("wan-vace").editor_options
    served.add(f"{options['model']}@{options['revision']}", pipeline)
    check = ["check", "--preset", "wan-vace", "--config", "small.yaml"]
    ended = strmatch(machine, served.url, *check)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "backbone" not in ended.stdout
    assert f"editor diffusers: {options['model']}" in ended.stdout
    assert "the editor's models have" in ended.stdout and "a clip in" in ended.stdout
    fetch = ["weights", "fetch", "--preset", "wan-vace", "--to", "wan-store"]
    ended = strmatch(machine, served.url, *fetch)
    assert ended.returncode == 0, ended.stderr
    stored = strmatch(machine, NOWHERE, *check, "--weights", "wan-store", caches="none")
    assert stored.returncode == 0, stored.stdout + stored.stderr
    ended = run(machine, served.url, "wan-run", "--limit", "1", preset="wan-vace")
    assert ended.returncode == 0, ended.stderr
    (row,) = rows_of(machine, "wan-run").to_dict("records")
    assert (row["editor"], row["model_revision"]) == ("diffusers", options["revision"])
    assert "is used for:\nApache-2.0.\n" in (machine / "wan-run" / "README.md").read_text()
    for preset in ("cosmos-transfer", "ltx"):
        fetch = ["weights", "fetch", "--preset", preset, "--to", preset]
        ended = strmatch(machine, served.url, *fetch)
        assert ended.returncode == 1 and len(ended.stderr.splitlines()) == 1, ended.stderr


@pytest.mark.slow
def test_check_names_what_is_missing(machine):
    check = ["check", "--preset", "lavie", "--config", "small.yaml", "--offline"]
    ended = strmatch(machine, NOWHERE, *check, caches="empty")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == ["strmatch: check: weights, edit failed"] or (
        "memory" in ended.stderr
    )
    assert "is not in the cache" in " ".join(ended.stdout.split())


def test_a_run_without_a_network_says_what_to_do(machine):
    ended = run(machine, NOWHERE, "none", "--offline", caches="empty")
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "is not in the cache" in line and "strmatch weights fetch --preset" in line
    assert not (machine / "none").exists()
