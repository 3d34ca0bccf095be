"""The command `lota`: its commands by name, and what becomes of their errors.

A command's module is imported when the command is called, so that help and completion start fast.
Data goes to stdout, everything else to stderr. An error that Lota raises on purpose is two lines:
what went wrong, and what to do.
"""

import logging
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from events.errors import LotaError
from node.cli import exits
from node.cli.output import tolerate_any_text
from node.cli.stdout import OutputLost, give_up_stdout, name_stdout
from node.logs import log_to_stderr
from node.redaction import redacted

log = logging.getLogger(__name__)

HELP = """Run compute jobs next to the data, over one immutable event log.

Example: lota dev, and in another terminal: lota run -- echo hello
"""
EPILOGUE = """Every command takes --debug (or LOTA_DEBUG=1) to show where an error came from.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not admitted, 5 timed out, 130 Ctrl-C.
"""


def _version() -> str:
    from importlib.metadata import version

    return f"lota {version('lota')}"


def _default(value: object) -> str | None:
    """Spell a default for the help; one that asks for nothing is none to tell."""
    return str(value) if value else None


app = App(
    name="lota",
    default_parameter=Parameter(show_default=_default),
    help=HELP,
    help_epilogue=EPILOGUE,
    help_format="markdown",
    version=_version,
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
)


def _group(name: str, help: str) -> App:
    group = App(name=name, help=help, help_epilogue="")
    app.command(group)
    return group


def _command(group: App, where: str, help: str, *, name: str = "") -> None:
    """Add the function at `where`; `help` is its line in a list, its docstring the whole page."""
    group.command(
        where,
        name=name or where.partition(":")[2],
        help=help,
        help_epilogue="",
    )


_command(app, "node.cli.dev:dev", "Run a whole network on this machine.")
_command(app, "node.cli.demo:demo", "See a real job go from end to end.")
_command(app, "node.cli.run:run", "Run a command as a job and wait for it.")
_command(app, "node.cli.replay:replay", "See the network, a node or a job as it was.")
_command(app, "node.cli.top:top", "Watch the network on one screen.")
_command(app, "node.cli.ui:ui", "Look at the network in a browser.")
_command(app, "node.cli.stats:stats", "See what happened over time.")
job = _group("job", "Submit jobs, look at them, wait for them, fetch what they came to.")
result = _group("result", "Look into results, print parts of them, fetch them.")
node = _group("node", "Run nodes and look at them.")
events = _group("events", "Read the log.")
trace = _group("trace", "Show jobs as traces.")
webhook = _group("webhook", "Have events delivered over HTTP.")
history = _group("log", "See what history costs, and archive its beginning.")
context = _group("context", "Keep servers and credentials under names.")
_command(app, "node.cli.cid:cid", "Print the content address of a folder.")
_command(app, "node.cli.audit:audit", "Prove from the log that all went by the rules.")
car = _group("car", "Pack results into CAR files, and check such files.")
_command(app, "node.cli.main:version", "Print the version.")

_command(job, "node.cli.submit:submit", "Submit a job from a file.")
_command(job, "node.cli.ls:ls", "List jobs, newest first.")
_command(job, "node.cli.describe:describe", "Show a job, and why it waits.")
_command(job, "node.cli.history:history", "Show every event of a job.")
_command(job, "node.cli.logs:logs", "Print what a job's commands print.")
_command(job, "node.cli.wait:wait", "Wait until a job has ended.")
_command(job, "node.cli.cancel:cancel", "Cancel a job.")
_command(job, "node.cli.get:get", "Fetch a job's results.")
_command(job, "node.cli.job_file:export", "Write a job as one page to look at.")
_command(result, "node.cli.result:ls", "List shards, and what is in a result.")
_command(result, "node.cli.result:cat", "Print one file of a result.")
_command(result, "node.cli.get:get", "Fetch a job's results.")
_command(node, "node.cli.serve:serve", "Run a node against a server.")
_command(node, "node.cli.nodes:ls", "List the nodes of the network.")
_command(node, "node.cli.drain:drain", "Have a node take no new work.")
_command(events, "node.cli.tail:tail", "Print events of the log.")
_command(events, "node.cli.schema:schema", "Print the JSON Schema of events.")
_command(events, "node.cli.export:export", "Write the log, or a part of it, to a file.")
_command(
    events,
    "node.cli.import_file:import_file",
    "Make an empty server a twin of an exported log.",
    name="import",
)
_command(trace, "node.cli.trace:export", "Send jobs that have ended to OpenTelemetry.")
_command(webhook, "node.cli.webhook:add", "Have events posted to a URL.")
_command(webhook, "node.cli.webhook:ls", "List the webhooks.")
_command(webhook, "node.cli.webhook:describe", "Show a webhook, and why it waits.")
_command(webhook, "node.cli.webhook:ping", "Have a test event delivered now.", name="test")
_command(webhook, "node.cli.webhook:pause", "Deliver nothing for a while.")
_command(webhook, "node.cli.webhook:resume", "Go on with a webhook.")
_command(webhook, "node.cli.webhook:rm", "Remove webhooks.")
_command(history, "node.cli.log_stats:stats", "Show what the log holds and costs.")
_command(history, "node.cli.log_archive:archive", "Move the beginning of the log to a file.")
_command(context, "node.cli.context:ls", "List the contexts.")
_command(context, "node.cli.context:use", "Choose the context to use.")
_command(context, "node.cli.context:show", "Show which server is used, and why.")
_command(context, "node.cli.context:save", "Keep a server under a name.")
_command(car, "node.cli.car:pack", "Pack a folder into a CAR file, or pieces of one.")
_command(car, "node.cli.car:verify", "Check that CAR files hold a whole tree.")


def version() -> None:
    """Print the version of this program.

    Example: lota version
    """
    print(_version())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's) and return its exit code."""
    tokens, debug = _debug(list(sys.argv[1:] if arguments is None else arguments))
    tolerate_any_text()
    name_stdout()
    if debug:
        log_to_stderr(debug=True)
    try:
        _, path, _ = app.parse_commands(tokens)
        for command in path:
            if command.default_command is not None:
                command.help = None  # its line in a list gives way to its docstring
        result = app(tokens)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        give_up_stdout()  # in silence: whoever read it has gone
        return exits.FAILED
    except CycloptsError as error:
        _say(str(error).strip(), _remedy(tokens))
        return exits.USAGE
    except LotaError as error:
        if isinstance(error, OutputLost):
            give_up_stdout()
        if debug:
            log.debug("the command failed", exc_info=error)
        _say(error.what, error.hint)
        return exits.code_of(error)
    except Exception as error:
        if debug:
            log.debug("the command failed", exc_info=error)
        hint = "" if debug else "run it again with --debug to see more"
        _say(f"unexpected {type(error).__name__}: {error}", hint)
        return exits.FAILED
    return result if isinstance(result, int) else exits.OK


def _debug(tokens: list[str]) -> tuple[list[str], bool]:
    """Take `--debug` out of the tokens, wherever it stands before the `--` of a user's command."""
    end = tokens.index("--") if "--" in tokens else len(tokens)
    own = [token for token in tokens[:end] if token != "--debug"]  # noqa: S105 - it is a flag
    wanted = len(own) < end or os.environ.get("LOTA_DEBUG", "") not in ("", "0")
    return own + tokens[end:], wanted


def _remedy(tokens: list[str]) -> str:
    if tokens[:1] == ["run"] and "--" not in tokens:
        return "put the command behind --, as in lota run -- echo hello; see lota run --help"
    return "see lota --help, or --help behind the command"


def _say(what: str, hint: str) -> None:
    print(f"lota: {redacted(what)}", file=sys.stderr)
    if hint:
        print(f"      {redacted(hint)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
