"""All pages, by name."""

from collections.abc import Mapping

from node.web.views import job, jobs, log, network, nodes
from node.web.views.page import Page

PAGES: Mapping[str, Page] = {
    "network": network.PAGE,
    "jobs": jobs.PAGE,
    "job": job.PAGE,
    "nodes": nodes.PAGE,
    "log": log.PAGE,
}
