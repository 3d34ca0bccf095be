"""The part of a route that is a path of files, whose names may be any bytes, line breaks too."""

from starlette.convertors import PathConvertor, register_url_convertor

ANY_PATH = "any_path"
"""What it is called in a route: `{path:any_path}`."""


class _AnyPath(PathConvertor):
    regex = "(?s:.*)"


register_url_convertor(ANY_PATH, _AnyPath())
