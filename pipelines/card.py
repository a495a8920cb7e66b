"""The dataset card: README.md of an output, for people and for the Hugging Face Hub."""

import inspect
import json
import re
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
import pyarrow as pa

from pipelines import plugins
from pipelines.config import Config
from pipelines.schema import metric_column
from pipelines.sections import Bounds
from pipelines.stages.edit import editor_settings
from pipelines.storage import Storage

CARD = "README.md"
COLUMNS = {
    "row_id": "names the row; unique, never null",
    "level": "edit, clip (one without an edit) or source (one without a clip)",
    "edit_id": "names the edit by its clip, its prompts and all that made it",
    "clip_id": "names the span of the source under the settings of decoding",
    "status": "ok; rejected (not worth an edit, or not good enough); failed",
    "error_stage": "where a row was rejected or failed",
    "error_type": "why, as a word",
    "error_message": "why, in a line",
    "source_id": "the manifest's id",
    "source_uri": "the source, as given or relative to the input folder",
    "start_seconds": "where the clip begins in the source, seconds",
    "fps": "frames a second of the clip",
    "num_frames": "frames of the clip",
    "height": "height of the clip, pixels",
    "width": "width of the clip, pixels",
    "decoder": "what decoded the source",
    "source_prompt": "what the source shows",
    "caption_source": "who says so: manifest, or a captioner",
    "subject": "the words of the source prompt, or the manifest's, for what is edited",
    "target_prompt": "what the edit shows instead",
    "target_kind": "noun_near, noun_far, recolour, restyle or background; null: given",
    "source_word": "what target_word stands in the place of, in the source prompt",
    "target_word": "the word that is new in the target prompt",
    "target_distance": "steps between the two nouns in the taxonomy; 0: the noun stayed",
    "seed": "the run's seed",
    "source_video": "MP4 (H.264), bytes: the clip before the edit",
    "mask": "where the subject is: COCO run-length encoding, one a frame; null: not known",
    "mask_source": "who says so: manifest, or a tracker",
    "edited_video": "MP4 (H.264), bytes: the clip after the edit; null: there is none",
    "editor": "what edited",
    "editor_settings": "all its settings, JSON",
    "model_revision": "names the weights",
    "seconds": "seconds that the row took, its share of the inversion included",
    "inversion_seconds": "seconds of what all edits of the clip share",
    "measure_seconds": "seconds that the metrics took",
    "package_version": "of strmatch",
}
"""The dataset's own columns, and what they mean."""


def write_card(output: Storage, config: Config, record: Mapping[str, Any]) -> None:
    """Write the card beside the dataset.

    Args:
        output: the run's folder, published.
        config: the run's.
        record: of the run, as `run.json` holds it.
    """
    names = output.find("dataset", ".parquet")
    schema = output.read_schema(names[0]) if names else pa.schema([])
    counts: Counter[tuple[str | None, ...]] = Counter()
    for name in names:
        table = output.read_table(name, ["status", "error_stage", "error_type"])
        counts.update(zip(*(column.to_pylist() for column in table.columns), strict=True))
    metrics = {name: _meaning(name) for name in config.measure.metrics}
    means = COLUMNS | {metric_column(name): meaning for name, meaning in metrics.items()}
    columns = [(field.name, _type(field.type), means.get(field.name)) for field in schema]
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"md": escape, "py": repr}
    template = files("pipelines").joinpath("card.md.j2").read_text(encoding="utf-8")
    card = environment.from_string(template).render(
        folder=str(output),
        counts=sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))),
        rows=counts.total(),
        columns=columns,
        folders=config.publish.partition_by,
        config=config,
        record=record,
        limits={name: _limits(config.publish.limits.get(name)) for name in metrics},
        settings=json.loads(json.dumps(editor_settings(plugins.find_editor(config), config))),
    )
    output.write(CARD, card.encode(errors="replace"))


def escape(text: Any) -> str:
    """Any text as one line of Markdown that shows it and does nothing else."""
    line = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]>|~$])", r"\\\1", line)


def _meaning(metric: str) -> str:
    """The first paragraph of what a metric's class says, and its unit."""
    maker = plugins.find("metric", metric)
    said = inspect.getdoc(getattr(maker, "metric", maker)) or ""
    paragraphs = [" ".join(part.split()) for part in said.split("\n\n")]
    chosen = [*paragraphs[:1], *(part for part in paragraphs[1:] if part.startswith("Unit:"))]
    return " ".join(chosen).replace("NaN", "Null")


def _limits(bounds: Bounds | None) -> str:
    """What is good enough, in words; nothing where anything is."""
    if bounds is None:
        return ""
    ends = [("at least", bounds.min), ("at most", bounds.max)]
    return ", ".join(f"{word} {end:g}" for word, end in ends if end is not None)


def _type(type: pa.DataType) -> str:
    nested = pa.types.is_list(type) and pa.types.is_struct(type.value_type)
    return "list of structs" if nested else str(type)
