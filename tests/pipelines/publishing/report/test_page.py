"""The report page of a thousand rows, in a real browser."""

import io
import json
import time
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from PIL import Image

from pipelines.config.loading import load_config
from pipelines.publishing.report import write_report
from pipelines.publishing.report.clips import TINT
from tests.pipelines.publishing.report.browsing import by_id, emulate, wait
from tests.pipelines.publishing.report.runs import HOSTILE, METRICS, mixed_rows, publish, record_of

FRAME = 1 / 8.0
ROWS = 1000


@pytest.fixture(scope="module")
def rows():
    return mixed_rows(ROWS)


@pytest.fixture(scope="module")
def index(rows, tmp_path_factory):
    folder, config = (
        tmp_path_factory.mktemp("run"),
        load_config(assignments=["publish.limits=null"]),
    )
    write_report(publish(folder, rows), config, record_of(config))
    return (folder / "report" / "index.html").as_uri()


@pytest.fixture
def page(browser, index):
    browser.get("about:blank")
    for log in ("browser", "performance"):
        browser.get_log(log)
    emulate(browser, "prefers-color-scheme", "light")
    browser.get(index)
    wait(browser, f"return rows.length === {ROWS} && document.querySelector('.card') !== null")
    return browser


def shown(page):
    """The ids of the cards on this page."""
    return page.execute_script(
        "return [...document.querySelectorAll('.card')].map((card) => card.dataset.row)"
    )


def paged(page):
    """The ids of the cards on all pages, visited by the button."""
    return page.execute_script(
        """
        const found = [], next = document.getElementById("next");
        for (;;) {
          found.push(...[...document.querySelectorAll(".card")].map((card) => card.dataset.row));
          if (next.disabled) return found;
          next.click();
        }
        """
    )


def ids(rows, condition):
    return sorted(row["row_id"] for row in rows if condition(row))


def to_the_clips(page, kind="edit"):
    """Wait until the first clip plays."""
    page.execute_script("document.getElementById('rows').scrollIntoView()")
    wait(page, f"return document.querySelector('video.{kind}').currentTime > 0")


@pytest.mark.slow
def test_a_thousand_rows_open_quickly(page, index):
    page.get("about:blank")
    page.get(index)
    cards = page.execute_script("return [cards.length, performance.now()]")
    wait(page, f"return rows.length === {ROWS} && filesRead === RUN.files")
    rest = page.execute_script("return performance.now()")
    load = page.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(
        f"\nreport of {ROWS} rows: loaded in {load:.0f} ms, {cards[0]} cards within "
        f"{cards[1]:.0f} ms, all rows read within {rest:.0f} ms"
    )
    assert 0 < load < rest < 10_000
    assert len(shown(page)) == 24


def test_source_and_edit_play_in_synchrony(page):
    to_the_clips(page)
    before, apart, turned = {}, [], False
    for _ in range(40):
        times = page.execute_script(
            "return cards.filter(({ clips }) => clips.videos.every((v) => v.readyState >= 3))"
            ".map(({ row, clips }) => [row.row_id, clips.videos.map((v) => v.currentTime)])"
        )
        assert len(times) >= 3
        for row_id, clip in times:
            assert len(clip) >= 2
            turned |= clip[0] < before.get(row_id, 0.0)
            before[row_id] = max(clip[0], before.get(row_id, 0.0))
            apart.append(max(clip) - min(clip))
        time.sleep(0.1)
    assert max(before.values()) > 1.5, "they play"
    assert turned, "they begin again"
    assert np.percentile(apart, 90) < FRAME

    by_id(page, "play").click()
    script = "return cards[0].clips.videos.map((video) => [video.paused, video.currentTime])"
    still = page.execute_script(script)
    time.sleep(0.4)
    assert page.execute_script(script) == still
    assert all(paused for paused, _ in still)


def test_a_missing_clip_does_not_stop_the_others(page, index):
    first = shown(page)[0]
    clip = Path(unquote(urlparse(index).path)).parent / "clips" / f"{first}-edit.mp4"
    clip.rename(clip.with_suffix(".away"))
    try:
        page.refresh()
        wait(page, "return document.querySelector('video.source') !== null")
        to_the_clips(page, "source")
        assert "cannot be played here" in page.find_element("css selector", ".card").text
    finally:
        clip.with_suffix(".away").rename(clip)


def test_only_visible_clips_are_loaded(page):
    to_the_clips(page)
    count = "return document.querySelectorAll('video[src]').length"
    assert (
        4
        <= page.execute_script(count)
        < page.execute_script("return document.querySelectorAll('video').length")
    )
    page.execute_script("document.getElementById('run').scrollIntoView()")
    wait(page, "return !document.querySelector('video').hasAttribute('src')")


def test_the_mask_is_drawn_over_the_source_under_the_pointer(page):
    from selenium.webdriver import ActionChains

    to_the_clips(page)
    by_id(page, "play").click()
    figure = page.find_element("css selector", "figure.source:has(.mask)")

    def tinted():
        picture = np.asarray(Image.open(io.BytesIO(figure.screenshot_as_png)).convert("RGB"))
        return (np.abs(picture.astype(int) - TINT).max(axis=-1) < 60).mean()

    assert tinted() == 0
    ActionChains(page).move_to_element(figure).perform()
    mask = figure.find_element("css selector", ".mask")
    wait(page, "return getComputedStyle(arguments[0]).opacity === '1'", mask)
    assert tinted() > 0.005  # the outline
    ActionChains(page).move_to_element(by_id(page, "search")).perform()
    wait(page, "return getComputedStyle(arguments[0]).opacity === '0'", mask)
    by_id(page, "masks").click()
    wait(page, "return getComputedStyle(arguments[0]).opacity === '1'", mask)


def test_each_row_is_on_exactly_one_page(page, rows):
    from selenium.webdriver import Keys

    found = paged(page)
    assert len(found) == ROWS
    assert sorted(found) == ids(rows, lambda row: True)
    assert by_id(page, "page").get_attribute("value") == "42"
    by_id(page, "page").send_keys(Keys.CONTROL, "a", Keys.NULL, "2", Keys.ENTER)
    wait(page, "return cards[0].row.row_id === arguments[0]", found[24])


@pytest.mark.parametrize("status", ["ok", "rejected", "failed"])
def test_a_status_filter_shows_the_rows_of_the_status(page, rows, status):
    page.find_element("css selector", f"[data-status={status}]").click()
    assert sorted(paged(page)) == ids(rows, lambda row: row["status"] == status)


def test_filters_by_kind_range_and_words_combine(page, rows):
    page.find_element("css selector", "#kind option[value=recolour]").click()
    recoloured = ids(rows, lambda row: row.get("target_kind") == "recolour")
    assert sorted(paged(page)) == recoloured

    for metric, bound, value in [("clip_similarity", 0, 0.3), ("motion_error", 1, 0.9)]:
        fields = page.find_elements("css selector", f"[data-number={metric}] .range input")
        fields[bound].send_keys(str(value))

    def within(row):
        return (
            row.get("target_kind") == "recolour"
            and row.get("metric_clip_similarity", -1) >= 0.3
            and row.get("metric_motion_error", 9) <= 0.9
        )

    expected = ids(rows, within)
    assert 0 < len(expected) < len(recoloured)
    assert sorted(paged(page)) == expected

    by_id(page, "search").send_keys("SHELF-3 yellow")
    narrow = ids(
        rows,
        lambda r: within(r) and "shelf-3" in r["source_uri"] and "yellow" in r["source_prompt"],
    )
    assert 0 < len(narrow) < len(expected)
    assert sorted(paged(page)) == narrow
    by_id(page, "search").send_keys(" and more")
    assert shown(page) == []


@pytest.mark.parametrize(
    "metric", [METRICS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in METRICS[1:])]
)
def test_a_range_filter_excludes_rows_without_the_metric(page, rows, metric):
    page.find_element("css selector", f"[data-number={metric}] .range input").send_keys("-1")
    has = ids(rows, lambda row: row.get(f"metric_{metric}") is not None)
    assert sorted(paged(page)) == has
    page.find_element("css selector", ".chip").click()
    assert len(paged(page)) == ROWS


def test_a_reason_filter_shows_the_rows_with_the_reason(page, rows):
    reasons = page.find_elements("css selector", "#reasons tbody tr")
    assert [reason.text.split() for reason in reasons] == [
        ["ClipSimilarityTooLow", "measure", "100"],
        ["OutOfMemory", "edit", "50"],
        ["DecodeFailed", "annotate", "50"],
    ]
    reasons[1].find_element("tag name", "button").click()
    assert sorted(paged(page)) == ids(rows, lambda row: row.get("error_type") == "OutOfMemory")
    card = page.find_element("css selector", ".card")
    assert "the GPU's memory does not hold this clip" in card.text
    assert len(card.find_elements("css selector", "video.source")) == 1
    page.find_element("css selector", ".chip").click()
    assert len(paged(page)) == ROWS


def test_rows_are_sorted_by_the_metric(page, rows):
    page.find_element("css selector", "#order option[value='3 -1']").click()
    values = {row["row_id"]: row.get("metric_motion_error") for row in rows}
    found = [values[name] for name in paged(page)]
    numbers = [value for value in found if value is not None]
    assert numbers == sorted(numbers, reverse=True)
    assert found[len(numbers) :] == [None] * 100


def test_a_card_shows_all_of_its_row(page, rows):
    row = rows[0]
    by_id(page, "search").send_keys(row["row_id"])
    (card,) = page.find_elements("css selector", ".card")
    marks = [mark.text for mark in card.find_elements("tag name", "mark")]
    assert marks == [row["source_word"], row["target_word"]]
    for text in (
        row["source_prompt"],
        row["target_prompt"],
        row["source_uri"],
        "noun near",
        "ok",
        "16 frames, 2.0 s",
    ):
        assert text in card.text
    given = next(r for r in rows if r["status"] == "ok" and r["target_kind"] is None)
    by_id(page, "search").clear()
    by_id(page, "search").send_keys(given["row_id"])
    assert page.find_elements("css selector", ".card mark") == []


def test_a_card_of_several_edits_marks_the_words_of_each(page):
    """Both circles have been red, and the second word is not sought in the first one's place."""
    row = {"row_id": "x", "status": "ok", "target_kind": "several", "videos": [], "numbers": []}
    row |= {"source_prompt": "a red circle and a red star", "edit_metrics": [{"changed": 0.91}, {}]}
    row |= {"target_prompt": "a blue circle and an orange star"}
    row["edits"] = [
        {"words": f"red {noun}", "source_word": "red", "target_word": colour}
        for noun, colour in (("circle", "blue"), ("star", "orange"))
    ]
    made = page.execute_script(
        "const numbers = RUN.distributions.map(() => null);"
        "const card = makeCard({...arguments[0], numbers}).article;"
        "const prompts = [...card.querySelectorAll('.prompt')].map((p) => p.innerHTML);"
        "return [...prompts, card.querySelector('footer').textContent];",
        row,
    )
    assert made[:2] == [
        "a <mark>red</mark> circle and a <mark>red</mark> star",
        "a <mark>blue</mark> circle and an <mark>orange</mark> star",
    ]
    assert "red circle, changed 0.91" in made[2] and "red star" in made[2]


def test_hostile_text_is_shown_as_text(page):
    by_id(page, "search").send_keys("hacked")
    assert len(shown(page)) == len(HOSTILE)
    prompts = page.execute_script(
        "return [...document.querySelectorAll('.prompt.to')].map((p) => p.textContent)"
    )
    assert sorted(prompts) == sorted(f"b {text}" for text in HOSTILE)
    names = page.execute_script(
        "return [...document.querySelectorAll('.uri')].map((p) => p.textContent)"
    )
    assert all(any(name.startswith(text) for name in names) for text in HOSTILE)
    time.sleep(0.5)
    assert page.execute_script("return window.hacked") is None
    assert (
        page.execute_script("return document.querySelectorAll('.cards img, .cards script').length")
        == 0
    )


def test_the_page_makes_no_network_request_and_logs_no_error(page):
    to_the_clips(page)
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert any(url.endswith("-edit.mp4") for url in asked)
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert page.get_log("browser") == []
    blocked = page.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', (e) => done(e.violatedDirective));"
        "const script = document.createElement('script'); script.textContent = 'window.hacked = 1';"
        "document.head.append(script);"
    )
    assert blocked.startswith("script-src")
    assert page.execute_script("return window.hacked") is None


def test_screenshots_of_the_page_are_saved(page, screenshots):
    def keep(name):
        time.sleep(0.5)
        assert page.save_screenshot(str(screenshots / f"{name}.png"))
        picture = np.asarray(Image.open(screenshots / f"{name}.png").convert("L"))
        assert picture.std() > 10  # not blank
        return picture.mean()

    page.execute_script("document.querySelector('.cards').scrollIntoView({ block: 'center' })")
    to_the_clips(page)
    page.execute_script("scrollTo(0, 0)")
    light = keep("report")
    emulate(page, "prefers-color-scheme", "dark")
    assert keep("report-dark") < light / 2
    narrow = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    keep("report-narrow")
    assert page.execute_script("return document.documentElement.scrollWidth") <= 400
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
