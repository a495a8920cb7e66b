import re

import pytest
import yaml

from pipelines.config.config import Config, served
from pipelines.config.fingerprints import SETTINGS, differences, dump, fingerprints
from pipelines.config.loading import load_config, resolve, show
from pipelines.errors import ConfigError
from strmatch.presets import load_preset


def test_a_preset_alone_is_a_complete_configuration():
    config = load_config("lavie")
    assert (config.clip.num_frames, config.clip.height, config.clip.width) == (16, 320, 512)
    assert config.edit.settings == load_preset("lavie").edit
    assert config.backbone.weights == "lavie"


def test_every_preset_pins_the_models_of_its_metrics():
    lavie, embedded = load_config("lavie").measure, load_config("miniature-fast").measure
    assert {*lavie.metrics} < {*embedded.metrics} and "clip_similarity" in lavie.metrics
    assert lavie.clip.weights != "miniature" and lavie.clip.is_pinned
    assert embedded.clip.weights == "miniature" and embedded.clip.is_pinned
    assert load_config(assignments=["measure.metrics=[]"]).measure.metrics == ()


def test_a_file_overrides_the_preset_and_assignments_override_the_file(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("preset: lavie\nclip: {fps: 4}\nedit: {lam: 0.005, radius: 2}\n")
    config = load_config("miniature", str(file), ["edit.lam=0.02", "edit.scored_levels=[1, 2]"])
    assert config.preset == "lavie"
    assert config.clip.fps == 4
    assert (config.edit.lam, config.edit.radius) == (0.02, 2)
    assert config.edit.scored_levels == (1, 2)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("edit.lamb=1", "edit.lamb: no such key; did you mean edit.lam?"),
        ("clipp.fps=1", "clipp: no such key; did you mean clip?"),
        ("edit.lam=-1", "edit: lam must be ≥ 0, got -1"),
        ("edit.lam=.nan", "^edit: lam must be a finite number, got nan$"),
        ("edit.scored_levels=[1, 1]", "^edit: scored_levels must be different and ≥ 0, got "),
        (
            "edit.num_inference_steps=true",
            "^edit.num_inference_steps: a number is expected",
        ),
        ("clip.fps=false", "clip.fps: a number is expected, got true or false"),
        ("seed=-1", "seed: Input should be greater than or equal to 0, got -1"),
        ("edit.heads=both", "edit.heads: Input should be 'mean', 'paired' or .*, got 'both'"),
        ("clip.height=63", "clip.height: Input should be a multiple of 2, got 63"),
        ("clip.fps=fast", "clip.fps: .*got 'fast'"),
        ("clip.span=shots", "clip.span: want window, shot or a number of seconds, got 'shots'"),
        ("clip.span=0", "clip.span: want window, shot or a number of seconds, got 0"),
        ("clip.span=true", "clip.span: a number is expected, got true or false"),
        ("clip.span=90", "clip: span 90 is over max_seconds 60"),
        ("clip.span=0.5", "clip: min_seconds 1 is over span 0.5"),
        ("clip={span: shot, max_seconds: 0.5}", "clip: min_seconds 1 is over max_seconds 0.5"),
        ("clip={span: shot, stride: 2}", "clip: stride applies to span=window only, got span=shot"),
        ("preset=lavi", "preset: no preset 'lavi'; there are miniature, .*; did you mean 'lavie'"),
        (
            "annotate.vlm.weigths=a",
            "annotate.vlm.weigths: no such key; did you mean annotate.vlm.we",
        ),
        ("execution.endpoint.url=a", "execution.endpoint.url: no such key; did you mean execution"),
        ("annotate.vlm=a", "annotate.vlm: Input should be a valid dictionary"),
        ("annotate.captions.min_words=50", "annotate.captions: min_words 50 is over max_words 40"),
        ("execution.endpoint.base_url=host:8000", "base_url: write it as http://host:8000/v1"),
        ("publish.limits.speed.max=1", "publish.limits: speed is not measured; measure.metrics"),
        ("publish.limits={a: {mim: 1}}", "publish.limits.a.mim: no such key$"),
        ("publish.limits={a: {}}", "publish.limits.a: give a min, a max or both"),
        ("publish.limits={a: {min: 2, max: 1}}", "publish.limits.a: min 2 is over max 1"),
        ("publish.limits={a: {min: .nan}}", "publish.limits.a.min: Input should be a finite"),
        ("measure.metrics=['a:b', a.b]", "measure.metrics: two .* have the column metric_a_b"),
        ("edit.lam", "write it as section.key=value"),
        ("edit.lam=[", "is not a YAML value"),
    ],
)
def test_a_wrong_value_is_reported_by_one_line_that_names_the_setting(assignment, message):
    with pytest.raises(ConfigError, match=message) as raised:
        load_config(assignments=[assignment])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("edit: {", "is not YAML"), ("- a", "must hold sections"), ("frobnicate: 1", "frobnicate")],
)
def test_a_wrong_file_is_reported_by_one_line(tmp_path, text, message):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(file=str(file))
    with pytest.raises(ConfigError, match="No such file"):
        load_config(file=str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("assignment", "changed"),
    [
        ("clip.span=shot", ["annotate", "plan", "edit", "measure", "publish"]),
        ("clip.max_seconds=30", []),
        ("publish.size=source", ["publish"]),
    ],
)
def test_the_length_of_clips_and_the_size_of_videos_change_these_phases(assignment, changed):
    before = fingerprints(load_config())
    after = fingerprints(load_config(assignments=[assignment]))
    assert [phase for phase in before if before[phase] != after[phase]] == changed


def test_other_weights_do_not_inherit_the_commit_of_the_default_ones(tmp_path):
    default = load_config().annotate.vlm
    assert default.revision and len(default.revision) == 40
    values = {"annotate.vlm.weights": "org/model", "annotate.vlm.revision": "v1"}
    pinned = load_config(assignments=[f"{k}={v}" for k, v in values.items()]).annotate.vlm
    assert (pinned.weights, pinned.revision) == ("org/model", "v1")
    for weights in (str(tmp_path), "s3://bucket/model"):
        config = load_config(assignments=[f"annotate.vlm.weights={weights}"])
        assert (config.annotate.vlm.weights, config.annotate.vlm.revision) == (weights, None)
        assert Config.model_validate_json(config.model_dump_json()) == config


def test_a_folder_of_weights_becomes_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    config = load_config(assignments=["annotate.vlm.weights=model"])
    assert config.annotate.vlm.weights == str(tmp_path / "model")


@pytest.mark.parametrize(
    ("section", "choice"),
    [
        ("vlm", "captioner=transformers_vlm"),
        ("sam2", "tracker=sam2"),
        ("detector", "tracker=sam2_hf"),
    ],
)
def test_a_hub_model_in_use_must_have_a_commit(section, choice):
    set_all = [f"annotate.{name}.revision=abc" for name in ("vlm", "sam2", "detector")]
    asked = [*set_all, f"annotate.{section}.weights=org/model", f"annotate.{section}.revision=null"]
    load_config(assignments=asked)
    with pytest.raises(ConfigError, match=f"annotate.{section}: org/model .*{section}.revision"):
        load_config(assignments=[*asked, f"annotate.{choice}"])


@pytest.mark.parametrize("choice", ["annotate.captioner=openai", "annotate.prompter=llm"])
def test_a_plug_in_that_uses_a_server_requires_its_address_and_model(choice):
    base_url, model = (
        "execution.endpoint.base_url=http://host:8000/v1/",
        "annotate.endpoint.model=m",
    )
    for given in ([], [base_url], [model]):
        with pytest.raises(ConfigError, match="set execution.endpoint.base_url .* and annotate."):
            load_config(assignments=[choice, *given])
    config = load_config(assignments=[choice, base_url, model])
    assert served(config) == ("http://host:8000/v1", "m")


def test_a_password_in_the_server_address_is_refused_and_not_printed():
    with pytest.raises(ConfigError, match="a key into api_key_env's variable") as raised:
        load_config(assignments=["execution.endpoint.base_url=http://me:s3cret@host/v1"])
    assert "s3cret" not in str(raised.value)


SHOWN = [
    ("miniature", ["annotate.caption_template='a: b # c'"]),
    ("lavie", ["edit.fresh_share=0.5", "clip.crf=20", "annotate.mask_check.min_area=0.5"]),
    ("lavie", ["annotate.captioner=transformers_vlm", "annotate.captions.frames=2"]),
    ("miniature", ["annotate.vlm.weights=s3://b/c", "measure.clip.revision=abc"]),
    ("miniature-fast", ["editor=dmt", "editor_options.lr=0.1", "measure.metrics=[motion_error]"]),
]


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize(("preset", "assignments"), SHOWN)
def test_the_printed_configuration_can_be_loaded_again(preset, assignments, everything):
    config = load_config(preset, assignments=assignments)
    text = show(config, everything)
    assert resolve(yaml.safe_load(text)) == config
    lines = [line.strip() for line in text.splitlines()]
    fields = [n for n, line in enumerate(lines) if not line.startswith("#")]
    assert all(lines[n - 1].startswith("# ") for n in fields)


def leaves(text):
    def count(values):
        free = ("limits", "options")  # settings that are mappings
        inner = (
            count(v) if isinstance(v, dict) and v and name not in free else 1
            for name, v in values.items()
        )
        return sum(inner)

    return count(yaml.safe_load(text))


def test_advanced_settings_are_printed_only_with_all():
    config = load_config()
    some, every = show(config), show(config, everything=True)
    assert 35 <= leaves(some) <= 50 < 90 <= leaves(every)
    assert f"# {leaves(every) - leaves(some)} more settings with --all" in some
    assert "fresh_share" not in some and "mask_check" not in some
    assert "  vlm:\n    # Vision-language model" in every and "--all" not in every


def test_settings_of_a_plug_in_are_printed_only_if_it_is_selected():
    assert "vlm:" not in show(load_config()) and "lpips:" not in show(load_config())
    chosen = ["annotate.captioner=transformers_vlm", "measure.metrics=[background_lpips]"]
    text = show(load_config(assignments=chosen))
    assert "  vlm:\n    # Vision-language model" in text and "\n    weights: Qwen/" in text
    assert "\n    revision: " in text and "  lpips: null" in text and "sam2:" not in text


def test_every_setting_is_described_in_whole_sentences():
    text = show(load_config(), everything=True)
    told = re.findall(r"((?: *#.*\n)+) *\w+:", text)
    assert len(told) > 100
    for comment in told:
        words = " ".join(comment.replace("#", " ").split())
        assert words[0].isupper() or re.match(r"\w+: ", words)
        assert words.endswith((".", "…", "}"))


def test_weights_are_a_hub_id_or_a_place_that_every_worker_can_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "sam2").mkdir(parents=True)
    for given, kept in (
        ("mine/sam2", str(tmp_path / "mine" / "sam2")),
        ("facebook/sam2.1-hiera-small", "facebook/sam2.1-hiera-small"),
        ("s3://bucket/sam2", "s3://bucket/sam2"),
    ):
        config = load_config(assignments=[f"annotate.sam2.weights={given}"])
        assert config.annotate.sam2.weights == kept


def test_a_setting_changes_the_fingerprints_of_its_phase_and_later_ones():
    chosen = ["measure.metrics=[motion_error]", "editor=sdedit"]
    base = fingerprints(load_config(assignments=chosen))
    for assignment, first in (
        ("clip.fps=4", "annotate"),
        ("annotate.captions.frames=3", "annotate"),
        ("annotate.endpoint.extra={top_k: 1}", "annotate"),
        ("seed=1", "annotate"),
        ("edit.lam=0.5", "plan"),
        ("editor_options.strength=0.5", "plan"),
        ("backbone.dtype=float16", "plan"),
        ("measure.metrics=[motion_error, other]", "measure"),
        ("measure.rife=s3://bucket/rife", "measure"),
        ("measure.lpips=s3://bucket/lpips", "measure"),
        ("publish.file_mb=3", "publish"),
        ("publish.limits={motion_error: {max: 3}}", "publish"),
        ("execution.editors=3", None),
        ("execution.endpoint.base_url=http://other:8000/v1", None),
    ):
        changed = fingerprints(load_config(assignments=[*chosen, assignment]))
        differs = [phase for phase in SETTINGS if changed[phase] != base[phase]]
        assert differs == (list(SETTINGS)[list(SETTINGS).index(first) :] if first else [])


def test_a_clip_model_of_the_hub_must_have_a_commit_where_it_is_used():
    other = "measure.clip.weights=org/model"
    load_config(assignments=[other, "measure.metrics=[motion_error]"])
    used = "measure.metrics=[clip_similarity]"
    load_config(assignments=[used, other, "measure.clip.revision=abc"])
    load_config("lavie", assignments=[used])
    with pytest.raises(ConfigError, match="measure.clip: org/model is no folder; of a hub id, set"):
        load_config(assignments=[used, other])


def test_differences_exclude_settings_without_effect_on_the_results():
    old = dump(load_config(assignments=["edit.lam=0.01"]))
    new = dump(load_config(assignments=["edit.lam=0.5", "clip.fps=4", "execution.editors=7"]))
    assert differences(old, new) == ["clip.fps: 8.0 → 4.0", "edit.lam: 0.01 → 0.5"]
    assert differences(old, old) == []


def test_limits_of_a_preset_hold_for_the_metrics_that_are_measured():
    own = load_config().publish.bounds
    assert "edited" in own and {*own} < {*load_config().measure.metrics}
    one = load_config(assignments=["measure.metrics=[edited, motion_error]"])
    assert one.publish.bounds == {"edited": own["edited"]}
    assert one.measure.options == {"edited": {"crops": False, "averaged": True}}
    none = load_config(assignments=["measure.metrics=[]"])
    assert none.publish.bounds == {} and none.measure.options == {}
    message = "publish.limits: edited is not measured"
    with pytest.raises(ConfigError, match=message):
        load_config(assignments=["measure.metrics=[]", "publish.limits.edited.min=0.4"])


def test_null_removes_limits_of_a_preset_and_the_record_keeps_that():
    without = load_config(assignments=["publish.limits.edited=null"])
    assert "edited" not in without.publish.bounds and "changed" in without.publish.bounds
    nothing = load_config(assignments=["publish.limits=null"])
    assert nothing.publish.bounds == {}
    for config in (without, nothing):
        again = resolve(dump(config))
        assert again.publish.bounds == config.publish.bounds
        other = resolve(dump(config), ["measure.metrics=[motion_error]"])
        assert other.publish.bounds == {} and other.measure.options == {}
    mine = load_config(assignments=["publish.limits.edited.min=0.4"])
    assert mine.publish.bounds["edited"].min == 0.4


def test_episodes_are_numbers_and_ranges():
    config = load_config(assignments=["input.episodes=[0, 10-19]"])
    assert config.input.episodes == (0, "10-19")
    for wrong in ("[first]", "[-1]", "[9-3]", "['1-']"):
        with pytest.raises(ConfigError, match="want numbers and ranges such as 10-19, got"):
            load_config(assignments=[f"input.episodes={wrong}"])
