"""The bounds on the report page, in a real browser, compared with counts by pandas."""

import json
import re
import shlex
import sys
import time
from functools import partial

import numpy as np
import pandas as pd
import pytest

from pipelines.config.loading import load_config, resolve
from pipelines.publishing.report import write_report
from pipelines.publishing.report.edits import EditSample
from pipelines.schema import metric_column
from tests.pipelines.publishing.report.browsing import by_id, emulate, wait
from tests.pipelines.publishing.report.runs import (
    LIMITS,
    judged_rows,
    limited_config,
    publish,
    record_of,
    row_id,
)

ROWS = 700
DOTTED = "tests.pipelines.fakes.metrics:Difference"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, config = tmp_path_factory.mktemp("a 'run'"), limited_config()
    write_report(publish(folder, judged_rows(ROWS)), config, record_of(config))
    return folder


def opened(browser, folder, rows):
    browser.get("about:blank")
    browser.get_log("browser")
    emulate(browser, "prefers-color-scheme", "light")
    browser.get((folder / "report" / "index.html").as_uri())
    wait(browser, f"return rows.length === {rows} && filesRead === RUN.files")
    return browser


@pytest.fixture
def page(browser, folder):
    return opened(browser, folder, ROWS)


@pytest.fixture(scope="module")
def edits(folder):
    rows = pd.read_parquet(folder / "dataset")
    return rows[rows["level"] == "edit"]


def handle(page, metric, end):
    return page.find_element("css selector", f"[data-number={metric}] .handle.{end}")


def field(page, metric, end):
    fields = page.find_elements("css selector", f"[data-number={metric}] .range input")
    return fields[("min", "max").index(end)]


def scale(page, value):
    """The span of the scale of motion_error, and the place of a value on it, 0 to 1."""
    ends = page.execute_script(
        "return charts.find((chart) => chart.distribution.name === 'motion_error').scale"
    )
    span = ends["to"] - ends["from"]
    return span, (value - ends["from"]) / span


def type_bound(page, metric, end, text):
    from selenium.webdriver import Keys

    keys = (Keys.CONTROL, "a", Keys.NULL, Keys.DELETE, text)
    field(page, metric, end).send_keys(*keys)


def value(element):
    return element.get_property("value")


def verdict(page):
    """The numbers of the verdict: ok, planned, percent, rejected, failed."""
    return [int(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", by_id(page, "verdict").text)]


def expected(edits, limits):
    """The same numbers by pandas. An edit without a value is within the bounds of its metric."""
    within = edits["status"] != "failed"
    for metric, (least, most) in limits.items():
        values = edits[f"metric_{metric}"]
        if least is not None:
            within &= values.isna() | (values >= least)
        if most is not None:
            within &= values.isna() | (values <= most)
    ok, failed = within.sum(), (edits["status"] == "failed").sum()
    share = int(np.floor(100 * ok / len(edits) + 0.5))
    return [ok, len(edits), share, len(edits) - ok - failed, failed]


def command(page):
    return shlex.split(by_id(page, "command").get_property("textContent"))


def republished(folder, words):
    """The limits of a run whose record has the config of the page, with the command's settings."""
    assert words[:4] == ["strmatch", "publish", "--output", str(folder)]
    assert words[4::2] == ["--set"] * len(words[5::2])
    values = json.loads(json.dumps(limited_config().model_dump(mode="json")))
    bounds = resolve(values, words[5::2]).publish.bounds
    return {name: (limit.min, limit.max) for name, limit in bounds.items()}


def test_the_page_begins_with_the_outcomes_of_all_edits(page, edits):
    counts = edits["status"].value_counts()
    share = expected(edits, LIMITS)[2]
    assert by_id(page, "summary").text == (
        f"{len(edits)} planned edits: {counts['ok']} ok ({share} %), "
        f"{counts['rejected']} rejected, {counts['failed']} failed. "
        f"{ROWS - len(edits)} clips and sources have no edit."
    )
    assert verdict(page) == expected(edits, LIMITS)
    assert not by_id(page, "take").is_displayed()
    kinds = edits.groupby(edits["target_kind"].fillna("given"))["status"]
    rows = [row.text for row in page.find_elements("css selector", "#kinds tbody tr")]
    assert sorted(row.rpartition(" of ")[0] for row in rows) == sorted(
        f"{kind.replace('_', ' ')} {(of == 'ok').sum()}" for kind, of in kinds
    )
    bounds = [row.text for row in page.find_elements("css selector", "#bounds tbody tr")]
    rejected = edits[edits["status"] == "rejected"]
    under = rejected["metric_clip_similarity"] < 0.28
    over, least = rejected["metric_motion_error"] > 1.5, rejected["metric_motion_error"] < 0.2
    assert bounds == [
        f"clip similarity at least 0.28 {under.sum()}",
        f"motion error at least 0.2 {least.sum()}",
        f"motion error at most 1.5 {over.sum()}",
    ]
    several = (under.astype(int) + over + least > 1).sum()
    assert by_id(page, "several").text.endswith(f"counts at each: {several} edits.")


def test_charts_show_the_bounds_in_force(page):
    shown = {
        chart.get_dom_attribute("data-number"): [
            line.text for line in chart.find_elements("css selector", ".bound")
        ]
        for chart in page.find_elements("css selector", ".chart")
    }
    assert shown == {
        "clip_similarity": ["at least 0.28"],
        "motion_error": ["at least 0.2", "at most 1.5"],
        "seconds": [],
    }
    assert value(field(page, "clip_similarity", "min")) == "0.28"
    assert value(field(page, "clip_similarity", "max")) == ""
    assert page.find_elements("css selector", "[data-number=seconds] .handle") == []
    line = page.find_element("css selector", "[data-number=motion_error] .bound.max").rect
    thumb = handle(page, "motion_error", "max").rect
    _, share = scale(page, 1.5)
    assert abs(line["x"] + 1 - (thumb["x"] + 8 + share * (thumb["width"] - 16))) < 2
    assert by_id(page, "found").text == f"{ROWS} rows."


def test_a_bound_that_is_dragged_counts_the_edits_and_names_the_command(page, edits, folder):
    from selenium.webdriver import ActionChains

    dragged = handle(page, "motion_error", "max")
    span, share = scale(page, 1.5)
    width = dragged.rect["width"] - 16
    page.execute_script("arguments[0].scrollIntoView({ block: 'center' })", dragged)
    actions = ActionChains(page)
    actions.move_to_element_with_offset(dragged, round((share - 0.5) * width), 0).click_and_hold()
    actions.move_by_offset(-60, 0).perform()
    most = float(value(field(page, "motion_error", "max")))
    assert abs(most - (1.5 - 60 / width * span)) < 0.05
    limits = LIMITS | {"motion_error": (0.2, most)}
    assert verdict(page) == expected(edits, limits) != expected(edits, LIMITS)
    assert by_id(page, "found").text == f"{ROWS} rows.", "the list waits for the end of the drag"
    ActionChains(page).release().perform()
    within = edits["metric_motion_error"].between(0.2, most).sum()
    assert by_id(page, "found").text == f"{within} of {ROWS} rows."
    assert command(page)[4:] == ["--set", f"publish.limits.motion_error.max={most:g}"]
    assert republished(folder, command(page)) == limits
    assert f"{(edits['status'] == 'ok').sum()} are ok" in by_id(page, "verdict-note").text


def test_keys_move_a_bound(page, edits):
    from selenium.webdriver import Keys

    moved = handle(page, "clip_similarity", "min")
    moved.send_keys(Keys.ARROW_RIGHT)
    least = float(value(field(page, "clip_similarity", "min")))
    assert 0.28 < least < 0.29
    moved.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    least = float(value(field(page, "clip_similarity", "min")))
    limits = LIMITS | {"clip_similarity": (least, None)}
    assert verdict(page) == expected(edits, limits)
    assert moved.get_attribute("aria-valuetext") == f"{least:g}"
    moved.send_keys(Keys.HOME)
    assert value(field(page, "clip_similarity", "min")) == ""
    assert moved.get_attribute("aria-valuetext") == "no bound"
    assert command(page)[4:] == ["--set", "publish.limits.clip_similarity=null"]


def test_fields_and_handles_stay_in_step(page, edits, folder):
    type_bound(page, "motion_error", "max", "0.9")
    assert float(value(handle(page, "motion_error", "max"))) == pytest.approx(0.9)
    type_bound(page, "clip_similarity", "max", "0.31")
    limits = {"clip_similarity": (0.28, 0.31), "motion_error": (0.2, 0.9)}
    assert verdict(page) == expected(edits, limits)
    assert republished(folder, command(page)) == limits
    page.find_element("css selector", ".chip").click()
    assert verdict(page) == expected(edits, LIMITS)
    assert value(field(page, "motion_error", "max")) == "1.5"
    assert float(value(handle(page, "motion_error", "max"))) == pytest.approx(1.5)
    assert not by_id(page, "take").is_displayed()


def test_bounds_that_are_removed_are_null_in_the_command(page, edits, folder):
    type_bound(page, "motion_error", "min", "")
    limits = LIMITS | {"motion_error": (None, 1.5)}
    assert republished(folder, command(page)) == limits
    type_bound(page, "motion_error", "max", "")
    assert command(page)[4:] == ["--set", "publish.limits.motion_error=null"]
    limits = {"clip_similarity": LIMITS["clip_similarity"]}
    assert republished(folder, command(page)) == limits
    assert verdict(page) == expected(edits, limits)


def test_handles_do_not_cross(page):
    handles = [handle(page, "motion_error", end) for end in ("min", "max")]
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
    page.execute_script(script, handles[0], 2.0)
    assert value(field(page, "motion_error", "min")) == "1.5"
    page.execute_script(script, handles[1], 0.3)
    assert value(field(page, "motion_error", "max")) == "1.5"
    type_bound(page, "motion_error", "max", "0.1")
    assert not by_id(page, "take").is_displayed()
    assert by_id(page, "verdict-note").text == "The least motion error is over the largest."


def test_the_command_is_copied(page):
    page.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    type_bound(page, "motion_error", "max", "1")
    by_id(page, "copy").click()
    wait(page, "return document.getElementById('copy').textContent !== 'Copy'")
    if by_id(page, "copy").text == "Copied":
        script = "navigator.clipboard.readText().then(arguments[0])"
        copied = page.execute_async_script(script)
    else:
        copied = page.execute_script("return getSelection().toString()")
    assert copied == by_id(page, "command").get_property("textContent")
    assert page.get_log("browser") == []


def test_of_too_many_edits_the_count_is_an_estimate(browser, edits, tmp_path, monkeypatch):
    few = partial(EditSample, most=200)
    module = sys.modules["pipelines.publishing.report.survey"]  # a function has the same name
    monkeypatch.setattr(module, "EditSample", few)
    config = limited_config()
    write_report(publish(tmp_path, judged_rows(ROWS)), config, record_of(config))
    page = opened(browser, tmp_path, ROWS)
    assert verdict(page) == expected(edits, LIMITS)
    type_bound(page, "motion_error", "max", "0.6")
    assert by_id(page, "verdict").text.startswith("About ")
    assert "Estimated from 200 of " in by_id(page, "verdict-note").text
    found, exact = verdict(page), expected(edits, LIMITS | {"motion_error": (0.2, 0.6)})
    assert (
        found[1] == exact[1]
        and found[4] == exact[4]
        and sum(found[i] for i in (0, 3, 4)) == found[1]
    )
    # The standard error of a share of 200 is at most 3.6 %.
    assert abs(found[0] - exact[0]) < 0.12 * exact[1]


def test_a_metric_of_another_package_has_a_command_that_is_read(browser, tmp_path):
    config = load_config(
        assignments=[
            f"measure.metrics=[{DOTTED}]",
            f"publish.limits={{'{DOTTED}': {{min: 1, max: 9}}}}",
        ]
    )
    rows = [
        {"row_id": row_id(n), "level": "edit", "status": "ok", metric_column(DOTTED): n + 0.5}
        for n in range(1, 9)
    ]
    name = metric_column(DOTTED).removeprefix("metric_")
    write_report(publish(tmp_path, rows, [name], files=1), config, record_of(config))
    page = opened(browser, tmp_path, 8)
    steps = [("max", "4", (1.0, 4.0)), ("min", "", (None, 4.0)), ("max", "", None)]
    for end, text, limits in steps:
        type_bound(page, name, end, text)
        (setting,) = command(page)[5:]
        bounds = resolve(config.model_dump(mode="json"), [setting]).publish.bounds
        found = bounds.get(DOTTED)
        assert limits == (found and (found.min, found.max))


BARE = {
    "no-rows": ((), {}),
    "no-metrics": ((), {"level": "edit", "status": "ok"}),
    "all-failed": (
        ("motion_error",),
        {"level": "edit", "status": "failed", "error_stage": "edit", "error_type": "OutOfMemory"},
    ),
    "no-edits": (("motion_error",), {"level": "source", "status": "rejected"}),
}
"""The metrics of a dataset, and its three rows."""


@pytest.mark.parametrize("name", BARE)
def test_without_bounds_there_is_nothing_to_set(browser, tmp_path, screenshots, name):
    metrics, row = BARE[name]
    rows = [row | {"row_id": row_id(number)} for number in range(3) if row]
    measured = f"measure.metrics=[{', '.join(metrics)}]"
    config = load_config(assignments=[measured, "publish.limits=null"])
    write_report(publish(tmp_path, rows, metrics, files=1), config, record_of(config))
    page = opened(browser, tmp_path, len(rows))
    edits = [row for row in rows if row["level"] == "edit"]
    ok = sum(row["status"] == "ok" for row in edits)
    assert f"{len(edits)} planned edits: {ok} ok" in by_id(page, "summary").text
    assert not by_id(page, "trial").is_displayed()
    assert not by_id(page, "of-bounds").is_displayed()
    assert by_id(page, "of-kinds").is_displayed() == bool(edits)
    assert by_id(page, "no-charts").is_displayed()
    assert page.get_log("browser") == []
    assert page.save_screenshot(str(screenshots / f"report-{name}.png"))


def test_cards_show_where_why_and_which_try(browser, tmp_path):
    edit = {"level": "edit", "status": "ok", "target_kind": "restyle", "seconds": 1.0}
    earlier = [{"settings": "{}", "metrics": "{}", "reason": why} for why in ("too dark", "grey")]
    rows = [
        edit | {"row_id": row_id(0), "target_where": "subject", "edit_where": "subject"},
        edit | {"row_id": row_id(1), "target_where": "background", "edit_where": "background"},
        edit | {"row_id": row_id(2), "target_where": "all", "edit_where": "all"},
        edit | {"row_id": row_id(3), "target_where": "subject", "edit_where": "all"},
        edit | {"row_id": row_id(4), "measure_message": "judge: no answer within 60 s"},
        edit | {"row_id": row_id(5), "edit_try": 2, "earlier_tries": earlier},
        edit | {"row_id": row_id(6), "edit_try": 0},
    ]
    config = limited_config()
    write_report(publish(tmp_path, rows, files=1), config, record_of(config))
    page = opened(browser, tmp_path, 7)
    footers = {
        card.get_dom_attribute("data-row"): card.find_element("tag name", "footer").text.split("\n")
        for card in page.find_elements("css selector", ".card")
    }
    shown = [footers[row_id(n)][:-1] for n in range(7)]
    assert shown == [
        ["ok", "restyle"],
        ["ok", "restyle", "outside the subject"],
        ["ok", "restyle", "everywhere"],
        ["ok", "restyle", "without a mask"],
        ["ok", "restyle", "not measured: judge: no answer within 60 s"],
        ["ok", "restyle", "try 3"],
        ["ok", "restyle"],
    ]
    tries = page.find_element("css selector", f"[data-row='{row_id(5)}'] footer [title^=try]")
    assert tries.get_dom_attribute("title") == "try 1: too dark\ntry 2: grey"


def test_screenshots_of_bounds_are_saved(page, screenshots):
    type_bound(page, "motion_error", "max", "0.9")
    time.sleep(0.5)
    assert page.save_screenshot(str(screenshots / "report-bounds.png"))
    narrow = {"width": 400, "height": 1400, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    time.sleep(0.5)
    assert page.save_screenshot(str(screenshots / "report-bounds-narrow.png"))
    assert page.execute_script("return document.documentElement.scrollWidth") <= 400
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
