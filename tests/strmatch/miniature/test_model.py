import pytest
import torch

from strmatch.backbones.lavie_layers import TemporalAttention
from strmatch.miniature.model import make_clip, make_unet, make_vae
from strmatch.miniature.tokenizer import make_tokenizer

TOKENIZER = make_tokenizer()


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return make_unet()


def test_latents_have_a_quarter_of_the_frame_size():
    vae = make_vae()
    latents = vae.encode(torch.zeros(1, 3, 64, 64)).latent_dist.mean
    assert latents.shape == (1, 4, 16, 16)
    assert vae.decode(latents).sample.shape == (1, 3, 64, 64)


def test_the_unet_keeps_the_shape_of_the_latents(unet):
    with torch.no_grad():
        output = unet(torch.randn(2, 4, 3, 16, 16), torch.tensor([5, 900]), torch.randn(2, 32, 128))
    assert output.shape == (2, 4, 3, 16, 16)


def test_one_head_attends_to_earlier_frames_and_one_to_later_ones(unet):
    seen = []
    layers = [module for module in unet.modules() if isinstance(module, TemporalAttention)]
    for layer in layers:
        layer.probe = seen.append
    with torch.no_grad():
        unet(torch.randn(1, 4, 16, 16, 16), torch.tensor([500]), torch.randn(1, 32, 128))
    for layer in layers:
        layer.probe = None
    for probabilities in seen:  # (positions, heads, f, f)
        back, ahead = probabilities.mean(dim=0)[:2, 8]
        assert back[:8].sum() > 5 * back[9:].sum()
        assert ahead[9:].sum() > 5 * ahead[:8].sum()
    assert len(seen) == len(layers) == 7


@pytest.mark.parametrize(
    ("caption", "other"),
    [
        ("a red circle over bricks", "a red star over bricks"),
        ("a red circle moving left over bricks", "a red circle moving right over bricks"),
        ("a red circle over bricks", "a blue circle over bricks"),
    ],
)
def test_a_replaced_word_changes_its_token_clearly(caption, other):
    torch.manual_seed(0)
    tower = make_clip(TOKENIZER).text_model.eval()
    ids = TOKENIZER([caption, other], return_tensors="pt").input_ids
    with torch.no_grad():
        first, second = tower(ids).last_hidden_state
    (place,) = (ids[0] != ids[1]).nonzero().flatten().tolist()
    change = (first - second).norm(dim=-1) / first.norm(dim=-1)
    assert change[place] > 1 and change[:place].max() == 0
