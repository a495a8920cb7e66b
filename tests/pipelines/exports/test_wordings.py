from pipelines.exports.edits import PublishedDataset
from pipelines.exports.wordings import COLUMNS, wordings
from pipelines.storage import Storage
from tests.pipelines.support.datasets import write_dataset


def told(dataset, count):
    rows = (row for group in dataset.row_groups for row in dataset.edits(group, COLUMNS))
    return [wordings(row, count) for row in rows]


def test_the_first_wordings_are_those_of_the_dataset(published):
    found = told(published.dataset, 1)
    expected = [([row["instruction"]], [row["inverse_instruction"]]) for row in published.ok]
    assert found == expected


def test_further_wordings_differ(published):
    for there, back in told(published.dataset, 4):
        assert len(set(there)) == len(there) == 4
        assert len(set(back)) == len(back) == 4
    assert all(len(there) >= 5 for there, _ in told(published.dataset, 1000))


def test_datasets_of_older_versions_get_the_same_instructions(published, tmp_path):
    output = Storage(str(tmp_path))
    write_dataset(output, drop=("instruction", "inverse_instruction"))
    assert told(PublishedDataset(output), 3) == told(published.dataset, 3)
