"""What the tests of all formats ask of a folder."""

from pathlib import Path

from pipelines.exports.base import export


def write(published, format, to):
    """Export the shared dataset; returns the number of parts."""
    return sum(1 for _ in export(published.dataset, format, to))


def content(folder):
    """The bytes of all files of a folder by their names."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
