import json

import fsspec
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import InputError
from pipelines.schema import SOURCES, extras_of
from pipelines.sources.listing import find_sources
from pipelines.storage import Storage, address


def find(path, **kwargs):
    return find_sources(str(path), {}, **kwargs)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "it's a “folder” ü [1]"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.mp4", "a é.MKV", "sub/c.webm", "sound.m4a", "notes.txt", ".hidden.mp4"):
        (folder / name).touch()
    return folder


def test_a_folder_is_searched_recursively(folder, caplog):
    table = find(folder)
    assert table["source_uri"].to_pylist() == ["a é.MKV", "b.mp4", "sound.m4a", "sub/c.webm"]
    assert table["location"].to_pylist()[1] == f"file://{folder}/b.mp4"
    assert "1 files are no videos (1 .txt)" in caplog.text


def test_a_single_file_or_a_glob_is_an_input(folder):
    assert find(folder / "b.mp4")["source_uri"].to_pylist() == ["b.mp4"]
    plain = folder.parent / "plain"
    folder.rename(plain)
    assert find(plain / "*.m*")["source_uri"].to_pylist() == ["b.mp4", "sound.m4a"]


def test_ids_do_not_depend_on_the_place_of_the_folder(folder, tmp_path):
    before = find(folder)["source_uri"].to_pylist()
    folder.rename(tmp_path / "moved")
    assert find(tmp_path / "moved")["source_uri"].to_pylist() == before


def test_an_output_inside_the_input_is_skipped(folder):
    (folder / "out").mkdir()
    (folder / "out" / "edited.mp4").touch()
    found = find(folder, exclude=Storage(str(folder / "out")))
    assert "out/edited.mp4" not in found["source_uri"].to_pylist()
    with pytest.raises(InputError, match="is the input folder itself"):
        find(folder, exclude=Storage(str(folder)))


ROWS = [
    {
        "uri": "clips/a.mp4",
        "id": 7,
        "caption": "a cat on a mat",
        "subject": "mat",
        "targets": ["a dog", "a fox"],
        "mask_uri": "masks/a",
        "start_seconds": 1.5,
        "label": "pet",
        "weight": 3,
    },
    {"uri": "memory://bucket/b.mp4", "id": "x", "label": "other", "weight": 4},
]


def write(folder, kind):
    path = folder / f"manifest.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    elif kind == "csv":
        path.write_text(
            "uri,id,caption,subject,targets,mask_uri,start_seconds,label,weight\n"
            'clips/a.mp4,7,a cat on a mat,mat,"[""a dog"", ""a fox""]",masks/a,1.5,pet,3\n'
            "memory://bucket/b.mp4,x,,,,,,other,4\n"
        )
    else:
        rows = [{**row, "id": str(row["id"])} for row in ROWS]
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_manifest_is_read_alike_in_every_format(tmp_path, kind):
    table = find(write(tmp_path, kind))
    first, second = table.to_pylist()
    assert first.pop("source_row") != second["source_row"]
    assert first == {
        "source_id": "7",
        "source_uri": "clips/a.mp4",
        "start_seconds": 1.5,
        "location": f"file://{tmp_path}/clips/a.mp4",
        "caption": "a cat on a mat",
        "subject": "mat",
        "targets": ["a dog", "a fox"],
        "targets_where": None,
        "edits": None,
        "mask_uri": "masks/a",
        "mask_location": f"file://{tmp_path}/masks/a",
        "mask_label": None,
        "source_version": None,  # there is no file
        "num_frames": None,
        "target_group": None,
        "problem": None,
        "label": "pet",
        "weight": 3,
    }
    assert second["location"] == "memory://bucket/b.mp4"
    assert (second["caption"], second["targets"], second["problem"]) == (None, None, None)
    assert extras_of(table.schema) == pa.schema([("label", pa.string()), ("weight", pa.int64())])


def test_row_ids_depend_on_the_content_and_not_on_the_position(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("uri,note\na,1\nb,2\na,3\n")
    first = find(path)["source_row"].to_pylist()
    assert len(set(first)) == 3
    path.write_text("uri,note\nb,2\na,1\na,3\n")
    assert find(path)["source_row"].to_pylist() == [first[1], first[0], first[2]]


def test_csv_columns_stay_text_if_a_number_would_change_them(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("uri,zip,day,share,empty,flag\na,007,2020-01-02,0.5,,true\nb,9,x,1.5,,false\n")
    extras = find(path).select(["zip", "day", "share", "empty", "flag"]).to_pydict()
    assert extras == {
        "zip": ["007", "9"],
        "day": ["2020-01-02", "x"],
        "share": [0.5, 1.5],
        "empty": [None, None],
        "flag": [True, False],
    }


def test_columns_of_any_type_are_passed_on(tmp_path):
    path = tmp_path / "manifest.parquet"
    extras = {
        "tags": pa.array([["a"], None]),
        "box": pa.array([{"x": 1, "y": 2.5}, None]),
        "when": pa.array([1, None], pa.timestamp("ns", "UTC")),
        "small": pa.array([1, None], pa.int8()),
        "nothing": pa.nulls(2),
        "status": pa.array(["new", "old"]),
        "metric_mine": pa.array([0.5, None]),
    }
    pq.write_table(pa.table({"uri": ["a.mp4", "b.mp4"], **extras}), path)
    table = find(path)
    for name in ("tags", "box", "when", "small"):
        assert table[name].combine_chunks() == extras[name]
    assert table["manifest_status"].to_pylist() == ["new", "old"]
    assert table["manifest_metric_mine"].to_pylist() == [0.5, None]
    assert table.schema.field("nothing").type == pa.string()


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_target_applies_where_the_manifest_places_it(tmp_path, kind):
    own = [{"prompt": "a dog", "where": None}, {"prompt": "a cat on grass", "where": "background"}]
    rows = [
        {"uri": "a.mp4", "targets": own, "where": None},
        {"uri": "b.mp4", "targets": own, "where": "all"},
        {"uri": "c.mp4", "targets": [{"prompt": "a dog", "where": "subject"}], "where": "all"},
    ]
    if kind == "jsonl":
        rows[0]["targets"] = ["a dog", own[1]]
    path = tmp_path / f"manifest.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "csv":
        cells = [row | {"targets": json.dumps(row["targets"])} for row in rows]
        pandas.DataFrame(cells).to_csv(path, index=False)
    else:
        path.write_text("\n".join(json.dumps(row) for row in rows))
    found = find(path)
    assert found["targets"].to_pylist() == [["a dog", "a cat on grass"]] * 2 + [["a dog"]]
    assert found["targets_where"].to_pylist() == [
        ["subject", "background"],
        ["all", "background"],
        None,
    ]
    assert "where" not in found.column_names and not any(found["problem"].to_pylist())


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"uri": "../secret.mp4"}, "uri ../secret.mp4 leaves the manifest's folder"),
        ({"uri": "a/../../b.mp4"}, "uri a/../../b.mp4 leaves the manifest's folder"),
        ({"uri": "a.mp4", "mask_uri": "../m"}, "mask_uri ../m leaves the manifest's folder"),
        ({"uri": None}, "uri is missing"),
        ({"uri": "a.mp4", "start_seconds": -1}, "start_seconds must be a number ≥ 0, got -1"),
        ({"uri": "a.mp4", "start_seconds": "soon"}, "start_seconds must be a number"),
        ({"uri": "a.mp4", "targets": "a dog"}, "targets must be a JSON list of texts"),
        ({"uri": "a.mp4", "targets": [3]}, "targets must be a list of texts"),
        ({"uri": "a.mp4", "targets": [{"where": "all"}]}, "targets must be a list of texts"),
        (
            {"uri": "a.mp4", "targets": [{"prompt": "a dog", "where": "sky"}]},
            "'sky' is not understood; a target is a text, or an object of",
        ),
        (
            {"uri": "a.mp4", "targets": [{"prompt": "a dog", "mask": 1}]},
            "'mask' is not understood; a target is a text, or an object of",
        ),
        (
            {"uri": "a.mp4", "targets": ["a dog"], "where": "kitchen"},
            "where must be one of subject, background, all, got 'kitchen'",
        ),
        ({"uri": "a.mp4", "caption": " "}, "caption must be a text that is not empty"),
        ({"uri": "a.mp4", "subject": ["cat"]}, "subject must be a text that is not empty"),
    ],
)
def test_an_invalid_row_keeps_its_reason_and_affects_no_other(tmp_path, row, problem):
    path = tmp_path / "manifest.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({"uri": "good.mp4"}) + "\n")
    table = find(path)
    assert problem in table["problem"][0].as_py()
    assert table["problem"][1].as_py() is None
    assert table.schema.names == SOURCES.names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"uri": "a"}\n{oops\n', "line 2: not JSON"),
        ('["a"]\n', "line 1: not a JSON object"),
        ('{"path": "a"}\n', "no column 'uri'; it has path"),
        ('{"uri": "a", "x": 1}\n{"uri": "b", "x": "y"}\n', "column x: mixed types"),
        ('{"uri": "a", "id": 1}\n{"uri": "b", "id": 1}\n', "id '1' already names 'a', not 'b'"),
        ("", "no column 'uri'"),
    ],
)
def test_an_invalid_manifest_is_reported_in_one_line(tmp_path, text, message):
    path = tmp_path / "manifest.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as raised:
        find(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["a::b.mp4", "a b.mp4", "a%20b.mp4", "~.mp4", "ü#?.mp4"])
def test_a_name_is_taken_literally(tmp_path, name):
    (tmp_path / name).write_bytes(b"video")
    (tmp_path / "list.jsonl").write_text(json.dumps({"uri": name}))
    for source in (tmp_path, tmp_path / name, tmp_path / "list.jsonl"):
        (row,) = find(source).to_pylist()
        assert (row["source_uri"], row["problem"]) == (name, None)
        assert row["source_version"].startswith("5 ")


def test_addresses_are_read_as_people_write_them(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a b.mp4").write_bytes(b"video")
    here = f"{tmp_path}/a b.mp4"
    for text in (
        "~/a b.mp4",
        f"file://{tmp_path}/a%20b.mp4",
        f"file://localhost{tmp_path}/a%20b.mp4",
    ):
        assert address(text, "input") == here
        assert len(find(text)) == 1
    assert address("s3://bucket/a", "input") == "s3://bucket/a"
    for text, message in (
        ("", "input: the address is empty"),
        ("s3:/b/a", "input s3:/b/a: write s3://"),
    ):
        with pytest.raises(InputError, match=f"^{message}$"):
            find(text)
    (tmp_path / "list.jsonl").write_text('{"uri": "s3:/b/a.mp4"}\n{"uri": "' + here + '"}\n')
    first, second = find(tmp_path / "list.jsonl").to_pylist()
    assert first["problem"] == "line 1: uri s3:/b/a.mp4: write s3://"
    assert second["location"] == here and second["problem"] is None


def test_a_missing_or_unreadable_input_is_reported_by_name(tmp_path):
    with pytest.raises(InputError, match="nowhere: there is no such file or folder"):
        find(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no videos found"):
        find(tmp_path)
    with pytest.raises(InputError, match="gopher"):
        find("gopher://a/b")
    (tmp_path / "broken.parquet").write_text("no")
    with pytest.raises(InputError, match=r"broken\.parquet"):
        find(tmp_path / "broken.parquet")


def test_a_manifest_in_an_object_store_is_read():
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/list.jsonl", b'{"uri": "a b.mp4"}\n{"uri": "../x.mp4"}\n')
    table = find("memory://bucket/list.jsonl")
    assert table["location"].to_pylist() == ["memory:///bucket/a b.mp4", None]
