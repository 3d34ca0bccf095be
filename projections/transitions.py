"""The transition tables: what every item does in every state. Nothing else says what is legal.

Each table is total: for every state (row) and every item (column) it gives the next state, or

- `-`  LATE: legal, counted, changes nothing. A repeat of a fact, or a fact about something that
  a decision has closed in the meantime.
- `!`  ILLEGAL: skipped, counted and reported with its story; the state stays as it was.

A decision beats a fact that its author had not seen, so decisions are admitted in states that such
a fact may have led to (`failed` -> `accepted`); facts never undo a decision. A fact that ends
something for good (a claim that is its own verdict, the last publication that a shard needed) is
the exception: a decision that it overtook is late, because what exists cannot be decided away.
"""

from typing import Final

LATE: Final = "LATE"
ILLEGAL: Final = "ILLEGAL"

Table = dict[tuple[str, str], str]


def _table(text: str) -> Table:
    header, *rows = (line.split() for line in text.strip().splitlines())
    marks = {"-": LATE, "!": ILLEGAL}
    table: Table = {}
    for state, *cells in rows:
        for item, cell in zip(header, cells, strict=True):
            table[state, item] = marks.get(cell, cell)
    return table


# One execution. `concluded` is a claim that is its own verdict (design rule 13); `asked` is the
# request to reveal; `cancelled` is the end of its shard or job.
EXECUTION: Final = _table("""
          started failed proposed concluded asked    revealed lost accepted rejected cancelled
awarded   running failed proposed accepted  !        !        lost !        !        cancelled
running   -       failed proposed accepted  !        !        lost !        !        cancelled
proposed  -       failed -        !         proposed revealed lost accepted rejected cancelled
revealed  -       -      -        !         !        -        lost accepted rejected cancelled
failed    -       -      -        -         failed   -        lost accepted rejected failed
accepted  -       -      -        -         !        -        -    !        !        accepted
rejected  -       -      -        !         !        -        !    !        !        rejected
lost      -       -      -        -         !        -        !    !        !        lost
cancelled -       -      -        -         !        -        !    !        !        cancelled
""")

# One shard, by phase: before reveals are asked for, until the verdict, until it is published.
# `fact` is any fact about one of its executions. A fact can complete a shard while a decision
# about its publishing is under way; `ended` means failed or cancelled, which only decisions do.
SHARD: Final = _table("""
           offered awarded asked     judged failed assigned   revoked    fact
open       open    open    revealing publishing ended  !          !          open
revealing  !       !       !         publishing ended  !          !          revealing
publishing !       !       !         !      ended  publishing publishing publishing
completed  !       !       !         !      -      -          -          completed
ended      !       !       !         !      !      !          !          ended
""")

# One publishing slot. `lookup` is an assignment that only asks the service. `revoked` was taken
# back before anyone began to pay; `doubtful` after: whether it was paid is for the service to say,
# or for who began, when it surely knows that it has paid nothing (`unpaid`).
SLOT: Final = _table("""
          assigned  lookup  revoked   started published failed   unpaid
idle      assigned  !       !         !       !         -        -
assigned  assigned  !       revoked   started published retry    retry
started   !         !       doubtful  -       published doubtful retry
retry     assigned  !       revoked   !       published -        -
revoked   assigned  -       !         !       published -        -
doubtful  !         looking -         -       published -        revoked
looking   !         looking !         -       published doubtful revoked
published published -       published -       -         -        -
""")

# The job's root at one publisher, once all shards are published there.
ROOT: Final = _table("""
          assigned  published failed
none      assigned  !         !
assigned  assigned  published retry
retry     assigned  published -
published published -         -
""")

# One job. `round` is a decision about its shards, `fact` a fact about them.
JOB: Final = _table("""
          submitted listed    planned round   fact    cancel    completed failed cancelled closed
submitted !         submitted running !       !       submitted !         failed cancelled !
running   !         -         !       running running running   completed failed cancelled !
completed !         -         !       !       -       -         !         !      !         completed
failed    !         -         !       !       -       -         !         !      !         failed
cancelled !         -         !       !       -       -         !         !      !         cancelled
""")
