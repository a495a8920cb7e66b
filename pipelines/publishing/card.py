"""The dataset card: README.md of an output, for readers and for the Hugging Face Hub."""

import inspect
import json
import re
from importlib.resources import files
from typing import Any

import jinja2
import pyarrow as pa

from pipelines import plugins
from pipelines.config.config import Config
from pipelines.config.options import recorded_options
from pipelines.config.sections import Bounds
from pipelines.editors.base import editor_settings, uses_backbone, weights_licence
from pipelines.publishing.hub_metadata import as_yaml, hub_metadata
from pipelines.schema import meaning, metric_column, worst_column
from pipelines.storage import Storage
from pipelines.tables.record import RunRecord

CARD = "README.md"


def write_card(output: Storage, config: Config, record: RunRecord) -> None:
    """Write the card beside the dataset.

    Args:
        output: the run's folder, published.
        config: the run's configuration.
        record: the run's record, with the outcomes of the dataset.
    """
    names = output.find("dataset", ".parquet")
    schema = output.read_schema(names[0]) if names else pa.schema([])
    metrics = {name: _metric_meaning(name) for name in config.measure.metrics}
    measured = {metric_column(name): said for name, said in metrics.items()}
    measured |= {
        worst_column(name): f"`{name}` in the worst window of the clip; limits apply to this value"
        for name in metrics
    }
    columns = [
        (field.name, _type(field.type), measured.get(field.name) or meaning(field))
        for field in schema
    ]
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"md": escape, "py": repr}
    template = files("pipelines.publishing").joinpath("card.md.j2").read_text(encoding="utf-8")
    rows = sum(each.rows for each in record.outcomes.rows) if record.outcomes else 0
    card = environment.from_string(template).render(
        metadata=as_yaml(hub_metadata(_pretty_name(output), schema, rows)),
        folder=str(output),
        found=record.outcomes,
        rows=rows,
        columns=columns,
        folders=config.publish.partition_by,
        config=config,
        record=record,
        limits={name: _limits(config.publish.bounds.get(name)) for name in metrics},
        options=recorded_options(config),
        has_backbone=uses_backbone(config),
        licence=weights_licence(config),
        settings=json.loads(json.dumps(editor_settings(plugins.find_editor(config), config))),
    )
    output.write(CARD, card.encode(errors="replace"))


def _pretty_name(output: Storage) -> str:
    return f"Edited videos: {output.root.rpartition('/')[2]}"


def escape(text: Any) -> str:
    """Returns a text as one line of Markdown without any markup."""
    line = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]>|~$])", r"\\\1", line)


def _metric_meaning(metric: str) -> str:
    """Returns the first paragraph of the docstring of a metric's class, and its unit."""
    maker = plugins.find("metric", metric)
    said = inspect.getdoc(maker.library_class() if hasattr(maker, "library_class") else maker) or ""
    paragraphs = [" ".join(part.split()) for part in said.split("\n\n")]
    chosen = [*paragraphs[:1], *(part for part in paragraphs[1:] if part.startswith("Unit:"))]
    return " ".join(chosen).replace("NaN", "Null")


def _limits(bounds: Bounds | None) -> str:
    """Returns the accepted range in words; empty if every value is accepted."""
    if bounds is None:
        return ""
    ends = [("at least", bounds.min), ("at most", bounds.max)]
    return ", ".join(f"{word} {end:g}" for word, end in ends if end is not None)


def _type(type: pa.DataType) -> str:
    nested = pa.types.is_list(type) and pa.types.is_struct(type.value_type)
    return "list of structs" if nested else str(type)
