"""APIs that a broker without transactions and without a receiver of clients' metrics has all the same: each reply is, byte
for byte, what Apache Kafka 4.3.1 gave to the same request."""
import os, struct, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from scenario import BrokerTest

DESCRIBE_PRODUCERS, DESCRIBE_TRANSACTIONS, LIST_TRANSACTIONS, GET_TELEMETRY, PUSH_TELEMETRY = 61, 65, 66, 71, 72
ONES = b"\x01" * 16
SUBSCRIPTION = struct.pack(">I", 0xD4C75BDE)  # to nothing, of the client ONES


def unsigned(number):
    out = b""
    while number >= 0x80:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def text(value):
    return b"\0" if value is None else unsigned(len(value) + 1) + value.encode()


def many(items):
    return unsigned(len(items) + 1) + b"".join(items)


class Surface(BrokerTest):
    def reply(self, key, version, body):
        """The reply's body: flexible requests have tags behind the header, and their replies too."""
        client = self.client()
        client.send(key, version, b"\0" + body + b"\0")
        return client.receive()[5:].hex()

    def test_they_are_told_as_kafka_tells_them(self):
        told = self.client().api_versions()
        self.assertEqual((told[DESCRIBE_TRANSACTIONS], told[LIST_TRANSACTIONS]), ((0, 0), (0, 2)))
        self.assertFalse({GET_TELEMETRY, PUSH_TELEMETRY} & set(told), "no receiver: not in ApiVersions")

    def test_a_client_is_asked_for_no_metrics(self):
        found = self.reply(GET_TELEMETRY, 0, ONES)
        self.assertEqual(found, "000000000000" + ONES.hex() + "d4c75bde0504030102000493e000100000010100")

    def test_a_new_client_gets_an_id(self):
        first, second = (bytes.fromhex(self.reply(GET_TELEMETRY, 0, bytes(16))) for _ in range(2))
        self.assertNotEqual(first[6:22], bytes(16))
        self.assertNotEqual(first[6:22], second[6:22])
        self.assertEqual(self.push(first[6:22], first[22:26]), 0)

    def push(self, client, subscription, codec=0, metrics=b""):
        body = client + subscription + struct.pack(">bb", 0, codec) + unsigned(len(metrics) + 1) + metrics
        return struct.unpack(">h", bytes.fromhex(self.reply(PUSH_TELEMETRY, 0, body))[4:6])[0]

    def test_pushes(self):
        self.assertEqual(self.push(ONES, SUBSCRIPTION), 0)
        self.assertEqual(self.push(ONES, struct.pack(">i", 5)), 117, "UNKNOWN_SUBSCRIPTION_ID")
        self.assertEqual(self.push(ONES, SUBSCRIPTION, codec=9), 76, "UNSUPPORTED_COMPRESSION_TYPE")
        self.assertEqual(self.push(ONES, SUBSCRIPTION, metrics=b"x" * 2000000), 118, "TELEMETRY_TOO_LARGE")
        self.assertEqual(self.push(bytes(16), SUBSCRIPTION), 42, "INVALID_REQUEST")
        self.assertEqual(self.push(bytes(15) + b"\x01", SUBSCRIPTION), 42, "INVALID_REQUEST")

    def test_list_transactions(self):
        none = "00000000" "0000" "01" "01" "00"
        self.assertEqual(self.reply(LIST_TRANSACTIONS, 0, many([]) + many([])), none)
        self.assertEqual(self.reply(LIST_TRANSACTIONS, 1, many([]) + many([]) + struct.pack(">q", 0)), none)
        tail = struct.pack(">q", -1)
        for pattern in (None, "", "a.*"):
            self.assertEqual(self.reply(LIST_TRANSACTIONS, 2, many([]) + many([]) + tail + text(pattern)), none, pattern)
        wrong = "00000000" "0080" "01" "01" "00"
        self.assertEqual(self.reply(LIST_TRANSACTIONS, 2, many([text("Foo")]) + many([]) + tail + text("a(")), wrong)

    def test_list_transactions_names_unknown_states(self):
        states = [text(s) for s in ("Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead",
                                    "PrepareEpochFence", "Nonsense")]
        found = self.reply(LIST_TRANSACTIONS, 0, many(states) + many([struct.pack(">q", 5)]))
        self.assertEqual(found, "000000000000" "02094e6f6e73656e7365" "01" "00")

    def test_describe_transactions(self):
        self.assertEqual(self.reply(DESCRIBE_TRANSACTIONS, 0, many([])), "00000000" "01" "00")
        rest = "01" + "00" * 22 + "01" "00"
        found = self.reply(DESCRIBE_TRANSACTIONS, 0, many([text("tx"), text("")]))
        self.assertEqual(found, "00000000" "03" "0010" "037478" + rest + "002a" "01" + rest + "00")

    def test_describe_producers(self):
        """Who writes idempotently is told with what it wrote last; of transactions there are none."""
        topic, client = self.topic(), self.client()
        producer, epoch = client.init_producer_id()
        ask = lambda name, *indexes: self.reply(DESCRIBE_PRODUCERS, 0, many([text(name) + many([struct.pack(">i", i) for i in indexes]) + b"\0"]))
        head = "00000000" "02" + text(topic).hex()
        nobody = "00000000" "0000" "00" "01" "00"
        self.assertEqual(ask(topic, 0), head + "02" + nobody + "00" "00")
        client.produce(topic, [b"anybody"])
        self.assertEqual(ask(topic, 0), head + "02" + nobody + "00" "00", "who is not idempotent is nobody")
        for sequence in (0, 2):
            wrote = client.produce(topic, [b"a", b"b"], producer_id=producer, epoch=epoch, sequence=sequence, timestamp=1_700_000_000_000 + sequence)
            self.assertEqual(wrote.error, wire.NONE)
        known = struct.pack(">qiiqiq", producer, epoch, 3, 1_700_000_000_002, -1, -1).hex() + "00"
        self.assertEqual(ask(topic, 0), head + "02" + "00000000" "0000" "00" "02" + known + "00" + "00" "00")
        missing = "00000007" "0003" "00" "01" "00"
        self.assertEqual(ask(topic, 7), head + "02" + missing + "00" "00")
        # What stands for the error alone has words of its own here.
        for name, error, why in (("nowhere", 3, "No such topic or partition here."),
                                 ("..", 17, "Topic name is invalid: '..' is not allowed"),
                                 ("", 17, "Topic name is invalid: the empty string is not allowed")):
            told = struct.pack(">ih", 7, error) + text(why) + many([]) + b"\0"
            self.assertEqual(ask(name, 7), "00000000" "02" + text(name).hex() + "02" + told.hex() + "00" "00")


class Idle(BrokerTest):
    def test_a_fetch_of_nothing_has_empty_records(self):
        """Clients take null for an error: every version says that there are none with a size of 0."""
        topic, client = self.topic(), self.client()
        for offset in (0, 1):
            for version in (4, 6, 11):
                with self.subTest(version=version, offset=offset):
                    part = struct.pack(">i", 0) + (struct.pack(">i", -1) if version >= 9 else b"") + struct.pack(">q", offset)
                    part += (struct.pack(">q", -1) if version >= 5 else b"") + struct.pack(">i", 1 << 20)
                    body = struct.pack(">iiiib", -1, 0, 1, 1 << 20, 0) + (struct.pack(">ii", 0, -1) if version >= 7 else b"")
                    body += wire.array([wire.string(topic) + wire.array([part])])
                    body += wire.array([]) + wire.string("") if version >= 11 else b""
                    reply = client.call(wire.FETCH, version, body)
                    self.assertEqual(reply.data[-4:], struct.pack(">i", 0))
            with self.subTest(version=12, offset=offset):
                part = struct.pack(">iiqiqi", 0, -1, offset, -1, -1, 1 << 20) + b"\0"
                body = struct.pack(">iiiibii", -1, 0, 1, 1 << 20, 0, 0, -1) + many([text(topic) + many([part]) + b"\0"]) + many([]) + text("")
                client.send(wire.FETCH, 12, b"\0" + body + b"\0")
                self.assertEqual(client.receive()[-4:], b"\x01\0\0\0", "no bytes, and nothing behind them")
            client.produce(topic, [b"one"])


if __name__ == "__main__":
    unittest.main()
