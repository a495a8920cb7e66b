import json

from jobs.evaluation.figures import Figure
from jobs.training.card import HISTORY, write_card, write_joint_card, write_segmenter_card
from jobs.training.recipe import Recipe
from jobs.training.train import SEGMENTER, START
from tests.jobs.training.test_train import RECIPE

RESULTS = {
    "clips": 7,
    "seed": 3,
    "generation": {"colour": Figure(0.95, 0.9, 1.0)},
    "vae_psnr": Figure(36.0, 35.0, 37.0),
    "edits": {"str_match": {"subject_colour": Figure(0.5, 0.25, 0.75)}},
}
PHASE = {
    "phase": "autoencoder",
    "steps": 9,
    "loss": 0.1,
    "minutes": 30.0,
    "recipe": "first",
    "seed": 0,
}
ORIGIN = {"commit": "abc", "machine": "a fast one", "torch": "2.9"}


def curve(folder, phase, rows):
    (folder / phase).mkdir(parents=True)
    lines = [json.dumps({"step": s, "loss": loss, "seconds": t}) + "\n" for s, loss, t in rows]
    (folder / phase / "loss.jsonl").write_text("".join(lines))
    (folder / phase / "origin.json").write_text(json.dumps(ORIGIN | {"commit": "def"}))


def test_the_card_tells_all_phases_from_the_first_model_on(tmp_path):
    (tmp_path / START).mkdir()
    (tmp_path / START / HISTORY).write_text(json.dumps([PHASE | ORIGIN]))
    curve(tmp_path, "diffusion-0-16f", [(50, 0.5, 60.0), (100, 0.25, 90.0)])
    weights = tmp_path / "weights"
    weights.mkdir()
    write_card(weights, "more", Recipe(**RECIPE.model_dump()), tmp_path, RESULTS)

    first, second = json.loads((weights / HISTORY).read_text())
    assert first == PHASE | ORIGIN
    assert second["phase"] == "diffusion-0-16f" and second["recipe"] == "more"
    assert second["commit"] == "def"
    assert (second["steps"], second["loss"], second["minutes"]) == (100, 0.25, 2.5)
    text = (weights / "README.md").read_text()
    assert "| autoencoder | 9 | 0.1 | 30.0 | first |" in text
    assert "| diffusion-0-16f | 100 | 0.25 | 2.5 | more |" in text
    assert "32 minutes altogether" in text
    assert "On 7 clips of the test list, seed 3" in text
    assert "| vae_psnr | 36.0 dB |" in text and "license: apache-2.0" in text


def test_the_segmenter_has_a_card_of_its_own(tmp_path):
    weights = tmp_path / "weights"
    (weights / SEGMENTER).mkdir(parents=True)
    curve(tmp_path, "image-tower-1", [(50, 0.5, 60.0)])
    curve(tmp_path, f"{SEGMENTER}-0-1f", [(50, 0.75, 30.0)])
    recipe, figure = Recipe(**RECIPE.model_dump()), Figure(0.875, 0.8, 0.9)
    results = {
        "clips": 7,
        "seed": 3,
        "mask_iou_by_tracker": {"miniature": {"core": figure, "two_sprites": figure}},
        "cpu_seconds_by_tracker": {"miniature": Figure(0.25, 0.2, 0.3)},
    }
    write_segmenter_card(weights, "alone", recipe, tmp_path, results)
    write_card(weights, "both", recipe, tmp_path, RESULTS)
    text = (weights / SEGMENTER / "README.md").read_text()
    assert f"| {SEGMENTER}-0-1f | 50 | 0.75 | 0.5 | alone |" in text
    assert "image-tower" not in text
    assert "| miniature | 0.88 | 0.88 | 0.25 s |" in text and "license: apache-2.0" in text
    assert [row["phase"] for row in json.loads((weights / HISTORY).read_text())] == [
        "image-tower-1"
    ]


def test_the_card_of_joint_attention_tells_its_phases(tmp_path):
    weights = tmp_path / "weights"
    weights.mkdir()
    curve(tmp_path, "joint-0-1f", [(50, 0.5, 60.0), (100, 0.25, 60.0)])
    recipe = Recipe.model_validate({"joint": [RECIPE.diffusion[0].model_dump()]})
    write_joint_card(weights, "joint", recipe, tmp_path)
    text = (weights / "README.md").read_text()
    assert "| joint-0-1f | 100 | 0.25 | 2.0 | joint |" in text and "license: apache-2.0" in text
    assert [row["phase"] for row in json.loads((weights / HISTORY).read_text())] == ["joint-0-1f"]
