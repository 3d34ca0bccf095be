"""Room for connections among the files that may be open."""

import resource

import pytest

from node.web.open_files import KEPT_FREE, raised, room, served

WITHOUT = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "limit"),
    [
        (1_024, 524_288, 4_300),
        (1_024, 4_096, 4_096),
        (1_024, 1_024, 1_024),
        (20_000, 20_000, 20_000),
        (1_024, WITHOUT, 4_300),
        (WITHOUT, WITHOUT, WITHOUT),
    ],
)
def test_the_limit_is_raised_as_far_as_it_goes(soft: int, hard: int, limit: int) -> None:
    """It becomes what is needed, or all that there can be, and never less than it was."""
    assert raised(soft, hard, 4_300) == limit


@pytest.mark.parametrize("besides", [0, 256])
@pytest.mark.parametrize("limit", [1_024, 4_096, 4_300])
def test_connections_leave_files_for_all_else(limit: int, besides: int) -> None:
    """Those that are served and those that are cut off are together fewer than may be open."""
    assert 2 * served(limit, besides) + besides <= limit - KEPT_FREE


def test_a_process_has_room_for_what_it_serves() -> None:
    """Where a user has room for a thousand files, a server takes what its system allows."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, before[1]))
    try:
        found = room(1_000)
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert found == min(1_000, served(limit))
    assert limit >= 1_024
    assert limit == before[1] or found == 1_000
