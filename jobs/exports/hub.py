"""The job of `strmatch export hub`."""

import os
from collections.abc import Iterable

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from pipelines.config.loading import load_config
from pipelines.errors import RunError
from pipelines.exports.edits import PublishedDataset
from pipelines.exports.hub.upload import HubExport
from pipelines.progress import progress
from pipelines.storage import Storage

TOKEN = "HF_TOKEN"


def run(
    output: str,
    repository: str,
    revision: str,
    report: bool,
    public: bool,
    dry_run: bool,
    assignments: Iterable[str],
) -> None:
    """Upload the dataset of a run to a repository of the Hub.

    Args:
        output: folder or fsspec URI of the run.
        repository: owner/name.
        revision: branch.
        report: whether to upload the report page, too.
        public: whether a new repository is public.
        dry_run: list the files and their bytes instead; sends no request.
        assignments: settings `execution.…=value`, for access to object stores.

    Raises:
        RunError: the name is none of a repository, or there is no token.
    """
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise RunError(f"--repo {repository}: {error}") from None
    if repository.count("/") != 1:
        raise RunError(f"--repo {repository}: write owner/name")
    token = os.environ.get(TOKEN, "").strip() or None
    if token is None and not dry_run:
        raise RunError(f"{TOKEN} is not set: set it to a token with write access to {repository}")
    options = load_config(assignments=assignments).execution.storage_options
    dataset = PublishedDataset(Storage(output, options))
    export = HubExport(dataset, repository, revision, report, token)
    where = f"{repository} at {revision}"
    if dry_run:
        for name, size in export.files.items():
            print(f"  {size:>14,} {name}")
        print(f"  {sum(export.files.values()):>14,} bytes, {len(export.files)} files to {where}")
        return
    sent = list(progress(export.upload(private=not public), "upload", None))
    if export.commit is None:
        print(f"  {where}: already complete: {len(export.files)} files")
    else:
        size = sum(row["bytes"] for row in sent)
        print(f"  {where}: commit {export.commit}, {len(sent)} files with {size:,} bytes sent")
