"""Whole exchanges of Kafka's own clients and tools with Kafka of their version (tests/golden/wire), sent again to Moldau: its
answers differ from Kafka's in nothing but what is listed as volatile below."""
import gzip, json, os, pathlib, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import codec
import kafka_wire as wire
from moldau import Moldau

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden/wire"
MESSAGES = codec.messages()
API_VERSIONS = 18
# Told by Kafka anew in every run; what later requests repeat of these is put in place there (Replay.names).
NAMED = {"topic_id", "member_id", "leader", "session_id"}
# What depends on the machine, the moment, or on what else the recorded cluster had gone through.
VOLATILE = NAMED | {
    "throttle_time_ms", "cluster_id", "producer_id", "host", "port", "client_host", "log_append_time_ms", "timestamp", "records",
    "log_dir", "partition_size", "total_bytes", "usable_bytes", "leader_epoch", "committed_leader_epoch", "members", "member_epoch"}
# The same, of one API alone.
VOLATILE_IN = {"ApiVersionsResponse": {"api_keys", "supported_features", "finalized_features", "finalized_features_epoch"},
               "DescribeQuorumResponse": {"high_watermark", "replica_directory_id", "log_end_offset", "last_fetch_timestamp",
                                          "last_caught_up_timestamp"},
               "ConsumerGroupHeartbeatResponse": {"assignment"},
               "ConsumerGroupDescribeResponse": {"group_epoch", "assignment_epoch"}}
# Kafka makes these internal topics for what is not served here.
NOT_HERE = {b"__transaction_state", b"__share_group_state"}
# Kafka was not ready yet, and its client asked again: Moldau may be.
NOT_YET = {3, 5, 14, 15, 16}


def recorded(version, left_out):
    with gzip.open(GOLDEN / f"{version}.jsonl.gz", "rt") as lines:
        return [frame for frame in map(json.loads, lines) if frame["story"] not in left_out]


def differences(kafka, moldau, volatile, path=""):
    """Where two decoded messages differ, as (path, Kafka's, Moldau's)."""
    if path.rsplit(".", 1)[-1] in volatile:
        return []
    if isinstance(kafka, dict) and isinstance(moldau, dict):
        if kafka.get("error_code") in NOT_YET and moldau.get("error_code") == 0:
            return []
        return [d for key in kafka | moldau for d in differences(kafka.get(key), moldau.get(key), volatile, f"{path}.{key}" if path else key)]
    if isinstance(kafka, list) and isinstance(moldau, list):
        kafka, moldau = by_name(kafka), by_name(moldau)
        if len(kafka) == len(moldau):
            return [d for a, b in zip(kafka, moldau) for d in differences(a, b, volatile, path + called(a))]
    return [] if kafka == moldau else [(path, kafka, moldau)]


def key_of(element):
    keys = ("name", "topic", "group_id", "resource_name", "topic_name", "partition_index", "partition")
    return next((k for k in keys if isinstance(element, dict) and k in element), None)


def called(element):
    """In brackets, to say which element of a list is meant."""
    return f"[{element[key_of(element)]}]" if key_of(element) else ""


def by_name(elements):
    """Elements that have names in the names' order, for Kafka's is that of a hash table; without topics that are not here."""
    key = key_of(elements[0]) if elements else None
    return sorted((e for e in elements if e[key] not in NOT_HERE), key=lambda e: str(e[key])) if key else elements


def pairs(kafka, moldau, name=""):
    """(Kafka's, Moldau's) of the fields that later requests repeat."""
    if isinstance(kafka, dict) and isinstance(moldau, dict):
        return [p for key in kafka if key != "members" for p in pairs(kafka[key], moldau.get(key), key)]
    if isinstance(kafka, list) and isinstance(moldau, list):
        return [p for a, b in zip(by_name(kafka), by_name(moldau)) for p in pairs(a, b, name)]
    if name == "session_id" and kafka and moldau:
        return [(kafka.to_bytes(4, "big"), moldau.to_bytes(4, "big"))]
    return [(kafka, moldau)] if name in NAMED and isinstance(kafka, bytes) and isinstance(moldau, bytes) and any(kafka) else []


class Replay:
    """Sends frames in their recorded order, one connection for each recorded one, and compares the answers."""

    def __init__(self, port):
        self.port, self.connections, self.names, self.wrong, self.compared = port, {}, {}, [], 0
        with wire.Client(port) as client:
            self.served = set(client.api_versions())

    def play(self, frames):
        for frame in frames:
            if frame["api_key"] not in self.served:
                continue
            raw = bytes.fromhex(frame["hex"])
            client = self.connections.get(frame["conn"]) or self.connections.setdefault(frame["conn"], wire.Client(self.port, timeout=15))
            if frame["dir"] == "req":
                for theirs, ours in self.names.items():
                    raw = raw.replace(theirs, ours)
                client.socket.sendall(len(raw).to_bytes(4, "big") + raw)
            else:
                self.answer(frame, raw, client)

    def answer(self, frame, raw, client):
        message = MESSAGES[frame["api_key"], "response"]
        what = f"{frame['story']}, connection {frame['conn']}: {message.name} {frame['version']}"
        try:
            told = client.receive()
        except (wire.Closed, TimeoutError) as gone:
            self.wrong.append(f"{what}: {type(gone).__name__}")
            return
        flexible = message.flexible is not None and frame["version"] >= message.flexible and frame["api_key"] != API_VERSIONS
        kafka, moldau = (codec.Decoder(message, frame["version"], data[5 if flexible else 4:]).all() for data in (raw, told))
        self.compared += 1
        volatile = VOLATILE | VOLATILE_IN.get(message.name, set())
        self.wrong += [f"{what}: {path}: Kafka {a!r}, Moldau {b!r}" for path, a, b in differences(kafka, moldau, volatile)]
        self.names |= {a: b for a, b in pairs(kafka, moldau) if len(a) == len(b)}

    def close(self):
        for client in self.connections.values():
            client.close()


# Settings of the brokers that were recorded, as far as answers show them.
SETTINGS = {"process.roles": "broker,controller", "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 3, "num.partitions": 1,
            "log.retention.hours": 168, "log.segment.bytes": 1073741824}
TRANSACTIONS = {"transactional-producer": "transactions are not served here", "transactions-admin": "transactions are not served here"}


class Exchanges(unittest.TestCase):
    def replay(self, version, node, fill, left_out, known=(), at_least=0):
        """`fill`: the ends of w1's partitions after what is left out, before the first consumer; `known`: differences that stay."""
        frames = recorded(version, left_out)
        stories = list(dict.fromkeys(frame["story"] for frame in frames))
        with Moldau(**SETTINGS | {"node.id": node}) as broker:
            replay = Replay(broker.port)
            try:
                for story in stories:
                    if story == "console-consumer-group":
                        self.fill(broker.port, fill)
                    replay.play([frame for frame in frames if frame["story"] == story])
            finally:
                replay.close()
        wrong = [w for w in replay.wrong if not any(part in w for part in known)]
        self.assertFalse(wrong, "\n".join([""] + wrong))
        self.assertGreaterEqual(replay.compared, at_least)

    def fill(self, port, ends):
        with wire.Client(port) as client:
            for partition, end in ends.items():
                while client.offset("w1", -1, partition)[1] < end:
                    self.assertEqual(client.produce("w1", [b"of a transaction"], partition).error, wire.NONE)

    def test_4_3_1(self):
        """The one difference: where retention.ms comes from, that Kafka says otherwise in DescribeConfigs, too."""
        self.replay("4.3.1", 1, {1: 30}, TRANSACTIONS | {"reassign-admin": "needs several brokers"},
                    known=["CreateTopicsResponse 7: topics[b'w1'].configs[b'retention.ms'].config_source: Kafka 4, Moldau 5"], at_least=380)

    def test_2_5_1(self):
        """Its settings and texts were those of its time; a group without offsets was gone with them, and topics were told twice."""
        self.replay("2.5.1", 0, {0: 4, 1: 22, 2: 11}, TRANSACTIONS,
                    known=[".configs", ".error_message", "DeleteGroupsResponse 2: results[b'wg'].error_code: Kafka 69", "OffsetDeleteResponse 0"],
                    at_least=280)


if __name__ == "__main__":
    unittest.main()
