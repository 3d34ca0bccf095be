"""The receiver `examples/webhooks/receive.py`: what it takes and refuses, and what it is sent."""

import json
import runpy
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx

from node.webhooks.signing import delivery_headers, secret_bytes
from tests.lota_process import LOTA, Machine

PROGRAM = Path(__file__).parents[2] / "examples" / "webhooks" / "receive.py"
SECRET = "whsec_bG90YSBkZWxpdmVycywgc29tZWJvZHkgdGFrZXMgaXQ="
OLD_SECRET = "the-secret-that-was-used-before-this-one"
BODY = b'{"id": "e1", "subject": "j1", "type": "lota.job.completed.v1"}'


async def test_takes_what_is_genuine_and_refuses_the_rest(machine: Machine) -> None:
    """A signature by either of two secrets is taken, once; a wrong, old or missing one is not."""
    key, now_s = secret_bytes(SECRET), round(time.time())
    secrets = f"{SECRET} {OLD_SECRET}"
    async with machine.start(sys.executable, PROGRAM, "0", LOTA_WEBHOOK_SECRET=secrets) as running:
        url = (await running.line("listening at")).rpartition(" ")[2]
        async with httpx.AsyncClient() as client:

            async def post(headers: dict[str, str], body: bytes = BODY) -> int:
                return (await client.post(url, content=body, headers=headers)).status_code

            good = delivery_headers("e1", now_s, BODY, key)
            assert await post(good) == 200
            assert await post(good) == 200
            other = BODY.replace(b"e1", b"e2")
            old_secret = delivery_headers("e2", now_s, other, secret_bytes(OLD_SECRET))
            assert await post(old_secret, other) == 200
            for refused in (
                {},
                delivery_headers("e3", now_s, BODY, None),
                delivery_headers("e3", now_s, BODY, b"another"),
                delivery_headers("e3", now_s - 3_600, BODY, key),
                good | {"webhook-id": "e3"},
                good | {"webhook-timestamp": "soon"},
                good | {"webhook-signature": "v1," + "A" * 43 + "="},
            ):
                assert await post(refused) == 401
            assert await post(good, BODY + b" ") == 401
            with suppress(httpx.TransportError):  # it may hang up before all is sent
                assert await post(good, b"x" * 3_000_000) == 413
    printed = [json.loads(line)["id"] for line in running.out.splitlines()]
    assert printed == ["e1", "e2"]


async def test_needs_a_secret(machine: Machine) -> None:
    """Without one it does not take what anybody may send."""
    async with machine.start(sys.executable, PROGRAM) as running:
        ran = await running.end()
    assert (ran.code, ran.out) == (1, "")
    assert "LOTA_WEBHOOK_SECRET" in ran.err


async def test_receives_what_a_network_delivers(machine: Machine) -> None:
    """The example of its page: the end of a job arrives, signed, and a test is answered."""
    async with (
        machine.start(sys.executable, PROGRAM, "0", LOTA_WEBHOOK_SECRET=SECRET) as receiver,
        machine.start(LOTA, "dev", "--nodes", "1", LOTA_CRED_HOOKS_SECRET=SECRET) as dev,
    ):
        await dev.line("compute nodes are ready")
        url = (await receiver.line("listening at")).rpartition(" ")[2]
        added = await machine.run(
            *("webhook", "add", url, "--type", "job.completed", "--credential", "hooks")
        )
        assert "delivered by requester" in added.err
        submitted = await machine.run("run", "--", "echo", "hello")
        assert submitted.out == "hello\n"
        job = (await machine.run("job", "ls", "-q")).out.strip()
        line = json.loads(await receiver.line("lota.job.completed.v1"))
        assert line["job"] == job
        tested = await machine.run("webhook", "test", added.out.strip())
        assert tested.out.startswith("accepted: 200 OK (")
        await receiver.line("lota.webhook.ping.v1")


def test_it_needs_the_standard_library_alone() -> None:
    """Whatever it imports comes with Python."""
    found = {
        name.partition(".")[0]
        for value in runpy.run_path(str(PROGRAM)).values()
        if (name := getattr(value, "__module__", None) or getattr(value, "__name__", ""))
    }
    assert found - {"<run_path>"} <= sys.stdlib_module_names
