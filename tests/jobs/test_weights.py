import hashlib
import json
import shutil

import numpy as np
import pytest
import s3fs
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from jobs import weights
from jobs.cli import app
from strmatch import STRMatch, WeightsError, load_backbone
from strmatch.backbones.lavie import LaVieUNet
from strmatch.sampling.schedule import Schedule
from tests.strmatch.backbones.joint.tiny import PARTS, save_joint
from tests.strmatch.published import (
    lavie_tensors,
    save_lavie,
    save_motion_adapter,
    save_stable_diffusion,
    save_zeroscope,
)
from tests.strmatch.tiny import FRAMES, SIZE

KEYS = 830  # of the official checkpoint


def fetch(*arguments):
    """The command; its exit code and the lines of its standard error."""
    ended = CliRunner().invoke(app, ["weights", "fetch", *map(str, arguments)])
    assert ended.exception is None or isinstance(ended.exception, SystemExit)
    return ended.exit_code, ended.stderr.splitlines()


@pytest.fixture(scope="module")
def tensors():
    return lavie_tensors()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stable diffusion")
    return folder, save_stable_diffusion(folder, unet=True)


@pytest.fixture
def bucket(s3, tmp_path, monkeypatch):
    """As a person reaches it: by the environment alone."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("STRMATCH_CACHE", str(tmp_path / "cache"))
    s3fs.S3FileSystem.clear_instance_cache()
    store = s3fs.S3FileSystem()
    store.mkdir("models")
    yield store
    store.rm("models", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def checkpoint(tensors, tmp_path):
    return save_lavie(tensors, tmp_path / "lavie_base.pt")


def assert_is_lavie(source, tensors, backbone):
    """Everything is what was published, to the precision of float16."""
    loaded = load_backbone(source, device="cpu", dtype=torch.float32)
    assert isinstance(loaded.unet, LaVieUNet)
    state = loaded.unet.state_dict()
    assert len(state) == KEYS and state.keys() == tensors.keys()
    for name, tensor in tensors.items():
        torch.testing.assert_close(state[name], tensor, rtol=1e-3, atol=1e-7)
    assert torch.equal(
        state["mid_block.attentions.0.transformer_blocks.0.attn_temp.rotary_emb.freqs"],
        10000.0 ** -(torch.arange(0, 32, 2) / 32),
    )
    assert loaded.unet.config.sample_size == [40, 64]
    prompt = "a red circle moving right"
    assert torch.equal(loaded.embed(prompt), backbone.embed(prompt))
    frames = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    assert torch.equal(loaded.encode(frames), backbone.encode(frames))
    assert loaded.vae.config.scaling_factor == 0.18215

    schedule = Schedule.from_scheduler(loaded.scheduler, 50)
    assert schedule.timesteps[-1] == 981 and schedule.timesteps[:2] == (0, 1)
    alphas = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    np.testing.assert_allclose(schedule.alphas[-1], alphas[981] ** 0.5, rtol=1e-5)
    np.testing.assert_allclose(schedule.alphas[0], alphas[0] ** 0.5, rtol=1e-5)
    assert loaded.scheduler.config.prediction_type == "epsilon"
    assert not loaded.scheduler.config.clip_sample
    return loaded


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_lavie_from_files_to_a_folder(tensors, base, tmp_path, zipped):
    path = save_lavie(tensors, tmp_path / "lavie_base.pt", zipped)
    folder = tmp_path / "models" / "lavie"
    assert fetch("lavie", "--to", folder, "--checkpoint", path, "--base", base[0])[0] == 0
    loaded = assert_is_lavie(folder, tensors, base[1])
    for dtype in (torch.float16, torch.bfloat16):
        assert load_backbone(folder, dtype=dtype).dtype == dtype

    manifest = json.loads((folder / "weights.json").read_text())
    assert manifest["sources"]["checkpoint_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    assert manifest["files"].keys() | {"weights.json"} == there.keys()
    for name, digest in manifest["files"].items():
        assert hashlib.sha256(there[name].read_bytes()).hexdigest() == digest
    assert {p.suffix for p in there.values()} == {".json", ".txt", ".safetensors"}

    path.unlink()  # the second time nothing is read
    again = CliRunner().invoke(
        app, ["weights", "fetch", "lavie", "--to", str(folder), "--checkpoint", str(path)]
    )
    assert again.exit_code == 0 and "lavie is there already" in again.stdout
    assert load_backbone(folder).revision == loaded.revision


def test_lavie_from_s3_to_s3(tensors, base, checkpoint, bucket):
    bucket.put(str(checkpoint), "models/published/lavie_base.pt")
    bucket.put(str(base[0]), "models/sd", recursive=True)
    arguments = ["--checkpoint", "s3://models/published/lavie_base.pt", "--base", "s3://models/sd"]
    assert fetch("lavie", "--to", "s3://models/lavie", *arguments)[0] == 0
    assert_is_lavie("s3://models/lavie", tensors, base[1])


def change(tensors, how):
    tensors = dict(tensors)
    if how == "missing":
        del tensors["mid_block.resnets.0.norm1.bias"]
    elif how == "misnamed":
        tensors["mid_block.resnets.0.norm1.bios"] = tensors.pop("mid_block.resnets.0.norm1.bias")
    elif how == "misshapen":
        tensors["down_blocks.1.resnets.0.norm2.weight"] = torch.ones(96)
    elif how == "no tensor":
        tensors["conv_in.bias"] = [0.0] * 32
    elif how == "infinite":
        tensors["conv_in.bias"] = torch.full((32,), 1e6)
    elif how == "other frequencies":
        name = "up_blocks.1.attentions.0.transformer_blocks.0.attn_temp.rotary_emb.freqs"
        tensors[name] = tensors[name] * 1.01
    return tensors


@pytest.mark.parametrize(
    ("how", "key"),
    [
        ("missing", "mid_block.resnets.0.norm1.bias is missing"),
        ("misnamed", "mid_block.resnets.0.norm1.bios is unexpected"),
        ("misshapen", "down_blocks.1.resnets.0.norm2.weight is (96,), not (64,)"),
        ("no tensor", "conv_in.bias is no tensor"),
        ("infinite", "conv_in.bias is not finite as float16"),
        ("other frequencies", "rotary_emb.freqs is not 10000^(−2k/32)"),
    ],
)
def test_a_checkpoint_that_is_not_lavies_is_refused_in_one_line(tensors, base, tmp_path, how, key):
    path = save_lavie(change(tensors, how), tmp_path / "lavie_base.pt")
    to = tmp_path / "lavie"
    code, lines = fetch("lavie", "--to", to, "--checkpoint", path, "--base", base[0])
    assert code == 1 and len(lines) == 1
    assert key in lines[0] and "lavie_base.pt" in lines[0]
    assert not list(to.iterdir())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_truncated_files_are_refused_in_one_line(tensors, base, tmp_path, zipped):
    path = save_lavie(tensors, tmp_path / "lavie_base.pt", zipped)
    whole = path.read_bytes()
    for share in (0, 0.001, 0.5, 0.999999):
        path.write_bytes(whole[: int(share * len(whole))])
        to = tmp_path / "lavie"
        code, lines = fetch("lavie", "--to", to, "--checkpoint", path, "--base", base[0])
        assert code == 1 and len(lines) == 1
        assert f"cannot read {path}, is it whole?" in lines[0]


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(base, tmp_path, zipped):
    path, exploded = tmp_path / "lavie_base.pt", tmp_path / "exploded"
    content = {"ema": {"conv_in.weight": torch.ones(1)}, "args": Bomb(exploded)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    code, lines = fetch("lavie", "--to", tmp_path / "to", "--checkpoint", path, "--base", base[0])
    assert code == 1 and len(lines) == 1
    assert f"{path} is refused: to read it would call io.open" in lines[0]
    assert not exploded.exists()


def test_other_sources_that_will_not_do_are_named(tensors, base, checkpoint, tmp_path):
    to = tmp_path / "to"
    plain = tmp_path / "plain.pt"
    torch.save(tensors, plain)
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, message in [
        (["--checkpoint", plain, "--base", base[0]], "plain.pt has no entry 'ema'"),
        (["--checkpoint", empty, "--base", base[0]], "cannot read"),
        (["--checkpoint", checkpoint, "--base", empty], f"{empty} has no vae/config.json"),
        (
            ["--checkpoint", tmp_path / "no.pt", "--base", base[0]],
            "no.pt, and it is no",
        ),
        (["--checkpoint", "some/model", "--base", base[0]], "its commit, as owner/name@commit"),
        (["--checkpoint", "memory://none.pt", "--base", base[0]], "cannot fetch memory://none.pt"),
    ]:
        code, lines = fetch("lavie", "--to", to, *arguments)
        assert code == 1 and len(lines) == 1 and message in lines[0]
    code, lines = fetch("zeroscope", "--to", to, "--base", base[0])
    assert code == 1 and "it takes no --base" in lines[0]
    code, lines = fetch("zeroscope", "--to", plain / "to")
    assert code == 1 and "to cannot be written" in lines[0]
    code, lines = fetch("vidoo", "--to", to)
    assert code == 1 and "there are lavie, zeroscope, animatediff, wan, cogvideox" in lines[0]


def test_a_base_of_another_width_is_refused(base, tmp_path):
    torch.manual_seed(0)
    unet = LaVieUNet(block_out_channels=(32,) * 4, cross_attention_dim=16, attention_head_dim=1)
    path = save_lavie(unet.state_dict(), tmp_path / "lavie_base.pt")
    code, lines = fetch("lavie", "--to", tmp_path / "to", "--checkpoint", path, "--base", base[0])
    assert code == 1 and "is 32 channels wide and the denoiser wants 16" in lines[-1]


def test_what_is_there_is_not_overwritten(base, checkpoint, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/unet").touch()
    sources = ["--checkpoint", checkpoint, "--base", base[0]]
    code, lines = fetch("lavie", "--to", tmp_path / "mine", *sources)
    assert code == 1 and "mine is not empty" in lines[0]
    shutil.rmtree(tmp_path / "mine")
    assert fetch("lavie", "--to", tmp_path / "mine", *sources)[0] == 0
    code, lines = fetch("zeroscope", "--to", tmp_path / "mine")
    assert code == 1 and "mine holds lavie" in lines[0]


def test_a_folder_left_half_written_is_no_model_and_is_begun_anew(
    base, checkpoint, bucket, monkeypatch
):
    copy = weights._copy

    def dies_at(name):
        def dies(path, to, what):
            if path.name == name:
                raise OSError("the machine is gone")
            return copy(path, to, what)

        return dies

    sources = ["--checkpoint", checkpoint, "--base", base[0]]
    for name in ("scheduler_config.json", "merges.txt", "diffusion_pytorch_model.safetensors"):
        monkeypatch.setattr(weights, "_copy", dies_at(name))
        code, lines = fetch("lavie", "--to", "s3://models/lavie", *sources)
        assert code == 1 and "the machine is gone" in lines[-1]
        with pytest.raises(
            WeightsError, match="cannot fetch weights from s3://models/lavie: .*whole"
        ):
            load_backbone("s3://models/lavie")
    monkeypatch.setattr(weights, "_copy", copy)
    assert fetch("lavie", "--to", "s3://models/lavie", *sources)[0] == 0
    assert load_backbone("s3://models/lavie").unet.num_levels == 4


def test_a_copy_that_is_not_what_was_written_is_refused(base, checkpoint, bucket):
    sources = ["--checkpoint", checkpoint, "--base", base[0]]
    assert fetch("lavie", "--to", "s3://models/lavie", *sources)[0] == 0
    name = "models/lavie/vae/diffusion_pytorch_model.safetensors"
    data = bytearray(bucket.cat_file(name))
    data[-1] ^= 1
    bucket.pipe_file(name, bytes(data))
    with pytest.raises(WeightsError, match="vae/diff.* is not the file that weights.json names"):
        load_backbone("s3://models/lavie")


def test_zeroscope(tmp_path):
    published = tmp_path / "published"
    unet = save_zeroscope(published)
    assert fetch("zeroscope", "--to", tmp_path / "to", "--checkpoint", published)[0] == 0
    loaded = load_backbone(tmp_path / "to", device="cpu", dtype=torch.float32)
    for name, tensor in unet.state_dict().items():
        torch.testing.assert_close(
            loaded.unet.unet.state_dict()[name], tensor, rtol=1e-3, atol=1e-7
        )
    assert loaded.unet.config.sample_size == [40, 72]


@pytest.mark.parametrize("name", PARTS)
def test_video_transformers_are_written_in_16_bits_but_for_what_diffusers_keeps(name, tmp_path):
    published, to = tmp_path / "published", tmp_path / "to"
    save_joint(name, published, max_shard_size="40KB")
    shards = sorted((published / "transformer").glob("*.safetensors"))
    assert len(shards) > 1
    assert fetch(name, "--to", to, "--checkpoint", published)[0] == 0
    transformer, vae = PARTS[name]()[:2]
    exact = set(transformer._keep_in_fp32_modules or ())
    written = {}
    for shard in shards:
        written |= load_file(to / "transformer" / shard.name)
    for key, tensor in transformer.state_dict().items():
        kept = exact & set(key.split("."))
        assert torch.equal(written[key], tensor if kept else tensor.to(torch.bfloat16))
    loaded = load_backbone(to, device="cpu", dtype=torch.float32)
    for mine, theirs in zip(loaded.vae.parameters(), vae.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    shards[-1].unlink()
    code, lines = fetch(name, "--to", tmp_path / "again", "--checkpoint", published)
    assert code == 1 and shards[-1].name in lines[-1]


def test_animatediff(base, tmp_path):
    adapter = save_motion_adapter(tmp_path / "adapter")
    sources = ["--checkpoint", tmp_path / "adapter", "--base", base[0]]
    assert fetch("animatediff", "--to", tmp_path / "to", *sources)[0] == 0
    loaded = load_backbone(tmp_path / "to", device="cpu", dtype=torch.float32)
    state = loaded.unet.unet.state_dict()
    moved = adapter.state_dict()
    assert moved.keys() == {name for name in state if "motion_modules" in name}
    for name, tensor in moved.items():
        torch.testing.assert_close(state[name], tensor, rtol=1e-3, atol=1e-7)
    frames = np.zeros((FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    inversion = STRMatch(loaded).invert(frames, "a red circle", num_inference_steps=2)
    assert inversion.latents.isfinite().all()
