"""What pages are made of: tables, facts, choices, forms, states, times and legends."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from node.web.views.html import Attribute, Child, Element, h
from node.web.views.route import Route
from node.words import NOTHING, look, sign

Form = Literal["moment", "exact"]
"""How a time is told: to the second, or to the millisecond."""


class Row(NamedTuple):
    """A row of a table; by its key it is found again in the next state of the page."""

    cells: Sequence[Child]
    key: str | int | None = None
    mark: str | None = None


def table(label: str, headings: Sequence[str], rows: Iterable[Row]) -> Element:
    """Return a table; a heading that begins with `#` stands over numbers."""
    kinds = ["number" if heading.startswith("#") else None for heading in headings]
    head = [
        h("th", {"scope": "col", "class": kind}, heading.removeprefix("#"))
        for heading, kind in zip(headings, kinds, strict=True)
    ]
    body = [
        h(
            "tr",
            {"data-key": row.key, "class": row.mark},
            [h("td", {"class": kind}, cell) for cell, kind in zip(row.cells, kinds, strict=True)],
        )
        for row in rows
    ]
    given: dict[str, Attribute] = {
        "class": "scroll",
        "data-key": label,
        "tabindex": 0,
        "role": "region",
    }
    return h(
        "div",
        {**given, "aria-label": label},
        h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)),
    )


def facts(pairs: Mapping[str, Child]) -> Element:
    """Return a definition list of what has a value."""
    rows = [
        h("div", {}, h("dt", {}, name), h("dd", {}, value))
        for name, value in pairs.items()
        if value
    ]
    return h("dl", {"class": "facts"}, rows)


class Choice(NamedTuple):
    """One link of several, of which one is current; `name` is what it is called in full."""

    words: str
    href: str
    current: bool
    name: str | None = None


def choice(label: str, items: Iterable[Choice]) -> Element:
    """Return links of which one is chosen."""
    links = [
        h(
            "a",
            {
                "href": one.href,
                "aria-current": "true" if one.current else None,
                "aria-label": one.name,
                "title": one.name,
            },
            one.words,
        )
        for one in items
    ]
    return h("nav", {"class": "choice", "data-key": label, "aria-label": label}, links)


def search(words: str, fields: Mapping[str, str], query: Mapping[str, str], href: str) -> Element:
    """Return a form that leads to `href` with what was written in its fields.

    `fields` are names with what stands in them while they are empty; `href` has none of them.
    """
    inputs = [
        h(
            "input",
            {
                "name": name,
                "placeholder": placeholder,
                "aria-label": f"{words} by {name}",
                "value": query.get(name),
            },
        )
        for name, placeholder in fields.items()
    ]
    return h("form", {"role": "search", "data-href": href}, inputs, h("button", {}, words))


def section(title: str, *children: Child, kind: str | None = None) -> Element:
    """Return a section with a heading."""
    return h("section", {"data-key": title, "class": kind}, h("h2", {}, title), children)


def head(title: Child, *children: Child) -> Element:
    """Return the head of a page: its name, and what is beside it."""
    return h("div", {"class": "head", "data-key": "head"}, h("h1", {}, title), children)


def empty(*children: Child) -> Element:
    """Return what stands where there is nothing."""
    return h("div", {"class": "empty", "data-key": "empty"}, children)


def none_yet(route: Route, things: str, ask: str, command: str) -> Element:
    """Return what stands where there is nothing yet, and how to get something from a network."""
    if "output" not in route.offers:
        return empty(h("p", {}, f"There are no {things}."))
    return empty(h("p", {}, f"No {things} yet. {ask}"), h("pre", {}, code(command)))


def pages(label: str, *links: Child) -> Element:
    """Return the links to the pages before and behind this one."""
    given = {"class": "pages", "aria-label": label, "data-key": label}
    return h("nav", given, links)


def link(href: str, *children: Child, **given: Attribute) -> Element:
    """Return a link."""
    return h("a", {"href": href, **given}, children)


def code(*children: Child) -> Element:
    """Return what is written as a machine reads it."""
    return h("code", {}, children)


def note(*children: Child) -> Element:
    """Return words in the background."""
    return h("p", {"class": "note"}, children)


def tags(labels: Mapping[str, str]) -> list[Element]:
    """Return labels, each by itself."""
    return [h("span", {"class": "tag"}, f"{name}={value}") for name, value in labels.items()]


def address(uri: str) -> Element:
    """Return the address of a copy: a link if a browser may follow it, else text."""
    if not re.match("https?://", uri, re.IGNORECASE):
        return code(uri)
    return h("a", {"href": uri, "rel": "noopener noreferrer", "target": "_blank"}, uri)


def state_of(state: str) -> Element:
    """Return a state as a word with its sign and colour."""
    mark = h("span", {"aria-hidden": "true"}, sign(state))
    return h("span", {"class": f"state {look(state)}"}, mark, f" {state}")


def legend(items: Iterable[tuple[str, Child]], kind: str | None = None) -> Element:
    """Return what is drawn how: pairs of a line's class and the words for it."""
    rows = [
        h("li", {}, h("svg", _LEGEND, h("path", {"class": line, "d": "M0 5H20"})), words)
        for line, words in items
    ]
    return h("ul", {"class": f"legend {kind}" if kind else "legend"}, rows)


_LEGEND = {"viewBox": "0 0 20 10", "aria-hidden": "true"}


def moment(time: str | None, form: Form = "moment", *, kind: str | None = None) -> Child:
    """Return a time, in UTC; the browser shows it on its own clock."""
    if not time:
        return NOTHING
    return h("time", {"datetime": time, "data-form": form, "class": kind}, _utc(time, form))


def _utc(time: str, form: Form) -> str:
    try:
        at = datetime.fromisoformat(time).astimezone(UTC)
    except (ValueError, OverflowError):
        return time
    exact = f".{at.microsecond // 1000:03}" if form == "exact" else ""
    return f"{at.day} {at:%b %H:%M:%S}{exact} UTC"
