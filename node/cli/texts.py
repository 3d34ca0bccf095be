"""An option that may be given several times."""

from typing import Annotated

from cyclopts import Parameter

Texts = Annotated[tuple[str, ...], Parameter(negative=())]
