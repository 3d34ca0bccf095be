"""The subscribers at a server that admits not everybody."""

from collections.abc import Callable
from pathlib import Path

import pytest

from events.connection import connect
from events.jetstream import open_log
from node.server import CONFIG, EmbeddedServer
from tests.examples.js_subscriber import js_subscriber
from tests.examples.stored import golden_records, store
from tests.lota_process import Machine

Program = Callable[[Machine], tuple[str, Path]]


def in_javascript(machine: Machine) -> tuple[str, Path]:
    return "node", js_subscriber(machine.folder / "checkout")


def in_shell(machine: Machine) -> tuple[str, Path]:
    return "bash", Path(__file__).parents[2] / "examples" / "shell" / "subscribe.sh"


@pytest.mark.parametrize("program", [in_javascript, in_shell])
@pytest.mark.parametrize(
    ("setting", "login"),
    [('user: "ann", password: "right"', "ann:right"), ('token: "right"', "right")],
    ids=["password", "token"],
)
async def test_a_login_stands_in_the_url(
    tmp_path: Path, machine: Machine, program: Program, setting: str, login: str
) -> None:
    """The right login in LOTA_SERVER reads the log, a wrong one is told of and not repeated."""
    config = tmp_path / "auth.conf"
    config.write_text(f"{CONFIG.read_text()}\nauthorization {{ {setting} }}\n")
    async with EmbeddedServer(tmp_path / "nats", config=config) as server:
        url = server.url.replace("//", f"//{login}@")
        client = await connect(url, name="test")
        log = await open_log(client)
        await store(log, golden_records()[:1])
        await log.close()
        await client.close()
        words = program(machine)
        async with machine.start(*words, LOTA_SERVER=url) as running:
            admitted = await running.end()
        async with machine.start(*words, LOTA_SERVER=url.replace("right", "wrong")) as running:
            refused = await running.end()

    assert (admitted.code, admitted.err) == (0, "")
    assert "lota.bids.declined.v1" in admitted.out
    assert refused.code == 1
    assert "uthorization" in refused.err
    assert "wrong" not in refused.err
