import copy
import os
import shutil
import subprocess

import pydantic
import pytest
import ray
import yaml

from tests.clusters import ROOT
from tests.faults.harness import write_input
from tests.infra.kuberay.schema import ConfigMap, RayCluster, RayJob

KUBERAY = ROOT / "infra" / "kuberay"


def load(path):
    return yaml.safe_load(path.read_text())


@pytest.fixture
def job():
    return load(KUBERAY / "base" / "rayjob.yaml")


def kustomize(folder):
    """The objects of an overlay by kind, as `kubectl apply -k` would send them."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed: overlays were not rendered")
    said = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True
    )
    return {found["kind"]: found for found in yaml.safe_load_all(said.stdout)}


def test_manifests_use_only_fields_of_the_api(job):
    RayJob.model_validate(job)
    RayCluster.model_validate(load(KUBERAY / "raycluster.yaml"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "backofLimit"), 2),
        (("spec", "rayClusterSpec", "autoscalerOptions", "version"), "v3"),
        (("spec", "rayClusterSpec", "headGroupSpec", "rayStartParams"), {"num-cpus": 0}),
        (("spec", "rayClusterSpec", "headGroupSpec", "template", "spec", "volumes"), []),
        (("metadata", "name"), "2026-01-01"),
    ],
)
def test_the_schema_refuses_what_kuberay_refuses(job, path, value):
    wrong = copy.deepcopy(job)
    place = wrong
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(pydantic.ValidationError):
        RayJob.model_validate(wrong)


def test_the_head_has_no_cpus_and_the_image_has_the_installed_ray(job):
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0"}
    assert cluster["rayVersion"] == ray.__version__
    assert f"ARG RAY_VERSION={ray.__version__}\n" in (ROOT / "infra/docker/Dockerfile").read_text()


def test_the_standing_cluster_equals_the_cluster_of_the_job(job):
    """Except for the values of a run, which a standing cluster does not have."""
    expected = job["spec"]["rayClusterSpec"]
    groups = [expected["headGroupSpec"], *expected["workerGroupSpecs"]]
    pods = [container for group in groups for container in group["template"]["spec"]["containers"]]
    for environment in {id(pod["envFrom"]): pod["envFrom"] for pod in pods}.values():
        environment[:] = [source for source in environment if "secretRef" in source]
    assert load(KUBERAY / "raycluster.yaml")["spec"] == expected


@pytest.mark.parametrize("folder", ["base", "example"])
def test_every_overlay_renders(folder):
    found = kustomize(KUBERAY / folder)
    assert found.keys() == {"RayJob", "ConfigMap"}
    RayJob.model_validate(found["RayJob"])
    ConfigMap.model_validate(found["ConfigMap"])


def test_every_documented_value_can_be_set(job):
    """The example sets each of the documented values."""
    base, example = (kustomize(KUBERAY / folder) for folder in ("base", "example"))
    for value in ("STRMATCH_INPUT", "STRMATCH_OUTPUT", "STRMATCH_OPTIONS"):
        assert base["ConfigMap"]["data"][value] != example["ConfigMap"]["data"][value]
    before, after = base["RayJob"], example["RayJob"]
    assert before["metadata"]["name"] != after["metadata"]["name"]
    for deadline in ("activeDeadlineSeconds", "preRunningDeadlineSeconds"):
        assert before["spec"][deadline] != after["spec"][deadline]
    cluster = after["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    images = {c["image"] for group in groups for c in group["template"]["spec"]["containers"]}
    assert images == {"example/strmatch-gpu:1"}
    for old, new in zip(
        before["spec"]["rayClusterSpec"]["workerGroupSpecs"],
        cluster["workerGroupSpecs"],
        strict=True,
    ):
        assert old["groupName"] == new["groupName"]
        for replicas in ("minReplicas", "maxReplicas"):
            assert old[replicas] != new[replicas]
    documented = (KUBERAY / "base" / "kustomization.yaml").read_text().split("resources:")[0]
    for name in ("STRMATCH_INPUT", "STRMATCH_OUTPUT", "STRMATCH_OPTIONS", "name", "image"):
        assert f"#   {name} " in documented


@pytest.mark.infra
@pytest.mark.timeout(900)
def test_the_entrypoint_runs_with_local_values_of_its_variables(job, tmp_path):
    """Runs in a shell, as on the head, with a local Ray because no cluster exists here."""
    manifest = write_input(tmp_path / "in put", clips=2)
    environment = {name: value for name, value in os.environ.items() if name[:4] != "RAY_"} | {
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "STRMATCH_INPUT": str(manifest),
        "STRMATCH_OUTPUT": str(tmp_path / "out put"),
        "STRMATCH_OPTIONS": "--set clip.num_frames=4 "
        "--set editor=tests.pipelines.fakes.editors:Invert --set annotate.tracker=none "
        "--set annotate.captioner=template --set measure.metrics=[]",
        **yaml.safe_load(job["spec"]["runtimeEnvYAML"])["env_vars"],
    }
    ended = subprocess.run(
        job["spec"]["entrypoint"], shell=True, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert (tmp_path / "out put" / "_SUCCESS").exists()
