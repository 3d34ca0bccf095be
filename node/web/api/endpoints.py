"""All routes of the API: the one list that serves them and that its description is made from."""

from importlib.metadata import version
from typing import Any

from events.spec import JobSpec
from node.web.any_path import ANY_PATH
from node.web.api.changes import stream_changes
from node.web.api.documents import jobs as job_documents
from node.web.api.documents import log as log_documents
from node.web.api.documents import nodes as node_documents
from node.web.api.documents import results as result_documents
from node.web.api.endpoint import JSON, Endpoint
from node.web.api.events import stream_events
from node.web.api.exporting import export_job
from node.web.api.health import healthz, readyz
from node.web.api.jobs import (
    get_job,
    get_job_lanes,
    list_job_events,
    list_job_executions,
    list_jobs,
)
from node.web.api.log import read_log
from node.web.api.nodes import get_node, get_ring, list_nodes
from node.web.api.openapi import document
from node.web.api.outputs import get_job_logs
from node.web.api.results import get_job_result, list_job_results
from node.web.api.shared import Api
from node.web.api.statistics import get_statistics, list_projections
from node.web.api.writes import cancel_job, drain_node, read_spec, submit_job

V1 = "/api/v1"
STREAM = "text/event-stream"
JOB = f"{V1}/jobs/{{id}}"
NODE = f"{V1}/nodes/{{name}}"


async def openapi(_: Api) -> dict[str, Any]:
    """Describe this API."""
    return description()


ENDPOINTS = (
    Endpoint("GET", f"{V1}/jobs", list_jobs, job_documents.JobPage, problems=(404,)),
    Endpoint(
        "POST",
        f"{V1}/jobs",
        submit_job,
        job_documents.Asked,
        role="submit",
        status=201,
        problems=(404, 409, 502, 504),
        body=JobSpec,
        media=(JSON, "application/yaml"),
        read=read_spec,
    ),
    Endpoint("GET", JOB, get_job, job_documents.JobDocument, problems=(404, 409)),
    Endpoint(
        "GET", f"{JOB}/lanes", get_job_lanes, job_documents.LanesDocument, problems=(404, 409)
    ),
    Endpoint("GET", f"{JOB}/events", list_job_events, log_documents.EventPage, problems=(404, 409)),
    Endpoint(
        "GET",
        f"{JOB}/executions",
        list_job_executions,
        job_documents.ExecutionPage,
        problems=(404, 409),
    ),
    Endpoint("GET", f"{JOB}/export", export_job, "text/html", problems=(404, 409)),
    Endpoint("GET", f"{JOB}/logs", get_job_logs, "text/plain", problems=(404, 409, 502, 504)),
    Endpoint(
        "GET",
        f"{JOB}/results",
        list_job_results,
        result_documents.ResultPage,
        problems=(404, 409, 502, 504),
    ),
    Endpoint(
        "GET",
        f"{JOB}/results/{{shard}}/{{path:{ANY_PATH}}}",
        get_job_result,
        ("application/octet-stream", "text/plain"),
        problems=(404, 409, 416, 502, 504),
    ),
    Endpoint(
        "POST",
        f"{JOB}/cancel",
        cancel_job,
        job_documents.Asked,
        role="submit",
        status=202,
        problems=(404, 409),
    ),
    Endpoint("GET", f"{V1}/nodes", list_nodes, node_documents.NodeList, problems=(404,)),
    Endpoint("GET", NODE, get_node, node_documents.NodeDocument, problems=(404,)),
    Endpoint(
        "POST",
        f"{NODE}/drain",
        drain_node,
        node_documents.Draining,
        role="admin",
        status=202,
        problems=(404, 409, 504),
    ),
    Endpoint("GET", f"{V1}/ring", get_ring, node_documents.RingDocument, problems=(404, 409)),
    Endpoint(
        "GET", f"{V1}/statistics", get_statistics, log_documents.SeriesDocument, problems=(404,)
    ),
    Endpoint("GET", f"{V1}/projections", list_projections, list[log_documents.ProjectionRow]),
    Endpoint("GET", f"{V1}/log", read_log, log_documents.LogPage, problems=(404, 409)),
    Endpoint("GET", f"{V1}/events", stream_events, STREAM, problems=(404, 409, 410)),
    Endpoint("GET", f"{V1}/changes", stream_changes, STREAM),
    Endpoint("GET", f"{V1}/openapi.json", openapi, dict[str, Any]),
    Endpoint("GET", "/healthz", healthz, log_documents.Status, role=None),
    Endpoint("GET", "/readyz", readyz, log_documents.Status, role=None),
)


def description() -> dict[str, Any]:
    """Return the API as an OpenAPI document."""
    return document(ENDPOINTS, version=version("lota"))
