"""`lota audit` over the logs of real networks, over exports of them, and over changed files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.codec import encode
from events.facts import BidsPlaced, BidsPlacedData
from events.ids import new_id
from events.items import Bid
from events.spec import Deal, JobSpec, Sharding
from events.subjects import partition
from tests.integration.conftest import Lota
from tests.integration.small_network import SmallNetwork
from tests.projections.audit.sweep import sweep

SPEC = JobSpec(engine="noop", sharding=Sharding(count=3), deal=Deal(replicas=2))


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[SmallNetwork]:
    """A network on which two jobs have run."""
    async with SmallNetwork(tmp_path) as network:
        await network.start("c1")
        await network.start("c2")
        for _ in range(2):
            await network.watch.closed(await network.watch.submit(SPEC))
        yield network


@pytest.fixture
async def exported(network: SmallNetwork, lota: Lota, tmp_path: Path) -> Path:
    """An export of that network's log."""
    path = tmp_path / "log.jsonl"
    ran = await lota("events", "export", "-o", path, "--server", network.server.url)
    assert ran.code == 0, ran.err
    return path


async def test_a_network_is_clean_and_so_is_its_export(
    network: SmallNetwork, lota: Lota, exported: Path
) -> None:
    """The log of honest nodes is proved on the server and, in the same words, from a file."""
    ran = await lota("audit", "-o", "json", "--server", network.server.url)
    from_file = await lota("audit", "-o", "json", "--from", exported)

    assert (ran.code, from_file.code) == (0, 0), ran.out
    assert from_file.document == ran.document
    assert (ran.document["jobs"], ran.document["closed"], ran.document["unprovable"]) == (2, 2, {})
    assert {"seals", "plans", "awards", "verdicts", "roots"} <= ran.document["proved"].keys()


async def test_one_job(network: SmallNetwork, lota: Lota, exported: Path) -> None:
    """One job is audited with the nodes that it was decided among, from a server and a file."""
    name = min(network.watch.network.jobs)
    url = network.server.url
    ran = await lota("audit", "--job", name[:14], "-o", "json", "--server", url)
    from_file = await lota("audit", "--job", name, "-o", "json", "--from", exported)

    assert (ran.code, ran.document["jobs"], ran.document["proved"]["roots"]) == (0, 1, 1)
    assert from_file.document["proved"] == ran.document["proved"]


async def test_an_export_of_one_job(network: SmallNetwork, lota: Lota, tmp_path: Path) -> None:
    """It lacks the nodes: what needs them is counted, and the rest is proved."""
    name = min(network.watch.network.jobs)
    path, url = tmp_path / "job.jsonl", network.server.url
    await lota("events", "export", "-o", path, "--job", name, "--server", url)
    ran = await lota("audit", "-o", "json", "--from", path)

    assert (ran.code, ran.document["found"], ran.document["proved"]["roots"]) == (0, 0, 1)
    assert list(ran.document["unprovable"]) == ["the events about nodes are not there"]


async def test_an_export_that_begins_later(
    network: SmallNetwork, lota: Lota, tmp_path: Path
) -> None:
    """Of a job that began before the export its events are counted, and nothing is found."""
    path, url = tmp_path / "late.jsonl", network.server.url
    submissions = [e.position for e in network.watch.entries if e.address.kind == "job.submitted"]
    since = submissions[1] - 1
    await lota("events", "export", "-o", path, "--since", since, "--server", url)
    ran = await lota("audit", "-o", "json", "--from", path)

    assert (ran.code, ran.document["found"], ran.document["jobs"]) == (0, 0, 1)
    assert ran.document["outside"] == 1


async def test_a_bid_of_a_stranger(network: SmallNetwork, lota: Lota) -> None:
    """A well-formed lie on the server is named with its author, rule and position; exit code 1."""
    watch = network.watch
    name = await watch.submit(SPEC)
    await watch.until_items(name, "job.planned")
    lie = BidsPlaced(
        id=new_id(),
        source="/lota/c/c1",
        subject=name,
        time="2026-11-23T09:00:00.000Z",
        causationid=name,
        data=BidsPlacedData(bids=(Bid(0, 1),)),
    )
    place = f"lota.ev.{partition(name)}.{name}.c.mallory.bids.placed"
    position = await watch.log.append(place, encode(lie), id=lie.id)
    await watch.closed(name)
    ran = await lota("audit", "-o", "json", "--server", network.server.url)
    table = await lota("audit", "--server", network.server.url)
    watch.audited = True

    assert (ran.code, table.code) == (1, 1)
    found = {(one["position"], one["author"], one["rule"]) for one in ran.document["findings"]}
    assert found == {(position, "mallory", 0), (position, "mallory", 2), (position, "mallory", 11)}
    assert "forged" in table.out
    assert "the source is '/lota/c/mallory'" in table.out


def changed(path: Path, old: bytes, new: bytes) -> Path:
    """Put other bytes in the place of the first such ones of a file."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    return path


async def test_a_changed_position(lota: Lota, exported: Path) -> None:
    """What no seal covers, the digest of the file does."""
    ran = await lota(
        "audit", "-o", "json", "--from", changed(exported, b'"stream":"LOTA"', b'"stream":"LOTB"')
    )

    (finding,) = ran.document["findings"]
    assert (ran.code, finding["kind"]) == (1, "damaged")
    assert "the digest is not that" in finding["what"]


async def test_a_changed_event(lota: Lota, exported: Path) -> None:
    """A changed fact is found by the seal of the next decision, which says where it lies."""
    ran = await lota("audit", "-o", "json", "--from", changed(exported, b'"free":', b'"frei":'))

    kinds = [(one["kind"], one["rule"]) for one in ran.document["findings"]]
    assert ran.code == 1
    assert ("damaged", 0) in kinds
    assert {"foreign", "forged"} & {kind for kind, _ in kinds}


async def test_a_file_cut_short(lota: Lota, exported: Path) -> None:
    """An export without its end says so, beside what can be said of the rest."""
    content = exported.read_bytes()
    exported.write_bytes(content[: len(content) // 2])
    ran = await lota("audit", "-o", "json", "--from", exported)

    assert ran.code == 1
    assert {one["kind"] for one in ran.document["findings"]} == {"damaged"}
    assert ran.document["proved"]["seals"] > 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"hello\n", "line 1 is not the beginning of an export"),
        (b'{"lota":"export","version":9}\n', "this is an export of version 9"),
    ],
    ids=["empty", "other", "newer"],
)
async def test_no_export(lota: Lota, tmp_path: Path, content: bytes, said: str) -> None:
    """A file that is no export, or a newer one, is an error with its reason."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    ran = await lota("audit", "--from", path)

    assert (ran.code, ran.out) == (1, "")
    assert f"{path}: " in ran.err
    assert said in ran.err


async def test_a_file_that_is_no_log_in_order(lota: Lota, exported: Path) -> None:
    """Lines that changed places are one error with their place; nobody is accused for it."""
    lines = exported.read_bytes().splitlines(keepends=True)
    lines[5], lines[6] = lines[6], lines[5]
    exported.write_bytes(b"".join(lines))
    ran = await lota("audit", "--from", exported)

    assert (ran.code, ran.out) == (1, "")
    assert f"{exported}: line 7: position 5 stands behind 6" in ran.err
    assert "do not sort or join such files" in ran.err


async def test_no_job(lota: Lota, exported: Path) -> None:
    """A job that is not in the file is not found."""
    ran = await lota("audit", "--from", exported, "--job", "nothing")

    assert ran.code == 3
    assert "there is no job nothing" in ran.err


@pytest.mark.parametrize("seed", range(700, 706))
def test_changed_bytes(seed: int) -> None:
    """A simulated log is clean but for who cheats, and a changed byte in it is found."""
    found = sweep(seed)

    assert found.wrong == ""
    assert found.by.total() == 3
