"""The dashboard queries only existing metrics."""

import json
import re
from pathlib import Path

import pipelines.telemetry

DASHBOARD = Path(__file__).parents[2] / "infra" / "grafana" / "strmatch.json"


def test_every_metric_of_the_dashboard_is_exported_and_shown():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {
        re.sub(r"_(total|bucket)$", "", name)
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"ray_(strmatch_\w+)", target["expr"])
    }
    source = Path(pipelines.telemetry.__file__).read_text()
    assert asked == set(re.findall(r'"(strmatch_\w+)"', source))
