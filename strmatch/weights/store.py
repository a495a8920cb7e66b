"""A store: one folder with every model of a preset, for clusters without the hub.

`strmatch weights fetch --preset` writes a store. Its manifest is written last, so that an
incomplete store is refused.
"""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from strmatch.weights.errors import WeightsError
from strmatch.weights.manifest import MANIFEST, compare_hashes
from strmatch.weights.remote import cached, fetch, is_remote
from strmatch.weights.source import Source


def store_key(source: Source) -> str:
    """The folder of a hub model in a store: owner--name--commit."""
    name, commit = source.hub_id()
    return f"{name.replace('/', '--')}--{commit[:12]}"


@dataclass(frozen=True)
class Store:
    """The store in a folder or below an fsspec URI."""

    uri: str

    def folder(self, key: str, offline: bool = False) -> Path:
        """The local folder of a model, copied first if the store is remote.

        A copy is compared with the hashes of the manifest.

        Raises:
            WeightsError: the store lacks the model, is incomplete, or cannot be read.
        """
        place = f"{self.uri.rstrip('/')}/{key}"
        if is_remote(place) and cached(place).is_dir():
            return cached(place)
        if offline and is_remote(place):
            raise WeightsError(f"{place} is not cached, and offline permits no download")
        files = self.files(key)
        if is_remote(place):
            return fetch(place, partial(compare_hashes, files=files))
        for name in files:
            if not (Path(place) / name).is_file():
                raise WeightsError(f"{place} lacks {name}: fetch the store again")
        return Path(place)

    def files(self, key: str) -> dict[str, str]:
        """The SHA-256 of each file of a model.

        Raises:
            WeightsError: the store lacks the model, is incomplete, or cannot be read.
        """
        models = self.manifest()["models"]
        if key not in models:
            raise WeightsError(
                f"{self.uri} holds no {key}, it holds {', '.join(models)}: fetch the preset of "
                "this run with `strmatch weights fetch --preset`"
            )
        return models[key]["files"]

    def manifest(self) -> dict[str, Any]:
        """The manifest: preset, version of this package, and models by their key.

        Raises:
            WeightsError: there is none, or the store is incomplete.
        """
        import fsspec

        place = f"{self.uri.rstrip('/')}/{MANIFEST}"
        try:
            with fsspec.open(place, "rb") as file:
                content = json.load(file)
        except FileNotFoundError as error:
            raise WeightsError(
                f"{self.uri} is no store of weights: it has no {MANIFEST}, which `strmatch weights "
                "fetch --preset` writes"
            ) from error
        except Exception as error:  # object stores have exceptions of their own
            raise WeightsError(f"cannot read {place}: {error}") from error
        if not isinstance(content, dict) or "preset" not in content:
            raise WeightsError(
                f"{self.uri} holds one model and is no store of a preset: name the model as "
                "backbone.weights"
            )
        if not content.get("models"):
            raise WeightsError(
                f"{self.uri} is not whole: run the `strmatch weights fetch` that started it again"
            )
        return content
