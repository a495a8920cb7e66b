"""The page of a comparison, in a real browser."""

from urllib.parse import urlparse

import pytest

from jobs.comparison.page import write_page
from jobs.comparison.results import Edit, figures
from pipelines.config.loading import load_config
from tests.pipelines.publishing.report.browsing import by_id, wait
from tests.pipelines.publishing.report.runs import HOSTILE, METRICS, mixed_rows, publish, row_id

CLIPS = 8
FAILED = 3
"""The clip of which the other editor has no edit."""


def edits_of(rows):
    return {
        (str(place), row["source_prompt"], row["target_prompt"], "subject"): Edit(
            *(row["row_id"], "dataset/part-00000.parquet", place, row["status"]),
            {name: row.get(f"metric_{name}") for name in METRICS} | {"seconds": row["seconds"]},
        )
        for place, row in enumerate(rows)
    }


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """The page of two editors: `ours`, and `other`, whose edits are the sources. One failed."""
    folder = tmp_path_factory.mktemp("page")
    ours = mixed_rows(100)[-CLIPS - 2 : -2]
    ours = [row | {"status": "ok"} for row in ours]
    other = [
        row
        | {"row_id": row_id(1000 + place), "edited_video": row["source_video"]}
        | {"metric_motion_error": row["metric_motion_error"] - 0.1}
        for place, row in enumerate(ours)
    ]
    other[FAILED] |= {"status": "failed", "error_type": "OutOfMemory", "error_message": HOSTILE[0]}
    other[FAILED] |= {"edited_video": None, "metric_motion_error": None}
    every = {"ours": ours, "other": other}
    runs = {name: publish(folder / name, rows, files=1) for name, rows in every.items()}
    edits = {name: edits_of(rows) for name, rows in every.items()}
    output = publish(folder / "out", [], files=1)
    write_page(output, load_config(), runs, edits, figures(edits))
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get((folder / "out" / "report" / "index.html").as_uri())
    return browser


def test_source_and_edits_play_beside_each_other(page):
    page.execute_script("document.querySelector('.pair').scrollIntoView()")
    wait(page, "return document.querySelector('[data-editor=other] video').currentTime > 0.3")
    boxes = page.execute_script(
        "return [...document.querySelectorAll('.pair')].map((pair) =>"
        "[...pair.querySelectorAll('figure, .placeholder')].map((f) => f.getBoundingClientRect())"
        ".map(({ x, y, width }) => [x, y, width]))"
    )
    assert len(boxes) == CLIPS
    for pair in boxes:
        (first, *_), lefts, rows = pair, [x for x, _, _ in pair], {round(y) for _, y, _ in pair}
        assert len(pair) == 3 and len(rows) == 1, "source and two edits in one row"
        assert lefts == sorted(lefts) and lefts[1] >= first[0] + first[2]
    times = page.execute_script("return pairs[0].clips.videos.map((video) => video.currentTime)")
    assert max(times) - min(times) < 0.2
    by_id(page, "play").click()
    assert page.execute_script("return pairs[0].clips.videos.every((video) => video.paused)")


def test_the_table_has_means_and_paired_differences(page):
    lines = page.execute_script(
        "return [...document.querySelectorAll('#figures tr')].map((row) =>"
        "[...row.cells].map((cell) => cell.innerText))"
    )
    shown = {line[0]: line[1:] for line in lines}
    assert shown["Mean"] == ["ours", "other"]
    assert shown["ok"][0].startswith("100 % [")
    assert "\n-12 % [" in shown["ok"][1]
    assert "\n-0.1 [-0.1 … -0.1]" in shown["motion error"][1]
    certain = page.find_elements("css selector", "#figures .certain")
    assert [each.get_attribute("title") for each in certain] == ["7 pairs"]


def test_unequal_verdicts_are_found(page):
    by_id(page, "differ").click()
    pairs = [p for p in page.find_elements("css selector", ".pair") if p.is_displayed()]
    assert len(pairs) == 1 and "OutOfMemory" in pairs[0].text and HOSTILE[0] in pairs[0].text
    assert by_id(page, "found").text == f"1 of {CLIPS}"
    by_id(page, "differ").click()


def test_the_page_runs_no_text_and_reads_its_own_folder(page):
    assert page.execute_script("return window.hacked") is None
    assert page.get_log("browser") == []
    for entry in page.get_log("performance"):
        for part in entry["message"].split('"url":"')[1:]:
            assert urlparse(part.partition('"')[0]).scheme in ("file", "data", "about")
