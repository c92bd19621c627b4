"""Sends a recorded exchange of a Kafka client (tests/golden/wire) to Moldau again and compares each answer with Kafka's, field by
field. Every field must be equal, but
* ids that a broker makes up (IDS): what is one id of Kafka's is one id of Moldau's, in every answer;
* `records`, compared record by record, decompressed, but for those of transactions, whose stories are left out;
* elements of lists that have names or ids (KEYS): compared by name, for their order is that of a hash table;
* errors that say "not yet": Moldau may be ready at once, and where it is not ready yet it is asked again, as clients do;
* what an Excuse names, for one message and a reason. One that excuses nothing is as wrong as a difference."""
import dataclasses, gzip, json, os, pathlib, re, struct, sys, typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import codec
import kafka_wire as wire
import record_sets
from scenario import wait_until

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
MESSAGES = codec.messages()
API_VERSIONS, PRODUCE, FETCH = 18, 0, 1
IDLE_MS = 1  # for Fetches that Kafka had nothing for: its clients have waited, nobody has to again
GENERATION_FOLLOWS_GROUP = {8, 12, 14}  # OffsetCommit, Heartbeat, SyncGroup
# What later requests repeat of these is put in place there.
IDS = {"topic_id", "member_id", "leader", "session_id", "producer_id", "cluster_id", "client_instance_id", "replica_directory_id"}
KEYS = ("name", "api_key", "topic_name", "topic_id", "topic", "group_id", "member_id", "resource_name", "key", "partition_index",
        "partition", "index")
ORDERED = {"synonyms"}  # their order is that of precedence
# UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR
NOT_YET = {3, 5, 14, 15, 16}
REBALANCE_IN_PROGRESS = 27
FILLER = b"in place of a transaction's"


@dataclasses.dataclass
class Excuse:
    """Differences of `message` at paths that match `where`, in `stories` (none: in all), and that pass `when`(Kafka's, Moldau's),
    are as they should be because of `why`."""
    message: str
    where: str
    why: str
    stories: tuple = ()
    when: typing.Callable = lambda kafka, moldau: True
    used: int = 0

    def covers(self, message, story, path, kafka, moldau):
        return (self.message == message and story in (self.stories or (story,)) and re.fullmatch(self.where, path) is not None
                and self.when(kafka, moldau))


def recorded(version):
    with gzip.open(GOLDEN / f"wire/{version}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


class Ids:
    """Which of Moldau's ids is which of Kafka's. Ids that say "none" stay what they are."""

    def __init__(self):
        self.ours = {}

    def same(self, theirs, ours):
        none = lambda id: id in (-1, None) or isinstance(id, bytes) and not any(id)
        if none(theirs) or none(ours):
            return theirs == ours
        if theirs not in self.ours and ours in self.ours.values():
            return False
        return self.ours.setdefault(theirs, ours) == ours

    def put_into(self, request):
        for theirs, ours in self.ours.items():
            if isinstance(theirs, bytes) and len(theirs) == len(ours):
                request = request.replace(theirs, ours)
        return request


class Comparison:
    """Of two decoded answers; `found`: (path, Kafka's, Moldau's) of each difference."""

    def __init__(self, ids):
        self.ids, self.found, self.records_compared = ids, [], 0

    def compare(self, kafka, moldau, path="", name=""):
        if name == "session_id":  # only bytes can be put into requests
            kafka, moldau = (struct.pack(">i", id) for id in (kafka, moldau))
        if name in IDS:
            self.expect(self.ids.same(kafka, moldau), path, kafka, moldau)
        elif name == "records" and kafka is not None and moldau is not None:
            self.records(kafka, moldau, path)
        elif isinstance(kafka, dict) and isinstance(moldau, dict):
            if not (kafka.get("error_code") in NOT_YET and moldau.get("error_code") == 0):
                for key in kafka | moldau:
                    self.compare(kafka.get(key), moldau.get(key), f"{path}.{key}" if path else key, key)
        elif isinstance(kafka, list) and isinstance(moldau, list) and any(isinstance(e, dict) for e in kafka + moldau):
            for label, one, other in self.paired(kafka, moldau, name):
                self.compare(one, other, f"{path}[{label}]")
        else:
            self.expect(kafka == moldau, path, kafka, moldau)

    def expect(self, equal, path, kafka, moldau):
        if not equal:
            self.found.append((path, kafka, moldau))

    def records(self, kafka, moldau, path):
        kafka = [r for r in record_sets.decode(kafka) if not r.flags & record_sets.TRANSACTIONAL]
        moldau = [r for r in record_sets.decode(moldau) if r.value != FILLER]
        for one, other in zip(kafka, moldau):
            self.expect(one == other, f"{path}[{one.offset}]", one, other)
        self.expect(len(kafka) == len(moldau), path, [r.offset for r in kafka], [r.offset for r in moldau])
        self.records_compared += len(kafka)

    def paired(self, kafka, moldau, name):
        """(label, Kafka's, Moldau's) of elements with the same name or id; None for what lacks. Unknown ids go by their order."""
        key = next((k for k in KEYS if name not in ORDERED and all(e.get(k) is not None for e in kafka + moldau)), None)
        if key is None:
            kafka, moldau = list(enumerate(kafka)), dict(enumerate(moldau))
        else:
            kafka, moldau = [(e[key], e) for e in kafka], {e[key]: e for e in moldau}
        out, strangers = [], []
        for their_name, one in kafka:
            other = moldau.pop(self.ids.ours.get(their_name, their_name) if key in IDS else their_name, None)
            (strangers if other is None else out).append((text(their_name), one, other))
        if key in IDS:
            strangers = [(label, one, moldau.pop(next(iter(moldau))) if moldau else None) for label, one, _ in strangers]
        return out + strangers + [(text(our_name), None, other) for our_name, other in moldau.items()]


def text(name):
    """Readable: ids in hex."""
    if not isinstance(name, bytes):
        return str(name)
    return name.decode() if re.fullmatch(rb"[\w./:-]*", name) else name.hex()


class Replay:
    """Sends frames in their recorded order, one connection for each recorded one, and compares the answers. `not_served`: API
    keys whose requests are left out. `paced`: stories that wait as long as they did."""

    def __init__(self, port, excuses=(), not_served=(), paced=()):
        self.port, self.excuses, self.not_served = port, excuses, not_served
        self.connections, self.sent, self.ids = {}, {}, Ids()
        self.paced, self.idle = paced, set()  # (connection, correlation id)
        self.later = None  # (group, by how many generations it is ahead of Kafka's)
        self.wrong, self.compared, self.records_compared = [], 0, 0

    def play(self, frames):
        self.idle |= {(f["conn"], f["correlation"]) for f in frames
                      if f["dir"] != "req" and f["api_key"] == FETCH and f["story"] not in self.paced and not fetched(f)}
        for frame in frames:
            if frame["api_key"] not in self.not_served:
                if frame["conn"] not in self.connections:
                    self.connections[frame["conn"]] = wire.Client(self.port, timeout=15)
                client = self.connections[frame["conn"]]
                (self.ask if frame["dir"] == "req" else self.answer)(client, frame, bytes.fromhex(frame["hex"]))

    def ask(self, client, frame, raw):
        raw = self.ids.put_into(raw)
        if self.later and frame["api_key"] in GENERATION_FOLLOWS_GROUP:
            raw = with_later_generation(raw, *self.later)
        if (frame["conn"], frame["correlation"]) in self.idle:
            at = body_at(frame, raw) + (4 if frame["version"] < 15 else 0)  # behind replica_id
            raw = raw[:at] + struct.pack(">i", IDLE_MS) + raw[at + 4:]
        frame_sent = struct.pack(">i", len(raw)) + raw
        self.sent[frame["conn"], frame["correlation"]] = frame_sent
        client.socket.sendall(frame_sent)
        if frame["api_key"] == PRODUCE and acks_of(frame, raw) == 0:
            client.api_versions()  # no answer comes; when this one does the records are there

    def answer(self, client, frame, raw):
        message = MESSAGES[frame["api_key"], "response"]
        what = f"{frame['story']}, connection {frame['conn']}: {message.name} {frame['version']}"
        kafka = body(message, frame, raw)
        try:
            moldau = self.receive(client, frame, message, kafka)
        except (wire.Closed, TimeoutError) as gone:
            self.wrong.append(f"{what}: {type(gone).__name__}")
            return
        if self.later and "generation_id" in moldau:
            moldau["generation_id"] -= self.later[1]
        comparison = Comparison(self.ids)
        comparison.compare(kafka, moldau)
        self.compared, self.records_compared = self.compared + 1, self.records_compared + comparison.records_compared
        for path, theirs, ours in comparison.found:
            excuse = next((e for e in self.excuses if e.covers(message.name, frame["story"], path, theirs, ours)), None)
            if excuse is None:
                self.wrong.append(f"{what}: {path}: Kafka {theirs!r}, Moldau {ours!r}")
            else:
                excuse.used += 1

    def receive(self, client, frame, message, kafka):
        """Moldau's answer; asks again while it is not ready where Kafka was, or does not know yet what another connection has just
        asked for."""
        moldau = body(message, frame, client.receive())

        def ready():
            nonlocal moldau
            unaware = message.name == "HeartbeatResponse" and kafka["error_code"] == REBALANCE_IN_PROGRESS and moldau["error_code"] == 0
            if not unaware and not errors(moldau) & NOT_YET - errors(kafka):
                return True
            client.socket.sendall(self.sent[frame["conn"], frame["correlation"]])
            moldau = body(message, frame, client.receive())
            return False
        try:
            wait_until(ready, message.name)
        except AssertionError:
            pass  # the comparison says what it has come to
        return moldau

    def fill(self, topic, ends):
        """Records up to these ends, {partition: offset}, in place of what a transaction has written."""
        with wire.Client(self.port) as client:
            for partition, end in ends.items():
                while client.offset(topic, -1, partition)[1] < end:
                    if client.produce(topic, [FILLER], partition).error != wire.NONE:
                        raise AssertionError(f"{topic}-{partition} takes no record")

    def close(self):
        for client in self.connections.values():
            client.close()


def errors(answer):
    """All error codes in a decoded answer."""
    if isinstance(answer, list):
        return set().union(*map(errors, answer))
    if isinstance(answer, dict):
        return {answer.get("error_code", 0)}.union(*map(errors, answer.values()))
    return set()


def with_later_generation(request, group, by):
    before, found, after = request.partition(wire.string(group))
    generation = struct.unpack_from(">i", after)[0] if found else -1
    return before + found + struct.pack(">i", generation + by) + after[4:] if generation > 0 else request


def body(message, frame, raw):
    flexible = message.flexible is not None and frame["version"] >= message.flexible and frame["api_key"] != API_VERSIONS
    return codec.Decoder(message, frame["version"], raw[5 if flexible else 4:]).all()


def fetched(frame):
    """Whether a Fetch was answered with records."""
    found = body(MESSAGES[FETCH, "response"], frame, bytes.fromhex(frame["hex"]))
    return any(p["records"] for t in found["responses"] for p in t["partitions"])


def body_at(frame, raw):
    """Where a request's body begins: behind key, version, correlation id, client id, and tags in flexible versions."""
    message = MESSAGES[frame["api_key"], "request"]
    return 10 + max(0, struct.unpack_from(">h", raw, 8)[0]) + (message.flexible is not None and frame["version"] >= message.flexible)


def acks_of(frame, raw):
    """Of a Produce request."""
    return codec.Decoder(MESSAGES[PRODUCE, "request"], frame["version"], raw[body_at(frame, raw):]).all()["acks"]
