"""What is done to the group coordinator that no proper client does: records of its own topic written by others, ids asked for
by the hundred thousand. Groups that behave are served all the time."""
import os, struct, sys, threading, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from scenario import BrokerTest, wait_until

OFFSET_COMMIT, OFFSET_FETCH, JOIN_GROUP = 8, 9, 11
NOT_COORDINATOR_YET, MEMBER_ID_REQUIRED = (14, 15, 16), 79
OFFSETS = "__consumer_offsets"
NOBODY = struct.pack(">i", -1) + wire.string("")


def commit(client, group, offset, topic="t", partition=0):
    """error; of somebody who is no member (version 3)"""
    parts = wire.array([struct.pack(">iq", partition, offset) + wire.nullable(None)])
    body = wire.string(group) + NOBODY + struct.pack(">q", -1) + wire.array([wire.string(topic) + parts])
    r = client.call(OFFSET_COMMIT, 3, body)
    r.int32()
    [[(_, error)]] = r.array(lambda: (r.string(), r.array(lambda: (r.int32(), r.int16())))[1])
    return error


def committed(client, group, topic="t", partition=0):
    """The offset; None while the coordinator is not ready (version 3)."""
    r = client.call(OFFSET_FETCH, 3, wire.string(group) + wire.array([wire.string(topic) + wire.array([struct.pack(">i", partition)])]))
    r.int32()
    told = r.array(lambda: (r.string(), r.array(lambda: (r.int32(), r.int64(), r.string(), r.int16())))[1])
    return None if r.int16() in NOT_COORDINATOR_YET else told[0][0][1]


def make(client, group):
    """Commits 1 for `group`, whose coordinator may have to be made first."""
    client.find_coordinator(group)
    wait_until(lambda: commit(client, group, 1) == wire.NONE, "a coordinator")


def commit_of_version(version, group, offset, topic="t"):
    """A record of __consumer_offsets: OffsetCommitKey 1, OffsetCommitValue 3 in which another version may stand in front."""
    key = struct.pack(">h", 1) + wire.string(group) + wire.string(topic) + struct.pack(">i", 0)
    value = struct.pack(">hqi", version, offset, -1) + wire.string("") + struct.pack(">q", 1_700_000_000_000)
    return key, value


class OffsetsTopic(BrokerTest):
    properties = {"offsets.topic.num.partitions": 1, "num.partitions": 1, "auto.create.topics.enable": "true"}

    def write(self, client, records, name):
        content = b"".join(wire.record(value, i, key) for i, (key, value) in enumerate(records))
        data = wire.batch([None] * len(records), payload=content)
        return client.produced(client.call(wire.PRODUCE, 8, wire.produce_body(OFFSETS, 0, data), client=name))

    def test_no_ordinary_client_writes_into_it(self):
        client = self.client()
        client.metadata(["t"], create=True)
        make(client, "g")
        end = client.offset(OFFSETS)
        wrote = self.write(client, [commit_of_version(3, "g", 99)], "somebody")
        self.assertEqual(wrote.error, wire.INVALID_TOPIC)
        self.assertEqual(client.offset(OFFSETS), end, "nothing was written")
        self.assertEqual(committed(client, "g"), 1)
        self.assertEqual(commit(client, "g", 2), wire.NONE)

    def test_what_it_cannot_read_it_names_and_leaves_out(self):
        """Whoever may write there (an administrator's tool, as with Kafka) may have been a newer release."""
        client = self.client()
        client.metadata(["t"], create=True)
        make(client, "before")
        _, first = client.offset(OFFSETS)
        unknown_key = struct.pack(">h", 77) + b"who knows"
        odd = [commit_of_version(99, "newer", 5), (unknown_key, b"\0\0"), (b"\0", b""), commit_of_version(3, "same", 7)]
        self.assertEqual(self.write(client, odd, "__admin_client").error, wire.NONE)
        self.assertEqual(commit(client, "after", 3), wire.NONE)
        self.broker.kill()
        self.broker.start()
        client = self.client()
        self.assertEqual(wait_until(lambda: committed(client, "before"), "the coordinator has loaded"), 1)
        self.assertEqual(committed(client, "after"), 3)
        self.assertEqual(committed(client, "same"), 7)
        self.assertEqual(committed(client, "newer"), -1)
        for number, why in enumerate((r"OffsetCommitValue: expected version 0 to 4, found 99", r"found type 77", r"key: ")):
            self.broker.wait_for_line(rf"{OFFSETS}-0: the record at offset {first + number} cannot be read and is left out: .*{why}", 1)
        self.assertEqual(commit(client, "newer", 8), wire.NONE)
        self.assertEqual(committed(client, "newer"), 8)


class ThrownAway(BrokerTest):
    properties = {"offsets.topic.num.partitions": 1, "group.min.session.timeout.ms": 100}
    IDS = 100_000

    def test_ids_by_the_hundred_thousand(self):
        """Each was given one (KIP-394) and never came back: their memory is given back when their time is over."""
        client = self.client(timeout=60)
        client.find_coordinator("g")
        body = (wire.string("g") + struct.pack(">ii", 3000, 3000) + wire.string("") + wire.string("consumer") +
                wire.array([wire.string("range") + struct.pack(">i", 1) + b"x"]))
        wait_until(lambda: self.error_of(client.call(JOIN_GROUP, 4, body)) == MEMBER_ID_REQUIRED, "a coordinator")
        with self.others_served():
            before = self.broker.rss_kb()
            frame = wire.request(JOIN_GROUP, 4, body)
            writer = threading.Thread(target=lambda: client.socket.sendall(frame * self.IDS), daemon=True)
            writer.start()
            for _ in range(self.IDS):
                reply = wire.Reader(client.receive())
                reply.int32()
                self.assertEqual(self.error_of(reply), MEMBER_ID_REQUIRED)
            writer.join()
            grown = (self.broker.rss_kb() - before) / 1024
            print(f"{self.IDS} ids: {grown:.1f} MiB more", file=sys.stderr)
            self.assertLess(grown, 100)
            wait_until(lambda: (self.broker.rss_kb() - before) / 1024 < max(4, grown / 3), "their memory is given back", 15)

    def error_of(self, reply):
        reply.int32()
        return reply.int16()


if __name__ == "__main__":
    unittest.main()
