"""Backlogs that old clients read: 200 MB of compressed batches of magic 2, converted a little at a time. The broker's memory stays
where it was however much they ask for at once; every record comes once and in order."""
import gzip, os, pathlib, re, struct, sys, threading, time, unittest, zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import codec
import kafka_wire as wire
import native
import record_sets
from scenario import BrokerTest, partition_folder, segments, wait_until

OFFSET_COMMIT, OFFSET_FETCH, JOIN_GROUP, LEAVE_GROUP, SYNC_GROUP = 8, 9, 11, 13, 14
REBALANCE_IN_PROGRESS = 27
MESSAGES = codec.messages()
TOPIC, PARTITIONS, BATCHES, RECORDS, SIZE = "backlog", 2, 210, 250, 4096  # batches a partition, records a batch, bytes a record
STORED = 100 << 20  # bytes of a partition at least: half of each record does not compress
ASKED = 64 << 20    # bytes of a partition that old consumers ask for at once
BOUND_MIB = 40      # of the broker's memory above what it was before anybody read; each run says on stderr what it was
BEGIN = 1_700_000_000_000  # the first record's timestamp; each comes 1 ms later
NOISE = os.urandom(1 << 20)


def value_of(number):
    at = number * 40009 % (len(NOISE) - SIZE)
    return struct.pack(">q", number) + NOISE[at:at + SIZE // 2] + bytes(SIZE // 2 - 8)


def batch(first):
    """RECORDS records from number `first` on, compressed by lz4."""
    def record(delta):
        value = value_of(first + delta)
        body = b"\0" + wire.varint(delta) + wire.varint(delta) + wire.varint(-1) + wire.varint(len(value)) + value + b"\0"
        return wire.varint(len(body)) + body
    packed = native.lz4_frame(b"".join(map(record, range(RECORDS))))
    made = bytearray(wire.batch([], attributes=native.LZ4, count=RECORDS, last_delta=RECORDS - 1, crc=0, payload=packed,
                                timestamp=BEGIN + first))
    struct.pack_into(">q", made, 35, BEGIN + first + RECORDS - 1)  # the highest timestamp
    struct.pack_into(">I", made, 17, native.crc32c(bytes(made[21:])))
    return bytes(made)


class OldClient(wire.Client):
    """Requests of clients from 0.8.2 to 0.10; answers are decoded."""

    def ask(self, key, version, body):
        self.send(key, version, body)
        return self.told(key, version)

    def told(self, key, version):
        return codec.Decoder(MESSAGES[key, "response"], version, self.receive()[4:]).all()

    def fetch_old(self, version, topic, partition, offset):
        """(high watermark, records, their bytes)"""
        part = struct.pack(">iqi", partition, offset, ASKED)
        found = self.ask(wire.FETCH, version, struct.pack(">iii", -1, 100, 1) + wire.array([wire.string(topic) + wire.array([part])]))
        [answer] = found["responses"][0]["partitions"]
        if answer["error_code"] != wire.NONE:
            raise AssertionError(f"Fetch {version} of {topic}-{partition} at {offset}: error {answer['error_code']}")
        return answer["high_watermark"], record_sets.decode(answer["records"]), len(answer["records"])


class Reader:
    """Reads a partition to its end, as its only consumer would, and checks what comes."""

    def __init__(self, client, version, partition, after_each=lambda offset: None):
        self.client, self.version, self.partition, self.after_each = client, version, partition, after_each
        self.read, self.largest, self.trouble = 0, 0, None

    def run(self):
        try:
            more = True
            while more:
                more = self.once()
                self.after_each(self.read)
        except Exception as trouble:  # of a thread: the test looks at it
            self.trouble = trouble

    def once(self):
        end, records, size = self.client.fetch_old(self.version, TOPIC, self.partition, self.read)
        self.largest = max(self.largest, size)
        for record in records:
            magic = 0 if self.version < 2 else 1
            timestamp = BEGIN + self.read if magic == 1 else -1
            expected = record_sets.Stored(self.read, None, value_of(self.read), magic, native.LZ4, timestamp)
            if record != expected:
                raise AssertionError(f"Fetch {self.version} of partition {self.partition}: {expected} expected, {record} found")
            self.read += 1
        if not records and self.read != end:
            raise AssertionError(f"nothing at {self.read}, below the end {end}")
        return self.read < end


class BacklogTest(BrokerTest):
    """A broker with the backlog, and the memory that it had before anybody read."""
    properties = {"offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 1, "group.initial.rebalance.delay.ms": 0}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with wire.Client(cls.broker.port) as client:
            assert client.create_topic(TOPIC, PARTITIONS)[0] == wire.NONE
            for number in range(BATCHES):
                data = batch(number * RECORDS)
                for partition in range(PARTITIONS):
                    assert client.produce(TOPIC, [], partition, data=data).error == wire.NONE
        for partition in range(PARTITIONS):
            [log] = segments(partition_folder(cls.broker.folder / "data", TOPIC, partition))
            assert log.stat().st_size > STORED, f"{log} is smaller than meant"
        cls.before_kb = cls.broker.rss_kb()

    def forget_the_peak(self):
        """The highest memory is what is in use now."""
        pathlib.Path(f"/proc/{self.broker.process.pid}/clear_refs").write_text("5")

    def check_the_peak(self, what):
        """Never further above what it was than the bound."""
        peak_kb = int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{self.broker.process.pid}/status").read_text())[1])
        grown = (peak_kb - self.before_kb) / 1024
        print(f"{self.id().split('.')[-1]}: {what}, memory at most {grown:.1f} MiB above {self.before_kb / 1024:.1f} MiB", file=sys.stderr)
        self.assertLess(grown, BOUND_MIB)


class OldBacklogs(BacklogTest):
    def read_all(self, readers):
        """All at once, each to the end."""
        self.forget_the_peak()
        begin = time.monotonic()
        threads = [threading.Thread(target=reader.run) for reader in readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for reader in readers:
            if reader.trouble:
                raise reader.trouble
            self.assertEqual(reader.read, BATCHES * RECORDS)
        largest = max(reader.largest for reader in readers) / (1 << 20)
        self.check_the_peak(f"{len(readers)} readers, {time.monotonic() - begin:.1f} s, the largest answer {largest:.1f} MiB")

    def old_client(self):
        client = OldClient(self.broker.port, timeout=60)
        self.addCleanup(client.close)
        return client

    def test_simple_consumers_of_0_8(self):
        self.read_all([Reader(self.old_client(), 0, partition) for partition in range(PARTITIONS)])

    def test_many_at_once(self):
        self.read_all([Reader(self.old_client(), 2, number % PARTITIONS) for number in range(4)])

    def test_a_group_of_0_9(self):
        """Two members share the partitions and commit after each answer; who is left alone gets all, and goes on at the end."""
        first, second = Member(self.old_client(), "old"), Member(self.old_client(), "old")
        together(first, second)
        self.assertEqual(sorted(first.assigned + second.assigned), [0, 1])
        self.read_all([Reader(m.client, 1, m.assigned[0], m.commit) for m in (first, second)])
        self.assertEqual(second.ask(LEAVE_GROUP, 0, wire.string(second.id))["error_code"], wire.NONE)
        first.start_to_join()
        first.join()
        first.sync([first])
        self.assertEqual(first.assigned, [0, 1])
        self.assertEqual(first.committed(), {0: BATCHES * RECORDS, 1: BATCHES * RECORDS})

    def test_records_of_magic_0_have_no_timestamp(self):
        """Neither for clients that know timestamps nor in what is stored."""
        topic, client = self.topic(), self.old_client()
        for attributes, value in [(0, b"plain"), (native.GZIP, gzip.compress(message(b"packed")))]:
            data = message(value, attributes)
            body = struct.pack(">hi", 1, 10000) + wire.array([wire.string(topic) + wire.array([struct.pack(">ii", 0, len(data)) + data])])
            [[told]] = [t["partition_responses"] for t in client.ask(wire.PRODUCE, 0, body)["responses"]]
            self.assertEqual(told["error_code"], wire.NONE)
        stored = client.fetch(topic, 0).data
        self.assertEqual([(r.value, r.magic, r.timestamp) for r in record_sets.decode(stored)], [(b"plain", 2, -1), (b"packed", 2, -1)])
        self.assertEqual([struct.unpack_from(">qq", one, 27) for _, _, one in wire.batches(stored)], [(-1, -1), (-1, -1)])
        for version, magic in [(0, 0), (1, 0), (2, 1)]:
            found = client.fetch_old(version, topic, 0, 0)[1]
            self.assertEqual([(r.offset, r.value, r.magic, r.timestamp) for r in found],
                             [(0, b"plain", magic, -1), (1, b"packed", magic, -1)])


def message(value, attributes=0):
    """Magic 0, without a key."""
    body = struct.pack(">bbii", 0, attributes, -1, len(value)) + value
    return struct.pack(">qiI", 0, len(body) + 4, zlib.crc32(body)) + body


class Member:
    """Of a group in the protocol of 0.9. The leader gives out partitions in turn."""

    def __init__(self, client, group):
        self.client, self.group, self.id, self.generation, self.leads, self.assigned = client, group, "", -1, False, []

    def ask(self, key, version, body):
        return self.client.ask(key, version, wire.string(self.group) + body)

    def start_to_join(self):
        subscription = struct.pack(">h", 0) + wire.array([wire.string(TOPIC)]) + struct.pack(">i", -1)
        protocols = wire.array([wire.string("range") + struct.pack(">i", len(subscription)) + subscription])
        self.client.send(JOIN_GROUP, 0, wire.string(self.group) + struct.pack(">i", 30000) + wire.string(self.id) +
                         wire.string("consumer") + protocols)

    def join(self):
        told = self.client.told(JOIN_GROUP, 0)
        assert told["error_code"] == wire.NONE, told
        self.id, self.generation, self.leads = told["member_id"].decode(), told["generation_id"], told["leader"] == told["member_id"]
        return self

    def sync(self, members):
        """`members`: all of them, in any order."""
        given = [assignment(m.id, range(i, PARTITIONS, len(members))) for i, m in enumerate(members) if self.leads]
        told = self.ask(SYNC_GROUP, 0, struct.pack(">i", self.generation) + wire.string(self.id) + wire.array(given))
        assert told["error_code"] == wire.NONE, told
        reader = wire.Reader(told["assignment"])
        reader.int16()
        [(_, self.assigned)] = reader.array(lambda: (reader.string(), reader.array(reader.int32)))

    def commit(self, offset):
        part = struct.pack(">iq", self.assigned[0], offset) + wire.string("")
        told = self.ask(OFFSET_COMMIT, 2, struct.pack(">i", self.generation) + wire.string(self.id) + struct.pack(">q", -1) +
                        wire.array([wire.string(TOPIC) + wire.array([part])]))
        assert told["topics"][0]["partitions"][0]["error_code"] == wire.NONE, told

    def committed(self):
        told = self.ask(OFFSET_FETCH, 1, wire.array([wire.string(TOPIC) + wire.array(struct.pack(">i", p) for p in range(PARTITIONS))]))
        return {p["partition_index"]: p["committed_offset"] for p in told["topics"][0]["partitions"]}


def assignment(member, partitions):
    content = (struct.pack(">h", 0) + wire.array([wire.string(TOPIC) + wire.array(struct.pack(">i", p) for p in partitions)]) +
               struct.pack(">i", -1))
    return wire.string(member) + struct.pack(">i", len(content)) + content


def together(first, second):
    """Both in one generation: the first is alone in its own, and joins again when it is told of the second."""
    wait_until(lambda: first.client.find_coordinator(first.group) == wire.NONE, "the group has a coordinator")
    first.start_to_join()
    first.join().sync([first])
    second.start_to_join()
    wait_until(lambda: first.client.heartbeat(first.group, first.generation, first.id) == REBALANCE_IN_PROGRESS, "the second is known")
    first.start_to_join()
    leader, other = sorted([first.join(), second.join()], key=lambda m: not m.leads)
    leader.sync([first, second])
    other.sync([first, second])


if __name__ == "__main__":
    unittest.main()
