"""Credentials from variables and files, in this process; and what other processes see of them."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from events.errors import PublishError
from node.credentials import VALUE_BYTES_MAX, Credentials
from node.redaction import redacted

Put = Callable[[str, str], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a field's file as a careful operator does."""

    def written(path: str, text: str) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)
        return file

    return written


def test_the_longest_field_decides() -> None:
    """What stands before a known field is the name, with hyphens for underscores."""
    found = Credentials(
        {
            "LOTA_CRED_LAB_TOKEN": "value-1",
            "LOTA_CRED_LAB_SESSION_TOKEN": "value-2",
            "LOTA_CRED_MY_BIG_LAB_SECRET_ACCESS_KEY": "value-3",
            "LOTA_CRED_MY_BIG_LAB_SECRET": "value-5",
            "LOTA_CRED_SESSION_TOKEN": "value-4",
            "LOTA_CRED_EMPTY_URL": "",
        }
    )
    assert found.names() == ("lab", "my-big-lab", "session")
    assert found.read("lab") == {"token": "value-1", "session_token": "value-2"}
    assert found.read("my-big-lab") == {"secret_access_key": "value-3", "secret": "value-5"}
    assert found.read("session") == {"token": "value-4"}


def test_files_count_as_variables_do(put: Put, tmp_path: Path) -> None:
    """A folder of files and a file that a variable names give fields; a variable wins."""
    put("folder/lab/token", "from-the-folder\n")
    put("folder/lab/endpoint", "http://folder\r\n")
    put("folder/other/url", "http://other")
    variables = {
        "LOTA_CRED_LAB_ENDPOINT": "http://variable",
        "LOTA_CRED_LAB_REGION_FILE": str(put("region", "eu\n")),
    }
    found = Credentials(variables, tmp_path / "folder")
    assert found.names() == ("lab", "other")
    assert found.read("lab") == {
        "token": "from-the-folder",
        "endpoint": "http://variable",
        "region": "eu",
    }


def test_a_replaced_file_counts_at_once(put: Put, tmp_path: Path) -> None:
    """Values are read anew every time, so a rotated secret needs no restart."""
    found = Credentials({"LOTA_CRED_LAB_TOKEN_FILE": str(put("token", "old-token"))}, tmp_path)
    assert found.read("lab") == {"token": "old-token"}
    put("token", "new-token")
    assert found.read("lab") == {"token": "new-token"}


def test_a_mounted_secret_is_read_as_one(put: Put, tmp_path: Path) -> None:
    """Kubernetes turns one link to replace all files, whose own links are then not looked at."""
    for version in ("1", "2"):
        put(f"lab/..{version}/token", f"token-{version}")
        put(f"lab/..{version}/url", f"http://{version}")
    for field in ("token", "url"):
        (tmp_path / "lab" / field).symlink_to(f"..1/{field}")
    (tmp_path / "lab" / "..data").symlink_to("..2")
    assert Credentials({}, tmp_path).read("lab") == {"token": "token-2", "url": "http://2"}


def test_an_unknown_name_is_for_good() -> None:
    """Which names there are is settled when the node starts, so a repeat cannot help."""
    with pytest.raises(PublishError, match="no credential 'lab'") as refused:
        Credentials().read("lab")
    assert (refused.value.code, refused.value.permanent) == ("credential", True)
    with pytest.raises(PublishError, match="no credential"):
        Credentials({}, Path("/etc")).read("../etc")


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"LOTA_CRED_LAB_PASSWORD": "geheim"}, "LOTA_CRED_LAB_PASSWORD"),
        ({"LOTA_CRED_TOKEN": "geheim"}, "LOTA_CRED_TOKEN"),
        ({"LOTA_CRED_lab_TOKEN": "geheim"}, "LOTA_CRED_lab_TOKEN"),
        ({"LOTA_CRED_A_URL": "geheim", "LOTA_CRED_A_URL_FILE": "geheim"}, "LOTA_CRED_A_URL_FILE"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(variables: dict[str, str], named: str) -> None:
    """The error says which variable it is about, and not what is in it."""
    with pytest.raises(PublishError, match=named) as refused:
        Credentials(variables)
    assert "geheim" not in str(refused.value)


def _pipe(file: Path) -> None:
    os.mkfifo(file)


def _binary(file: Path) -> None:
    file.write_bytes(b"geheim\xff")


def _large(file: Path) -> None:
    file.write_bytes(b"geheim" * VALUE_BYTES_MAX)


def _nowhere(file: Path) -> None:
    file.symlink_to("geheim")


@pytest.mark.parametrize("make", [_pipe, _binary, _large, _nowhere])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe, a binary, a huge file and a dangling link are errors at once, without the content."""
    folder = tmp_path / "lab"
    folder.mkdir()
    make(folder / "token")
    found = Credentials({}, tmp_path)
    with pytest.raises(PublishError, match=f"{folder}/token") as refused:
        found.names()
    assert "geheim" not in str(refused.value)
    assert not refused.value.permanent


def test_a_field_that_is_none_is_named(put: Put, tmp_path: Path) -> None:
    """A file beside the fields is a mistake that its owner would look for long."""
    file = put("lab/tokn", "geheim")
    with pytest.raises(PublishError, match=str(file)) as refused:
        Credentials({}, tmp_path).names()
    assert "token" in refused.value.hint


def test_a_file_that_others_may_read_is_warned_of_once(
    put: Put, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator hears of it the first time that it is read."""
    put("lab/token", "geheim").chmod(0o640)
    found = Credentials({}, tmp_path)
    with caplog.at_level(logging.WARNING):
        found.read("lab")
        found.read("lab")
    (said,) = caplog.messages
    assert "lab/token can be read by others" in said
    assert "geheim" not in said


def test_what_is_read_is_not_said() -> None:
    """Secret fields and logins in addresses are hidden from then on; the rest may be seen."""
    variables = {
        "LOTA_CRED_LAB_TOKEN": "token-geheim",
        "LOTA_CRED_LAB_ENDPOINT": "https://me:login-geheim@storage.example/",
        "LOTA_CRED_LAB_API_INFO": "jwt-geheim:/ip4/127.0.0.1/tcp/1234/http",
        "LOTA_CRED_LAB_SECRET": "whsec_Z2VoZWltZ2VoZWltgeheim",
        "LOTA_CRED_LAB_MINER": "f01000",
    }
    Credentials(variables).read("lab")
    parts = ["jwt-geheim", "login-geheim", "Z2VoZWltZ2VoZWltgeheim"]
    text = redacted(" ".join([*variables.values(), *parts]))
    assert "geheim" not in text
    assert "storage.example" in text
    assert "f01000" in text


def test_nobody_else_sees_the_variables() -> None:
    """Once they are taken, children do not inherit them and the kernel shows them to nobody."""
    script = (
        "import os\n"
        "from node.credentials import take_credentials\n"
        "credentials = take_credentials()\n"
        "print(credentials.read('lab')['token'].upper(), flush=True)\n"
        "os.system('env')\n"
        "print('by the kernel', flush=True)\n"
        "os.system('cat /proc/$PPID/environ')"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "LOTA_CRED_LAB_TOKEN": "geheim",
        "AWS_SECRET_ACCESS_KEY": "ambient",
    }
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
        text=True,
    )
    inherited, shown = ran.stdout.split("by the kernel")
    assert inherited.startswith("GEHEIM\n")
    assert "AWS_SECRET_ACCESS_KEY=ambient" in inherited
    assert "LOTA_CRED" not in inherited
    assert "geheim" not in inherited + shown
    assert "ambient" not in shown
