"""The card of a dataset in a repository of the Hugging Face Hub."""

import re

from huggingface_hub import DatasetCard

from pipelines.exports.edits import PublishedDataset
from pipelines.publishing.card import CARD
from pipelines.publishing.hub_metadata import as_yaml, hub_metadata

TAG = "str-match"
"""The tag by which a repository is known to hold a dataset of this package."""
_FOLDER = re.compile(r"^folder = .*$", re.MULTILINE)


def card_for_hub(dataset: PublishedDataset, repository: str) -> bytes:
    """Returns the run's card for a repository; a card of metadata alone if the run has none.

    The programs of the card read the repository. Metadata that a person added or changed, such as a
    licence, stay.

    Args:
        repository: owner/name.
    """
    output, text = dataset.output, ""
    if output.exists(CARD):
        text = output.read(CARD).decode()
    name = repository.partition("/")[2]
    stored = output.read_schema(dataset.row_groups[0].file)  # without those in names of folders
    made = hub_metadata(name, stored, dataset.counts().total())
    facts = {key: made[key] for key in ("size_categories", "dataset_info")}
    card = DatasetCard(text, ignore_metadata_errors=True) if text else None
    given = card.data.to_dict() if card else {}
    body = card.text.lstrip("\n") if card else f"# {name}\n"
    tags = [*made["tags"], *(tag for tag in given.get("tags", ()) if tag not in made["tags"])]
    body = _FOLDER.sub(f'folder = "hf://datasets/{repository}"', body)
    return f"{as_yaml(made | given | facts | {'tags': tags})}\n{body}".encode()


def is_ours(card: bytes) -> bool:
    """Whether a card in a repository is that of a dataset of this package."""
    data = DatasetCard(card.decode(errors="replace"), ignore_metadata_errors=True).data
    return TAG in (data.to_dict().get("tags") or ())
