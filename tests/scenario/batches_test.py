"""Record batches that lie, and offsets that are not there. What is refused leaves no trace; what was stored stays."""
import gzip, os, struct, sys, zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from scenario import BrokerTest, wait_until

GZIP, SNAPPY, LZ4, ZSTD, CONTROL, TRANSACTIONAL = 1, 2, 3, 4, 0x20, 0x10


class Batches(BrokerTest):
    def refuses(self, errors, topic=None, **odd):
        """The batch is refused with one of these errors and a text, by a broker that then takes a good one."""
        topic, client = topic or self.topic(), self.client()
        before = client.produce(topic, [b"before"])
        self.assertEqual(before.error, wire.NONE)
        found = client.produce(topic, [b"one", b"two", b"three"], **odd)
        self.assertIn(found.error, errors if isinstance(errors, tuple) else (errors,))
        self.assertEqual(found.offset, -1)
        self.assertTrue(found.message, "nothing is said about why")
        after = client.produce(topic, [b"after"])
        self.assertEqual((after.error, after.offset), (wire.NONE, before.offset + 1))
        self.assertEqual([r.value for r in client.read_all(topic, offset=before.offset, check_crc=True)], [b"before", b"after"])
        return found

    def test_wrong_crc(self):
        with self.others_served():
            self.assertIn("CRC", self.refuses(wire.CORRUPT_MESSAGE, crc=0xDEADBEEF).message)
            flipped = bytearray(wire.batch([b"one", b"two", b"three"]))
            flipped[-3] ^= 0x10
            self.refuses(wire.CORRUPT_MESSAGE, data=bytes(flipped))

    def test_wrong_count(self):
        with self.others_served():
            for odd in ({"count": 2}, {"count": 4}, {"count": 0}, {"count": -1}, {"last_delta": 1}, {"last_delta": 3},
                        {"last_delta": -1}, {"count": 4, "last_delta": 3}, {"count": 2, "last_delta": 1}):
                with self.subTest(str(odd)):
                    self.refuses(wire.INVALID_RECORD, **odd)

    def test_wrong_length(self):
        good = wire.batch([b"one"])
        with self.others_served():
            for length in (-1, 0, 13, 48, 49, len(good) - 13, len(good) - 11, 2_000_000_000, -2_000_000_000):
                with self.subTest(length):
                    self.refuses((wire.CORRUPT_MESSAGE, wire.INVALID_RECORD), data=good[:8] + struct.pack(">i", length) + good[12:])

    def test_wrong_compression(self):
        """Claimed and not done, begun and not ended, of an unknown kind."""
        with self.others_served():
            for codec in (GZIP, SNAPPY, LZ4, ZSTD):
                with self.subTest(codec):
                    self.refuses(wire.INVALID_RECORD, attributes=codec)
            for codec in (5, 6, 7):
                self.refuses(wire.UNSUPPORTED_COMPRESSION_TYPE, attributes=codec)
            records = b"".join(wire.record(v, i) for i, v in enumerate([b"one", b"two", b"three"]))
            self.refuses(wire.INVALID_RECORD, attributes=GZIP, payload=gzip.compress(records)[:-12])
            self.refuses(wire.INVALID_RECORD, attributes=GZIP, payload=gzip.compress(records), count=4, last_delta=3)

    def test_compression_bomb(self):
        """A gigabyte of zeros in a megabyte: refused at 256 MiB, and none of that memory is kept."""
        pack = zlib.compressobj(9, zlib.DEFLATED, 31)
        zeros = bytes(1 << 24)
        bomb = b"".join(pack.compress(zeros) for _ in range(55)) + pack.flush()
        before = self.broker.rss_kb()
        with self.others_served(), self.memory_bounded(1.6 * 256):
            for _ in range(2):
                self.refuses((wire.INVALID_RECORD, wire.MESSAGE_TOO_LARGE), attributes=GZIP, payload=bomb[:900_000])
        wait_until(lambda: self.broker.rss_kb() - before < 96 << 10, "the memory is given back")  # the allocator keeps some

    def test_compressed_as_it_should_be(self):
        topic, client = self.topic(), self.client()
        records = b"".join(wire.record(v, i) for i, v in enumerate([b"one", b"two"]))
        self.assertEqual(client.produce(topic, [b"", b""], attributes=GZIP, payload=gzip.compress(records)).error, wire.NONE)
        [(base, last, stored)] = wire.batches(client.fetch(topic, 0).data)
        self.assertEqual((base, last, wire.crc_ok(stored), gzip.decompress(stored[61:])), (0, 1, True, records))

    def test_control_flag(self):
        with self.others_served():
            self.refuses(wire.INVALID_RECORD, attributes=CONTROL)
            self.refuses(wire.INVALID_RECORD, attributes=CONTROL | TRANSACTIONAL, producer_id=1, epoch=0, sequence=0)

    def test_other_formats(self):
        good = wire.batch([b"one"])
        with self.others_served():
            for magic in (3, 127, 255):
                self.refuses(wire.CORRUPT_MESSAGE, data=good[:16] + bytes([magic]) + good[17:])
            for data in (b"\0", good[:12], good[:60], good[:-1], good * 2):
                self.refuses((wire.INVALID_RECORD, wire.CORRUPT_MESSAGE), data=data)
            self.refuses(wire.INVALID_RECORD, base_offset=5)

    def test_too_large(self):
        topic = self.topic(max_message_bytes=2000)
        with self.others_served():
            self.refuses(wire.MESSAGE_TOO_LARGE, topic=topic, data=wire.batch([b"x" * 2000]))

    def test_many_partitions_one_bad(self):
        """The good parts of a request are stored, the bad one is told."""
        topic, client = self.topic(3), self.client()
        parts = [wire.batch([b"good"]), wire.batch([b"bad"], crc=1), wire.batch([b"good"])]
        body = (wire.nullable(None) + struct.pack(">hi", -1, 10000) +
                wire.array([wire.string(topic) + wire.array(struct.pack(">ii", i, len(d)) + d for i, d in enumerate(parts))]))
        r = client.call(wire.PRODUCE, 8, body)
        [found] = r.array(lambda: (r.string(), r.array(lambda: wire.Produced(r)))[1])
        self.assertEqual([(f.index, f.error) for f in found], [(0, 0), (1, wire.CORRUPT_MESSAGE), (2, 0)])
        self.assertEqual([client.offset(topic, -1, p)[1] for p in range(3)], [1, 0, 1])


class Sequences(BrokerTest):
    def test_gap_and_duplicate(self):
        topic, client = self.topic(), self.client()
        producer, epoch = client.init_producer_id()
        send = lambda sequence, *values: client.produce(topic, values, producer_id=producer, epoch=epoch, sequence=sequence)
        with self.others_served():
            self.assertEqual(send(0, b"0", b"1").offset, 0)
            self.assertEqual(send(2, b"2").offset, 2)
            gap = send(4, b"4")
            self.assertEqual(gap.error, wire.OUT_OF_ORDER_SEQUENCE_NUMBER)
            self.assertTrue(gap.message)
            self.assertEqual((send(2, b"2").error, send(2, b"2").offset), (wire.NONE, 2), "a duplicate gets its first answer")
            self.assertEqual((send(0, b"0", b"1").error, send(0, b"0", b"1").offset), (wire.NONE, 0))
            self.assertEqual(send(3, b"3").offset, 3)
        self.assertEqual([(r.offset, r.value) for r in client.read_all(topic)], [(i, b"%d" % i) for i in range(4)])

    def test_duplicates_are_known_after_a_kill(self):
        topic, client = self.topic(), self.client()
        producer, epoch = client.init_producer_id()
        for i in range(20):
            self.assertEqual(client.produce(topic, [b"%d" % i], producer_id=producer, epoch=epoch, sequence=i).offset, i)
        self.broker.kill()
        self.broker.start()
        with wire.Client(self.broker.port) as client:
            again = client.produce(topic, [b"19"], producer_id=producer, epoch=epoch, sequence=19)
            self.assertEqual((again.error, again.offset), (wire.NONE, 19))
            gap = client.produce(topic, [b"21"], producer_id=producer, epoch=epoch, sequence=21)
            self.assertEqual(gap.error, wire.OUT_OF_ORDER_SEQUENCE_NUMBER)
            self.assertEqual(client.produce(topic, [b"20"], producer_id=producer, epoch=epoch, sequence=20).offset, 20)
            self.assertNotEqual(client.init_producer_id()[0], producer, "an id is given once")

    def test_old_epoch(self):
        topic, client = self.topic(), self.client()
        producer, _ = client.init_producer_id()
        self.assertEqual(client.produce(topic, [b"new"], producer_id=producer, epoch=1, sequence=0).offset, 0)
        self.assertEqual(client.produce(topic, [b"old"], producer_id=producer, epoch=0, sequence=0).error,
                         wire.INVALID_PRODUCER_EPOCH)
        self.assertEqual(client.produce(topic, [b"x"], producer_id=producer, epoch=1, sequence=-1).error, wire.INVALID_RECORD)
        self.assertEqual(client.offset(topic)[1], 1)

    def test_acks_that_are_none(self):
        topic, client = self.topic(), self.client()
        for acks in (2, -2, 127):
            self.assertEqual(client.produce(topic, [b"x"], acks=acks).error, 21)  # INVALID_REQUIRED_ACKS
        self.assertEqual(client.offset(topic)[1], 0)

    def test_acks_0_that_fails_closes(self):
        topic, client = self.topic(), self.client()
        mark = len(self.broker.lines)
        client.send(wire.PRODUCE, 8, wire.produce_body(topic, 0, wire.batch([b"x"]), acks=0))
        self.assertTrue(client.api_versions(), "a good one gets no reply, and the connection goes on")
        client.send(wire.PRODUCE, 8, wire.produce_body(topic, 0, wire.batch([b"x"], crc=1), acks=0))
        self.assertTrue(client.is_closed())
        self.wait_for_new_line(mark, "acks=0 failed.*CORRUPT_MESSAGE")


class Offsets(BrokerTest):
    def test_offsets_that_are_not_there(self):
        topic, client = self.topic(), self.client()
        client.produce(topic, [b"a", b"b", b"c"])
        with self.others_served():
            for offset in (-5, -1, -2, 4, 1 << 40, (1 << 63) - 1, -(1 << 63)):
                with self.subTest(offset):
                    found = client.fetch(topic, offset, wait_ms=500)
                    self.assertEqual((found.error, found.data), (wire.OFFSET_OUT_OF_RANGE, b""))
            at_the_end = client.fetch(topic, 3)
            self.assertEqual((at_the_end.error, at_the_end.data, at_the_end.high_watermark), (wire.NONE, b"", 3))
            self.assertEqual([r.value for r in client.fetch(topic, 1).records() if r.offset >= 1], [b"b", b"c"])

    def test_limits_that_are_odd(self):
        """One record is delivered even where less is allowed; numbers without sense harm nobody."""
        topic, client = self.topic(), self.client()
        client.produce(topic, [b"x" * 5000])
        with self.others_served(), self.memory_bounded(16):
            self.assertEqual(len(client.fetch(topic, 0, max_bytes=1).records()), 1)
            for limits in ({"max_bytes": -1}, {"max_bytes": 0}, {"max_bytes": (1 << 31) - 1}, {"wait_ms": -1, "min_bytes": 1 << 30},
                           {"min_bytes": -1}):
                self.assertEqual(client.fetch(topic, 0, **limits).error, wire.NONE, limits)

    def test_odd_timestamps(self):
        topic, client = self.topic(), self.client()
        client.produce(topic, [b"x"], timestamp=1000)
        self.assertEqual(client.offset(topic, 0), (wire.NONE, 0))
        self.assertEqual(client.offset(topic, (1 << 63) - 1), (wire.NONE, -1))
        for timestamp in (-100, -(1 << 63)):
            error, offset = client.offset(topic, timestamp)
            self.assertTrue(error != wire.NONE or offset in (0, -1), (error, offset))
