"""What `deploy/` asks Prometheus for is what `/metrics` gives."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from events.connection import connect
from node.web.process_metrics import ProcessMetrics
from tests.node.observer.watched import observing
from tests.node.web.scraped import Following, Samples, samples, scrape
from tests.projections.story import log_of, story

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PAGE = DEPLOY.parent / "docs" / "metrics.md"

TEXT = re.compile(r'"(?:\\.|[^"\\])*"')
LABELS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
RANGE = re.compile(r"\[[^\]]*\]")
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"')
WORD = re.compile(r"[a-zA-Z_:][\w:]*\b(?!\s*\()")
OPERATORS = {"and", "or", "unless", "bool", "offset"}
OF_PROMETHEUS = {"instance", "job"}
"""Labels that the scraper adds."""
AS_THEY_COME = {"type", "class", "instance"}
"""Labels whose values depend on what has happened."""


class Asked(NamedTuple):
    """An expression of PromQL and where it stands."""

    where: str
    text: str

    @property
    def metrics(self) -> set[str]:
        """The names of the metrics in it."""
        bare = RANGE.sub("", LABELS.sub(" ", SELECTOR.sub(r"\1", TEXT.sub('""', self.text))))
        bare = re.sub(r"\{[^}]*\}", "", bare)
        return set(WORD.findall(bare)) - OPERATORS

    @property
    def matchers(self) -> Iterator[tuple[str, str, str, str]]:
        """Each selected label: metric, label, operator, value."""
        for name, inside in SELECTOR.findall(self.text):
            for label, operator, value in MATCHER.findall(inside):
                yield name, label, operator, value

    @property
    def labels(self) -> set[str]:
        """The labels that it groups or joins by."""
        return {word.strip() for found in LABELS.findall(self.text) for word in found.split(",")}


def alerts() -> list[dict[str, object]]:
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> list[Asked]:
    board = json.loads((DEPLOY / "grafana.json").read_text())
    found = [
        Asked(panel["title"], target["expr"])
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]
    found += [Asked(note["name"], note["expr"]) for note in board["annotations"]["list"]]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            name, _ = variable["definition"].removeprefix("label_values(").split(",")
            found.append(Asked(variable["name"], name))
    return found


def everything() -> list[Asked]:
    return [*dashboard(), *(Asked(str(rule["alert"]), str(rule["expr"])) for rule in alerts())]


@pytest.fixture
async def scraped(tmp_path: Path, nats_url: str) -> Samples:
    """Return a scrape of a process that has all there can be: a network's log, NATS, readers."""
    client = await connect(nats_url, name="deploy")
    process = ProcessMetrics(client, {"events": Following(), "changes": Following()})
    async with observing(log_of(story(1055)), tmp_path / "o") as observer:
        await observer.jobs(past=await observer.at(None))
        found = samples((await scrape(observer, process)).text)
    await client.close()
    return found


async def test_every_metric_that_is_asked_for_is_there(scraped: Samples) -> None:
    """Each metric, label and fixed value in an alert or a panel is in a real scrape."""
    names = {name for name, _ in scraped}
    labels = {name: {of for n, pairs in scraped if n == name for of, _ in pairs} for name in names}
    values = {(name, *pair) for name, pairs in scraped for pair in pairs}
    missing = []
    for asked in everything():
        assert asked.metrics, asked
        missing += [f"{asked.where}: {name}" for name in asked.metrics - names]
        known = set().union(*(labels.get(name, ()) for name in asked.metrics)) | OF_PROMETHEUS
        missing += [f"{asked.where}: by {label}" for label in asked.labels - known]
        for name, label, operator, value in asked.matchers:
            if label not in labels.get(name, set()) | OF_PROMETHEUS:
                missing.append(f"{asked.where}: {name} has no {label}")
            elif label not in AS_THEY_COME and operator in ("=", "=~"):
                options = value.split("|") if operator == "=~" else [value]
                missing += [
                    f"{asked.where}: {name} of {label} {option}"
                    for option in options
                    if (name, label, option) not in values
                ]
    assert not missing


def test_names_are_found_in_expressions() -> None:
    """Of an expression the metrics are found, and no function, label, text or word between."""
    asked = Asked(
        "here",
        'histogram_quantile(0.9, sum by (le, stage) (rate(a_bucket{stage=~"x|y", n="b_total"}[5m]))'
        ") > 0.5 * scalar(sum(c_total)) and on (instance) min_over_time(d[15m]) == 0",
    )
    assert asked.metrics == {"a_bucket", "c_total", "d"}
    assert asked.labels == {"le", "stage", "instance"}
    assert list(asked.matchers) == [
        ("a_bucket", "stage", "=~", "x|y"),
        ("a_bucket", "n", "=", "b_total"),
    ]


def test_an_alert_says_what_to_do() -> None:
    """Each alert has a name of its own, a severity, a summary, and a description to act by."""
    rules = alerts()
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    for rule in rules:
        said = rule["annotations"]
        assert isinstance(said, dict)
        assert set(said) == {"summary", "description"}, rule
        assert all(text.strip().endswith(".") for text in said.values()), rule
        assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"}), rule


def test_panels_do_not_overlap() -> None:
    """Each panel of the dashboard has an id and a place of its own within 24 columns."""
    panels = json.loads((DEPLOY / "grafana.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


async def test_the_page_describes_what_there_is(scraped: Samples) -> None:
    """Each metric of a scrape is in docs/metrics.md, and the page names no other."""
    ends = r"(_bucket|_count|_sum|_created)$"
    there = {re.sub(ends, "", name) for name, _ in scraped if name.startswith("lota_")}
    there.add("lota_executions_in_hand")  # which nodes tell alone, each of itself
    named = set(re.findall(r"`(lota_\w+)`", PAGE.read_text()))
    assert named == there
