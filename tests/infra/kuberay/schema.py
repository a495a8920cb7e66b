"""The fields of KubeRay 1.7 and Kubernetes that infra/kuberay uses, and no others.

Written from the published API reference: KubeRay's is docs/reference/api.md of its release 1.7.0,
with what only the sources say noted beside the field (`validation`: ray-operator's
controllers/ray/utils/validation.go); Kubernetes' is that of the core API v1.
"""

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _quantity(text: str) -> str:
    # "Quantity" of Kubernetes' API reference.
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?", text), "is no quantity"
    return text


Quantity = Annotated[str, AfterValidator(_quantity)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=47)]
"""validation, ValidateRayJobMetadata: a DNS-1035 label of at most 47 characters."""


# Kubernetes, core v1
class ConfigMapRef(Strict):  # ConfigMapEnvSource
    name: str
    optional: bool = False


class SecretRef(Strict):  # SecretEnvSource
    name: str
    optional: bool = False


class EnvFrom(Strict):  # EnvFromSource: one of the two
    configMapRef: ConfigMapRef | None = None
    secretRef: SecretRef | None = None

    @model_validator(mode="after")
    def _one(self) -> "EnvFrom":
        assert (self.configMapRef is None) != (self.secretRef is None)
        return self


class Resources(Strict):  # ResourceRequirements
    requests: dict[str, Quantity]
    limits: dict[str, Quantity]

    @model_validator(mode="after")
    def _gpus(self) -> "Resources":
        # Extended resources: "the quantity specified in requests and limits must be equal".
        gpu = "nvidia.com/gpu"
        assert self.requests.get(gpu) == self.limits.get(gpu)
        return self


class VolumeMount(Strict):  # VolumeMount
    name: str
    mountPath: str


class Container(Strict):  # Container
    name: str
    image: str
    envFrom: list[EnvFrom]
    resources: Resources
    volumeMounts: list[VolumeMount]


class EmptyDir(Strict):  # EmptyDirVolumeSource
    medium: Literal["", "Memory"] = ""
    sizeLimit: Quantity


class Volume(Strict):  # Volume
    name: str
    emptyDir: EmptyDir


class Toleration(Strict):  # Toleration
    key: str
    operator: Literal["Exists", "Equal"]
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class PodSpec(Strict):  # PodSpec
    containers: list[Container] = Field(min_length=1)
    volumes: list[Volume]
    tolerations: list[Toleration] = []

    @model_validator(mode="after")
    def _mounted(self) -> "PodSpec":
        volumes = {volume.name for volume in self.volumes}
        assert all(m.name in volumes for c in self.containers for m in c.volumeMounts)
        return self


class PodTemplate(Strict):  # PodTemplateSpec
    spec: PodSpec


# KubeRay, ray.io/v1
class HeadGroupSpec(Strict):  # api.md#headgroupspec
    template: PodTemplate
    rayStartParams: dict[str, str]


class WorkerGroupSpec(Strict):  # api.md#workergroupspec
    groupName: str
    minReplicas: int = Field(ge=0)
    maxReplicas: int
    rayStartParams: dict[str, str]
    template: PodTemplate

    @model_validator(mode="after")
    def _ordered(self) -> "WorkerGroupSpec":
        assert self.minReplicas <= self.maxReplicas  # validation, ValidateRayClusterSpec
        return self


class AutoscalerOptions(Strict):  # api.md#autoscaleroptions
    version: Literal["v1", "v2"]
    idleTimeoutSeconds: int = Field(ge=0)
    upscalingMode: Literal["Default", "Aggressive", "Conservative"]


class AuthOptions(Strict):  # api.md#authoptions
    mode: Literal["disabled", "token"]


class RayClusterSpec(Strict):  # api.md#rayclusterspec
    rayVersion: str
    authOptions: AuthOptions
    enableInTreeAutoscaling: bool
    autoscalerOptions: AutoscalerOptions
    headGroupSpec: HeadGroupSpec
    workerGroupSpecs: list[WorkerGroupSpec]


class Metadata(Strict):  # ObjectMeta
    name: Name


class RayCluster(Strict):  # api.md#raycluster
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayCluster"]
    metadata: Metadata
    spec: RayClusterSpec


class RayJobSpec(Strict):  # api.md#rayjobspec
    submissionMode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]
    entrypoint: str
    runtimeEnvYAML: str
    backoffLimit: int = Field(ge=0)
    activeDeadlineSeconds: int = Field(gt=0)
    preRunningDeadlineSeconds: int = Field(ge=1)
    shutdownAfterJobFinishes: bool
    ttlSecondsAfterFinished: int = Field(ge=0)
    rayClusterSpec: RayClusterSpec

    @model_validator(mode="after")
    def _cleaned_up(self) -> "RayJobSpec":
        # api.md: a TTL works only where the cluster is shut down.
        assert self.shutdownAfterJobFinishes or not self.ttlSecondsAfterFinished
        return self


class RayJob(Strict):  # api.md#rayjob
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Metadata
    spec: RayJobSpec


class ConfigMap(Strict):  # ConfigMap
    apiVersion: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: Metadata
    data: dict[str, str]
