import pytest
import yaml

from jobs.training.recipe import RECIPES, load_recipe

PHASE = {"steps": 10, "batch": 4, "learning_rate": 1e-3, "final_learning_rate": 1e-5}
RECIPE = {
    "autoencoder": PHASE,
    "decoder": PHASE,
    "diffusion": [PHASE | {"frames": 4, "clips": 8}],
    "image_tower": PHASE,
}


def write(tmp_path, recipe):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return str(path)


@pytest.mark.parametrize("name", RECIPES)
def test_the_packaged_recipes_begin_with_single_frames(name):
    recipe = load_recipe(name)
    phases = recipe.diffusion or recipe.joint or recipe.segmenter
    assert phases[0].frames == 1 < phases[-1].frames


def test_the_models_recipes_end_on_clips_of_sixteen_frames():
    assert load_recipe("cpu").diffusion[-1].frames == 16
    assert load_recipe("joint").joint[-1].frames == 16


def test_several_figures_are_the_last_phases_of_the_model_s_recipe_and_a_recipe_of_their_own():
    whole, several = load_recipe("cpu").diffusion, load_recipe("several").diffusion
    assert whole[-len(several) :] == several
    assert not any(phase.pairs or phase.trios for phase in whole[: -len(several)])
    assert all(phase.pairs and phase.trios for phase in several)


def test_a_recipe_of_ones_own(tmp_path):
    recipe = load_recipe(write(tmp_path, RECIPE))
    assert recipe.diffusion[0].clips == 8
    assert recipe.prediction_type == "v_prediction"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"autoencoder": PHASE | {"steps": 0}}, "autoencoder.steps: .* greater than or equal to 1"),
        ({"image_tower": PHASE | {"lr": 1}}, "image_tower.lr: Extra inputs are not permitted"),
        ({"diffusion": [PHASE]}, "diffusion.0.frames: Field required"),
        (
            {"diffusion": [PHASE | {"frames": 4, "clips": 8, "stride": 6}]},
            "diffusion.0: .*4 frames with stride 6 are no part of 16",
        ),
        (
            {"diffusion": [PHASE | {"frames": 1, "clips": 8, "pairs": 0.8, "trios": 0.4}]},
            "diffusion.0: .*harder, pairs and trios are more than all clips",
        ),
        ({"segmenter": [PHASE | {"frames": 5, "stride": 4}]}, "5 frames with stride 4 are no part"),
        ({"image_tower": None}, "diffusion and image_tower need each other"),
        ({"diffusion": [], "image_tower": None}, "there is joint or a segmenter and nothing else"),
        ({"joint": [PHASE | {"frames": 1, "clips": 8}]}, "joint is a recipe of its own"),
        ({"prediction_type": "sample"}, "prediction_type: .*'v_prediction' or 'epsilon'"),
    ],
)
def test_an_invalid_field_is_named(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        load_recipe(write(tmp_path, RECIPE | change))


def test_an_unknown_recipe_is_refused():
    with pytest.raises(ValueError, match="no recipe 'cpx': neither one of cpu"):
        load_recipe("cpx")


def test_a_file_that_is_not_yaml_is_refused(tmp_path):
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ValueError, match="is not YAML"):
        load_recipe(str(tmp_path / "bad.yaml"))
