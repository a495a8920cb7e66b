"""The local folder of a backbone's weights."""

import logging
import os
from pathlib import Path
from typing import Any

from strmatch.backbones.published import Report, check_folder, converted_folder
from strmatch.presets import PRESETS, load_preset
from strmatch.presets.published import Published
from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import local_folder
from strmatch.weights.manifest import check_hashes
from strmatch.weights.remote import is_remote
from strmatch.weights.source import ONLINE, Access, Source

log = logging.getLogger(__name__)


def weights_folder(
    source: str | os.PathLike[str],
    access: Access = ONLINE,
    *,
    report: Report = log.info,
    progress: Any = None,
) -> Path:
    """The local folder that holds the weights of `source`, fetched first if they are remote.

    A published model of a preset is fetched from the hub and converted, once on each machine.

    Args:
        source: a preset, a folder, or an fsspec URI in diffusers layout.
        access: how weights may be reached.
        report: receives a line about each long step.
        progress: a subclass of tqdm that shows downloads; None: the hub's own.

    Raises:
        WeightsError: there is no such folder, or it is not a model's, or not the whole of it, or it
            cannot be fetched.
    """
    weights = load_preset(str(source)).weights if str(source) in PRESETS else os.fspath(source)
    if weights is None:
        raise WeightsError(
            f"the preset {source!r} has no backbone: name a folder or URI that holds one in "
            "diffusers layout (unet/ or transformer/, vae/, text_encoder/, tokenizer/, scheduler/)"
        )
    if isinstance(weights, Published):
        folder = converted_folder(str(source), weights, access, report=report, progress=progress)
        return check_folder(folder, str(source))
    if is_remote(weights):
        return check_folder(local_folder(Source(weights), access, check=check_hashes), weights)
    return check_folder(Path(weights), weights)
