"""HTML from data: it is read as it was meant, and holds no markup of strangers."""

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.web.views.html import Child, Data, h, render

MARKUP = "<img src=x onerror=alert(1)></script><script>alert('&amp;\"')</script>"


class Read(HTMLParser):
    """What a parser makes of HTML: its elements, its attributes and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.given: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.given += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text())
def test_text_is_read_as_it_was_written(text: str) -> None:
    """Whatever stands in a text or an attribute is no markup, and comes out the same."""
    read = Read(render(h("p", {"title": text}, text)))
    meant = text.replace("\0", "\ufffd")
    assert read.names == ["p"]
    assert read.given == [("title", meant)]
    assert read.text == meant


def test_what_is_not_there_is_left_out() -> None:
    """None and False leave nothing, True an attribute without a value, and zero is a number."""
    made = h("p", {"a": None, "b": False, "c": True, "d": 0}, None, False, True, 0, [["x"], None])
    assert render(made) == '<p c="" d="0">0x</p>'


def test_an_element_without_inside_is_not_closed() -> None:
    """A parser would take the end of an empty element for another one."""
    assert render(h("input", {"name": "q"}), h("p")) == '<input name="q"><p></p>'


@pytest.mark.parametrize(("name", "text"), [("pre", "\nline"), ("p", "a\r\nb")])
def test_a_line_break_that_a_parser_drops_is_kept(name: str, text: str) -> None:
    """A line break behind <pre> and a carriage return are written so that they are read."""
    html = render(h(name, {}, text))
    assert html == {"pre": "<pre>\n\nline</pre>", "p": "<p>a&#13;\nb</p>"}[name]


@pytest.mark.parametrize("name", ["script", "style", "iframe", "noscript", "p onclick", "", "1"])
def test_what_is_no_place_for_text_is_refused(name: str) -> None:
    """Text in a script would not be read as text, and a name with more in it is none."""
    with pytest.raises(ValueError, match="no"):
        h(name, {}, "text")


def test_an_attribute_is_named_by_a_word() -> None:
    """What a stranger says is no name of an attribute."""
    with pytest.raises(ValueError, match="no name"):
        h("p", {"a onclick=alert(1) b": "c"})


@pytest.mark.parametrize("child", [MARKUP, [MARKUP], h("b", {"title": MARKUP}, MARKUP)])
def test_markup_is_text(child: Child) -> None:
    """Markup is shown, wherever it stands."""
    assert "<img" not in render(h("p", {}, child))


def test_a_document_stays_in_its_place() -> None:
    """A document for the script ends where it should, and is read as it was."""
    html = render(Data("charts", {MARKUP: [MARKUP, 1, None]}))
    assert html.count("<") == 2
    inside = html.partition(">")[2].rpartition("<")[0]
    assert json.loads(inside) == {MARKUP: [MARKUP, 1, None]}
