"""All pages, by name."""

from collections.abc import Mapping

from node.web.views import jobs, log, network, nodes
from node.web.views.page import Page

PAGES: Mapping[str, Page] = {
    "network": network.PAGE,
    "jobs": jobs.PAGE,
    "nodes": nodes.PAGE,
    "log": log.PAGE,
}
