"""The description of the API: committed, whole, and valid by the rules of JSON Schema."""

from typing import Any

import jsonschema  # type: ignore[import-untyped] # it has no types

from node.web.api.endpoints import ENDPOINTS, description
from tests.node.web.api.description import FILE, text


def test_the_committed_description_is_that_of_the_code() -> None:
    """A change of the API is seen in review: `make schemas` writes the file anew."""
    assert FILE.read_text(encoding="utf-8") == text()


def test_every_endpoint_is_described() -> None:
    """Each operation has a name of its own, a summary, and problems for what may go wrong."""
    operations = [one for path in description()["paths"].values() for one in path.values()]
    assert len(operations) == len(ENDPOINTS)
    assert len({operation["operationId"] for operation in operations}) == len(ENDPOINTS)
    for operation in operations:
        assert operation["summary"].endswith(".")
        assert "500" in operation["responses"]


def test_every_reference_leads_somewhere() -> None:
    """What a reference names is there, and what is there is valid JSON Schema."""
    document = description()
    for reference in _references(document):
        found = document
        for word in reference.removeprefix("#/").split("/"):
            found = found[word]
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for inner in part.values() for found in _references(inner)]
    if isinstance(part, list):
        return [found for inner in part for found in _references(inner)]
    return []
