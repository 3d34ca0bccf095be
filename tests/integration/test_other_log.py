"""Nodes that meet another log than theirs refuse, and lose nothing; a part of theirs will do."""

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from events.errors import AnotherLog
from events.spec import JobSpec
from node.config import Address, NodeConfig
from node.host import Host
from node.local import LocalConfig, LocalNetwork
from node.server import EmbeddedServer
from tests.integration.watch import Watch


def network(folder: Path) -> LocalNetwork:
    """Return a network of one compute node whose state is kept, as that of `lota dev`."""
    config = LocalConfig(
        folder=folder,
        publish_root=folder / "published",
        nodes=1,
        engines=("noop", "process"),
        throw_away=False,
    )
    return LocalNetwork(config)


async def run_job(server: str) -> str:
    """Run a job to its end."""
    async with Watch(server) as watch:
        spec = JobSpec(engine="process", command=("echo", "hello"))
        job = await watch.closed(await watch.submit(spec))
        assert job.state == "completed"
        return job.id


def rows(file: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as database:
        return database.execute(query).fetchall()


RESULTS = "SELECT execution FROM results"
JOBS = "SELECT key FROM rows WHERE projection = 'jobs' ORDER BY key"


async def test_a_wiped_server_is_refused(tmp_path: Path) -> None:
    """Without its store, a network says what belongs together; with it again, it goes on."""
    folder = tmp_path / "dev"
    async with network(folder) as begun:
        job = await run_job(begun.url)
    shutil.move(folder / "nats", tmp_path / "away")
    with pytest.raises(AnotherLog) as refused:
        async with network(folder):
            pass
    shutil.rmtree(folder / "nats")
    shutil.move(tmp_path / "away", folder / "nats")
    kept = rows(folder / "node-1" / "memory.db", RESULTS)
    async with network(folder) as again:
        await run_job(again.url)

    assert refused.value.what.startswith("node node-1 is not one of nats://127.0.0.1:")
    assert f"{folder / 'node-1' / 'memory.db'} belongs to another log: " in refused.value.what
    assert "this one ends at event 0" in refused.value.what
    assert f"{folder / 'nats'}, and the nodes' folders" in refused.value.hint
    assert f"delete {folder} to" in refused.value.hint
    assert kept == [(f"{job}-0-0",)]


def host(name: str, role: str, folder: Path, server: EmbeddedServer) -> Host:
    return Host(
        NodeConfig(
            name=name,
            address=Address(server.url),
            state=folder / name,
            roles=(role,),
            engines=("noop",) if role == "compute" else (),
            publish_root=folder / "published",
            cpu=1.0,
            width=1,
            memory_bytes=1 << 30,
        )
    )


@pytest.mark.parametrize("role", ["requester", "compute"])
async def test_another_server_is_refused(role: str, tmp_path: Path) -> None:
    """A node that is started with a wrong server never joins there, and then serves at its own."""
    async with (
        EmbeddedServer(tmp_path / "mine") as mine,
        EmbeddedServer(tmp_path / "other") as other,
    ):
        for _ in range(2):  # a requester keeps what it has folded: the second time, its first life
            async with host("one", role, tmp_path, mine):
                pass
        # The other log is longer: it has something else where this node's mark is.
        for name in ("a", "b", "c", "d"):
            async with host(name, role, tmp_path, other):
                pass
        with pytest.raises(AnotherLog) as refused:
            async with host("one", role, tmp_path, other):
                pass
        async with host("one", role, tmp_path, mine):
            pass
        async with Watch(other.url) as watch:
            end = await watch.log.last()
            await watch.until(lambda: watch.network.position >= end)
            joined = set(watch.network.nodes.members)

    assert joined == {"a", "b", "c", "d"}
    assert other.url in refused.value.what
    assert f"{tmp_path / 'one'}" in refused.value.what
    assert " (" in refused.value.what.partition("and this one has event ")[2]
    assert "Start this node with the server that it belongs to" in refused.value.hint


async def test_an_older_backup_of_the_log_will_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A log put back without its end is the same log: nodes say so, and rows are built anew."""
    folder = tmp_path / "dev"
    async with network(folder) as begun:
        first = await run_job(begun.url)
    shutil.copytree(folder / "nats", tmp_path / "backup")
    async with network(folder) as again:
        lost = await run_job(again.url)
    before = rows(folder / "requester" / "projections.db", JOBS)
    shutil.rmtree(folder / "nats")
    shutil.move(tmp_path / "backup", folder / "nats")
    with caplog.at_level(logging.WARNING):
        async with network(folder) as back:
            second = await run_job(back.url)
    after = rows(folder / "requester" / "projections.db", JOBS)

    assert before == sorted([(first,), (lost,)])
    assert after == sorted([(first,), (second,)])
    assert "memory.db was made with" in caplog.text
    assert "projections.db is built anew: the log has lost its event" in caplog.text
