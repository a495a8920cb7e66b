"""The published transformers by names and shapes: what their repositories hold is what loads.

The names in published/ are those of DiffSynth-Studio's tables, which map published files to its own
classes. They are compared with what the hub and others recorded of the files.
"""

import hashlib
import json
import re
from math import prod
from pathlib import Path

import diffusers
import pytest
import torch

from strmatch.backbones.joint.denoisers import make_denoiser
from strmatch.weights.errors import WeightsError
from strmatch.weights.strict import check_fit

PUBLISHED = Path(__file__).parent / "published"
LISTS = {
    "wan-1.3b": "wan.tsv",
    "wan-14b": "wan.tsv",
    "cogvideox-2b": "cogvideox.tsv",
    "cogvideox-5b": "cogvideox.tsv",
}
PARAMETERS = {
    "wan-1.3b": 1_418_996_800,
    "wan-14b": 14_288_491_584,
    "cogvideox-2b": 1_693_783_872,
    "cogvideox-5b": 5_570_283_072,
}


def config_of(model):
    return json.loads((PUBLISHED / f"{model}.json").read_text())


def shapes_of(model):
    """Shapes by name, in the order in which the files were written."""
    config = config_of(model)
    width = config["num_attention_heads"] * config["attention_head_dim"]
    units = {"": 1, "d": width, "f": config.get("ffn_dim", 4 * width)}

    def size(text):
        number, unit = re.fullmatch(r"(\d*)([df]?)", text).groups()
        return int(number or 1) * units[unit]

    lines = [line.split("\t") for line in (PUBLISHED / LISTS[model]).read_text().splitlines()]
    inside = [n for n, (name, _) in enumerate(lines) if "*" in name]
    start, stop = inside[0], inside[-1] + 1
    blocks = [
        (name.replace("*", str(block)), shape)
        for block in range(config["num_layers"])
        for name, shape in lines[start:stop]
    ]
    return {
        name: tuple(size(each) for each in shape.split())
        for name, shape in (*lines[:start], *blocks, *lines[stop:])
    }


def index_of(model, itemsize, shard_bytes):
    """The index as the hub's client writes it, and the bytes of each shard."""
    shards, sizes = {}, [0]
    for name, shape in shapes_of(model).items():
        if sizes[-1] + itemsize * prod(shape) > shard_bytes:
            sizes.append(0)
        sizes[-1] += itemsize * prod(shape)
        shards[name] = len(sizes)
    files = {
        name: f"diffusion_pytorch_model-{n:05d}-of-{len(sizes):05d}.safetensors"
        for name, n in shards.items()
    }
    index = {"metadata": {"total_size": sum(sizes)}, "weight_map": files}
    return (json.dumps(index, indent=2, sort_keys=True) + "\n").encode(), sizes


@pytest.fixture(params=LISTS)
def model(request):
    return request.param


def on_meta(model):
    config = config_of(model)
    with torch.device("meta"):
        return getattr(diffusers, config["_class_name"]).from_config(config)


def test_every_name_and_shape_of_a_published_transformer_fits_its_class(model):
    transformer = on_meta(model)
    tensors = {name: torch.empty(s, device="meta") for name, s in shapes_of(model).items()}
    check_fit(tensors, transformer, Path(model))
    assert len(make_denoiser(transformer).blocks) == config_of(model)["num_layers"]
    lacking = dict(tensors)
    name, tensor = lacking.popitem()
    lacking["of another layout"] = tensor
    with pytest.raises(WeightsError, match=f"{re.escape(name)} is missing, of another layout is"):
        check_fit(lacking, transformer, Path(model))


def test_the_lists_hold_as_many_parameters_as_others_count_in_the_published_files(model):
    assert sum(prod(shape) for shape in shapes_of(model).values()) == PARAMETERS[model]


def test_the_list_of_wan_gives_the_published_index_byte_for_byte():
    """config.json and the index at commit 0fad780a534b6463e45facd96134c9f345acfa5b, by SHA-256."""
    config = (PUBLISHED / "wan-1.3b.json").read_bytes()
    assert hashlib.sha256(config).hexdigest() == (
        "0b093fa072e9ff28763febe9b964ee582f566733a6d6709deb9dfba1bde16b81"
    )
    index, _ = index_of("wan-1.3b", itemsize=4, shard_bytes=5 * 10**9)
    assert hashlib.sha256(index).hexdigest() == (
        "dcbcf3497134a3f50557ff069dd7d2c84b5c4d8c5932472f6bdb780fb4016589"
    )


def test_the_list_of_wan_14b_has_the_fingerprint_that_diffsynth_recorded():
    """DiffSynth-Studio tells published files by the MD5 of their sorted names, with shapes."""
    shapes = shapes_of("wan-14b")
    entries = [f"{name}:{'_'.join(map(str, shape))}" for name, shape in shapes.items()]
    joined = ",".join(sorted([*entries, *shapes]))
    assert hashlib.md5(joined.encode()).hexdigest() == "cb104773c6c2cb6df4f9529ad5c60d0b"


def test_the_list_of_cogvideox_gives_the_sizes_that_the_hub_shows():
    """Of index, shards and configs, 5B at commit 8fc5b281006c82b82d34fd2543d2f0ebb4e7e321."""
    index, sizes = index_of("cogvideox-5b", itemsize=2, shard_bytes=10**10)
    assert round(len(index) / 1e3) == 103
    assert [round(size / 1e9, 2) for size in sizes] == [9.93, 1.22]
    for model, size in (("cogvideox-2b", 713), ("cogvideox-5b", 757)):
        assert len((PUBLISHED / f"{model}.json").read_bytes()) == size
