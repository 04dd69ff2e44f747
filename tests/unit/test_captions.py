"""The texts of the HTML report, as Snakemake renders them."""

import re
from pathlib import Path
from types import SimpleNamespace

from docutils.core import publish_parts
from jinja2 import Environment, StrictUndefined

CAPTIONS = Path(__file__).parents[2] / "workflow/report"


def test_first_page_lists_the_scenarios() -> None:
    scenario = {"pools": ["icons-conv4", "glyphs-conv4"], "evaluate_on": ["icons"]}
    about = SimpleNamespace(config={"scenarios": {"one": scenario, "two": scenario}})
    source = (CAPTIONS / "workflow.rst").read_text(encoding="utf-8")
    text = Environment(trim_blocks=True, undefined=StrictUndefined).from_string(source).render(snakemake=about)
    html = publish_parts(text, writer="html")["body"]
    items = re.findall(r"<li>(.*?)</li>", html, re.DOTALL)
    assert [re.sub(r"<.*?>", "", item).strip() for item in items] == [
        f"{name}: pools icons-conv4, glyphs-conv4; evaluated on icons" for name in ("one", "two")
    ]
    assert "*" not in re.sub(r"<.*?>", "", html)
