"""Requests and records about groups that no client of good will sends: the broker refuses them and goes on, also after a start."""
import os, struct, sys, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau

PRODUCE, OFFSET_COMMIT, JOIN_GROUP, SYNC_GROUP, CONSUMER_GROUP_HEARTBEAT = 0, 8, 11, 14, 68
UNKNOWN_MEMBER_ID, INVALID_TRANSACTION_TIMEOUT, INCONSISTENT_GROUP_PROTOCOL = 25, 50, 23
LONG = "x" * 40_000  # a string is no longer than 32,767 bytes; the compact form could say more
SETTINGS = {"process.roles": "broker,controller", "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0}


def unsigned(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def compact(text):
    return b"\0" if text is None else unsigned(len(text) + 1) + text.encode()


def compacts(items):
    return unsigned(len(items) + 1) + b"".join(items)


def heartbeat(group="g", member="m", instance=None, topics=("t",), regex=None):  # version 1
    return (compact(group) + compact(member) + struct.pack(">i", 0) + compact(instance) + compact(None) + struct.pack(">i", 10_000)
            + compacts([compact(t) for t in topics]) + compact(regex) + compact(None) + compacts([]) + b"\0")


def commit(group):  # version 8
    partition = struct.pack(">iqi", 0, 5, -1) + compact("") + b"\0"
    return (compact(group) + struct.pack(">i", -1) + compact("") + compact(None) + compacts([compact("t") + compacts([partition]) + b"\0"])
            + b"\0")


def join(group, instance):  # version 6
    protocol = compact("range") + unsigned(7) + b"\0" * 6 + b"\0"
    return (compact(group) + struct.pack(">ii", 10_000, 10_000) + compact("") + compact(instance) + compact("consumer")
            + compacts([protocol]) + b"\0")


TOO_LONG = [(OFFSET_COMMIT, 8, commit(LONG)), (JOIN_GROUP, 6, join(LONG, None)), (JOIN_GROUP, 6, join("g", LONG)),
            (CONSUMER_GROUP_HEARTBEAT, 1, heartbeat(group=LONG)), (CONSUMER_GROUP_HEARTBEAT, 1, heartbeat(member=LONG)),
            (CONSUMER_GROUP_HEARTBEAT, 1, heartbeat(instance=LONG)), (CONSUMER_GROUP_HEARTBEAT, 1, heartbeat(topics=[LONG])),
            (CONSUMER_GROUP_HEARTBEAT, 1, heartbeat(topics=[], regex=LONG))]


def about(name):
    """(key, version, body) of requests whose refusal repeats `name`."""
    tags, old, config = b"\0", wire.string, wire.string("x") + wire.nullable("y")
    topic = lambda n, configs: wire.array([old(n) + struct.pack(">ih", 1, 1) + wire.array([]) + wire.array(configs)]) + struct.pack(">i?", 9000, False)
    altered = lambda kind, n, c: wire.array([struct.pack(">b", kind) + old(n) + wire.array([c])]) + b"\0"
    longs = lambda: (old(name) + wire.nullable("y"), old("retention.ms") + wire.nullable(name))
    return [(69, 1, tags + compacts([compact(name)]) + b"\0" + tags), (15, 6, tags + compacts([compact(name)]) + b"\0" + tags),
            (CONSUMER_GROUP_HEARTBEAT, 1, tags + heartbeat(group=name, member=name, topics=[], regex="(" + name[1:])),
            (19, 2, topic(name, [])), *((19, 2, topic("new", [c])) for c in longs()),
            *((32, 1, wire.array([struct.pack(">b", kind) + old(name) + struct.pack(">i", -1)]) + b"\0") for kind in (2, 4, 8, 16, 32)),
            *((33, 0, altered(kind, name, config)) for kind in (2, 4, 8, 16, 32)),
            *((33, 0, altered(kind, "g", c)) for kind in (2, 4, 16, 32) for c in longs()),
            *((44, 0, wire.array([struct.pack(">b", kind) + old(name) + wire.array([old("x") + b"\0" + wire.nullable("y")])]) + b"\0") for kind in (2, 4, 16, 32))]


def group_record(group, members, protocol):
    """(key, value) of a GroupMetadata record, version 3."""
    one = [wire.string(m) + wire.nullable(None) + wire.string("c") + wire.string("h") + struct.pack(">iiii", 1000, 1000, 0, 0) for m in members]
    value = struct.pack(">h", 3) + wire.string("consumer") + struct.pack(">i", 1) + wire.nullable(protocol) + wire.nullable(None)
    return struct.pack(">h", 2) + wire.string(group), value + struct.pack(">q", -1) + wire.array(one)


class OddGroups(unittest.TestCase):
    def test_strings_are_no_longer_than_two_bytes_can_say(self):
        with Moldau(**SETTINGS) as broker, wire.Client(broker.port) as client:
            client.create_topic("t")
            self.assertEqual(client.find_coordinator("g"), wire.NONE)
            for key, version, body in TOO_LONG:
                with wire.Client(broker.port) as odd:
                    odd.send(key, version, b"\0" + body)  # the header's tags
                    self.assertTrue(odd.is_closed(), (key, version))
            self.assertIn("found 40000, out of range: the largest is 32767", broker.log())
            self.assertEqual(client.heartbeat("g", 1, "m"), UNKNOWN_MEMBER_ID)

    def test_texts_about_the_longest_names_fit_a_string(self):
        """Longer than a name, the text about it was; the broker must not end for that."""
        longest = "x" * 32_767
        with Moldau(**SETTINGS) as broker:
            with wire.Client(broker.port) as client:
                client.find_coordinator("g")
                client.find_coordinator(longest)
            for key, version, body in about(longest):
                with wire.Client(broker.port) as odd:
                    odd.send(key, version, body)
                    try:
                        odd.receive()
                    except wire.Closed:
                        pass
                with wire.Client(broker.port) as client:
                    self.assertEqual(client.heartbeat("g", 1, "m"), UNKNOWN_MEMBER_ID, (key, version))

    def test_records_that_no_broker_writes_do_not_keep_it_from_starting(self):
        with Moldau(**SETTINGS) as broker:
            with wire.Client(broker.port) as client:
                client.create_topic("t")
                client.find_coordinator("g")
                records = [group_record("twice", ["m", "m"], "range"), group_record("without", ["m"], None),
                           (struct.pack(">h", 99) + b"?", b"??"), (struct.pack(">h", 2) + wire.string("newer"), struct.pack(">h", 77))]
                body = wire.produce_body("__consumer_offsets", 0, keyed(records))
                told = client.produced(client.call(PRODUCE, 8, body, client="__admin_client"))
                self.assertEqual(told.error, wire.NONE)
                self.assertEqual(client.produced(client.call(PRODUCE, 8, body)).error, wire.INVALID_TOPIC, "for others it is the broker's")
            broker.kill()
            broker.start()
            with wire.Client(broker.port) as client:
                until_served(client)
                log = broker.log()
                for why in ("expected each once, found m twice", "expected a protocol of theirs, found null", "found type 99",
                            "GroupMetadataValue: expected version 0 to 4, found 77"):
                    self.assertIn(why, log)

    def test_a_transaction_may_not_be_longer_than_allowed(self):
        with Moldau(**SETTINGS) as broker, wire.Client(broker.port) as client:
            for timeout_ms in (0, 900_001):
                told = client.call(wire.INIT_PRODUCER_ID, 0, wire.string("tx") + struct.pack(">i", timeout_ms))
                told.int32()
                self.assertEqual(told.int16(), INVALID_TRANSACTION_TIMEOUT)

    def test_since_version_5_a_sync_names_its_protocol(self):
        with Moldau(**SETTINGS) as broker, wire.Client(broker.port) as client:
            client.find_coordinator("g")
            body = compact("g") + struct.pack(">i", 1) + compact("m") + compact(None) + compact(None) + compact("range") + compacts([]) + b"\0"
            told = client.call(SYNC_GROUP, 5, b"\0" + body)
            told.take(1 + 4)
            self.assertEqual(told.int16(), INCONSISTENT_GROUP_PROTOCOL)


def keyed(records):
    payload = b"".join(wire.record(value, i, key) for i, (key, value) in enumerate(records))
    return wire.batch([v for _, v in records], payload=payload)


def until_served(client):
    """The coordinator has read its groups: a heartbeat of nobody's is refused then, not before."""
    end = time.monotonic() + 20
    while client.heartbeat("g", 1, "m") != UNKNOWN_MEMBER_ID:
        assert time.monotonic() < end, "the groups are not loaded"


if __name__ == "__main__":
    unittest.main()
