"""Whole exchanges of Kafka's own clients and tools with Kafka of their version (tests/golden/wire), sent again to Moldau: its
answers differ from Kafka's in nothing but what is listed as volatile below."""
import gzip, json, os, pathlib, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import codec
import kafka_wire as wire
from moldau import Moldau
from scenario import wait_until

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden/wire"
MESSAGES = codec.messages()
API_VERSIONS = 18
# Told by Kafka anew in every run. What later requests repeat of these is put in place there (Replay.names).
NAMED = {"topic_id", "member_id", "producer_id", "session_id", "leader"}
VOLATILE = NAMED | {
    "throttle_time_ms", "cluster_id", "host", "port", "log_append_time_ms", "timestamp", "controller_id",
    "log_dir", "log_dirs", "size", "total_bytes", "usable_bytes", "client_host",
    "leader_epoch", "current_leader_epoch", "committed_leader_epoch", "offline_replicas", "records",
    "api_keys", "supported_features", "finalized_features", "finalized_features_epoch",
    "members", "member_id", "node_id", "broker_id", "group_epoch", "assignment_epoch", "member_epoch"}


def recorded(version, left_out):
    with gzip.open(GOLDEN / f"{version}.jsonl.gz", "rt") as lines:
        return [frame for frame in map(json.loads, lines) if frame["story"] not in left_out]


def differences(kafka, moldau, path=""):
    """Where two decoded messages differ, as (path, Kafka's, Moldau's)."""
    name = path.rsplit(".", 1)[-1]
    if name in VOLATILE:
        return []
    if isinstance(kafka, dict) and isinstance(moldau, dict):
        return [d for key in kafka | moldau for d in differences(kafka.get(key), moldau.get(key), f"{path}.{key}" if path else key)]
    if isinstance(kafka, list) and isinstance(moldau, list) and len(kafka) == len(moldau):
        return [d for a, b in zip(by_name(kafka), by_name(moldau)) for d in differences(a, b, path)]
    return [] if kafka == moldau else [(path, kafka, moldau)]


def by_name(elements):
    """Elements that have names in the names' order: Kafka's is that of a hash table."""
    keys = ("name", "topic", "group_id", "resource_name", "partition_index", "topic_name")
    key = next((k for k in keys if elements and isinstance(elements[0], dict) and k in elements[0]), None)
    return sorted(elements, key=lambda e: str(e[key])) if key else elements


def pairs(kafka, moldau, name=""):
    """(Kafka's, Moldau's) of the fields that later requests repeat."""
    if isinstance(kafka, dict) and isinstance(moldau, dict):
        return [p for key in kafka for p in pairs(kafka[key], moldau.get(key), key)]
    if isinstance(kafka, list) and isinstance(moldau, list):
        return [p for a, b in zip(by_name(kafka), by_name(moldau)) for p in pairs(a, b, name)]
    return [(kafka, moldau)] if name in NAMED and isinstance(kafka, bytes) and isinstance(moldau, bytes) else []


class Replay:
    """Sends frames in their recorded order, one connection for each recorded one, and compares the answers."""

    def __init__(self, port):
        self.port, self.connections, self.names, self.wrong, self.compared = port, {}, {}, [], 0

    def play(self, frames):
        for frame in frames:
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
        self.wrong += [f"{what}: {path}: Kafka {a!r}, Moldau {b!r}" for path, a, b in differences(kafka, moldau)]
        self.names |= {a: b for a, b in pairs(kafka, moldau) if len(a) == len(b) >= 16 and any(a)}

    def close(self):
        for client in self.connections.values():
            client.close()


if __name__ == "__main__":
    unittest.main()
