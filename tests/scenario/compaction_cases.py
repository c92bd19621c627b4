"""What compaction is given, and what it leaves: the same input for any broker, and the log's files read by hand.

A case is a topic's settings and phases; each phase writes batches, then lets the cleaner work once over all of it. What lies in
the folder then is told segment by segment, batch by batch, without what must differ (times of the cleaning, producer ids)."""
import gzip, os, pathlib, random, struct, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire  # noqa: E402

INCREMENTAL_ALTER_CONFIGS = 44
TIME = 1_700_000_000_000
ATTRIBUTES, HORIZON, GZIP = 21, 0x40, 1
CASES = {
    "tombstones-go-at-once": dict(seed=1, phases=3, retention_ms=0),
    "tombstones-stay": dict(seed=2, phases=3, retention_ms=3_600_000),
    "packed": dict(seed=3, phases=2, retention_ms=0, packed=0.5),
    "producers": dict(seed=4, phases=3, retention_ms=0, producers=3),
    "one-key": dict(seed=5, phases=3, retention_ms=0, keys=1),
    "only-tombstones": dict(seed=6, phases=3, retention_ms=0, tombstones=1.0),
    "large-records": dict(seed=7, phases=2, retention_ms=0, value_bytes=600),
}


def batch(records, timestamp, packed=False, producer=(-1, -1, -1)):
    content = b"".join(wire.record(value, i, key) for i, (key, value) in enumerate(records))
    producer_id, epoch, sequence = producer
    return wire.batch([None] * len(records), payload=gzip.compress(content, mtime=0) if packed else content, timestamp=timestamp,
                      attributes=GZIP if packed else 0, producer_id=producer_id, epoch=epoch, sequence=sequence)


class Input:
    """Batches by lot: the same for the same seed."""

    def __init__(self, seed, phases, retention_ms, keys=12, tombstones=0.15, packed=0.0, producers=0, value_bytes=60):
        self.lot, self.phases, self.retention_ms = random.Random(seed), phases, retention_ms
        self.keys, self.tombstones, self.packed, self.value_bytes = keys, tombstones, packed, value_bytes
        self.producers, self.sequences, self.now = producers, [0] * producers, TIME

    def configs(self, ratio):
        return {"cleanup.policy": "compact", "internal.segment.bytes": 3000, "index.interval.bytes": 200, "file.delete.delay.ms": 0,
                "delete.retention.ms": self.retention_ms, "min.cleanable.dirty.ratio": ratio}

    def records(self):
        for _ in range(self.lot.randint(1, 4)):
            key = b"key-%d" % self.lot.randrange(self.keys)
            tombstone = self.lot.random() < self.tombstones
            yield key, None if tombstone else bytes(self.lot.choices(b"abcdefgh", k=self.lot.randint(0, self.value_bytes)))

    def batches(self, ids):
        """One phase. `ids`: (id, epoch) of each producer. Many keys, and at last some that end the segment."""
        for _ in range(60):
            records, producer = list(self.records()), (-1, -1, -1)
            if self.producers and self.lot.random() < 0.6:
                one = self.lot.randrange(self.producers)
                producer = (*ids[one], self.sequences[one])
                self.sequences[one] += len(records)
            self.now += self.lot.randint(0, 50)
            yield batch(records, self.now, self.lot.random() < self.packed, producer)
        yield batch([(b"filler", b"." * 2900)], self.now)


def alter(client, topic, **configs):
    settings = wire.array(wire.string(k.replace("_", ".")) + b"\0" + wire.nullable(str(v)) for k, v in configs.items())
    r = client.call(INCREMENTAL_ALTER_CONFIGS, 0, wire.array([b"\x02" + wire.string(topic) + settings]) + b"\0")
    r.int32()
    [(error, message, _, _)] = r.array(lambda: (r.int16(), r.string(), r.number("b"), r.string()))
    if error:
        raise AssertionError(f"{topic}: {configs}: error {error} {message}")


def segments(folder):
    return sorted(path for path in pathlib.Path(folder).glob("*.log") if path.name[:20].isdigit())


def checkpoint(folder, topic):
    """Below which offset the topic's partition 0 is compacted; nothing before the first round."""
    path = pathlib.Path(folder) / "cleaner-offset-checkpoint"
    lines = path.read_text().split("\n")[2:] if path.exists() else []
    found = [line.split() for line in lines if line.startswith(f"{topic} 0 ")]
    return int(found[0][2]) if found else None


def wait_for_round(folder, topic, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        active = int(segments(f"{folder}/{topic}-0")[-1].name[:20])
        if checkpoint(folder, topic) == active:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"{topic}: compacted to {checkpoint(folder, topic)}, not to {active}, within {seconds} s")
        time.sleep(0.02)


def varlong(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


def text(data, at):
    size, at = varlong(data, at)
    return (None, at) if size < 0 else (data[at:at + size].decode(), at + size)


def tell_batch(one, ids):
    base, _, _, _, crc, attributes, delta, first, last, producer, epoch, sequence, count = struct.unpack_from(">qiibIhiqqqhii", one)
    assert crc == wire.crc32c(one[ATTRIBUTES:]), f"the batch at {base} has a wrong CRC"
    content, records = (gzip.decompress(one[61:]) if attributes & 7 == GZIP else one[61:]), []
    at = 0
    for _ in range(count):
        _, at = varlong(content, at)
        time_delta, at = varlong(content, at + 1)
        offset_delta, at = varlong(content, at)
        key, at = text(content, at)
        value, at = text(content, at)
        _, at = varlong(content, at)
        records.append([base + offset_delta, key, value, first + time_delta])
    return {"base": base, "last": base + delta, "codec": attributes & 7, "horizon": bool(attributes & HORIZON), "last_time": last,
            "producer": ids.index(producer) if producer >= 0 else -1, "sequence": sequence, "records": records}


def left(folder, ids):
    """All that lies in a partition's folder."""
    return [{"segment": int(path.name[:20]),
             "batches": [tell_batch(one, ids) for _, _, one in wire.batches(path.read_bytes())]} for path in segments(folder)]


def run(port, data, topic, case):
    """What is left after each phase."""
    told, source = [], Input(**CASES[case])
    with wire.Client(port) as client:
        ids = [producer_id(client) for _ in range(source.producers)]
        assert client.create_topic(topic, configs=source.configs(1.0))[0] == wire.NONE
        for _ in range(source.phases):
            for one in source.batches(ids):
                wrote = produce(client, topic, one)
                assert wrote.error == wire.NONE, f"{topic}: error {wrote.error}"
            alter(client, topic, min_cleanable_dirty_ratio=0.01)
            wait_for_round(data, topic)
            alter(client, topic, min_cleanable_dirty_ratio=1.0)
            told.append(left(f"{data}/{topic}-0", [i for i, _ in ids]))
    return told


def producer_id(client, patience=50):
    """A new broker may have to ask for ids first."""
    while True:
        try:
            return client.init_producer_id()
        except AssertionError:
            if not patience:
                raise
        patience -= 1
        time.sleep(0.1)


def produce(client, topic, data, patience=50):
    """A new topic's leader may not know of it yet."""
    while True:
        wrote = client.produce(topic, [], data=data)
        if wrote.error not in (wire.UNKNOWN_TOPIC_OR_PARTITION, wire.NOT_LEADER_OR_FOLLOWER) or not patience:
            return wrote
        patience -= 1
        time.sleep(0.1)
