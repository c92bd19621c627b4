"""kill -9: every acknowledged record is there, at its offset, ten times in a row and under load."""
import os, random, sys, threading, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau


class Writer(threading.Thread):
    """Writes to one partition until the broker is gone; `acknowledged`: {offset: value}."""

    def __init__(self, broker, topic, partition, tag, acks=1, producer=None, pipeline=4):
        super().__init__(daemon=True)
        self.where, self.tag, self.acks, self.pipeline = (broker.port, topic, partition), tag, acks, pipeline
        self.producer, self.sequence = producer, 0
        self.acknowledged, self.errors, self.sent = {}, [], 0

    def run(self):
        port, topic, partition = self.where
        waiting = []
        try:
            with wire.Client(port) as client:
                while True:
                    while len(waiting) < self.pipeline:
                        values = [b"%s-%d-%d" % (self.tag, self.sent, i) for i in range(1 + self.sent % 3)]
                        waiting.append(values)
                        self.sent += 1
                        client.send(wire.PRODUCE, 8, wire.produce_body(topic, partition, self.batch(values), self.acks))
                    reader = wire.Reader(client.receive())
                    reader.int32()
                    reply, values = client.produced(reader), waiting.pop(0)
                    if reply.error != wire.NONE:
                        self.errors.append(reply.error)
                        continue
                    for i, value in enumerate(values):
                        self.acknowledged[reply.offset + i] = value
        except (wire.Closed, OSError):
            pass

    def batch(self, values):
        if self.producer is None:
            return wire.batch(values)
        made = wire.batch(values, producer_id=self.producer[0], epoch=self.producer[1], sequence=self.sequence)
        self.sequence += len(values)
        return made


class Kills(unittest.TestCase):
    def check(self, broker, partition, known):
        """Everything acknowledged is at its offset, offsets are dense, no value is there twice."""
        with wire.Client(broker.port) as client:
            stored = client.read_all("t", partition, check_crc=True)
        self.assertEqual([r.offset for r in stored], list(range(len(stored))), "offsets are not dense")
        by_offset = {r.offset: r.value for r in stored}
        lost = {o: v for o, v in known.items() if by_offset.get(o) != v}
        self.assertEqual(lost, {}, f"{len(lost)} of {len(known)} acknowledged records are not at their offsets; {len(stored)} stored")
        self.assertEqual(len(set(by_offset.values())), len(stored), "values are there twice")
        return len(stored)

    def rounds(self, count, configs=None, **properties):
        dice = random.Random(1)
        slowest, known = 0.0, [{}, {}, {}]
        with Moldau(**properties) as broker:
            with wire.Client(broker.port) as client:
                self.assertEqual(client.create_topic("t", 3, configs), (wire.NONE, None))
            for round in range(count):
                with wire.Client(broker.port) as client:
                    producer = client.init_producer_id()
                writers = [Writer(broker, "t", 0, b"a%d" % round), Writer(broker, "t", 1, b"b%d" % round, acks=-1),
                           Writer(broker, "t", 2, b"c%d" % round, producer=producer)]
                for writer in writers:
                    writer.start()
                time.sleep(0.05 + dice.random() * 0.25)  # the load that the kill interrupts
                broker.kill()
                for writer in writers:
                    writer.join(10)
                    self.assertFalse(writer.is_alive())
                    self.assertEqual(writer.errors, [])
                for partition, writer in enumerate(writers):
                    self.assertTrue(writer.acknowledged, "no load at all")
                    known[partition] |= writer.acknowledged
                begin = time.monotonic()
                broker.start()
                slowest = max(slowest, time.monotonic() - begin)
                for partition in range(3):
                    self.check(broker, partition, known[partition])
            self.assertEqual(broker.stop(), 0)
            broker.start()
            total = sum(self.check(broker, partition, known[partition]) for partition in range(3))
        print(f"\n{count} kills: {sum(map(len, known))} records acknowledged, {total} stored; slowest start {slowest * 1000:.0f} ms",
              file=sys.stderr)

    def test_repeated(self):
        self.rounds(10)

    def test_repeated_with_small_segments(self):
        """Rolls all the time: kills meet segments, indexes and snapshots that were just being made."""
        self.rounds(5, {"internal.segment.bytes": 14000, "index.interval.bytes": 100},
                    **{"log.flush.offset.checkpoint.interval.ms": 20})

    def test_kills_among_topics_that_come_and_go(self):
        """What was said to be created is there, what was said to be deleted is not, and nothing else is half there."""
        dice = random.Random(2)
        there, unsure = set(), set()
        with Moldau() as broker:
            for round in range(4):
                ended = threading.Event()

                def admin():
                    try:
                        with wire.Client(broker.port) as client:
                            for i in range(10000):
                                name = f"topic-{round}-{i}"
                                unsure.add(name)
                                if client.create_topic(name, 3)[0] == wire.NONE:
                                    there.add(name)
                                unsure.discard(name)
                                if i % 3 == 2:
                                    old = sorted(there)[0]
                                    unsure.add(old)
                                    if client.delete_topic(old) == wire.NONE:
                                        there.discard(old)
                                    unsure.discard(old)
                                if i == 3:
                                    ended.set()
                    except (wire.Closed, OSError):
                        ended.set()
                thread = threading.Thread(target=admin, daemon=True)
                thread.start()
                self.assertTrue(ended.wait(20))
                time.sleep(dice.random() * 0.1)
                broker.kill()
                thread.join(10)
                broker.start()
                with wire.Client(broker.port) as client:
                    _, topics = client.metadata()
                    found = set(topics)
                    self.assertEqual(there - found - unsure, set(), "created topics are gone")
                    self.assertEqual(found - there - unsure, set(), "deleted topics are back")
                    for name in sorted(found)[-5:]:
                        for partition in range(3):
                            self.assertEqual(client.produce(name, [b"x"], partition).error, wire.NONE, name)
                there, unsure = found, set()
