"""The network as it was at a position of the log."""

import copy

from events.log import Record
from projections.network import Network
from projections.tally import Tally
from projections.track_records import TrackRecords
from projections.travel import Travel


class Past:
    """A fold that went as far as `position`, without the jobs that were closed by then.

    `travel` is what `projections.travel` makes its views of, and `track_records` tells how nodes
    had fared in the jobs that had ended. Nobody changes them; of the live one they go on with the
    log, so that what is read of it is read without waiting between. Of the jobs that were retired
    it names those alone that it had to know.
    """

    def __init__(self, travel: Travel, track_records: TrackRecords, *, live: bool = False) -> None:
        self.travel = travel
        self.track_records = track_records
        self.live = live

    def fold(self, record: Record) -> None:
        """Fold the next message, while this past is being made."""
        entry = self.travel.advance(record)
        self.track_records.note(record, entry, self.network, stored=True)
        self.travel.let_go(entry)

    @property
    def network(self) -> Network:
        """The nodes, and the jobs that were open."""
        return self.travel.network

    @property
    def position(self) -> int:
        """The last position that is folded."""
        return self.travel.network.position

    @property
    def time_ms(self) -> int:
        """When the last event says that it happened, 0 if there is none."""
        return self.travel.tally.time_ms


def present(network: Network, tally: Tally, track_records: TrackRecords) -> Past:
    """Return the live fold as it stands; closed jobs that it has not let go yet are left out."""
    now = copy.copy(network)
    now.jobs = {name: job for name, job in network.jobs.items() if not job.closed}
    return Past(Travel(now, tally=copy.copy(tally)), track_records, live=True)
