"""The settings of further tries, and what is refused."""

import dataclasses
import json

import pytest
import yaml

from pipelines.config.fingerprints import differences, dump, fingerprints
from pipelines.config.ladder import at_rung
from pipelines.config.loading import load_config, resolve, show
from pipelines.editors.base import editor_settings, made_by
from pipelines.errors import ConfigError
from pipelines.plugins import find_editor
from strmatch.presets import load_preset
from strmatch.settings import EditSettings

LADDER = "edit.ladder=[{guidance_scale: 6, scored_levels: [1]}, {lam: 0.2}]"
FAKES = "tests.pipelines.fakes.editors"


def settings_of(config):
    return editor_settings(find_editor(config), config)


def test_a_rung_overrides_the_settings_of_str_match():
    config = load_config(assignments=["edit.tries=2", LADDER])
    first, second, third = (at_rung(config, number).edit.settings for number in range(3))
    assert first == load_preset("miniature").edit
    assert second == dataclasses.replace(first, guidance_scale=6.0, scored_levels=(1,))
    assert third == dataclasses.replace(first, lam=0.2)
    assert settings_of(at_rung(config, 2)) == dataclasses.asdict(third)


def test_a_rung_overrides_the_options_of_other_editors():
    chosen = ["editor=sdedit", "editor_options.strength=0.5", "edit.ladder=[{strength: 0.7}]"]
    config = load_config(assignments=[*chosen, "edit.tries=3"])
    strengths = [settings_of(at_rung(config, number))["strength"] for number in range(4)]
    assert strengths == [0.5, 0.7, 0.5, 0.5]
    assert at_rung(config, 1).edit == config.edit


@pytest.mark.parametrize(
    ("editor", "rung"),
    [("str_match", "{lam: 0.7}"), ("sdedit", "{strength: 0.7}"), (f"{FAKES}:Invert", "{a: 1}")],
)
def test_the_recorded_settings_of_an_edit_have_no_tries(editor, rung):
    plain = load_config(assignments=[f"editor={editor}"])
    more = load_config(
        assignments=[f"editor={editor}", f"edit.ladder=[{rung}]", "edit.tries=1"],
    )
    recorded = json.loads(made_by(plain, find_editor(plain), "1")["editor_settings"])
    assert recorded == json.loads(made_by(more, find_editor(more), "1")["editor_settings"])
    if editor != "sdedit":
        assert recorded.keys() == {field.name for field in dataclasses.fields(EditSettings)}


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["edit.tries=-1"], "^edit: tries must be ≥ 0, got -1$"),
        (["edit.tries=true"], "^edit.tries: a number is expected"),
        (["edit.tries=1"], "^edit.tries 1: .* editor str_match needs a rung .* edit.ladder has 0$"),
        (["edit.tries=3", LADDER], "^edit.tries 3: .* and edit.ladder has 2$"),
        (["edit.ladder=[3]"], "^edit.ladder.0: Input should be a valid dict"),
        (["edit.ladder={lam: 1}"], "^edit.ladder: Input should be a valid tuple"),
        (
            ["edit.ladder=[{lam: 1}, {lamb: 1}]"],
            "^edit.ladder, rung 2: lamb: no such key; did you mean 'lam'?",
        ),
        (["edit.ladder=[{tries: 1}]"], "^edit.ladder, rung 1: tries: no such key"),
        (["edit.ladder=[{lam: -1}]"], "^edit.ladder, rung 1: lam must be ≥ 0, got -1"),
        (["edit.ladder=[{lam: true}]"], "^edit.ladder, rung 1: lam must be a finite number"),
        (["edit.ladder=[{lam: a}]"], "^edit.ladder, rung 1: lam must be a finite number, got 'a'"),
        (["edit.ladder=[{}]"], "^edit.ladder, rung 1: an earlier try has the same settings"),
        (
            ["edit.ladder=[{lam: 1}, {lam: 1.0}]"],
            "^edit.ladder, rung 2: an earlier try has the same settings",
        ),
        (
            ["editor=sdedit", "edit.ladder=[{strenght: 1}]"],
            "^edit.ladder, rung 1: editor_options.strenght: no such option of sdedit; .*strength",
        ),
        (
            ["editor=sdedit", "edit.ladder=[{strength: 2}]"],
            "^edit.ladder, rung 1: .*strength must be from 0 to 1, got 2",
        ),
        (["editor=uniedit", "edit.tries=1"], "^edit.tries 1: .* editor uniedit needs a rung"),
    ],
)
def test_a_rung_that_cannot_work_is_refused_in_one_line(assignments, message):
    with pytest.raises(ConfigError, match=message) as raised:
        load_config(assignments=assignments)
    assert "\n" not in str(raised.value)


def test_a_stochastic_editor_needs_no_rungs():
    config = load_config(assignments=["editor=sdedit", "edit.tries=3"])
    assert settings_of(at_rung(config, 3)) == settings_of(config)
    load_config(assignments=["editor=not.installed:Here", "edit.tries=3"])


def test_tries_change_the_fingerprint_of_publishing_alone():
    plain, more, most = (
        load_config(assignments=[LADDER, f"edit.tries={tries}"]) for tries in (0, 1, 2)
    )
    prints = [fingerprints(config) for config in (plain, more, most)]
    assert fingerprints(load_config()) == prints[0]
    assert len({each["publish"] for each in prints}) == 3
    for phase in ("annotate", "plan", "edit", "measure"):
        assert len({each[phase] for each in prints}) == 1
    assert differences(dump(plain), dump(most)) == []


def test_the_printed_ladder_can_be_loaded_again():
    config = load_config(assignments=["edit.tries=2", LADDER])
    text = show(config)
    assert resolve(yaml.safe_load(text)) == config
    assert "  tries: 2\n" in text and "\n  # Settings of the further tries, one rung a try" in text
    assert "ladder" not in show(load_config()).replace("`ladder`", "")
