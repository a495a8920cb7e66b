"""The editors of a comparison, as a user names them."""

import pytest

from jobs.comparison.entries import OWN, read_editors
from pipelines.config.fingerprints import dump
from pipelines.config.loading import load_config
from pipelines.errors import ConfigError

SHARED = ("seed=3", "clip.height=32", "publish.limits=null", "edit.num_inference_steps=7")


def read(text, *assignments):
    return read_editors(text, "miniature", None, [*SHARED, *assignments])


def test_editors_share_all_but_their_own_settings(tmp_path):
    file = tmp_path / "weak.yaml"
    file.write_text("{editor: sdedit, editor_options: {strength: 0.4}, edit: {tries: 1}}")
    configs = read(f"str_match, dmt,again=str_match,weak={file},miniature-fast")
    assert list(configs) == ["str_match", "dmt", "again", "weak", "miniature-fast"]
    assert [config.editor for config in configs.values()] == [
        *("str_match", "dmt", "str_match", "sdedit", "str_match"),
    ]
    assert configs["again"] == configs["str_match"]
    assert configs["weak"].editor_options == {"strength": 0.4}
    assert configs["weak"].edit.tries == 1 and configs["str_match"].edit.tries == 0
    assert {config.edit.num_inference_steps for config in configs.values()} == {7}
    assert configs["miniature-fast"].backbone == load_config("miniature-fast").backbone
    shared = [
        {name: value for name, value in dump(config).items() if name not in OWN}
        for config in configs.values()
    ]
    assert shared == shared[:1] * 5 and shared[0]["seed"] == 3


@pytest.mark.parametrize(
    ("editors", "message"),
    [
        ("str_match,nope", "'nope' is no editor"),
        ("str_match,sdedit,str_match", "two editors are called str_match"),
        ("str_match", "needs two editors or more"),
        ("str_match,", "a name has letters"),
        ("str_match,a/b=sdedit", "write NAME=sdedit"),
        ("str_match,my:Editor", "write NAME=my:Editor"),
        ("str_match,mine=no.yaml", "no.yaml: No such file"),
        ("str_match,mine={here}/list.yaml", "must hold sections"),
        ("str_match,mine={here}/bad.yaml", "not YAML"),
        ("str_match,mine={here}/clip.yaml", "clip is no setting of one editor"),
        ("str_match,mine={here}/typo.yaml", "strenght"),
    ],
)
def test_what_is_no_editor_is_one_line(tmp_path, editors, message):
    (tmp_path / "list.yaml").write_text("[sdedit]")
    (tmp_path / "bad.yaml").write_text(": [")
    (tmp_path / "clip.yaml").write_text("{editor: sdedit, clip: {height: 64}}")
    (tmp_path / "typo.yaml").write_text("{editor: sdedit, editor_options: {strenght: 1}}")
    with pytest.raises(ConfigError) as refused:
        read(editors.replace("{here}", str(tmp_path)))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
