"""What work does while the server is away."""

from pathlib import Path

from events.errors import LogUnavailable
from events.inputs.listing import make_listing
from events.memory import MemoryBlobs
from events.sharding import pattern
from events.spec import Input, JobSpec
from node.compute.desk import DeskJob, Task
from node.compute.runs import Runs
from node.executors.process import ProcessExecutor
from node.inputs.file import FileSource


class AbsentBlobs(MemoryBlobs):
    """Blobs whose server is away for the first questions."""

    def __init__(self, absences: int) -> None:
        super().__init__()
        self.absences = absences

    async def get(self, key: str) -> bytes:
        """Answer once the server is back."""
        if self.absences:
            self.absences -= 1
            raise LogUnavailable("the server did not answer")
        return await super().get(key)


async def test_an_execution_waits_for_its_listing(tmp_path: Path) -> None:
    """A server that is away while inputs are staged costs time and no try."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("text")
    source = f"file://{tmp_path}/data"
    found = await FileSource().list(source, pattern(""))
    listing, blob = make_listing(source, found.files, inline_bytes_max=0)
    assert blob is not None
    blobs = AbsentBlobs(absences=1)
    await blobs.put(blob)
    runs = Runs(
        {"process": ProcessExecutor(tmp_path / "p")},
        {"file": FileSource()},
        blobs,
        results=tmp_path / "results",
        inputs=tmp_path / "inputs",
    )
    spec = JobSpec(
        engine="process",
        command=("cat", "inputs/data/a"),
        inputs=(Input(source=source, dest="data"),),
        timeout="30s",
    )
    job = DeskJob(id="j", spec=spec, inputs=(listing,), shards=1)
    finished = await runs.run(job, Task(shard=0, attempt=0))
    await runs.close()
    assert finished.claim.exit_code == 0
    assert blobs.absences == 0
