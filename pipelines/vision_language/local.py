"""A vision-language model in the process of the worker."""

from typing import TYPE_CHECKING, Any

from pipelines.config.config import Config
from pipelines.vision_language.image_processor import load_processor

if TYPE_CHECKING:
    from PIL.Image import Image

    from strmatch.weights.source import Source


class LocalVLM:
    """The model of `annotate.vlm`: any that `AutoModelForImageTextToText` loads.

    Frames are passed as images, because model families differ in how they accept videos. Code in
    the folder of the weights is never executed. For a model that was published with its own code,
    name weights that were converted for transformers (VideoLLaMA 3: `model_type` is
    `video_llama_3`).

    Raises:
        WeightsError: the weights cannot be fetched, or do not fit the model.
    """

    def __init__(self, config: Config) -> None:
        import torch
        from transformers import AutoModelForImageTextToText

        from strmatch.weights.errors import WeightsError
        from strmatch.weights.locate import local_folder
        from strmatch.weights.strict import best_device, load_model

        choice = config.annotate.vlm
        self.device = best_device()
        auto = torch.bfloat16 if self.device.type == "cuda" else torch.float32
        dtype = auto if choice.dtype == "auto" else getattr(torch, choice.dtype)
        folder = local_folder(choice.source(), config.execution.access)
        try:
            self.processor = load_processor(folder)
        except (OSError, ValueError, ImportError) as error:
            raise WeightsError(f"cannot load {choice.weights}: {error}") from error
        self.model = load_model(AutoModelForImageTextToText, folder, dtype)

    @classmethod
    def validate(cls, config: Config) -> None:
        """Raises ConfigError for a hub id without a commit."""
        config.annotate.vlm.refuse_unpinned("annotate.vlm")

    @classmethod
    def models(cls, config: Config) -> "list[Source]":
        """The weights of the model."""
        return [config.annotate.vlm.source()]

    def ask(self, images: "list[Image]", instruction: str, max_tokens: int) -> str:
        """Return the answer to an instruction about images, by greedy decoding.

        Args:
            max_tokens: maximum length of the answer in tokens.
        """
        import torch

        inputs = self.inputs(images, instruction)
        with torch.inference_mode():
            output = self.model.generate(**inputs, do_sample=False, max_new_tokens=max_tokens)
        said = output[0, inputs["input_ids"].shape[1] :]
        return self.processor.decode(said, skip_special_tokens=True)

    def inputs(self, images: "list[Image]", instruction: str) -> Any:
        """The inputs of the model, by name, on the device of the model."""
        content: list[dict[str, Any]] = [{"type": "image", "image": image} for image in images]
        content.append({"type": "text", "text": instruction})
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self.device, self.model.dtype)
