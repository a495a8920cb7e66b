"""The captions of clips, and their subjects, as composed characters (Unicode's NFC)."""

import unicodedata

from pipelines.captioners.base import Captioner
from pipelines.english.subject import find_subject
from pipelines.media.encode import decode_video
from pipelines.rows import Row


class Caption:
    """Sets source_prompt and caption_source: the manifest's caption, else the captioner's.

    Reads caption and source_video.
    """

    def __init__(self, name: str, captioner: Captioner) -> None:
        self.name = name
        self.captioner = captioner

    def __call__(self, row: Row) -> Row:
        if row["caption"] is not None:
            return {"source_prompt": composed(row["caption"]), "caption_source": "manifest"}
        caption = self.captioner(decode_video(row["source_video"]))
        return {"source_prompt": composed(caption), "caption_source": self.name}


def name_subject(row: Row) -> Row:
    """Sets subject: the manifest's, else the noun phrase that is the subject of source_prompt.

    The subject stays null if no noun phrase is found. The manifest may give targets nevertheless.
    """
    if row["subject"] is not None:
        return {"subject": composed(row["subject"])}
    found = find_subject(row["source_prompt"])
    return {"subject": found.phrase if found else None}


def composed(text: str) -> str:
    """Return a text without surrounding white space, with accents as part of their letters.

    Otherwise an accent would stay behind when its letter is replaced.
    """
    return unicodedata.normalize("NFC", text.strip())
