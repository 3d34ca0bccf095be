"""`lota ui`: the dashboard of a server's network, served by this command."""

from typing import Annotated

from cyclopts import Parameter

from node.cli.doors import Serving, open_door, serve_until_interrupted
from node.cli.server import Server


async def ui(
    job: str = "",
    /,
    *,
    show_url: Annotated[bool, Parameter(negative=())] = False,
    serving: Serving | None = None,
    server: Server | None = None,
) -> None:
    """Serve the dashboard and the HTTP API, and open the dashboard in a browser.

    Prints its URL. Without a token it serves this machine alone. `lota dev` serves a dashboard by
    itself.

    Example: lota ui 01kb2m

    Parameters
    ----------
    job
        Open the page of this job: its id, or the start of it.
    show_url
        Print the URL and open no browser.
    """
    from node.cli.browser import open_in_browser
    from node.cli.observed import observing
    from node.jobs import find_job
    from node.logs import log_to_stderr

    log_to_stderr()
    door = await open_door(serving)
    async with observing(server) as found:
        name = await find_job(found.observer.log, job) if job else ""
        show = door.page(name)
        if not show_url:
            await open_in_browser(show)
        await serve_until_interrupted(found, door, show=show)
