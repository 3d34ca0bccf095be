"""`lota context`: servers and credentials under names."""

from typing import Annotated

from cyclopts import Parameter

from events.client.contexts import Context, ContextFiles
from events.errors import WrongUsage
from node.cli.output import Columns, OutputOption, show_document, show_rows
from node.cli.server import Server, find_server

COLUMNS: Columns = {"name": "NAME", "server": "SERVER", "login": "LOGIN", "in_use": "IN USE"}


def ls(*, output: OutputOption = "table") -> None:
    """List the contexts.

    Example: lota context ls
    """
    from events.connection import without_login

    files = ContextFiles()
    chosen = files.chosen()
    rows = []
    for name in files.names():
        context = files.load(name)
        login = [kind for kind in ("user", "token", "creds") if getattr(context, kind)]
        rows.append(
            {
                "name": name,
                "server": without_login(context.server),
                "login": login[0] if login else None,
                "in_use": name == chosen,
            }
        )
    show_rows(rows, COLUMNS, output)


def use(name: str, /) -> None:
    """Choose the context that every command uses unless it is told otherwise.

    Example: lota context use lab

    Parameters
    ----------
    name
        The name it was saved under.
    """
    ContextFiles().use(name)


def show(*, options: Server | None = None, output: OutputOption = "table") -> None:
    """Show the server that a command with these options would use, and why that one.

    Example: lota context show
    """
    from events.connection import without_login

    context, how = find_server(options)
    document = {
        "server": without_login(context.server),
        "found": how,
        "user": context.user or None,
        "password": "***" if context.password else None,
        "token": "***" if context.token else None,
        "creds": context.creds or None,
    }
    show_document(document, output)


def save(
    name: str,
    /,
    *,
    server: Annotated[str, Parameter(name="--server")],
    user: str = "",
    password: str = "",
    token: str = "",
    creds: str = "",
) -> None:
    """Keep a server under a name, in place of what had that name, and print the file's path.

    Example: lota context save lab --server nats://lab:4222 --creds ~/lab.creds

    Parameters
    ----------
    name
        Up to 40 letters, digits, - and _.
    server
        URL of the NATS server, nats://HOST:PORT, several separated by commas.
    user
        User name, with --password.
    password
        Password of the user. Other users may see a command line: it can be put in the file.
    token
        Token, instead of a user.
    creds
        Path of a .creds file, instead of a user.
    """
    if sum(map(bool, (user, token, creds))) > 1:
        raise WrongUsage("more than one login was given", hint="give a user, a token or --creds")
    if bool(user) != bool(password):
        raise WrongUsage("a user and a password go together", hint="give both or none")
    context = Context(server=server, user=user, password=password, token=token, creds=creds)
    print(ContextFiles().save(name, context))
