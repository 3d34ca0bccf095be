"""Lanes and stages: where the time of a job went."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from events.decisions import ExecutionsLost, ExecutionsLostData
from events.entry import Entry
from events.items import Claim, Loss
from projections.lanes import BAD, STAGES, Lanes, lanes_view
from projections.network import Network
from projections.state import TERMINAL
from tests.projections.conversation import CLAIM, JOB, Conversation
from tests.projections.story import story


class Timed(Conversation):
    """A conversation whose job's lanes are noted."""

    def __init__(self) -> None:
        self.lanes = Lanes()
        super().__init__()

    def fold(self, name: str, body: bytes) -> Entry | None:
        entry = super().fold(name, body)
        if entry is not None and entry.address.job in self.network.jobs:
            self.lanes.note(self.job, entry)
        return entry

    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.now_ms += ms

    def view(self, shard: int | None = None) -> dict[str, Any]:
        """Return the timeline."""
        return lanes_view(self.network.jobs[JOB], self.lanes, shard, now_ms=self.now_ms)

    def stages(self, shard: int | None = None) -> dict[str, int]:
        """Return the total of each stage."""
        return {row["stage"]: row["total_ms"] for row in self.view(shard)["stages"]}


def published() -> Timed:
    """Tell a job whose stages take 1, 2, 4, 8 and 16 ms."""
    talk = Timed()
    talk.submit(replicas=2, publishers=("free",))
    talk.wait(1)
    talk.plan()
    talk.bid("n0", "n1")
    talk.wait(2)
    talk.award((0, 0, "n0"), (0, 1, "n1"))
    talk.wait(3)
    talk.propose("n0", 0)
    talk.wait(1)
    talk.propose("n1", 1)
    talk.wait(8)
    talk.ask(0, 1)
    talk.reveal("n0", 0)
    talk.reveal("n1", 1)
    talk.judge(0, 1, publish=(0,))
    return talk


def test_stages_are_what_a_shard_waited_for() -> None:
    """From its submission on, each millisecond of a shard is in one stage."""
    talk = published()
    talk.wait(16)
    talk.bid("n2")
    assert talk.stages() == {"queue": 1, "bid": 2, "run": 4, "verify": 8, "publish": 16}
    assert talk.view()["took_ms"] == 31


def test_a_lane_has_the_states_of_its_execution() -> None:
    """An execution's marks say when it came to which state, and who publishes."""
    first, second = published().view()["lanes"]
    assert (first["node"], first["in_hand_ms"]) == ("n0", 3)
    assert [(mark["state"], mark["after_ms"]) for mark in first["marks"]] == [
        ("awarded", 3),
        ("proposed", 6),
        ("revealed", 15),
        ("publishing", 15),
    ]
    assert (second["state"], second["in_hand_ms"]) == ("accepted", 4)


def test_a_second_try_has_a_lane_of_its_own() -> None:
    """Time that was lost with an execution counts to the stages, and stays visible."""
    talk = Timed()
    talk.submit()
    talk.plan()
    talk.award((0, 0, "n0"))
    talk.wait(5)
    gone = (Loss(0, 0, "gone"),)
    talk.decide(ExecutionsLost, ExecutionsLostData, lost=gone)
    talk.wait(7)
    talk.award((0, 1, "n1"))
    talk.wait(2)
    talk.propose("n1", 1, plain=True)
    lost, second = talk.view()["lanes"]
    assert (lost["state"], lost["in_hand_ms"]) == ("lost", 5)
    assert (second["state"], second["in_hand_ms"]) == ("proposed", 2)
    assert (talk.stages()["run"], talk.stages()["bid"]) == (7, 7)


def test_an_exit_code_that_was_agreed_on_is_a_bad_end() -> None:
    """That nodes agree on how a command failed makes its executions none that went well."""
    talk = Timed()
    talk.submit(verifier="none", publishers=("free",))
    talk.plan()
    talk.award((0, 0, "n0"), publish=(0,))
    claim = Claim(CLAIM.cid, CLAIM.dag_size_bytes, exit_code=3)
    talk.propose("n0", 0, claim, plain=True)
    talk.judge(0, claim=claim)
    assert talk.job.shards[0].state == "failed"
    assert talk.view()["lanes"][0]["state"] == "failed"


def test_one_shard_can_be_looked_at() -> None:
    """The timeline of a shard has its stages and its lanes alone."""
    talk = Timed()
    talk.submit(shards=2)
    talk.plan(2)
    talk.award((0, 0, "n0"))
    talk.wait(4)
    talk.award((1, 0, "n1"))
    assert [lane["node"] for lane in talk.view(1)["lanes"]] == ["n1"]
    assert talk.stages(0) == {"queue": 0, "bid": 0, "run": 4, "verify": 0, "publish": 0}
    assert talk.stages(1)["bid"] == 4


def test_a_job_of_which_nothing_is_heard_goes_on() -> None:
    """Until a job has ended its time goes on, though no event says so."""
    talk = Timed()
    talk.submit()
    talk.plan(1)
    talk.wait(60_000)
    assert (talk.stages()["bid"], talk.view()["took_ms"]) == (60_000, 60_000)
    talk.award((0, 0, "n0"))
    talk.wait(500)
    assert talk.stages()["run"] == talk.view()["lanes"][0]["in_hand_ms"] == 500


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 9))
def test_lanes_agree_with_the_fold(seed: int) -> None:
    """Whatever goes wrong, every execution has its lane, no time is negative, and an end is one."""
    network, lanes = Network(), dict[str, Lanes]()
    for record in story(seed):
        entry = network.fold(record)
        job = network.jobs.get(entry.address.job) if entry is not None else None
        if entry is not None and job is not None:
            lanes.setdefault(job.id, Lanes()).note(job, entry)
    for name, job in network.jobs.items():
        view = lanes_view(job, lanes[name])
        assert len(view["lanes"]) == sum(len(shard.executions) for shard in job.shards)
        for lane in view["lanes"]:
            shown, shard = lane["state"], job.shards[lane["shard"]]
            state = shard.executions[lane["attempt"]].state
            assert shown == state or (
                state == "accepted"
                and (shown.startswith("publish") or shown == shard.state == "failed")
            )
            times = [mark["after_ms"] for mark in lane["marks"]]
            assert times == sorted(times)
            assert lane["in_hand_ms"] >= 0
        assert {row["stage"] for row in view["stages"]} == set(STAGES)
        assert all(row["total_ms"] >= 0 for row in view["stages"])
        later = lanes_view(job, lanes[name], now_ms=lanes[name].now_ms + 1)
        assert later["took_ms"] - view["took_ms"] == (job.state not in TERMINAL)
        assert all(not stay.stage for stay in lanes[name].stays) == (job.state in TERMINAL)


def test_of_many_lanes_the_worst_and_then_the_longest_are_told() -> None:
    """Where not all can be drawn, what failed comes first, whenever and wherever that was."""
    network, lanes = Network(), dict[str, Lanes]()
    for record in story(1055):
        entry = network.fold(record)
        if entry is not None and (job := network.jobs.get(entry.address.job)) is not None:
            lanes.setdefault(job.id, Lanes()).note(job, entry)
    for name, job in network.jobs.items():
        whole = lanes_view(job, lanes[name])
        told = lanes_view(job, lanes[name], most=3)
        ranked = sorted(
            whole["lanes"], key=lambda lane: (lane["state"] not in BAD, -lane["in_hand_ms"])
        )
        assert told == {**whole, "lanes": ranked[:3] if len(ranked) > 3 else whole["lanes"]}
