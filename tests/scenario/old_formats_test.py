"""What clients before 0.11 send, done wrong: messages of magic 0 and 1 in Produce 0 to 2. Each is refused with its error, and
leaves no trace."""
import gzip, os, struct, sys, zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from scenario import BrokerTest

GZIP = 1
FORMATS = [(0, 0), (1, 0), (2, 0), (2, 1)]  # (version of Produce, magic)


def message(magic, value, attributes=0, crc=None, size=None):
    """offset int64, size int32, crc int32 (of what follows), magic int8, attributes int8, timestamp int64 (magic 1), key and value
    with int32 sizes"""
    body = bytes([magic, attributes]) + (struct.pack(">q", 1234567890123) if magic else b"")
    body += struct.pack(">ii", -1, len(value)) + value
    crc = zlib.crc32(body) if crc is None else crc
    return struct.pack(">qiI", 0, len(body) + 4 if size is None else size, crc) + body


class OldFormats(BrokerTest):
    def produce(self, client, version, topic, data):
        """(error, offset)"""
        part = struct.pack(">ii", 0, len(data)) + data
        r = client.call(wire.PRODUCE, version, struct.pack(">hi", 1, 10000) + wire.array([wire.string(topic) + wire.array([part])]))
        tail = (lambda: r.int64()) if version >= 2 else (lambda: None)
        [[(_, error, offset, _)]] = r.array(lambda: (r.string(), r.array(lambda: (r.int32(), r.int16(), r.int64(), tail())))[1])
        return error, offset

    def each_format(self, mistakes):
        """`mistakes(magic)`: {name: (bytes, error)}. Between two good messages each is refused."""
        with self.others_served(), self.memory_bounded(16):
            for version, magic in FORMATS:
                topic, client = self.topic(), self.client()
                self.assertEqual(self.produce(client, version, topic, message(magic, b"before")), (wire.NONE, 0))
                for name, (data, error) in mistakes(magic).items():
                    with self.subTest(f"Produce {version}, magic {magic}: {name}"):
                        self.assertEqual(self.produce(client, version, topic, data), (error, -1))
                self.assertEqual(self.produce(client, version, topic, message(magic, b"after")), (wire.NONE, 1))
                self.assertEqual([(r.offset, r.value) for r in client.read_all(topic, check_crc=True)], [(0, b"before"), (1, b"after")])

    def test_wrong_crc(self):
        def mistakes(magic):
            good, bad = message(magic, b"good"), message(magic, b"bad", crc=1)
            flipped = bytearray(good)
            flipped[-1] ^= 4
            return {"crc": (bad, wire.CORRUPT_MESSAGE), "flipped": (bytes(flipped), wire.CORRUPT_MESSAGE),
                    "the second": (good + bad, wire.CORRUPT_MESSAGE),
                    "inside": (message(magic, gzip.compress(good + bad), GZIP), wire.CORRUPT_MESSAGE)}
        self.each_format(mistakes)

    def test_wrong_size(self):
        self.each_format(lambda magic: {str(size): (message(magic, b"x", size=size), wire.CORRUPT_MESSAGE)
                                        for size in (-1, 0, 5, 13, -2_000_000_000)})

    def test_wrong_compression(self):
        def mistakes(magic):
            good = message(magic, b"good")
            wrong = {f"codec {codec}": (message(magic, b"rubbish", codec), wire.INVALID_RECORD) for codec in (1, 2, 3)}
            wrong |= {f"codec {codec}": (message(magic, b"rubbish", codec), wire.UNSUPPORTED_COMPRESSION_TYPE) for codec in (5, 7)}
            nested = message(magic, gzip.compress(good), GZIP)
            return wrong | {"nested": (message(magic, gzip.compress(nested), GZIP), wire.INVALID_RECORD),
                            "empty": (message(magic, gzip.compress(b""), GZIP), wire.INVALID_RECORD),
                            "cut": (message(magic, gzip.compress(good * 50)[:-9], GZIP), wire.INVALID_RECORD)}
        self.each_format(mistakes)

    def test_compression_bomb(self):
        pack = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = b"".join(pack.compress(bytes(1 << 24)) for _ in range(55))[:900_000]
        topic, client = self.topic(), self.client()
        with self.others_served(), self.memory_bounded(1.6 * 256):
            error, offset = self.produce(client, 2, topic, message(1, bomb, GZIP))
            self.assertIn(error, (wire.INVALID_RECORD, wire.CORRUPT_MESSAGE, wire.MESSAGE_TOO_LARGE))
            self.assertEqual(offset, -1)
        self.assertEqual(client.offset(topic), (wire.NONE, 0))

    def test_good_compressed_ones(self):
        for version, magic in FORMATS:
            topic, client = self.topic(), self.client()
            inner = b"".join(message(magic, b"%d" % i) for i in range(3))
            self.assertEqual(self.produce(client, version, topic, message(magic, gzip.compress(inner), GZIP)), (wire.NONE, 0))
            self.assertEqual(client.offset(topic), (wire.NONE, 3))
