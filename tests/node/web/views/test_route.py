"""Addresses of pages."""

from urllib.parse import parse_qs

import pytest

from node.web.views.route import FIELDS_MAX, Route


def test_an_address_says_page_id_moment_and_choices() -> None:
    """All that a page is stands in its address."""
    route = Route.of("jobs/01kb2m", "at=77&shard=3&path=a%252Fb")
    assert (route.page, route.id, route.at) == ("job", "01kb2m", "77")
    assert route.query["path"] == "a%2Fb"


def test_an_address_of_nothing_is_the_first_page() -> None:
    """Without a word it is the network, now; an empty moment is now as well."""
    assert Route.of("").page == "network"
    assert Route.of("log", "at=").at is None


def test_a_choice_is_changed_and_taken_away() -> None:
    """A link keeps what it does not change."""
    route = Route.of("jobs/a", "at=77&shard=3&stream=stdout")
    assert route.href(shard=4, stream=None) == "#/jobs/a?at=77&shard=4"
    assert route.href(at=None, shard=None, stream=None) == "#/jobs/a"


def test_another_page_is_shown_at_the_same_moment() -> None:
    """Who looks at the past stays there."""
    assert Route.of("nodes", "at=77&job=x").elsewhere("jobs", state="failed") == (
        "#/jobs?state=failed&at=77"
    )
    assert Route.of("nodes", "job=x").elsewhere("log") == "#/log"


def test_what_strangers_say_stays_in_its_field() -> None:
    """A value with signs that mean something in an address comes back as it was."""
    value = '"><script>&a=b#c?d/é '
    words = Route.of("jobs", "").href(q=value).partition("?")[2]
    assert parse_qs(words, keep_blank_values=True) == {"q": [value]}
    assert Route.of("jobs", words).query["q"] == value


def test_an_address_with_far_too_many_fields_is_refused() -> None:
    """An address is no place to make a server work."""
    with pytest.raises(ValueError, match="fields"):
        Route.of("jobs", "&".join(f"a{number}=1" for number in range(FIELDS_MAX + 1)))
