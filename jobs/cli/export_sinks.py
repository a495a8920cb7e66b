"""Commands that export a run to a repository or to a table that grows."""

from typing import Annotated

import typer

from jobs.cli.options import Assign, RunFolder, one_line_errors

app = typer.Typer()

Repository = Annotated[str, typer.Option("--repo", help="Repository, owner/name.")]
Revision = Annotated[str, typer.Option(help="Branch, which is made if it does not exist.")]
Report = Annotated[bool, typer.Option("--report", help="Upload the report page, too.")]
Public = Annotated[bool, typer.Option("--public", help="Make a new repository public.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="List the files and their bytes; send nothing.")
]


@app.command()
@one_line_errors
def hub(
    output: RunFolder,
    repository: Repository,
    revision: Revision = "main",
    report: Report = False,
    public: Public = False,
    dry_run: DryRun = False,
    set: Assign = None,
) -> None:
    """Upload the dataset and its card to the Hugging Face Hub, with the token in HF_TOKEN.

    Files that the repository holds are not sent again. All become visible by one commit. A new
    repository is private.

    Example: strmatch export hub runs/first --repo owner/name
    """
    from jobs.exports import hub as job

    job.run(output, repository, revision, report, public, dry_run, set or [])


Videos = Annotated[
    str,
    typer.Option(
        help="Folder or fsspec URI of the MP4 files: a complete export of the run as pairs or "
        "videofolder, or an empty folder, which becomes an export as pairs."
    ),
]
IcebergName = Annotated[str, typer.Option("--to", help="Table, namespace.table.")]
Catalog = Annotated[str, typer.Option(help="A catalogue in the configuration of pyiceberg.")]
LanceUri = Annotated[str, typer.Option("--to", help="Table: a path or a URI that Lance reads.")]


@app.command()
@one_line_errors
def iceberg(
    output: RunFolder,
    to: IcebergName,
    videos: Videos,
    catalog: Catalog = "default",
    set: Assign = None,
) -> None:
    """Append the edits that are ok to an Iceberg table, with the addresses of their videos.

    Appends a dataset once, in one snapshot, whose summary names the dataset.

    Example: strmatch export iceberg runs/first --to edits.first --videos exports/pairs
    """
    from jobs.exports import tables as job

    job.run(output, videos, lambda: job.iceberg(to, catalog), set or [])


@app.command()
@one_line_errors
def lance(output: RunFolder, to: LanceUri, videos: Videos, set: Assign = None) -> None:
    """Append the edits that are ok to a Lance table, with the addresses of their videos.

    Appends a dataset once, as one version of the table.

    Example: strmatch export lance runs/first --to exports/edits.lance --videos exports/pairs
    """
    from jobs.exports import tables as job

    job.run(output, videos, lambda: job.lance(to), set or [])
