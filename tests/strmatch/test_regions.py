"""Edits of several regions against loops that write the blend out."""

import numpy as np
import pytest
import torch

from strmatch import Region, STRMatch
from strmatch.masks import latent_mask
from strmatch.matching import Matcher
from strmatch.regions import join_prompts, region_texts
from tests.strmatch.tiny import SETTINGS, SIZE, tiny_backbone

SOURCE = "a red circle moving right and a green star moving left over bricks"
PROMPTS = ("a blue square moving right over bricks", "a pink cross moving left over bricks")
JOINT = "a blue square moving right and a pink cross moving left over bricks"
WORDS = ("a blue square", "the pink cross")
LATENT, FRAMES = SIZE // 4, 2


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.fixture(scope="module")
def editor(backbone):
    return STRMatch(backbone)


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def inversion(editor, frames):
    return editor.invert(frames, SOURCE)


def square(left, right, top=8, bottom=16, num_frames=FRAMES):
    mask = np.zeros((num_frames, SIZE, SIZE), dtype=bool)
    mask[:, top:bottom, left:right] = True
    return mask


APART = (square(0, 8), square(20, 28))


def regions(masks=APART, prompts=PROMPTS):
    return [Region(mask, prompt) for mask, prompt in zip(masks, prompts, strict=True)]


def read_without(backbone, prompt, left_out):
    """A text condition in which some words are padding, by comparison of their tokens."""
    ids = backbone.tokenizer(prompt).input_ids
    unread = set(backbone.tokenizer(left_out, add_special_tokens=False).input_ids)
    embedding = backbone.embed(prompt).clone()
    for position, token in enumerate(ids):
        if token in unread:
            embedding[0, position] = embedding[0, -1]
    assert unread < set(ids) and len(ids) < embedding.shape[1]
    return embedding


def inside(mask, dilation=SETTINGS.mask_dilation):
    """(1, 1, f, h, w)."""
    return latent_mask(torch.from_numpy(mask), LATENT, LATENT, dilation)


def steps_of(editor, inversion, target, **arguments):
    """Latents after each step, then loss and norm of the gradient of each step."""
    seen = []
    editor.edit(inversion, target, callback=seen.append, **arguments)
    return [x["latents"] for x in seen], [(x["loss"], x["grad_norm"]) for x in seen]


@pytest.mark.parametrize(
    ("mask", "words", "choice"),
    [
        (APART[0], None, {}),
        (None, "a red circle", {"guided_share": 0.5, "scored_halves": "both"}),
    ],
)
def test_one_region_is_the_edit_with_its_prompt_and_mask_bit_for_bit(
    editor, inversion, mask, words, choice
):
    latents, losses = steps_of(editor, inversion, PROMPTS[0], mask=mask, lam=0.1, **choice)
    region = Region(mask, PROMPTS[0], words)
    again, repeated = steps_of(editor, inversion, [region], lam=0.1, **choice)
    assert all(map(torch.equal, latents, again)) and losses == repeated


@pytest.mark.parametrize("prompts", [PROMPTS, WORDS])
def test_regions_far_apart_follow_the_blend_written_out(editor, inversion, prompts):
    """Each region by its own text, the score by the joint prompt, the rest by the source."""
    backbone, schedule, g = editor.backbone, inversion.schedule, SETTINGS.guidance_scale
    source, joint = backbone.embed(SOURCE), backbone.embed(JOINT)
    if prompts == WORDS:
        own = [read_without(backbone, JOINT, words) for words in ("pink cross", "blue square")]
    else:
        own = [backbone.embed(prompt) for prompt in prompts]
    masks, matcher = [inside(mask) for mask in APART], Matcher(backbone, SETTINGS)
    assert not (masks[0] & masks[1]).any() and not (masks[0] | masks[1]).all()
    latents, _ = steps_of(editor, inversion, regions(prompts=prompts), joint_prompt=JOINT, lam=0.1)
    z = inversion.latents[-1]
    for level, actual in zip((4, 3, 2, 1), latents, strict=True):
        t = schedule.timesteps[level]
        wanted = matcher.features(inversion.latents[level], t, source)
        z = z - 0.1 * matcher.loss_and_gradient(z, t, [joint], wanted)[1]
        unconditional = backbone.predict(z, t, source)
        epsilon = unconditional + g * sum(
            mask * (backbone.predict(z, t, text) - unconditional)
            for mask, text in zip(masks, own, strict=True)
        )
        z = schedule.step(z, epsilon, level, level - 1)
        outside = ~(masks[0] | masks[1]).expand_as(z)
        z[outside] = inversion.latents[level - 1][outside]
        for mask in masks:
            within = mask.expand_as(z)
            torch.testing.assert_close(actual[within], z[within], rtol=1e-9, atol=1e-9)
        assert torch.equal(actual[outside], z[outside])


def test_guidance_of_1_and_unguided_steps_follow_the_prompts_alone(editor, inversion):
    own = [editor.backbone.embed(prompt) for prompt in PROMPTS]
    z, schedule = inversion.latents[-1], inversion.schedule
    for choice in ({"guidance_scale": 1.0}, {"guided_share": 0.0}):
        latents, _ = steps_of(editor, inversion, regions(), lam=0.0, **choice)
        for mask, text in zip(APART, own, strict=True):
            epsilon = editor.backbone.predict(z, schedule.timesteps[4], text)
            expected = schedule.step(z, epsilon, 4, 3)
            within = inside(mask).expand_as(z)
            torch.testing.assert_close(latents[0][within], expected[within], rtol=1e-9, atol=1e-9)


def test_later_regions_are_in_front(editor, inversion):
    """Where dilated masks meet, each latent position follows the prompt of one region."""
    masks = (square(0, 16), square(12, 24))
    arguments = {"joint_prompt": JOINT, "num_inference_steps": 1}
    everywhere = [
        editor.edit(inversion, [Region(None, prompt)], **arguments).latents for prompt in PROMPTS
    ]
    shown = [inside(mask).expand_as(everywhere[0]) for mask in masks]
    assert (shown[0] & shown[1]).any()
    for order in ((0, 1), (1, 0)):
        chosen = [regions(masks)[index] for index in order]
        actual = editor.edit(inversion, chosen, **arguments).latents
        back, front = order
        only = shown[back] & ~shown[front]
        close = {"rtol": 1e-9, "atol": 1e-9}
        torch.testing.assert_close(actual[shown[front]], everywhere[front][shown[front]], **close)
        torch.testing.assert_close(actual[only], everywhere[back][only], **close)


def test_a_region_everywhere_edits_what_the_others_leave(editor, inversion):
    background = Region(None, "a red circle moving right over stripes")
    arguments = {"joint_prompt": JOINT, "num_inference_steps": 1}
    alone = editor.edit(inversion, [background], **arguments).latents
    both = editor.edit(inversion, [background, regions()[0]], **arguments).latents
    within = inside(APART[0]).expand_as(both)
    torch.testing.assert_close(both[~within], alone[~within], rtol=1e-9, atol=1e-9)
    assert not torch.isclose(both[within], alone[within], rtol=1e-9).any()


def test_the_matching_step_is_the_gradient_of_the_score_of_the_joint_prompt(editor, inversion):
    """By finite differences of the loss that an edit of regions reports."""
    words = ("a red circle", "a green star"), ("a blue square", "a pink cross")
    chosen = [
        Region(mask, target, source) for mask, source, target in zip(APART, *words, strict=True)
    ]
    matcher, z = Matcher(editor.backbone, SETTINGS), inversion.latents[-1]
    wanted = matcher.features(z, 751, editor.backbone.embed(SOURCE))
    joint = [editor.backbone.embed(JOINT)]

    def loss_at(latents):
        return matcher.loss_and_gradient(latents, 751, joint, wanted)[0]

    _, gradient = matcher.loss_and_gradient(z, 751, joint, wanted)
    _, records = steps_of(editor, inversion, chosen)
    assert records[0] == pytest.approx((loss_at(z).item(), gradient.norm().item()), rel=1e-9)
    direction = gradient / gradient.norm()
    slope = (loss_at(z + 1e-5 * direction) - loss_at(z - 1e-5 * direction)) / 2e-5
    assert slope.item() == pytest.approx(records[0][1], rel=1e-4)


def test_windows_of_a_long_clip_are_blended_by_region_before_they_are_fused():
    backbone, count = tiny_backbone(), FRAMES + 1
    backbone.num_frames = FRAMES
    frames = np.random.default_rng(1).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    editor = STRMatch(backbone)
    inversion = editor.invert(frames, SOURCE, window_weights="uniform", num_inference_steps=1)
    masks = [square(0, 8, num_frames=count), square(20, 28, num_frames=count)]
    masks[0][:2] = False
    z, t = inversion.latents[-1], inversion.schedule.timesteps[1]
    own = [backbone.embed(text) for text in (SOURCE, *PROMPTS)]
    total, windows = torch.zeros_like(z), torch.zeros(count, dtype=z.dtype)[:, None, None]
    for start in (0, 1):
        part = slice(start, start + FRAMES)
        parts = [backbone.predict(z[:, :, part], t, text) for text in own]
        change = sum(
            inside(mask[part]) * (epsilon - parts[0])
            for mask, epsilon in zip(masks, parts[1:], strict=True)
        )
        total[:, :, part] += parts[0] + SETTINGS.guidance_scale * change
        windows[part] += 1
    expected = inversion.schedule.step(z, total / windows, 1, 0)
    editable = (inside(masks[0]) | inside(masks[1])).expand_as(z)
    expected = torch.where(editable, expected, inversion.latents[0])
    actual = editor.edit(inversion, regions(masks), lam=0.0).latents
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


def test_all_prompts_of_a_step_are_one_batch(editor, inversion):
    """Two regions take one text more than one region, and no pass."""
    texts = []
    handle = editor.backbone.unet.register_forward_pre_hook(
        lambda module, args: texts.append(len(args[2]))
    )
    editor.edit(inversion, PROMPTS[0])  # fills the cache of the source's scores
    texts.clear()
    for target, batches in ((PROMPTS[0], [1, 2]), (regions(), [1, 3])):
        editor.edit(inversion, target)
        assert texts == batches * 4
        texts.clear()
    handle.remove()


def test_the_joint_prompt_is_the_source_prompt_with_other_words():
    def joined(*pairs, source=SOURCE):
        return join_prompts([Region(None, target, words) for words, target in pairs], source)

    circle, star = ("a red circle", "a blue square"), ("a green star", "a pink cross")
    assert joined(circle, star) == joined(star, circle) == JOINT
    swapped = joined(("a red circle", "a green star"), ("a green star", "a red circle"))
    assert swapped == "a green star moving right and a red circle moving left over bricks"
    twice = "a dog and a dog"
    assert joined(("a dog", "a cat"), ("a dog", "a fox"), source=twice) == "a cat and a fox"
    assert joined(("car", "bus"), ("a cat", "a dog"), source="a car near a carpet and a cat") == (
        "a bus near a carpet and a dog"
    )


def test_target_prompts_are_joined_by_and_where_words_of_the_source_are_missing():
    for words in (None, "", "a blue circle", "a red circl", "circle moving right and a green star"):
        both = [Region(None, "a fox", words), Region(None, "a cat", "a green star")]
        assert join_prompts(both, SOURCE) == "a fox and a cat"
    assert join_prompts([Region(None, "a fox"), Region(None, "a fox")]) == "a fox"
    assert join_prompts([Region(None, "a fox", "a red circle")], SOURCE) == "a fox"


def read_by_letters(prompts, joint):
    """What regions read if every letter is a token. An underscore is padding."""

    def embed(prompt):
        return torch.tensor([ord(letter) for letter in prompt.ljust(80, "_")])[None, :, None]

    texts = region_texts(regions(prompts=prompts), joint, embed, lambda _, *part: slice(*part))
    assert texts.shape == (2, 80, 1)
    return ["".join(map(chr, text.flatten().tolist())).rstrip("_ ") for text in texts]


@pytest.mark.parametrize(
    ("prompts", "joint", "read"),
    [
        (
            WORDS,
            "Two: A BLUE SQUARE and a pink cross",
            ["Two: A BLUE SQUARE and a", "Two: A ___________ and a pink cross"],
        ),
        (
            ("a square", "a blue square"),
            "a blue square, a square",
            ["a ___________, a square", "a blue square, a"],
        ),
        (("a fox", "a fox"), "a fox, a fox, a cat", ["a fox, a ___, a cat", "a ___, a fox, a cat"]),
    ],
)
def test_a_region_reads_the_joint_prompt_without_the_words_of_others(prompts, joint, read):
    assert read_by_letters(prompts, joint) == read


@pytest.mark.parametrize(
    ("prompts", "joint"),
    [
        (("a fox", "snow"), "a fox"),
        (("a fox", "a cat on snow"), "a fox, a cat"),
        (("a fox", "a cat"), "a fox and a cat"),
        (("a fox", "a fox"), "a fox"),
    ],
)
def test_a_region_reads_its_prompt_where_the_joint_prompt_says_no_more(prompts, joint):
    assert read_by_letters(prompts, joint) == [*prompts]


def test_wrong_regions_are_refused_by_name(editor, inversion):
    one = regions()[0]
    for arguments, named, error, message in (
        (([],), {}, ValueError, "target_prompt must hold at least one region"),
        ((one,), {}, TypeError, "target_prompt must be a string or a list of Region objects"),
        (([one, PROMPTS[0]],), {}, TypeError, "target_prompt must be a string or a list of Region"),
        (([one],), {"mask": APART[0]}, ValueError, "mask must be None with regions"),
        ((PROMPTS[0],), {"joint_prompt": JOINT}, ValueError, "joint_prompt needs regions"),
        (([one],), {"joint_prompt": 1}, TypeError, "joint_prompt must be a string or None"),
        (
            ([one, Region(APART[0][:1], "a cat")],),
            {},
            ValueError,
            r"mask of region 2 must be bool \(f, H, W\) = \(2, 32, 32\) like the clip, got bool",
        ),
    ):
        with pytest.raises(error, match=message) as raised:
            editor.edit(inversion, *arguments, **named)
        assert "\n" not in str(raised.value)
    with pytest.raises(TypeError, match="target_prompt must be a string, got None"):
        Region(None, None)
