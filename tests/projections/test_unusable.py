"""Messages that nobody can count with: whoever can write to the log can store them."""

from typing import Any

import pytest

from events.facts import ResultsProposed, ResultsProposedData
from events.items import Claim, Proposal
from events.requests import JobSubmitted, JobSubmittedData
from events.spec import Deal, JobSpec, Sharding
from tests.projections.conversation import CLAIM, JOB, Conversation


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": "soon"},
        {"deadline": ""},
        {"deal": Deal(replicas=0)},
        {"sharding": Sharding(count=-1)},
        {"publish": "some"},
    ],
)
def test_a_submission_that_cannot_be_counted_with_is_no_job(fields: dict[str, Any]) -> None:
    """It is counted as foreign, and no decision is asked of anybody."""
    talk = Conversation()
    data = JobSubmittedData(spec=JobSpec(engine="noop", **fields), digest="", inputs=())
    talk.tell("cli", JobSubmitted, data)
    assert (JOB in talk.network.jobs, talk.network.foreign) == (False, 1)


@pytest.mark.parametrize(
    "claim",
    [
        Claim("bafyroot", 10, 0),
        Claim(CLAIM.cid[:-1] + "b", 10, 0),
        Claim(CLAIM.cid, -1, 0),
    ],
)
def test_a_claim_that_names_no_content_is_no_claim(claim: Claim) -> None:
    """A CID that is none, or a negative size, is counted as foreign and changes nothing."""
    talk = Conversation()
    talk.submit(verifier="none")
    talk.plan()
    talk.award((0, 0, "n0"))
    talk.tell("n0", ResultsProposed, ResultsProposedData(proposals=(Proposal(0, 0, claim=claim),)))
    assert talk.job.shards[0].executions[0].state == "awarded"
    assert talk.network.foreign == 1
