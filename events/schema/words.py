"""What every field of an event means: one table, because a word means one thing everywhere.

A field is looked up as `Type.field`, then as `field`. What a word allows is written as JSON Schema;
patterns stand without anchors, and an empty default is allowed beside them. The limits are those
that the code refuses by, so an event that Lota wrote keeps them.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from events.spec import (
    CREDENTIAL_NAME,
    DURATION_MS_MAX,
    INPUTS_MAX,
    REPLICAS_MAX,
    SHARDS_MAX,
    SPEC_BYTES_MAX,
)
from events.subjects import JOB_ID, NAME


class Word(msgspec.Struct, frozen=True):
    """A field's meaning; `allows` narrows its value, `maxItems` a list, the rest its entries."""

    meaning: str
    allows: Mapping[str, Any] = {}


INDEX = {"minimum": 0}
COUNT = {"minimum": 0}
POSITIVE = {"minimum": 1}
SHARD = {"minimum": 0, "maximum": SHARDS_MAX - 1}
HEX_32_BYTES = {"pattern": "[0-9a-f]{64}"}
HEX_OR_NOTHING = {"pattern": "([0-9a-f]{64})?"}
CID = {"pattern": "b[a-z2-7]{58}"}
TEXT = {"minLength": 1}
NODE = {"pattern": NAME.pattern}
URI = {"pattern": "[a-z][a-z0-9+.-]*:.+"}
EXECUTION = {"pattern": JOB_ID.pattern + "-[0-9]+-[0-9]+"}
DURATION = {"pattern": r"([0-9]+(\.[0-9]+)?(ms|s|m|h|d)?)+"}
SIZE = {"pattern": r"\s*[0-9]+(\.[0-9]+)?\s*([KMGTkmgt][iI]?)?[Bb]?\s*"}
DAYS_MAX = DURATION_MS_MAX // (24 * 3600 * 1000)
NO_SEAL = "Means nothing here, and is empty in new events: events about nodes are not sealed."
MOMENT = "in milliseconds since the Unix epoch"

ENVELOPE: Mapping[str, Word] = {
    "id": Word(
        "The event's own id, also in the header `Nats-Msg-Id`: a ULID. Read it as opaque text.",
        {"pattern": "[!-~]{1,64}"},
    ),
    "source": Word("Who wrote it: `/lota/<role>/<author>`, as in the subject."),
    "subject": Word("The job's id, which is also the correlation id; `_` for events about nodes."),
    "time": Word(
        "When its author wrote it, by its own clock: RFC 3339 in UTC with milliseconds. The order "
        "of the log, not this, says what came first.",
        {
            "format": "date-time",
            "pattern": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z",
        },
    ),
    "causationid": Word(
        "The id of the event that led to this one; an event that starts a story names itself.",
        {"pattern": "[!-~]{1,64}"},
    ),
    "specversion": Word("The version of CloudEvents."),
    "datacontenttype": Word("The type of `data`."),
    "traceparent": Word(
        "The trace that the event belongs to, as W3C Trace Context writes it.",
        {"pattern": "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"},
    ),
}
"""The attributes of CloudEvents 1.0 and our two extensions of it."""

DECIDED: Mapping[str, Word] = {
    "seen": Word(
        "How many events of the job its author had folded, in log order without a gap.", COUNT
    ),
    "NodeLostData.seen": Word("How many events about nodes its author had folded.", COUNT),
    "NodeQuarantinedData.seen": Word("How many events about nodes its author had folded.", COUNT),
    "seal": Word(
        "The running sha256 over subjects and bodies of the job's first `seen` events, as hex.",
        HEX_32_BYTES,
    ),
    "NodeLostData.seal": Word(NO_SEAL, HEX_OR_NOTHING),
    "NodeQuarantinedData.seal": Word(NO_SEAL, HEX_OR_NOTHING),
    "policy": Word("The version of the rules that the decision was made by.", TEXT),
    "members": Word(
        "How many events about nodes its author had folded: which nodes it knew. 0 where it was "
        "not recorded.",
        COUNT,
    ),
}

LISTS: Mapping[str, Word] = {
    "assignments": Word("The publications to be made."),
    "awards": Word("The executions that exist now, and on which nodes."),
    "bids": Word("The offers that the node accepts."),
    "declines": Word("The offers that the node refuses, and why."),
    "executions": Word("The executions, of this job, that the event is about."),
    "ExecutionsFailedData.failures": Word("The executions that ended without a result, and why."),
    "PublishFailedData.failures": Word("The publications that did not succeed, and why."),
    "judgements": Word("One verdict for each shard judged."),
    "lost": Word("The executions given up on, and why."),
    "offers": Word(
        "Invitations to bid. An offer's number is its index among all offers of the job, over all "
        "events."
    ),
    "proposals": Word("The executions whose command has ended."),
    "publications": Word("The copies that exist now."),
    "reveals": Word("The opened commitments."),
    "revoked": Word("The assignments that end, and why."),
    "PublicationsAssignedData.roots": Word("Who publishes the job's root, to which publisher."),
    "ResultsPublishedData.roots": Word("The copies of the job's root that exist now."),
    "PublishFailedData.roots": Word("The publications of the job's root that did not succeed."),
    "ShardsFailedData.shards": Word("The shards given up on without a verdict, and why."),
    "starts": Word("The paid publications that the node is about to make."),
}

PLACE: Mapping[str, Word] = {
    "shard": Word("The shard, counted from 0.", SHARD),
    "attempt": Word("Which execution of its shard, counted from 0.", INDEX),
    "slot": Word("Which of the spec's `publishers`, counted from 0.", INDEX),
    "node": Word("The node's name.", NODE),
    "nodes": Word("The names of the nodes that the ring picked.", NODE),
    "offer": Word("The number of the offer: its index among all offers of the job.", INDEX),
    "incarnation": Word("Which life of the node: a new id at each start.", TEXT),
    "assignment": Word("The id of the decision that the node acts on.", TEXT),
    "code": Word("A short stable word for programs.", TEXT),
    "JobFailedData.code": Word(
        "Whose failure it was: the user's command, nodes that disagree, infrastructure, "
        "publishing, the inputs, or the deadline."
    ),
    "message": Word("What happened, for people."),
    "reason": Word("Why, for people."),
    "error": Word("Why listing failed for good; empty when it did not."),
}

RESULT: Mapping[str, Word] = {
    "accepted": Word("The attempts whose claim was accepted.", INDEX),
    "rejected": Word("The attempts whose result was not accepted, and why."),
    "result": Word("Whether enough executions agreed."),
    "claim": Word("What the command came to."),
    "Judgement.claim": Word("What the accepted agree on; null when nothing was accepted."),
    "Proposal.claim": Word("The claim itself, where nobody could copy it; else null."),
    "Publication.claim": Word("Set when the publication is its own verdict; else null."),
    "cid": Word(
        "The content address of the result: a CIDv1 over sha256, in lower-case base 32.", CID
    ),
    "dag_size_bytes": Word("The size of the whole tree, its own nodes included.", COUNT),
    "exit_code": Word("What the command ended with; 128 + n when signal n ended it.", COUNT),
    "JobFailedData.exit_code": Word(
        "The code of the lowest failed shard, null where no command ended by itself.", COUNT
    ),
    "fuel": Word("The instructions that a wasm engine counted; null for other engines.", COUNT),
    "commitment": Word(
        "The sha256, as hex, of the claim with a nonce (`events/commitment.py`); empty where the "
        "claim stands here itself.",
        HEX_32_BYTES,
    ),
    "nonce": Word("The 32 bytes, as hex, that open the commitment.", HEX_32_BYTES),
    "free": Word("How many executions of the offer the node takes at one time.", POSITIVE),
    "Bid.width": Word("How many of those run at one time; the others wait on the node.", POSITIVE),
    "JobPlannedData.shards": Word(
        "How many shards the job has.", {"minimum": 0, "maximum": SHARDS_MAX}
    ),
    "Offer.shards": Word("Ranges of shards: [start, stop), stop not included."),
    "Manifest.shards": Word("The shards' results in order; empty when `blob` holds them."),
    "Manifest.count": Word("How many shards there are.", COUNT),
    "root_cid": Word("The content address of the folder over all shards' results.", CID),
    "PublicationsAssignedData.root_cid": Word("The root that is to be published.", CID),
    "root_blob": Word("The CID of the blob that is a CAR file with the root's own blocks.", CID),
    "manifest": Word("The shards' results."),
    "blob": Word(
        "The CID of the blob beside the log that holds the list; empty when it stands here.", CID
    ),
    "closed": Word("Whether nothing of the job is open, so that this event also closes it."),
}

PUBLISHING: Mapping[str, Word] = {
    "ShardsAwardedData.publish": Word(
        "The slots that each awarded execution also publishes to, in one go.", INDEX
    ),
    "Judgement.publish": Word("The first assignments, made with the verdict."),
    "uri": Word("Where the copy is.", URI),
    "uris": Word("Where copies are.", URI),
    "Publication.size_bytes": Word("How large the result is.", COUNT),
    "RootPublication.size_bytes": Word("How large the root and all below it are.", COUNT),
    "duration_ms": Word("How long publishing took, in milliseconds.", COUNT),
    "permanent": Word("Whether a repeat by this node cannot help."),
    "unpaid": Word("Whether surely nothing was paid and nothing is on its way."),
    "PublishFailure.assignment": Word(
        "The id of the decision that the node acted on, empty when it came with the award.", TEXT
    ),
    "lookup": Word("Only ask the service whether the copy exists; pay nothing."),
}

WAITS: Mapping[str, Word] = {
    "bids_until_ms": Word(f"Until when bids are waited for, {MOMENT}.", COUNT),
    "deadline_ms": Word(f"When the job ends at the latest, {MOMENT}.", COUNT),
    "publish_until_ms": Word(
        f"Until when the publications may take, {MOMENT}; 0 when there are none.", COUNT
    ),
    "until_ms": Word(f"Until when it is waited for, {MOMENT}.", COUNT),
    "silence_ms": Word(
        "How long the author had not heard the node, in milliseconds; 0 where it is not recorded.",
        COUNT,
    ),
    "NodeQuarantinedData.until_ms": Word(
        f"Until when, {MOMENT}; 0: until a person says so.", COUNT
    ),
}

INPUTS: Mapping[str, Word] = {
    "JobSubmittedData.spec": Word(
        f"The job as asked, with its defaults filled in; at most {SPEC_BYTES_MAX:,} bytes."
    ),
    "JobSubmittedData.digest": Word("The sha256, as hex, of the canonical spec.", HEX_32_BYTES),
    "JobSubmittedData.inputs": Word(
        "One entry per input of the spec: its listing, null where a node will list it."
    ),
    "InputsListedData.inputs": Word(
        "One entry per input of the spec: its listing, null where the client has listed it."
    ),
    "Listing.source": Word("The source as the spec names it.", URI),
    "Listing.count": Word("How many files there are.", COUNT),
    "Listing.size_bytes": Word("How large all files are together.", COUNT),
    "Listing.digest": Word("The sha256, as hex, of the listing's canonical bytes.", HEX_32_BYTES),
    "files": Word("The files in the order of their paths; empty when `blob` holds them."),
    "ListedFile.path": Word('The path relative to the source, "" when the source is the file.'),
    "ListedFile.size_bytes": Word("How large the file is.", COUNT),
    "ListedFile.digest": Word(
        "What names its bytes: their sha256 as hex, or a CID where the source knows files by CID.",
        TEXT,
    ),
}

NODES: Mapping[str, Word] = {
    "capabilities": Word("What the node can do."),
    "holds": Word("The ids of the executions that it has in hand.", EXECUTION),
    "roles": Word("What the node is: `requester`, `compute`.", TEXT),
    "engines": Word("The engines that it can run.", TEXT),
    "Capabilities.publishers": Word("The publishers that it can use.", TEXT),
    "credentials": Word(
        "The names of the credentials that it has.", {"pattern": CREDENTIAL_NAME.pattern}
    ),
    "Capabilities.cpu": Word("Its processors, in cores.", {"minimum": 0}),
    "memory_bytes": Word("Its memory.", COUNT),
    "disk_bytes": Word("Its disk.", COUNT),
    "Capabilities.gpu": Word("Its GPUs, in devices.", COUNT),
    "Capabilities.width": Word("How many executions it runs at one time.", POSITIVE),
    "Capabilities.labels": Word("What its operator says of it, by name."),
    "Capabilities.data": Word("The prefixes of the sources whose data it holds.", URI),
    "version": Word("The version of Lota that it runs."),
    "serves": Word(
        "The URL under which it gives out what its publisher `local` has written; empty when it "
        "does not.",
        {"pattern": "https?://.+"},
    ),
}

SPEC: Mapping[str, Word] = {
    "engine": Word("What runs the command."),
    "name": Word("What people call the job."),
    "JobSpec.labels": Word("Descriptions by name; labels that begin with `node.` select nodes."),
    "image": Word("The container image, for the engine `docker` alone."),
    "command": Word("The command and its arguments, as a list."),
    "env": Word(
        "Environment variables by name; those that begin with `LOTA_` are Lota's own.",
        {"propertyNames": {"pattern": "^(?!LOTA_)[^=]+$"}},
    ),
    "JobSpec.inputs": Word("The data.", {"maxItems": INPUTS_MAX}),
    "sharding": Word("How the inputs are cut."),
    "deal": Word("How many executions, and how many must agree."),
    "verifier": Word("How results are judged; empty stands for the default of the deal."),
    "JobSpec.publishers": Word("Where results go. Its indexes are the slots."),
    "JobSpec.publish": Word(
        "How many of the publishers must succeed: `all`, `any` or a number.",
        {"pattern": "all|any", "minimum": 1},
    ),
    "resources": Word("What one execution may use."),
    "timeout": Word(f"The time limit of one execution, at most {DAYS_MAX}d.", DURATION),
    "deadline": Word(f"The time limit of the job, at most {DAYS_MAX}d.", DURATION),
    "network": Word("What of the network a command may reach."),
    "Input.source": Word("A URI.", URI),
    "dest": Word("Where it appears below `inputs/`; its base name by default."),
    "context": Word("Whether every shard gets all of it; otherwise it is what is sharded."),
    "glob": Word("Which files, by path relative to the source; `**` is any folders."),
    "size": Word("How many files a shard gets; 0 leaves it to `count`.", COUNT),
    "Sharding.count": Word(
        "How many shards are made; 0 leaves it to `size`.", {"minimum": 0, "maximum": SHARDS_MAX}
    ),
    "replicas": Word("Executions per shard.", {"minimum": 1, "maximum": REPLICAS_MAX}),
    "confidence": Word(
        "How many must agree; 0 stands for all.", {"minimum": 0, "maximum": REPLICAS_MAX}
    ),
    "min_bids": Word("How many bids are waited for.", {"minimum": 1, "maximum": REPLICAS_MAX}),
    "driver": Word("The publisher's name.", TEXT),
    "target": Word("What goes where inside of it; never a host, never a login."),
    "credential": Word(
        "The name, never the value, of the credential.", {"pattern": CREDENTIAL_NAME.pattern}
    ),
    "Resources.cpu": Word("Processors, in cores.", {"exclusiveMinimum": 0}),
    "memory": Word("Memory, in units such as `512Mi`; 0 for no limit.", SIZE),
    "disk": Word("Disk, in units such as `1Gi`.", SIZE),
    "Resources.gpu": Word("GPUs, in devices.", COUNT),
}

WORDS: Mapping[str, Word] = {
    **DECIDED,
    **LISTS,
    **PLACE,
    **RESULT,
    **PUBLISHING,
    **WAITS,
    **INPUTS,
    **NODES,
    **SPEC,
}


def look_up(owner: str, field: str) -> str:
    """Return the key in `WORDS` of a type's field. Raises KeyError when nothing is said of it."""
    own = f"{owner}.{field}"
    if own in WORDS:
        return own
    if field not in WORDS:
        raise KeyError(f"say in events/schema/words.py what {own} means")
    return field
