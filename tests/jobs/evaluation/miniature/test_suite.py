from jobs.evaluation.miniature.examiner import METHODS, MiniatureExaminer
from jobs.evaluation.miniature.suite import LONG, LONG_FRAMES, Suite


def test_one_clip_in_eight_is_accompanied_by_a_long_one():
    edits = [arguments for name, arguments in Suite("miniature", 17, 0).tasks() if name == "edits"]
    lengths = [(case.num_frames, methods) for case, _, methods in edits]
    assert lengths == [(LONG_FRAMES, LONG)] * 3 + [(16, METHODS)] * 17


def test_long_clips_are_edited_whole_with_the_exact_mask():
    examiner = MiniatureExaminer("miniature", num_inference_steps=1)
    _, leaving = Suite("miniature", 9, 0).long_edits()
    (clip,) = examiner.edits(leaving, 1, LONG)
    assert clip.name == "long/0001"
    assert len(clip.frames) == len(clip.truth) == LONG_FRAMES
    assert clip.row["source_prompt"] == leaving.prompts[0]
    assert clip.row["background_psnr"] > 30
