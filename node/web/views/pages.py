"""All pages, by name."""

from collections.abc import Mapping

from node.web.views import log, network
from node.web.views.page import Page

PAGES: Mapping[str, Page] = {"network": network.PAGE, "log": log.PAGE}
