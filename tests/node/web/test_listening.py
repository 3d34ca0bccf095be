"""Where results are served, and who is let in."""

from pathlib import Path

import pytest

from events.errors import WrongUsage
from node.config import ServeConfig
from node.web.listening import listen, read_token

TOKEN = "0123456789abcdef"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_the_url_is_the_address_that_was_bound(host: str) -> None:
    """Port 0 takes a free port, and the URL names it."""
    listener = listen(ServeConfig(listen=f"{host}:0"))
    port = listener.bound.getsockname()[1]
    listener.bound.close()
    assert port > 0
    assert listener.url == f"http://{host}:{port}"


def test_others_are_told_the_url_that_the_operator_gives(token_file: Path) -> None:
    """Behind a proxy the node cannot know its own address, so it is told."""
    url = "https://c1.example.org/lota/"
    listener = listen(ServeConfig(listen="0.0.0.0:0", url=url, token_file=token_file))
    listener.bound.close()
    assert listener.url == "https://c1.example.org/lota"
    assert listener.token == TOKEN


def test_only_this_machine_is_served_without_a_token() -> None:
    """An address that others reach is refused before anybody can connect."""
    with pytest.raises(WrongUsage, match="no token"):
        listen(ServeConfig(listen="0.0.0.0:0", url="http://here:1"))


def test_an_address_for_all_interfaces_needs_a_url(token_file: Path) -> None:
    """What others would be told is an address that leads them to themselves."""
    with pytest.raises(WrongUsage, match="--results-url"):
        listen(ServeConfig(listen="0.0.0.0:0", token_file=token_file))


@pytest.mark.parametrize("text", ["", "8470", ":8470", "host:", "host:x", "host:65536", "host:-1"])
def test_an_address_is_a_host_and_a_port(text: str) -> None:
    """What is no HOST:PORT is refused by its text."""
    with pytest.raises(WrongUsage, match="HOST:PORT"):
        listen(ServeConfig(listen=text))


def test_a_taken_port_is_told() -> None:
    """A port that another server has is named in the error."""
    first = listen(ServeConfig(listen="127.0.0.1:0"))
    place = f"127.0.0.1:{first.bound.getsockname()[1]}"
    with pytest.raises(WrongUsage, match=place):
        listen(ServeConfig(listen=place))
    first.bound.close()


@pytest.mark.parametrize(
    "url",
    ["ftp://host/", "http://", "host", "http://user:pw@host/", "http://host/?a", "http://h/#a"],
)
def test_a_url_names_a_host_and_no_secret(url: str) -> None:
    """A URL for the log is a plain one; one with a password is not shown in the error either."""
    with pytest.raises(WrongUsage) as caught:
        listen(ServeConfig(listen="127.0.0.1:0", url=url))
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "short", "0123456789 abcdef", "0123456789\nabcdef", "é" * 20])
def test_a_bad_token_is_refused_unseen(tmp_path: Path, text: str) -> None:
    """A token that is short, of several words or not ASCII is refused, and never shown."""
    path = tmp_path / "token"
    path.write_text(text)
    with pytest.raises(WrongUsage, match="token file") as caught:
        read_token(path)
    assert not text or text not in str(caught.value)


def test_a_token_file_that_is_gone_is_told(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(WrongUsage, match="gone"):
        read_token(tmp_path / "gone")
