"""The upcasters that docs/evolution.md shows do what it says."""

import json
import re
from pathlib import Path
from typing import Any

from events.codec import Codec, kind
from events.facts import BidsDeclined, BidsPlaced

PAGE = Path(__file__).parents[2] / "docs" / "evolution.md"
GOLDEN = Path(__file__).parents[1] / "golden" / "events"


def codec() -> Codec:
    """Return the codec of the page's example."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return Codec(upcasters=names["UPCASTERS"])


def old(name: str, **data: object) -> bytes:
    golden = json.loads((GOLDEN / "lota.bids.placed.v1.json").read_bytes())
    return json.dumps({**golden, "type": name, "data": data}).encode()


def test_the_rename_of_the_page() -> None:
    """Accepted offers of before are bids, and are found under both names."""
    said = codec().read(old("lota.offers.accepted.v1", offers=[{"number": 4, "free": 2}]))

    assert isinstance(said.event, BidsPlaced)
    assert (said.kind, said.event.data.bids[0].offer) == ("offers.accepted", 4)
    names = ("bids.placed", "offers.accepted", "offers.answered")
    assert codec().stored_as("bids.placed") == names


def test_the_split_of_the_page() -> None:
    """Answers of before are bids and declines, in this order, of one message."""
    said = codec().read(
        old(
            "lota.offers.answered.v1",
            yes=[{"offer": 1, "free": 2}],
            no=[{"offer": 3, "code": "busy", "message": "it is busy"}],
        )
    )

    assert [kind(event) for event in (said.event, *said.more)] == ["bids.placed", "bids.declined"]
    (declined,) = said.more
    assert isinstance(declined, BidsDeclined)
    assert declined.data.declines[0].offer == 3
    assert declined.id == said.event.id
