"""An executable that behaves as `lotus` v1.17 does in all that the driver runs.

It is the command line and the daemon at once: the daemon's state is `state.json` in the folder of
LOTUS_PATH, and every run of it moves the deals on, as time does a real one's. Tests set what shall
happen by `control.json` beside it:

| field | meaning |
|---|---|
| `away` | the daemon does not run |
| `token` | `FULLNODE_API_INFO` must begin with it |
| `no_wallet` | there is no default address |
| `pace` | states that a deal goes through from one `get-deal` to the next (default: all) |
| `hold` | the state that no deal leaves |
| `refuse` | `client deal` ends with this error, and makes nothing |
| `fail` | {"at": state, "message": ..}: deals fail when they would leave that state |
| `wrong_root` | imports tell another root |
| `gate` | [command, file]: wait at that command's start until the file is not locked |
| `die` | [n, "parent" or "self"]: at step n, SIGKILL the caller, or this process |

A step is the start of a command, and its end before and after its output. `calls.jsonl` gets the
arguments and the environment of every run.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import time
from base64 import b32encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

WAY = [20, 12, 16, 17, 13, 3, 29, 5, 7]
ENDS = {2, 7, 8, 9, 26}
NAMES = {
    2: "ProposalRejected", 3: "ProposalAccepted", 5: "Sealing", 7: "Active", 8: "Expired",
    9: "Slashed", 11: "Failing", 12: "FundsReserved", 13: "CheckForAcceptance",
    16: "StartDataTransfer", 17: "Transferring", 20: "ReserveClientFunds", 26: "Error",
    29: "AwaitingPreCommit",
}  # fmt: skip
COLUMNS = (
    "Created", "DealCid", "DealId", "Provider", "State", "On Chain?", "Slashed?", "PieceCID",
    "Size", "Price", "Duration", "TransferChannelID", "TransferStatus", "Verified", "Message",
)  # fmt: skip
DEAL_ARGUMENTS = 4
MIN_DURATION, MAX_DURATION = 518_400, 1_555_200


def main(arguments: list[str]) -> None:
    """Run one command."""
    home = Path(os.environ.get("LOTUS_PATH") or Path(os.environ["HOME"]) / ".lotus")
    daemon = Daemon(home)
    daemon.note_call(arguments)
    daemon.step()
    if arguments == ["version"]:
        print("Daemon: 1.17.2+mainnet+git.6f7498b62+api1.5.0\nLocal: lotus version 1.17.2")
        return
    command = " ".join(arguments[:2])
    handler = {
        "wallet default": wallet_default,
        "client import": client_import,
        "client local": client_local,
        "client drop": client_drop,
        "client deal": client_deal,
        "client get-deal": client_get_deal,
        "client list-deals": client_list_deals,
        "client retrieve": client_retrieve,
    }.get(command)
    if handler is None:
        fail(f"No help topic for '{arguments[0] if arguments else ''}'", code=3)
    daemon.connect()
    daemon.gate(command)
    with daemon.state() as state:
        printed = handler(daemon, state, arguments[2:])
    daemon.step()
    sys.stdout.write(printed)
    sys.stdout.flush()
    daemon.step()


class Daemon:
    """The folder that a daemon keeps its state in."""

    def __init__(self, home: Path) -> None:
        self.home = home
        try:
            self.control: dict[str, Any] = json.loads((home / "control.json").read_bytes())
        except FileNotFoundError:
            self.control = {}

    def note_call(self, arguments: list[str]) -> None:
        """Write down how this was called."""
        line = json.dumps({"arguments": arguments, "environment": dict(os.environ)})
        with open(self.home / "calls.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def step(self) -> None:
        """Count a step, and end the caller or this process when it is time for that."""
        with open(self.home / "steps", "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(b".")
            file.flush()
            count = os.fstat(file.fileno()).st_size
        number, who = self.control.get("die", [0, ""])
        if count == number:
            os.kill(os.getppid() if who == "parent" else os.getpid(), signal.SIGKILL)

    def connect(self) -> None:
        """Fail as the command line does when it does not get through to the daemon."""
        info = os.environ.get("FULLNODE_API_INFO")
        if self.control.get("away"):
            fail(
                "could not get API info for FullNode: could not get api endpoint: API not running"
                " (no endpoint)"
            )
        token = self.control.get("token")
        if token and info is not None and info.partition(":")[0] != token:
            fail(f"websocket: bad handshake (401 Unauthorized) {info}")

    def gate(self, command: str) -> None:
        """Wait for the test, which holds a lock for as long as this shall be slow."""
        name, path = self.control.get("gate", ["", ""])
        if name == command:
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)

    @contextmanager
    def state(self) -> Iterator[dict[str, Any]]:
        """Give the state, alone, and keep what is made of it."""
        path = self.home / "state.json"
        with open(self.home / "state.lock", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = json.loads(path.read_bytes()) if path.exists() else {}
            state = {"imports": {}, "deals": {}, "made": 0, "imported": 0, "interactive": 0}
            state |= known
            try:
                yield state
            finally:
                draft = self.home / "state.json.new"
                draft.write_text(json.dumps(state, indent=1), encoding="utf-8")
                draft.rename(path)


def fail(message: str, *, code: int = 1) -> NoReturn:
    """End as every command does that fails."""
    sys.stderr.write(f"ERROR: {message}\n\n")
    sys.exit(code)


def wrong_count(usage: str) -> NoReturn:
    """End as a command does that has too few or too many arguments."""
    print(f"NAME:\n   lotus client {usage}\n\nUSAGE:\n   lotus client {usage}")
    fail("incorrect number of arguments")


def wallet_default(daemon: Daemon, state: dict[str, Any], arguments: list[str]) -> str:
    """Print the default address."""
    if daemon.control.get("no_wallet"):
        fail("getting default address: could not find key: key info not found")
    return "f1fakewalletfakewalletfakewalletfakewallet\n"


def client_import(daemon: Daemon, state: dict[str, Any], arguments: list[str]) -> str:
    """Note a CAR by its path; it is not copied."""
    quiet = "-q" in arguments or "--quiet" in arguments
    paths = [argument for argument in arguments if not argument.startswith("-")]
    if len(paths) != 1:
        wrong_count("import [command options] [inputPath]")
    path = os.path.abspath(paths[0])
    if "--car" not in arguments:
        fail("this fake reads CARs only")
    try:
        root = car_root(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        fail(f"failed to import: {error}")
    if daemon.control.get("wrong_root"):
        root = root[:-1] + ("a" if root[-1] != "a" else "e")
    state["imported"] += 1
    number = state["imported"]
    state["imports"][str(number)] = {"root": root, "path": path}
    return f"{root}\n" if quiet else f"Import {number}, Root {root}\n"


def client_local(daemon: Daemon, state: dict[str, Any], arguments: list[str]) -> str:
    """List the imports."""
    return "".join(
        f"{number}: {one['root']} @{one['path']} (import)\n"
        for number, one in state["imports"].items()
    )


def client_drop(daemon: Daemon, state: dict[str, Any], arguments: list[str]) -> str:
    """Forget imports; the files are the user's."""
    for number in arguments:
        if state["imports"].pop(number, None) is None:
            fail(f"removing import {number}: datastore: key not found")
    return ""


def client_deal(daemon: Daemon, state: dict[str, Any], arguments: list[str]) -> str:
    """Make a deal, and another one the next time."""
    payer = ""
    if arguments[:1] == ["--from"]:
        payer, arguments = arguments[1], arguments[2:]
    if not arguments:
        state["interactive"] += 1
        fail("this would now ask for the Data CID")
    if len(arguments) != DEAL_ARGUMENTS:
        wrong_count("deal [command options] [dataCid miner price duration]")
    root, miner, price, duration = arguments
    if not re.fullmatch(r"[ft]0\d+", miner):
        fail("unknown address protocol")
    if not re.match(r"\d+(\.\d+)?", price):
        fail(f"failed to parse {price} as FIL")
    if not MIN_DURATION <= int(duration) <= MAX_DURATION:
        fail(f"minimum deal duration is {MIN_DURATION} blocks")
    if daemon.control.get("no_wallet") and not payer:
        fail("failed to get default address: key info not found")
    if daemon.control.get("refuse"):
        fail(daemon.control["refuse"])
    if not any(one["root"] == root for one in state["imports"].values()):
        fail("failed to start deal: computing commP failed: ipld: could not find it")
    state["made"] += 1
    digest = hashlib.sha256(f"{root} {miner} {state['made']} {time.time_ns()}".encode()).digest()
    proposal = cid_text(b"\x01\x71\x12\x20" + digest)
    state["deals"][proposal] = {
        "root": root,
        "miner": miner,
        "state": WAY[0],
        "message": "",
        "deal_id": 0,
        "price": price,
        "duration": int(duration),
        "payer": payer,
    }
    return f"{proposal}\n"


def client_get_deal(daemon: Daemon, state: dict[str, Any], arguments: list[str]) -> str:
    """Print a deal as indented JSON."""
    if len(arguments) != 1:
        wrong_count("get-deal [command options] [proposalCID]")
    proposal = arguments[0]
    deal = state["deals"].get(proposal)
    if deal is None:
        fail("datastore: key not found")
    for _ in range(daemon.control.get("pace", len(WAY))):
        move_on(daemon, state, proposal, deal)
    shown: dict[str, Any] = {
        "DealInfo: ": {
            "ProposalCid": {"/": proposal},
            "State": deal["state"],
            "Message": deal["message"],
            "DealStages": None,
            "Provider": deal["miner"],
            "DataRef": {
                "TransferType": "graphsync",
                "Root": {"/": deal["root"]},
                "PieceCid": None,
                "PieceSize": 0,
                "RawBlockSize": 0,
            },
            "PieceCID": {"/": "baga6ea4seaqfake"},
            "Size": 2048,
            "PricePerEpoch": "500000000",
            "Duration": deal["duration"],
            "DealID": deal["deal_id"],
            "CreationTime": "2022-10-05T12:00:00.123456789Z",
            "Verified": False,
            "TransferChannelID": None,
            "DataTransfer": None,
        },
    }
    if deal["deal_id"]:
        shown["OnChain"] = {"Proposal": {}, "State": {"SectorStartEpoch": -1}}
    return json.dumps(shown, indent=2) + "\n"


def client_list_deals(daemon: Daemon, state: dict[str, Any], arguments: list[str]) -> str:
    """Print the table of deals; without `-v` its CIDs are cut."""
    rows = [COLUMNS] if "-v" in arguments else []
    for proposal, deal in state["deals"].items():
        if deal["state"] in {11, 26} and "--show-failed" not in arguments:
            continue
        name = f"StorageDeal{NAMES[deal['state']]}"
        shown = proposal if "-v" in arguments else f"...{proposal[-8:]}"
        rows.append((
            "Oct  5 12:00:00", shown, str(deal["deal_id"]), deal["miner"], name, "N", "N",
            "baga6ea4seaqfake", "2 KiB", "0.0000000005 FIL", str(deal["duration"]), "", "",
            "false", deal["message"],
        ))  # fmt: skip
    widths = [max(len(row[column]) for row in rows) + 2 for column in range(len(COLUMNS))]
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
        for row in rows
    )


def client_retrieve(daemon: Daemon, state: dict[str, Any], arguments: list[str]) -> str:
    """Write a CAR that the provider stores; it never costs anything."""
    miner = arguments[arguments.index("--provider") + 1]
    root, path = arguments[-2:]
    for proposal, deal in state["deals"].items():
        stored = daemon.home / "stored" / f"{proposal}.car"
        if deal["root"] == root and deal["miner"] == miner and stored.exists():
            shutil.copyfile(stored, path)
            return "Recv 1 KiB, Paid 0 FIL, New (Completed), 1ms\nSuccess\n"
    fail(f"offer error: retrieval query offer errored: no state for {root}")


def move_on(daemon: Daemon, state: dict[str, Any], proposal: str, deal: dict[str, Any]) -> None:
    """Take a deal one state on."""
    now = deal["state"]
    if now in ENDS or now == daemon.control.get("hold"):
        return
    if now == 11:
        deal["state"] = 26
        return
    broken = daemon.control.get("fail")
    if broken and broken["at"] == now:
        deal["state"] = broken.get("to", 11)
        deal["message"] = broken["message"]
        return
    if now == 17:
        paths = [one["path"] for one in state["imports"].values() if one["root"] == deal["root"]]
        if not paths or not os.path.exists(paths[0]):
            deal["state"] = 11
            deal["message"] = "failed to complete data transfer: opening CAR: no such file"
            return
        (daemon.home / "stored").mkdir(exist_ok=True)
        shutil.copyfile(paths[0], daemon.home / "stored" / f"{proposal}.car")
    deal["state"] = WAY[WAY.index(now) + 1]
    if deal["state"] == 29:
        deal["deal_id"] = 1000 + len(state["deals"])


def car_root(data: bytes) -> str:
    """Return the one root of a CAR."""
    roots = re.findall(rb"\xd8\x2a\x58\x25\x00(.{36})", data[:200], re.DOTALL)
    if len(roots) != 1:
        raise ValueError("must import CAR with exactly one root")
    return cid_text(roots[0])


def cid_text(cid: bytes) -> str:
    """Spell a CID."""
    return "b" + b32encode(cid).decode().lower().rstrip("=")


if __name__ == "__main__":
    main(sys.argv[1:])
