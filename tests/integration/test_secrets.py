"""Secrets put wherever one can stand, and then looked for wherever one could come out."""

import asyncio
import base64
import json
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote

import pytest

from events.client.contexts import Context, ContextFiles
from events.spec import JobSpec, PublisherSpec
from node.server import CONFIG, EmbeddedServer
from projections.state import Job
from tests.contracts.executor_drivers import IMAGE, engine_problem
from tests.integration.node_processes import Nodes
from tests.integration.rules import HASTY
from tests.integration.secret_service import EchoingService
from tests.integration.watch import Watch
from tests.lota_process import PATIENCE_S, Ran
from tests.servers.seaweedfs import BUCKET, seaweedfs

LOOK_AROUND = """
env; cat /proc/self/environ
process=$PPID
for above in $ABOVE; do
  cat /proc/$process/environ /proc/$process/cmdline
  process=$(awk '/^PPid/ {print $2}' /proc/$process/status)
done
true
"""


class Canaries:
    """Made-up secrets by the place where each is put; no two have a part in common."""

    def __init__(self) -> None:
        self._made: dict[str, str] = {}

    def __getitem__(self, place: str) -> str:
        """Return the place's own secret, as a header can hold it, with what URLs would encode."""
        made = secrets.token_urlsafe(18)
        return self._made.setdefault(place, f"{made}/+{secrets.token_urlsafe(6)}=")

    def add(self, place: str, secret: str) -> None:
        """Look for a secret of somebody else's as well."""
        self._made[place] = secret

    def found_in(self, data: bytes) -> set[str]:
        """Return the places whose secret, or most of it, stands in these bytes."""
        return {
            place
            for place, secret in self._made.items()
            if any(form in data for form in _forms(secret))
        }


def _forms(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    yield raw[:16]  # no character of it is ever percent-encoded
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + raw)
        yield encoded[4:-8]
        yield encoded[4:-8].translate(bytes.maketrans(b"+/", b"-_"))


def test_canaries_are_found() -> None:
    """What the search of the tests below would find, in every form."""
    canaries = Canaries()
    secret = canaries["here"]
    login = base64.b64encode(f"user:{secret}".encode())
    for shown in (secret.encode(), quote(secret).encode(), login, b"x" + secret[:20].encode()):
        assert canaries.found_in(b"some " + shown + b" text") == {"here"}
    assert canaries.found_in(b"nothing") == set()


class Secretive:
    """A network whose every secret is a canary; all but the operator's own files is searched."""

    def __init__(self, folder: Path, canaries: Canaries, service: EchoingService) -> None:
        self.canaries = canaries
        self.service = service
        self.operators = folder / "operators"
        self.searched = folder / "searched"
        for place in (self.operators, self.searched):
            place.mkdir()
        self.said: dict[str, str] = {}
        config = self.operators / "nats.conf"
        token = self.log_token = secrets.token_urlsafe(24)
        canaries.add("the log's token", token)
        config.write_text(f'{CONFIG.read_text()}\nauthorization {{ token: "{token}" }}\n')
        self.server = EmbeddedServer(self.searched / "nats", config=config)

    @property
    def url(self) -> str:
        """The log's address with its token."""
        return self.server.url.replace("//", f"//{self.log_token}@")

    def started(self) -> Nodes:
        """Return what starts nodes and command lines, by a context that holds the token."""
        files = ContextFiles({"XDG_CONFIG_HOME": str(self.operators)})
        files.save("lab", Context(server=self.server.url, token=self.log_token))
        files.use("lab")
        nodes = Nodes(self.searched, self.url, found=True)
        nodes.machine.environment["XDG_CONFIG_HOME"] = str(self.operators)
        return nodes

    def write(self, path: str, text: str) -> Path:
        """Write a file of the operator's."""
        file = self.operators / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(f"{text}\n")
        return file

    def variables(self) -> dict[str, str]:
        """Return the environment of a node: by variables a store, a file's name, and others'."""
        canaries = self.canaries
        weed = seaweedfs().credential("admin")
        canaries.add("the store's key", weed["secret_access_key"])
        key_file = self.write("key", canaries["a file that a variable names"])
        return {
            "LOTA_SERVER": self.url,
            "LOTA_CRED_STORE_ACCESS_KEY_ID": weed["access_key_id"],
            "LOTA_CRED_STORE_SECRET_ACCESS_KEY": weed["secret_access_key"],
            "LOTA_CRED_STORE_ENDPOINT": weed["endpoint"],
            "LOTA_CRED_BAD_ACCESS_KEY_ID": canaries["a key's id"],
            "LOTA_CRED_BAD_SECRET_ACCESS_KEY_FILE": str(key_file),
            "LOTA_CRED_BAD_SESSION_TOKEN": canaries["a variable"],
            "LOTA_CRED_BAD_ENDPOINT": self.service.url,
            "LOTA_CRED_LOGIN_URL": f"http://me:{canaries['a login']}@127.0.0.1:9/",
            "LOTA_CRED_LOGIN_TOKEN": canaries["a token beside a login"],
            "LOTA_CRED_BEARER_URL": self.service.url,
            "LOTA_CRED_BEARER_TOKEN": canaries["a bearer token"],
            "AWS_ACCESS_KEY_ID": canaries["an ambient key's id"],
            "AWS_SECRET_ACCESS_KEY": canaries["an ambient key"],
            "AWS_SESSION_TOKEN": canaries["an ambient token"],
        }

    def check_processes(self) -> None:
        """No process of this machine has a secret among its arguments."""
        seen = b""
        for pid in os.listdir("/proc"):
            if pid.isdigit():
                try:
                    seen += Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
        assert self.canaries.found_in(seen) == set()

    def check_files(self) -> None:
        """No file below the folder that is searched has a secret in its bytes or in its name."""
        for file in self.searched.rglob("*"):
            assert self.canaries.found_in(os.fsencode(file)) == set()
            if file.is_file():
                found = self.canaries.found_in(file.read_bytes())
                assert found == set(), file

    def check_said(self) -> None:
        """No command and no node has printed a secret."""
        for who, text in self.said.items():
            assert self.canaries.found_in(text.encode()) == set(), (who, text)


@pytest.fixture
async def secretive(tmp_path: Path) -> AsyncIterator[Secretive]:
    async with EchoingService() as service:
        network = Secretive(tmp_path, Canaries(), service)
        async with network.server:
            yield network


@pytest.fixture
async def watch(secretive: Secretive) -> AsyncIterator[Watch]:
    async with Watch(secretive.url) as watch:
        yield watch


def publishing(driver: str, credential: str, target: str = "", **fields: object) -> JobSpec:
    """Return a job that looks around for secrets and publishes what it saw."""
    given: dict[str, object] = {"engine": "process", "timeout": "30s", "env": {"ABOVE": "1"}}
    given.update(fields)
    return JobSpec(
        command=("sh", "-c", LOOK_AROUND),
        publishers=(PublisherSpec(driver=driver, target=target, credential=credential),),
        **given,  # type: ignore[arg-type]
    )


async def look_at(secretive: Secretive, nodes: Nodes, jobs: list[Job]) -> None:
    """Ask for everything that the command line shows of jobs and nodes, with --debug."""
    last = jobs[-1].id
    questions = [["node", "ls"], ["job", "ls"], ["context", "ls"], ["job", "describe", last]]
    questions += [[*words, "-o", "json"] for words in (*questions, ["events", "tail"])]
    questions += [["job", what, job.id] for job in jobs for what in ("describe", "history")]
    questions += [["job", "logs", job.id] for job in jobs]
    questions += [["job", "get", job.id, "--output", job.id] for job in jobs]
    room = asyncio.Semaphore(4)

    async def ask(words: list[str]) -> None:
        async with room:
            ran = await nodes.machine.run(*words, "--debug", LOTA_SERVER=secretive.url)
        secretive.said[" ".join(words)] = ran.out + ran.err
        assert ran.code == 0, ran.err

    await asyncio.gather(*map(ask, questions))


def check_what_jobs_saw(secretive: Secretive, jobs: list[Job]) -> None:
    """The jobs did look around, and what they printed is among what was searched."""
    for job in jobs:
        assert "LOTA_INPUTS=inputs" in secretive.said[f"job logs {job.id}"]


async def test_secrets_stay_where_they_were_put(secretive: Secretive, watch: Watch) -> None:
    """Jobs that publish, are refused, print their environment and ask their parents for it."""
    nodes = secretive.started()
    bucket = f"s3://{BUCKET}/{secrets.token_hex(8)}"
    specs = [
        publishing("s3", "store", bucket),
        publishing("s3", "store", bucket, timeout="5m", env={"ABOVE": "1 2"}),
        publishing("s3", "bad", "s3://bucket/prefix"),
        *(publishing(driver, "bearer") for driver in ("ipfs", "web3storage", "estuary")),
        publishing("ipfs", "login"),
    ]
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(nodes.start_by(HASTY, "requester", "requester"))
        token_file = secretive.write("results-token", secretive.canaries["served results"])
        options = ("--debug", "--serve-results", "127.0.0.1:0", "--results-token-file", token_file)
        c1 = await enter(nodes.start("c1", "compute", *options, **secretive.variables()))
        nodes.machine.environment["LOTA_RESULTS_TOKEN_FILE"] = str(token_file)
        jobs = [await watch.ended(await watch.submit(spec)) for spec in specs]
        assert [job.state for job in jobs] == ["completed"] * 2 + ["failed"] * (len(jobs) - 2)
        assert {job.code for job in jobs[2:]} == {"publishing"}
        assert secretive.canaries.found_in(b"".join(secretive.service.heads)) != set()
        secretive.check_processes()
        await look_at(secretive, nodes, jobs)
        stopped = await c1.terminate()
    secretive.said["c1"] = stopped.out + stopped.err
    assert "DEBUG" in stopped.err
    (row, _) = json.JSONDecoder().raw_decode(secretive.said["node ls -o json"])[0]
    assert row["credentials"] == ["bad", "bearer", "login", "store"]
    check_what_jobs_saw(secretive, jobs)
    secretive.check_said()
    secretive.check_files()


@pytest.mark.docker
async def test_a_container_sees_no_secret(secretive: Secretive, watch: Watch) -> None:
    """What a job sees in a container is none of the node's, nor of its engine's."""
    if problem := engine_problem():
        if os.environ.get("LOTA_REQUIRE_DOCKER") == "1":
            pytest.fail(problem)
        pytest.skip(problem)
    nodes = secretive.started()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(nodes.start("requester", "requester"))
        options = ("--debug", "--allow", "docker")
        c1 = await enter(nodes.start("c1", "compute", *options, **secretive.variables()))
        spec = publishing("local", "store", engine="docker", image=IMAGE)
        job = await watch.ended(await watch.submit(spec))
        assert job.state == "completed", job.reason
        secretive.check_processes()
        await look_at(secretive, nodes, [job])
        stopped = await c1.terminate()
    secretive.said["c1"] = stopped.out + stopped.err
    secretive.check_said()
    secretive.check_files()


async def test_a_crash_shows_no_secret(secretive: Secretive, watch: Watch) -> None:
    """A publication that hangs is given up, one that is killed is taken up, and neither tells."""
    nodes = secretive.started()
    canaries = secretive.canaries
    folder = "lota/credentials/stuck"
    secretive.write(f"{folder}/access_key_id", canaries["a key's id in a folder"])
    secretive.write(f"{folder}/secret_access_key", canaries["a key in a folder"])
    secretive.write(f"{folder}/session_token", canaries["a token in a folder"])
    secretive.write(f"{folder}/endpoint", secretive.service.url)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(nodes.start_by(HASTY, "requester", "requester"))
        c1 = await enter(nodes.start("c1", "compute", "--debug"))
        name = await watch.submit(publishing("s3", "stuck", "s3://hang/prefix"))
        async with asyncio.timeout(PATIENCE_S):
            await secretive.service.hung.wait()
        secretive.check_processes()
        await c1.kill()
        secretive.said["c1"] = c1.out + c1.err
        nodes.machine.environment["LOTA_DEBUG"] = "1"
        again = await enter(nodes.start_by(HASTY, "c1"))
        job = await watch.ended(name)
        assert (job.state, job.code) == ("failed", "publishing")
        await look_at(secretive, nodes, [job])
        stopped = await again.terminate()
    secretive.said["c1 again"] = stopped.out + stopped.err
    secretive.check_said()
    secretive.check_files()


async def test_a_webhook_shows_no_secret(secretive: Secretive, watch: Watch) -> None:
    """What signs stays with the requester, whoever receives, lists, tests and mistakes it."""
    nodes, canaries = secretive.started(), secretive.canaries
    secret = canaries["a webhook's secret"]
    secretive.write("lota/credentials/encoded/secret", _as_whsec(canaries["in base64"]))
    secrets_of_r1 = {"LOTA_CRED_HOOKS_SECRET": secret, "LOTA_CRED_WEAK_SECRET": "weak-canary!"}
    allow = ("--debug", "--allow-webhook", "127.0.0.1")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        r1 = await enter(nodes.start("r1", "requester", *allow, **secrets_of_r1))
        await enter(nodes.start("c1"))

        async def ask(*words: str) -> Ran:
            ran = await nodes.machine.run("webhook", *words, "--debug", LOTA_SERVER=secretive.url)
            secretive.said[" ".join(words)] = ran.out + ran.err
            return ran

        login = f"http://me:{canaries['a login']}@127.0.0.1/"
        query = f"{secretive.service.url}/?key={canaries['a query']}"
        assert (await ask("add", login, "--credential", "hooks")).code == 2
        assert (await ask("add", query, "--credential", "hooks")).code == 2
        assert (await ask("add", secretive.service.url, "--credential", secret)).code == 2
        added = [
            await ask("add", f"{secretive.service.url}/{name}", "--credential", name)
            for name in ("hooks", "encoded", "weak")
        ]
        assert [ran.code for ran in added] == [0, 0, 0]
        await watch.closed(await watch.submit(JobSpec(engine="noop")))
        for ran in added:
            assert (await ask("test", ran.out.strip())).code == 1
            await ask("describe", ran.out.strip())
        assert "403 Forbidden" in (await ask("ls", "-o", "json")).out
        heads = b"".join(secretive.service.heads)
        assert all(path in heads for path in (b"/hooks ", b"/encoded ", b"webhook-signature: v1,"))
        assert b"/weak " not in heads
        assert canaries.found_in(heads) == set()
        secretive.check_processes()
        stopped = await r1.terminate()
    secretive.said["r1"] = stopped.out + stopped.err
    assert "DEBUG" in stopped.err
    assert "weak-canary!" not in str(secretive.said)
    secretive.check_said()
    secretive.check_files()


def _as_whsec(secret: str) -> str:
    return "whsec_" + base64.b64encode(secret.encode()).decode()


async def test_a_command_line_that_fails_shows_no_secret(secretive: Secretive) -> None:
    """Neither a server that is away, nor a job that is refused, nor a bad variable tells."""
    canaries = secretive.canaries
    machine = secretive.started().machine
    away = f"nats://{canaries['a login of the log']}@127.0.0.1:9"
    login = f"https://me:{canaries['a login in a target']}@host/path"
    bad = {"LOTA_CRED_LAB_PASSWORD": canaries["an unknown field"]}
    refused: list[Ran] = [
        await machine.run("job", "ls", "--debug", LOTA_SERVER=away),
        await machine.run("context", "show", LOTA_SERVER=away),
        await machine.run("run", "--publisher", f"s3@lab={login}", "--", "true"),
        await machine.run("run", "--publisher", f"s3@{canaries['a name']}=b/p", "--", "true"),
        await machine.run("node", "serve", "--debug", LOTA_SERVER=secretive.url, stdin=b"", **bad),
    ]
    assert [ran.code for ran in refused] == [1, 0, 2, 2, 1]
    assert "LOTA_CRED_LAB_PASSWORD" in refused[-1].err
    secretive.said.update({str(number): ran.out + ran.err for number, ran in enumerate(refused)})
    secretive.check_said()
