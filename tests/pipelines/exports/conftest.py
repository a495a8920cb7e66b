from typing import NamedTuple

import pytest

from pipelines.exports.edits import PublishedDataset
from pipelines.storage import Storage
from tests.pipelines.support.datasets import write_dataset


class Published(NamedTuple):
    """A dataset that no test may change."""

    output: Storage
    rows: list
    """All its rows."""
    ok: list
    """Its edits that are ok."""

    @property
    def dataset(self):
        return PublishedDataset(self.output)


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    output = Storage(str(tmp_path_factory.mktemp("published")))
    rows = write_dataset(output)
    ok = [row for row in rows if row["level"] == "edit" and row["status"] == "ok"]
    return Published(output, rows, ok)
