import pytest
import torch
from safetensors.torch import save_file

from strmatch import WeightsError
from strmatch.weights.checkpoint import read_tensors
from strmatch.weights.strict import check_fit


@pytest.fixture
def tensors():
    return {"weight": torch.randn(3, 2), "bias": torch.randn(3)}


def test_every_file_format_gives_the_same_tensors(tensors, tmp_path):
    save_file(tensors, tmp_path / "a.safetensors")
    torch.save(tensors, tmp_path / "b.bin")
    torch.save({"ema": tensors, "step": 7}, tmp_path / "c.pt", _use_new_zipfile_serialization=False)
    for name, entry in (("a.safetensors", None), ("b.bin", None), ("c.pt", "ema")):
        read = read_tensors(tmp_path / name, entry)
        assert read.keys() == tensors.keys()
        assert all(torch.equal(read[key], tensor) for key, tensor in tensors.items())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "has no entry 'ema'"),
        ({"model": {}}, "has no entry 'ema'"),
        ({"ema": {}}, "holds no tensors by name"),
        ({"ema": {"step": 7}}, "step is no tensor"),
    ],
)
def test_files_of_other_contents_are_refused(content, message, tmp_path):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=f"x.pt.* {message}"):
        read_tensors(tmp_path / "x.pt", "ema")


def test_the_message_lists_the_first_mismatches_and_counts_the_rest(tensors, tmp_path):
    with torch.device("meta"):
        model = torch.nn.Linear(2, 3)
    check_fit(tensors, model, tmp_path)
    wrong = {"bias": torch.zeros(4), "b": torch.zeros(1), "c": torch.zeros(1)}
    with pytest.raises(WeightsError) as refused:
        check_fit(wrong, model, tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} does not fit Linear: weight is missing, b is unexpected, c is unexpected; "
        "1 more"
    )
