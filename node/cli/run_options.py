"""The options of `lota run`, and the spec that they come to."""

import os
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from events.errors import WrongUsage
from events.inputs.naming import parse_input
from events.spec import Engine, JobSpec
from events.spec_reader import read_spec
from node.cli.texts import Texts


@Parameter(name="*")
@dataclass(frozen=True)
class RunOptions:
    """What is asked of a job on the command line; the defaults are the spec's."""

    engine: Annotated[Engine, Parameter(show_choices=False)] = "process"
    """process, docker or noop."""
    image: str = ""
    """The image, for engine docker."""
    name: str = ""
    """A name for people."""
    label: Texts = ()
    """KEY=VALUE; `node.KEY=VALUE` asks for nodes that carry the label."""
    env: Texts = ()
    """NAME=VALUE in the command's environment."""
    input: Texts = ()
    """SOURCE[:DEST], a file or folder that is given to the shards below inputs/."""
    context_input: Texts = ()
    """SOURCE[:DEST] that every shard gets whole."""
    shard_glob: str = ""
    """Which files are sharded, relative to the source, as in `**/*.csv`."""
    shard_size: int = 0
    """Files per shard."""
    shards: int = 0
    """Number of shards."""
    replicas: int = 1
    """Executions per shard, each on another node."""
    confidence: int = 0
    """How many replicas must agree (default: all)."""
    min_bids: int = 1
    """Bids to wait for."""
    verifier: str = ""
    """none or deterministic (default: deterministic where there are replicas to compare)."""
    publisher: Texts = ()
    """DRIVER[@CREDENTIAL][=TARGET], where accepted results go; s3@lab=bucket/runs names the
    credential `lab` of the nodes."""
    publish: str = "all"
    """How many of the publishers must succeed: all, any (the first that works), or a number."""
    timeout: str = "30m"
    """Time limit of one execution."""
    cpu: float = 1.0
    """Cores per execution."""
    memory: Annotated[str, Parameter(show_default=False)] = "0"
    """Memory per execution, as in 512Mi (default: no limit)."""

    def spec(self, command: tuple[str, ...]) -> JobSpec:
        """Return the spec; raises InvalidSpec, InvalidInput and WrongUsage."""
        document: dict[str, Any] = {
            "engine": self.engine,
            "image": self.image,
            "name": self.name,
            "command": list(command),
            "labels": _pairs(self.label, "--label"),
            "env": _pairs(self.env, "--env"),
            "sharding": {
                "glob": self.shard_glob,
                "size": self.shard_size,
                "count": self.shards,
            },
            "deal": {
                "replicas": self.replicas,
                "confidence": self.confidence,
                "min_bids": self.min_bids,
            },
            "verifier": self.verifier,
            "publishers": [_publisher(text) for text in self.publisher],
            "publish": int(self.publish) if self.publish.isdecimal() else self.publish,
            "resources": {"cpu": self.cpu, "memory": self.memory},
            "timeout": self.timeout,
        }
        inputs = [parse_input(text) for text in self.input]
        inputs += [parse_input(text, context=True) for text in self.context_input]
        return msgspec.structs.replace(read_spec(document), inputs=tuple(inputs))


def _pairs(texts: Texts, flag: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise WrongUsage(f"{flag} {text}: not KEY=VALUE", hint=f"write {flag} KEY=VALUE")
        pairs[key] = value
    return pairs


def _publisher(text: str) -> dict[str, str]:
    where, _, target = text.partition("=")
    driver, _, credential = where.partition("@")
    if driver == "local" and target:
        target = os.path.abspath(target)
    return {"driver": driver, "target": target, "credential": credential}
