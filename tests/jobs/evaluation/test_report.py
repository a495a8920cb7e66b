import json
import math

from rich.console import Console

from jobs.evaluation.figures import Figure
from jobs.evaluation.report import as_json, markdown, tables

RESULTS = {
    "seed": 3,
    "generation": {"colour": Figure(0.95, 0.9, 1.0)},
    "generation_of_two": {"shape": Figure(0.5, 0.25, 0.75)},
    "vae_psnr": Figure(36.04, 35.0, 37.0),
    "edits": {
        "str_match": {"subject_colour": Figure(0.5, 0.25, 0.75), "centroid_px": Figure(1.2, 1, 9)},
        "lambda_0": {
            "subject_colour": Figure(math.nan, math.nan, math.nan),
            "centroid_px": Figure(math.inf, 2.0, math.inf),
        },
    },
}


def test_json_is_strict_and_holds_every_figure():
    read = json.loads(as_json(RESULTS), parse_constant=lambda name: 1 / 0)
    assert read["seed"] == 3
    assert read["vae_psnr"] == {"value": 36.04, "low": 35.0, "high": 37.0}
    assert read["edits"]["lambda_0"]["centroid_px"] == {"value": None, "low": 2.0, "high": None}


def test_markdown_has_units_and_a_row_a_method():
    lines = markdown(RESULTS).splitlines()
    assert "| generation colour | 95 % | 90 % … 100 % |" in lines
    assert "| generation_of_two shape | 50 % | 25 % … 75 % |" in lines
    assert "| vae_psnr | 36.0 dB | 35.0 dB … 37.0 dB |" in lines
    assert "| str_match | 50 % | 1.2 px |" in lines
    assert "| lambda_0 | – | inf px |" in lines


def test_the_tables_say_the_same():
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for table in tables(RESULTS):
        console.print(table.printable())
    text = console.export_text()
    assert "95 %" in text and "str_match" in text and "inf px" in text
