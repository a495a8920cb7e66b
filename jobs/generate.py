"""The job behind `strmatch generate`."""

from pathlib import Path

from pipelines.errors import RunError
from pipelines.media.encode import encode_video
from strmatch import WeightsError, load_backbone
from strmatch import generate as generate_clips
from strmatch.presets import load_preset


def generate(
    prompt: str,
    output: Path,
    preset: str,
    weights: str | None,
    frames: int | None,
    steps: int | None,
    guidance_scale: float | None,
    seed: int,
) -> None:
    """Write one clip made from `prompt`."""
    if output.suffix != ".mp4":
        raise RunError(f"output {output}: a video is written as .mp4")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"output {output}: {error.strerror}") from error
    try:
        chosen = load_preset(preset)
        clips = generate_clips(
            load_backbone(weights or preset, settings=chosen.edit),
            [prompt],
            num_frames=frames or chosen.num_frames,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            seed=seed,
        )
    except (WeightsError, ValueError) as error:
        raise RunError(str(error)) from error
    output.write_bytes(encode_video(clips[0], chosen.fps))
    print(f"  {output}: {clips.shape[1]} frames of {clips.shape[3]}×{clips.shape[2]}")
