"""Detection of NaN and infinite values, which end an edit instead of becoming its frames."""

import torch
from torch import Tensor

REMEDY = "float16 overflows for large values: set backbone.dtype to bfloat16 or float32"


class NotFinite(ArithmeticError):
    """A value of an edit is NaN or infinite. The message names the value and its step."""


def check_finite(what: str, tensor: Tensor) -> None:
    """Check a tensor at once, which synchronises with the GPU.

    Args:
        what: the tensor in the message.
        tensor: any shape and dtype.

    Raises:
        NotFinite: the tensor has an element that is NaN or infinite.
    """
    if not tensor.isfinite().all():
        raise NotFinite(f"not finite: {what}. {REMEDY}")


class StepCheck:
    """Finds the first step of a trajectory that has a value that is not finite.

    The result of each check stays on the device of the values until `finish`, so that the GPU is
    synchronised once per trajectory and not in every step.

    Args:
        trajectory: the process in the message, "inversion" or "denoising".
    """

    def __init__(self, trajectory: str) -> None:
        self.trajectory = trajectory
        self._places: list[str] = []
        self._finite: list[Tensor] = []

    def record(self, step: int, timestep: float, **values: Tensor) -> None:
        """Check the values of a step.

        Args:
            step: number of the step, from 0.
            timestep: timestep label of the step.
            **values: tensors of any shape by the name in the message, in the order of computation.
        """
        for name, value in values.items():
            self._places.append(f"{name} at {self.trajectory} step {step} (timestep {timestep})")
            self._finite.append(value.isfinite().all())

    def finish(self) -> None:
        """Evaluate the recorded checks.

        Raises:
            NotFinite: names the first value that is not finite, its step and timestep.
        """
        if not self._finite:
            return
        for place, finite in zip(self._places, torch.stack(self._finite).tolist(), strict=True):
            if not finite:
                raise NotFinite(f"not finite: {place}. {REMEDY}")
