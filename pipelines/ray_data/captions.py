"""Captions by a processor of `ray.data.llm`: an engine on the cluster, or requests to a server.

A processor converts rows to Python objects and back, which loses types. Therefore a row travels
through the processor as the bytes of an Arrow stream, beside the request.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from ray.data import Dataset

from pipelines.captioners.caption_check import INSTRUCTION, ask_for_caption
from pipelines.config.config import Config
from pipelines.errors import RowError
from pipelines.media.encode import decode_video
from pipelines.media.frames import sample
from pipelines.ray_data.annotate import STAGES, Annotation, FindRows
from pipelines.ray_data.columns import ANNOTATED, beside, renamed
from pipelines.rows import Row, failure
from pipelines.schema import STEP
from pipelines.storage import Storage
from pipelines.vision_language.served import image_part

if TYPE_CHECKING:
    from ray.data.llm import ProcessorConfig

CAPTION = "caption"
SKIPPED = "__inference_error__"
"""The column of `ray.data.llm` by which a row passes all stages of a processor unchanged."""


def captioned(found: Dataset, processor: "ProcessorConfig", config: Config) -> Dataset:
    """Returns the rows of `CarryRows` with the answers of a processor.

    Args:
        found: the rows.
        processor: of an engine, or `HttpRequestProcessorConfig` of a server that speaks the chat
            completions of OpenAI, with `annotate.endpoint.model`.
        config: the configuration, with `annotate.captions`.
    """
    from ray.data.llm import HttpRequestProcessorConfig, build_processor

    if isinstance(processor, HttpRequestProcessorConfig):
        calls = partial(http_request, config), http_answer
    else:
        calls = partial(engine_request, config), engine_answer
    return build_processor(processor, preprocess=calls[0], postprocess=calls[1])(found)


class CarryRows:
    """Finds the clips of a batch of videos, for a processor.

    Writes `carried`, the bytes of a row of the user's columns beside `schema.STEP`, and `clip`, the
    video of a clip that has no caption yet, else null. Arguments as for `FindRows`.
    """

    def __init__(self, config: Config, root: Storage) -> None:
        self.find = FindRows(config, root)

    def __call__(self, batch: pa.Table) -> pa.Table:
        origins, rows = self.find.rows(batch)
        table = beside(renamed(batch), origins, rows, STEP)
        carried = [_packed(table.slice(index, 1)) for index in range(len(table))]
        wanted = [row["status"] == "ok" and row[CAPTION] is None for row in rows]
        clips = [
            row["source_video"] if ask else None for row, ask in zip(rows, wanted, strict=True)
        ]
        return pa.table(
            {"carried": pa.array(carried, pa.binary()), "clip": pa.array(clips, pa.binary())}
        )


class AnnotateAnswered:
    """Annotates the rows of `captioned`: writes what `AnnotateRows` does.

    Args:
        config: the configuration.
    """

    def __init__(self, config: Config) -> None:
        self.captions = config.annotate.captions
        self.annotate = Annotation(config, [stage for stage in STAGES if stage != CAPTION])
        self.given = Annotation(config)

    def __call__(self, batch: pa.Table) -> pa.Table:
        answers = (
            batch["answer"].to_pylist() if "answer" in batch.column_names else [None] * len(batch)
        )
        tables = [
            self._annotated(_unpacked(carried), answer)
            for carried, answer in zip(batch["carried"].to_pylist(), answers, strict=True)
        ]
        return pa.concat_tables(tables)

    def _annotated(self, table: pa.Table, answer: str | None) -> pa.Table:
        (row,) = table.select(STEP.names).to_pylist()
        row = self.given(row) if answer is None else self.annotate(row | self._caption(answer))
        return beside(table, [0], [row], ANNOTATED)

    def _caption(self, answer: str) -> Row:
        try:
            text = ask_for_caption(lambda _: answer, self.captions)
        except RowError as error:
            return failure(CAPTION, error)
        return {"source_prompt": text, "caption_source": "ray.data.llm"}


def _needs_caption(row: Row) -> bool:
    return row["status"] == "ok" and row[CAPTION] is None


def http_request(config: Config, row: Row) -> Row:
    """Returns the request of a row for an HTTP processor."""
    if row["clip"] is None:
        return {SKIPPED: "needs no caption"}
    body = {"model": config.annotate.endpoint.model, "messages": _messages(config, row)}
    return {"payload": body | {"temperature": 0, "seed": config.seed} | _length(config)}


def http_answer(row: Row) -> Row:
    """Returns the answer of a server."""
    answer = row["http_response"]["choices"][0]["message"]["content"]
    return {"carried": row["carried"], "answer": answer}


def engine_request(config: Config, row: Row) -> Row:
    """Returns the request of a row for an engine."""
    if row["clip"] is None:
        return {SKIPPED: "needs no caption"}
    sampling = {"temperature": 0.0, "seed": config.seed} | _length(config)
    return {"messages": _messages(config, row), "sampling_params": sampling}


def engine_answer(row: Row) -> Row:
    """Returns the answer of an engine."""
    return {"carried": row["carried"], "answer": row["generated_text"]}


def _messages(config: Config, row: Row) -> list[Any]:
    images = sample(decode_video(row["clip"]), config.annotate.captions.frames)
    content = [*map(image_part, images), {"type": "text", "text": INSTRUCTION}]
    return [{"role": "user", "content": content}]


def _length(config: Config) -> dict[str, int]:
    return {"max_tokens": config.annotate.captions.max_new_tokens}


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _unpacked(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all()
