import shlex

import pytest

from jobs.submission.client import entrypoint, submission_id
from pipelines.config.loading import load_config
from pipelines.errors import ConfigError


def test_the_id_follows_what_changes_results_and_nothing_else(tmp_path, monkeypatch):
    plain = load_config()
    named = submission_id("s3://b/in", "s3://b/out", plain, None)
    hurried = load_config(assignments=["execution.deadline=60"])
    assert submission_id("s3://b/in", "s3://b/out", hurried, None) == named
    others = [
        submission_id("s3://b/in", "s3://b/other", plain, None),
        submission_id("s3://b/more", "s3://b/out", plain, None),
        submission_id("s3://b/in", "s3://b/out", plain, 5),
        submission_id("s3://b/in", "s3://b/out", load_config(assignments=["edit.lam=0.5"]), None),
    ]
    assert len({named, *others}) == 5
    monkeypatch.chdir(tmp_path)
    absolute = submission_id(f"{tmp_path}/in", f"{tmp_path}/out", plain, None)
    assert submission_id("in", "out", plain, None) == absolute


def test_the_job_resolves_the_settings_that_were_given(tmp_path, monkeypatch):
    """From whatever folder it runs in, and however they were given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(
        "preset: lavie\nedit: {lam: 0.25}\nbackbone: {weights: models/la vie}\n"
        "annotate: {caption_template: it's $HOME, target_kinds: [recolour]}\n"
    )
    options = 'execution.storage_options={"client_kwargs": {"endpoint_url": "http://store"}}'
    given = load_config(file="mine.yaml", assignments=["seed=3", options])
    words = shlex.split(entrypoint("in put", "out", given, 7))
    assert words[:2] == ["strmatch", "run"]
    options = dict(zip(words[2::2], words[3::2], strict=True))
    assert options["--input"] == f"{tmp_path}/in put" and options["--limit"] == "7"
    assignments = [
        value for name, value in zip(words[2::2], words[3::2], strict=True) if name == "--set"
    ]
    monkeypatch.chdir("/")
    assert load_config(options["--preset"], assignments=assignments) == given


def test_a_job_belongs_to_its_own_cluster():
    given = load_config(assignments=["execution.ray_address=10.0.0.1:6379"])
    assert "ray_address" not in entrypoint("in", "out", given, None)


@pytest.mark.parametrize("name", ["key", "secret", "client_kwargs.aws_secret_access_key"])
def test_no_secret_is_written_into_a_command(name):
    given = load_config(assignments=[f"execution.storage_options.{name}=hush"])
    with pytest.raises(ConfigError, match=f"{name}: would be seen in the job's command") as refused:
        entrypoint("s3://b/in", "s3://b/out", given, None)
    assert "hush" not in str(refused.value)
