import ast
import re

import pyarrow as pa
import pytest

from pipelines.config.loading import load_config
from pipelines.publishing.card import escape, write_card
from pipelines.schema import DATASET, meaning, rows_table, with_extras, with_metrics
from pipelines.storage import Storage
from pipelines.tables.outcomes import OutcomeCounter
from pipelines.tables.record import RunRecord

METRIC = "tests.pipelines.fakes.metrics:Difference"
HOSTILE = "<script>alert('1')</script> | `x` [y](javascript:z)\n# title ![i](j) &lt; $a$"
RECORD = RunRecord(
    input=HOSTILE,
    config={},
    fingerprints={},
    model_revision="1",
    versions={"strmatch": "0.1.0"},
    started="2026-01-02T03:04:05+00:00",
    finished="2026-01-02T03:04:06+00:00",
)


@pytest.fixture
def card(tmp_path):
    """The card of a dataset with hostile names."""
    edit = {"level": "edit", "target_kind": "recolour"}
    rows = [edit | {"row_id": "a", "status": "ok"}, edit | {"row_id": "b", "status": "ok"}]
    failed = {"status": "failed", "error_stage": "edit", "error_type": HOSTILE}
    rows += [edit | {"row_id": "c", "target_kind": None} | failed]
    schema = with_extras(with_metrics(DATASET, [METRIC]), pa.schema([(HOSTILE, pa.string())]))
    output = Storage(str(tmp_path / 'it\'s "ours" ```'))
    output.write_table("dataset/label=1/part-00000.parquet", rows_table(rows, schema))
    limits = f"publish.limits={{'{METRIC}': {{min: 0.5, max: 3}}}}"
    config = load_config(assignments=[f"measure.metrics=[{METRIC}]", limits])
    counter = OutcomeCounter(config.publish.bounds)
    counter.add(rows_table(rows, schema))
    write_card(output, config, RECORD.model_copy(update={"outcomes": counter.result()}))
    return output.read("README.md").decode()


def test_every_column_of_the_dataset_is_explained(card):
    for field in DATASET:
        explained = (
            rf"^\| {re.escape(escape(field.name))} \| .+ \| {re.escape(escape(meaning(field)))} \|$"
        )
        assert re.search(explained, card, re.MULTILINE)
    assert (
        "| metric\\_tests\\_pipelines\\_fakes\\_metrics\\_Difference | double | The mean abs"
        in card
    )


def test_the_number_of_objects_of_an_edit_is_told_where_there_are_several(card, tmp_path):
    assert "objects of an edit" not in card
    output = Storage(str(tmp_path / "several"))
    output.write_table("dataset/part-00000.parquet", rows_table([], DATASET))
    config = load_config(assignments=["annotate.objects_per_edit=3"])
    counted = OutcomeCounter(config.publish.bounds).result()
    write_card(output, config, RECORD.model_copy(update={"outcomes": counted}))
    assert "| objects of an edit | at most 3 |" in output.read("README.md").decode()


def test_the_licence_of_an_editors_own_weights_is_told(card, tmp_path):
    output = Storage(str(tmp_path / "cosmos"))
    output.write_table("dataset/part-00000.parquet", rows_table([], DATASET))
    config = load_config("cosmos-transfer")
    counted = OutcomeCounter(config.publish.bounds).result()
    write_card(output, config, RECORD.model_copy(update={"outcomes": counted}))
    shown = output.read("README.md").decode()
    assert "is used for:\nNVIDIA Open Model License.\n" in shown
    assert "| its weights | revision 1 |" in shown
    assert "| its weights | miniature, revision 1 |" in card
    assert "licence of their own" not in card


def test_the_card_shows_counts_and_limits(card):
    assert "3 rows:" in card
    assert "| ok |  |  | 2 |" in card
    assert f"| edit | failed | edit | {escape(HOSTILE)} | 1 |" in card
    assert "2 of 3 planned edits are ok: a yield of 67 %.\n0 are rejected and 1 failed." in card
    assert "| recolour | 2 | 2 | 100 % |\n| given | 1 | 0 | 0 % |\n" in card
    assert f"| {escape(METRIC)} at least 0.5 | 0 |\n| {escape(METRIC)} at most 3 | 0 |\n" in card
    assert f"| {escape(METRIC)} | at least 0.5, at most 3 |" in card
    assert "; lam 0.4; " in card


def test_text_from_users_is_shown_and_has_no_effect(card):
    text = card.partition("\n---\n")[2]  # the metadata have names as they are
    assert HOSTILE not in text and "<script" not in text
    assert text.count(escape(HOSTILE)) == 3  # input, reason, column
    outside_code = re.sub(r"```python\n.*?\n```", "", text, flags=re.DOTALL)
    assert "\n# title" not in outside_code and "[y](" not in outside_code
    # Each row of a table keeps its number of cells.
    (row,) = [line for line in card.splitlines() if line.startswith("| input |")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


def test_example_programs_are_valid_for_any_folder_name(card):
    programs = re.findall(r"```python\n(.*?)\n```", card, re.DOTALL)
    assert len(programs) == 4
    for program in programs:
        (folder,) = [
            node.value.value
            for node in ast.parse(program).body
            if isinstance(node, ast.Assign) and node.targets[0].id == "folder"
        ]
        assert folder.endswith('it\'s "ours" ```')
