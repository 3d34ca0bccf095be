"""On a cluster, whose servers take each append in their own time, nothing is dropped too many."""

from pathlib import Path

from events.connection import connect
from events.jetstream import Retention, open_log
from events.jetstream.retention import SLACK
from tests.integration.test_drop import Writer, base_at, fill, kept, silent
from tests.servers.nats_cluster import NatsCluster

WRITERS = 6
ROUNDS = 2


async def test_a_replicated_log(tmp_path: Path) -> None:
    """While many append, all behind the base stays, and some of what is before it as a margin."""
    async with NatsCluster(tmp_path) as cluster:
        client = await connect(cluster.url, name="test")
        log = await open_log(client, replicas=3)
        await fill(log, 3 * SLACK)
        await base_at(client, 1)
        assert (await client.jetstream().stream_info("OBJ_lota-blobs")).config.num_replicas == 3
        writers = [await Writer.begin(cluster.url, f"w{n}") for n in range(WRITERS)]
        before = None
        for _ in range(ROUNDS):
            for writer in writers:
                writer.grown.clear()
                await writer.grown.wait()
            base = await base_at(client, await log.last() - 7)
            await Retention(client).drop(base, before=before, progress=silent)
            assert (await Retention(client).state()).first == base.position + 1
            before = base
        for writer in writers:
            await writer.end()
        assert before is not None
        last = await log.last()
        records = await kept(log, 0)
        there = {record.position: record.body for record in records}
        acked = {position: body for w in writers for position, body in w.stored.items()}
        assert records[0].position <= before.position
        assert len(records) < last - SLACK
        assert [*there] == list(range(records[0].position, last + 1))
        assert {p: b for p, b in acked.items() if p > before.position}.items() <= there.items()
        assert sorted([*acked, *range(1, 3 * SLACK + 1)]) == list(range(1, last + 1))
        await log.close()
        await client.close()
