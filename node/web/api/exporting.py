"""A job as one file, from the API."""

from starlette.responses import Response

from events.clock import now_ms
from node.web.api.asking import AsOfQuery, JobPath
from node.web.api.shared import Api
from node.web.job_export import exported_job
from node.web.kept_results import ResultAccess


async def export_job(api: Api, path: JobPath, query: AsOfQuery) -> Response:
    """Give a job's page with all that it shows as one HTML file, which asks for nothing more."""
    observer = api.observer
    until = await api.position(query.as_of) if query.as_of else None
    job = await observer.job_id(path.id)
    gateway = api.gateway
    access = ResultAccess(gateway.client, gateway.results) if gateway is not None else None
    async with api.exports:
        page = await exported_job(observer.log, job, until=until, now_ms=now_ms(), access=access)
    headers = {
        "content-disposition": f'attachment; filename="job-{job}.html"',
        "content-security-policy": "sandbox",
        "x-content-type-options": "nosniff",
    }
    return Response(page, media_type="text/html", headers=headers)
