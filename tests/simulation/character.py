"""How honestly a node speaks: an honest one, and three ways to cheat."""

from typing import TYPE_CHECKING

import msgspec

from events.codec import decode
from events.facts import ResultsProposed, ResultsProposedData, ResultsRevealed, ResultsRevealedData
from events.items import Claim, Proposal, Reveal
from events.subjects import job_events
from node.effects import Append
from tests.simulation.jobs import truth

if TYPE_CHECKING:
    from tests.simulation.compute import Compute


class Honest:
    """Says what is so."""

    honest = True

    def claims(self, node: "Compute", job: str, shard: int) -> Claim:
        """Return what the node says that a shard came to."""
        return truth(job, shard)

    def says(self, node: "Compute", effect: Append) -> Append | None:
        """Return what the node appends in place of a fact, None for nothing."""
        return effect


class Liar(Honest):
    """Claims another result than the true one."""

    honest = False

    def claims(self, node: "Compute", job: str, shard: int) -> Claim:
        return msgspec.structs.replace(truth(node.name, shard), exit_code=0)


class Withholder(Honest):
    """Commits and never reveals."""

    honest = False

    def says(self, node: "Compute", effect: Append) -> Append | None:
        return None if effect.kind is ResultsRevealed else effect


class Copier(Honest):
    """Does not run anything: repeats the commitment, and later the reveal, of somebody else."""

    honest = False

    def claims(self, node: "Compute", job: str, shard: int) -> Claim:
        return msgspec.structs.replace(truth(node.name, shard), exit_code=0)

    def says(self, node: "Compute", effect: Append) -> Append | None:
        data = effect.data
        if isinstance(data, ResultsProposedData):
            proposals = tuple(self._copied(node, effect.job, item) for item in data.proposals)
            return msgspec.structs.replace(effect, data=ResultsProposedData(proposals=proposals))
        if isinstance(data, ResultsRevealedData):
            reveals = tuple(self._opened(node, effect.job, item) for item in data.reveals)
            return msgspec.structs.replace(effect, data=ResultsRevealedData(reveals=reveals))
        return effect

    def _copied(self, node: "Compute", job: str, own: Proposal) -> Proposal:
        for record in node.wire.log.records((job_events(job),)):
            if "results.proposed" in record.subject and node.name not in record.subject:
                event = decode(record.body)
                assert isinstance(event, ResultsProposed)
                for item in event.data.proposals:
                    if item.shard == own.shard and item.commitment:
                        return msgspec.structs.replace(own, commitment=item.commitment)
        return own

    def _opened(self, node: "Compute", job: str, own: Reveal) -> Reveal:
        for record in node.wire.log.records((job_events(job),)):
            if "results.revealed" in record.subject and node.name not in record.subject:
                event = decode(record.body)
                assert isinstance(event, ResultsRevealed)
                for item in event.data.reveals:
                    if item.shard == own.shard:
                        return msgspec.structs.replace(own, claim=item.claim, nonce=item.nonce)
        return own


CHEATS: tuple[type[Honest], ...] = (Liar, Withholder, Copier)
