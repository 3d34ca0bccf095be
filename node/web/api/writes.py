"""What can be asked of the network: a job, its end, and that a node takes no new work."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from events.spec import JobSpec
from node.spec_file import load_spec
from node.web.api.asking import Cancelling, JobPath, NodePath, SubmitQuery
from node.web.api.endpoint import written
from node.web.api.gateway import job_id
from node.web.api.shared import Api
from node.web.problems import Refused

KEY_CHARS_MAX = 255


def read_spec(data: bytes, _: type) -> JobSpec:
    """Return the spec that a request brings, in JSON or YAML. Raises InvalidSpec."""
    return load_spec(data, name="the body")


async def submit_job(api: Api, query: SubmitQuery, body: JobSpec, request: Request) -> Response:
    """Submit a job.

    It is answered as soon as the log has it. A repeat with the same `id`, or with the same header
    `Idempotency-Key`, is the same job and a success; with another spec it is refused. Inputs that
    are files are those of the machine that answers, below the folders that it allows.
    """
    key = request.headers.get("idempotency-key", "")
    if len(key) > KEY_CHARS_MAX:
        raise Refused(
            422,
            f"the Idempotency-Key has {len(key)} characters",
            hint=f"take up to {KEY_CHARS_MAX}",
        )
    job = job_id(query.id, key)
    traceparent = request.headers.get("traceparent")
    position = await api.network.submit(body, job=job, traceparent=traceparent)
    answer = written({"id": job, "position": position}, 201)
    answer.headers["location"] = f"/api/v1/jobs/{job}"
    return answer


async def cancel_job(api: Api, path: JobPath, body: Cancelling) -> dict[str, Any]:
    """Ask that a job ends; a requester decides, and it may have ended before."""
    gateway = api.network
    job = await api.observer.job_id(path.id)
    return {"id": job, "position": await gateway.cancel(job, body.reason)}


async def drain_node(api: Api, path: NodePath) -> dict[str, Any]:
    """Have a node take no new work and finish what it has, until it is started again."""
    return {
        "name": path.name,
        "state": "draining",
        "position": await api.network.drain(path.name),
    }
