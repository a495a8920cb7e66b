"""Tiny vision-language models of real families, as folders that `save_pretrained` writes."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForImageTextToText,
    Idefics3Config,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlavaConfig,
    LlavaImageProcessorPil,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    VideoLlama3Config,
    VideoLlama3ImageProcessorPil,
)

SENTENCES = ("A brown dog runs on a sandy beach.", "Two red boats drift across the quiet lake.")
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %} {{ part['text'] }}{% endif %}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %} assistant{% endif %}"
)
SPECIAL = (
    *("<unk>", "<pad>", "<end>", "<image>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>"),
    *("<|vision_end|>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"),
)
TEXT = {
    **{"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2},
    **{"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 512},
    **{"pad_token_id": 1, "eos_token_id": 2, "bos_token_id": None},
}


def qwen(folder, sentences=SENTENCES):
    """The family of the default model, whose processor needs torchvision for its videos."""
    tokenizer = _tokenizer("<|vision_start|><|image_pad|><|vision_end|>", sentences)
    image_token, video_token, start, end = tokenizer.convert_tokens_to_ids(
        ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    )
    rope = {"rope_type": "default", "mrope_section": [4, 2, 2], "rope_theta": 10000.0}
    config = Qwen3VLConfig(
        text_config=TEXT | {"vocab_size": len(tokenizer), "head_dim": 16, "rope_parameters": rope},
        vision_config={
            **{"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2},
            **{"patch_size": 8, "spatial_merge_size": 2, "temporal_patch_size": 2},
            **{"out_hidden_size": 32, "num_position_embeddings": 64},
            "deepstack_visual_indexes": [0],
        },
        **{"image_token_id": image_token, "video_token_id": video_token},
        **{"vision_start_token_id": start, "vision_end_token_id": end},
    )
    size = {"shortest_edge": 32 * 32, "longest_edge": 64 * 64}
    Qwen2VLImageProcessorPil(patch_size=8, merge_size=2, size=size).save_pretrained(folder)
    return _save(config, tokenizer, folder)


def idefics3(folder):
    """The family of SmolVLM."""
    tokenizer = _tokenizer("<image>")
    config = Idefics3Config(
        text_config=TEXT | {"model_type": "llama", "vocab_size": len(tokenizer)},
        vision_config=_vision(),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    processor = Idefics3Processor(
        Idefics3ImageProcessorPil(
            size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
        ),
        tokenizer,
        image_seq_len=4,
    )
    processor.save_pretrained(folder)
    return _save(config, tokenizer, folder)


def llava(folder):
    tokenizer = _tokenizer("<image>")
    config = LlavaConfig(
        text_config=TEXT | {"model_type": "llama", "vocab_size": len(tokenizer)},
        vision_config=_vision() | {"model_type": "clip_vision_model", "projection_dim": 32},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    image_processor = LlavaImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    processor = LlavaProcessor(
        image_processor,
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    processor.save_pretrained(folder)
    return _save(config, tokenizer, folder)


def video_llama_3(folder):
    tokenizer = _tokenizer("<|image_pad|>")
    image_token, video_token = tokenizer.convert_tokens_to_ids(["<|image_pad|>", "<|video_pad|>"])
    config = VideoLlama3Config(
        text_config=TEXT | {"model_type": "qwen2", "vocab_size": len(tokenizer)},
        vision_config=_vision(),
        **{"image_token_id": image_token, "video_token_id": video_token},
    )
    VideoLlama3ImageProcessorPil(
        patch_size=8, merge_size=1, min_pixels=32 * 32, max_pixels=32 * 32
    ).save_pretrained(folder)
    return _save(config, tokenizer, folder)


FAMILIES = {"qwen": qwen, "idefics3": idefics3, "llava": llava, "video_llama_3": video_llama_3}


def teach(captioner, clips, folder, steps=60):
    """Train a captioner's model to describe the clips by `SENTENCES`. Save it to the folder."""
    from pipelines.captioners.caption_check import INSTRUCTION
    from pipelines.media.frames import sample

    images = [sample(frames, captioner.captions.frames) for frames in clips]
    questions = [captioner.inputs(shown, INSTRUCTION) for shown in images]
    return teach_answers(captioner, zip(questions, SENTENCES, strict=True), folder, steps)


def teach_answers(local, answers, folder, steps=60):
    """Train a `LocalVLM` to answer. Save the model to the folder. Return the loss.

    Args:
        answers: pairs of inputs and answer.
    """
    model, tokenizer = local.model, local.processor.tokenizer
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    batches = []
    for inputs, sentence in answers:
        said = tokenizer(f"{sentence}<end>", return_tensors="pt", add_special_tokens=False)
        length = inputs["input_ids"].shape[1]
        inputs["input_ids"] = torch.cat([inputs["input_ids"], said["input_ids"]], 1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        if "mm_token_type_ids" in inputs:
            none = torch.zeros_like(said["input_ids"])
            inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], none], 1)
        labels = inputs["input_ids"].clone()
        labels[:, :length] = -100
        batches.append({**inputs, "labels": labels})
    for _ in range(steps):
        loss = sum(model(**batch).loss for batch in batches)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.save_pretrained(folder)
    return loss.item()


def _vision():
    return {
        **{"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2},
        **{"num_attention_heads": 2, "image_size": 32, "patch_size": 8},
    }


def _tokenizer(image, sentences=SENTENCES):
    """A tokenizer that splits at spaces and has the placeholder tokens of an image."""
    words = sorted({f"▁{word}" for sentence in sentences for word in sentence.split()})
    vocabulary = {token: n for n, token in enumerate([*SPECIAL, *words, "▁user", "▁assistant"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **{"unk_token": "<unk>", "pad_token": "<pad>", "eos_token": "<end>"},
        additional_special_tokens=list(SPECIAL[3:]),
        chat_template=TEMPLATE.replace("IMAGE", image),
    )


def _save(config, tokenizer, folder):
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(config)
    model.generation_config.eos_token_id = 2
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
