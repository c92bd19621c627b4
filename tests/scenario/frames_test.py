"""Frames that no proper client sends. Each costs its own connection, and a line that says what was wrong; others are served."""
import gzip, json, os, socket, struct, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import ROOT
from scenario import BrokerTest, wait_until

BILLIONS = struct.pack(">i", 2_000_000_000)
ENDLESS = b"\xff" * 40  # a varint that never ends


class Frames(BrokerTest):
    properties = {"auto.create.topics.enable": "false"}

    def refused(self, data, line):
        """Sends `data` on a connection of its own: closed, with a line of the log that matches and names the peer."""
        mark = len(self.broker.lines)
        client = self.client()
        port = client.socket.getsockname()[1]
        client.socket.sendall(data)
        self.assertTrue(client.is_closed(), f"not closed after {data[:20]!r}")
        self.wait_for_new_line(mark, rf"127\.0\.0\.1:{port}.*{line}")

    def test_too_long(self):
        with self.others_served(), self.memory_bounded(8):
            self.refused(struct.pack(">i", 104857601), "request of 104857601 bytes, expected at most 104857600")
            self.refused(b"\x7f\xff\xff\xff", "2147483647 bytes")

    def test_negative_length(self):
        with self.others_served():
            self.refused(b"\xff\xff\xff\xff", "negative number -1")
            self.refused(b"\x80\x00\x00\x00", "negative number -2147483648")

    def test_length_without_content(self):
        """As long as allowed, and nothing behind it: the connection waits, and no memory is spent on the promise."""
        with self.others_served(), self.memory_bounded(16):
            waiting = [self.client() for _ in range(50)]
            for client in waiting:
                client.socket.sendall(struct.pack(">i", 104857600) + b"\0\0\0\x03")
            self.assertEqual([c for c in waiting if c.is_closed(0.01)], [])

    def test_empty_and_cut_headers(self):
        with self.others_served():
            self.refused(b"\0\0\0\0", "not a request header")
            self.refused(b"\0\0\0\x04\0\x12\0\0", "not a request header")
            self.refused(wire.request(3, 1, b"\xff\xff\xff"), "Metadata 1: the request cannot be read")

    def test_one_byte_at_a_time(self):
        topic = self.topic()
        with self.others_served():
            client = self.client()
            for key, version, body in ((wire.API_VERSIONS, 0, b""),
                                       (wire.PRODUCE, 8, wire.produce_body(topic, 0, wire.batch([b"drop by drop"])))):
                for byte in wire.request(key, version, body):
                    client.socket.sendall(bytes([byte]))
                client.receive()
            self.assertEqual([r.value for r in client.read_all(topic)], [b"drop by drop"])

    def test_cut_in_mid_frame(self):
        topic = self.topic()
        frame = wire.request(wire.PRODUCE, 8, wire.produce_body(topic, 0, wire.batch([b"x" * 3000])))
        descriptors = self.broker.descriptors()
        with self.others_served(), self.memory_bounded(16):
            for i, cut in enumerate((1, 3, 4, 5, 12, 13, 60, 100, len(frame) - 1) * 10):
                client = self.client()
                client.socket.sendall(frame[:cut])
                if i % 2:  # a reset, not a farewell
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            self.assertEqual(self.client().offset(topic), (wire.NONE, 0), "a part of a request was carried out")
        wait_until(lambda: self.broker.descriptors() <= descriptors + 4, "descriptors come back")

    def test_unknown_keys_and_versions(self):
        served = self.client().api_versions()
        with self.others_served():
            for key in (300, -1, 32767, -32768, 88):
                self.assertNotIn(key, served)
                self.refused(wire.request(key, 0, b"\0"), rf"found key {key}\b.* version 0")
            for key, (low, high) in served.items():
                for version in (high + 1, 32767, -1):
                    if key != wire.API_VERSIONS:
                        self.refused(wire.request(key, version, b"\0"), rf"found key {key} \(\w+\) version {version}")

    def test_api_versions_of_an_unknown_version_is_answered(self):
        """KIP-511: with version 0's form, UNSUPPORTED_VERSION, and the versions to try."""
        client = self.client()
        r = client.call(wire.API_VERSIONS, 99, b"\0\x02x\x02y\0")
        self.assertEqual(r.int16(), 35)
        keys = r.array(lambda: (r.int16(), r.int16(), r.int16()))
        self.assertIn(wire.API_VERSIONS, [key for key, _, _ in keys])
        self.assertTrue(client.api_versions(), "the connection goes on")

    def test_array_count_of_two_billion(self):
        topic = self.topic()
        with self.others_served(), self.memory_bounded(8):
            self.refused(wire.request(wire.METADATA, 1, BILLIONS), "Metadata 1: the request cannot be read")
            self.refused(wire.request(wire.PRODUCE, 8, wire.nullable(None) + struct.pack(">hi", 1, 1000) + BILLIONS), "Produce 8")
            self.refused(wire.request(wire.FETCH, 6, wire.fetch_body(topic, 0, 0)[:17] + BILLIONS + b"\0" * 100), "Fetch 6")
            self.refused(wire.request(wire.CREATE_TOPICS, 2, BILLIONS + b"\0" * 50), "CreateTopics 2")
            self.refused(wire.request(wire.LIST_OFFSETS, 1, struct.pack(">i", -1) + BILLIONS), "ListOffsets 1")

    def test_record_count_and_lengths_of_two_billion(self):
        """The same inside a batch: the reply says so, and the connection goes on."""
        topic, client = self.topic(), self.client()
        huge = wire.varint(2_000_000_000)
        with self.others_served(), self.memory_bounded(8):
            for odd in ({"count": 2_000_000_000}, {"payload": huge + b"\0" * 10}, {"payload": b"\x0e\0\0\0" + huge + b"ab"},
                        {"payload": b"\x16\0\0\0\x01\x01" + huge}, {"payload": ENDLESS}):
                self.assertEqual(client.produce(topic, [b"x"], **odd).error, wire.INVALID_RECORD, odd)
            self.assertEqual(client.produce(topic, [b"good"]).offset, 0)

    def test_varint_that_never_ends(self):
        with self.others_served(), self.memory_bounded(8):
            self.refused(wire.request(wire.METADATA, 12, ENDLESS), "Metadata 12: the request cannot be read|not a request header")
            self.refused(wire.request(wire.METADATA, 12, b"\0" + ENDLESS), "Metadata 12: the request cannot be read")
            self.refused(wire.request(wire.PRODUCE, 9, b"\0\0\0\x01\0\0\x03\xe8" + ENDLESS), "Produce 9")

    def test_every_api_with_rubbish_inside(self):
        """Each API and version that is served, with what makes careless decoders allocate, loop or fall: the process lives
        on, within its memory. Whether rubbish happens to be an answerable request is no matter here."""
        served = self.client().api_versions()
        bodies = (b"", BILLIONS * 8, b"\0" + ENDLESS, b"\xff" * 4 + b"\0" * 40, b"\0" * 200, b"\0\x02" * 50)
        with self.others_served(), self.memory_bounded(24):
            for key, (low, high) in served.items():
                for version in range(low, high + 1):
                    for body in bodies:
                        client = wire.Client(self.broker.port)
                        client.socket.sendall(wire.request(key, version, body))
                        client.socket.shutdown(socket.SHUT_WR)
                        try:
                            while client.socket.recv(1 << 16):
                                pass
                        except ConnectionResetError:
                            pass
                        client.close()

    def test_http_and_tls(self):
        with self.others_served():
            self.refused(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", r"an HTTP request \(GET /metrics HTTP/1\.1\)")
            self.refused(b"POST /topics/a HTTP/1.1\r\n\r\n", "an HTTP request")
            hello = bytes.fromhex("16030100c8010000c40303") + b"\0" * 194
            self.refused(hello, "a TLS handshake: the client is set to SSL")

    def test_a_client_cannot_write_lines_of_the_log(self):
        """What a client sends and the log repeats stays within its line."""
        mark = len(self.broker.lines)
        for data in (wire.request(3, 1, b"\xff", client="x\n[2026-01-01 00:00:00,000] FATAL forged"),
                     b"GET /\n[2026-01-01 00:00:00,000] FATAL forged HTTP/1.1\r\n\r\n"):
            client = self.client()
            client.socket.sendall(data)
            self.assertTrue(client.is_closed())
        self.wait_for_new_line(mark, "HTTP request")
        self.assertEqual([l for l in self.lines_since(mark) if l.startswith("[2026-01-01")], [])

    def test_pipelined_behind_a_bad_frame(self):
        """What was asked before the bad frame is answered; nothing behind it is carried out."""
        topic, client = self.topic(), self.client()
        produce = lambda value: wire.request(wire.PRODUCE, 8, wire.produce_body(topic, 0, wire.batch([value])))
        client.socket.sendall(produce(b"before") + b"\xff\xff\xff\xff" + produce(b"behind"))
        reader = wire.Reader(client.receive())
        reader.int32()
        self.assertEqual(client.produced(reader).offset, 0)
        self.assertTrue(client.is_closed())
        self.assertEqual([r.value for r in self.client().read_all(topic)], [b"before"])


class Recorded(BrokerTest):
    """Every frame of the recorded odd requests gets Kafka's reaction, or the better one listed here."""
    properties = {"offsets.topic.replication.factor": 1}
    BETTER = {"Produce 2, advertised but gone": "answered", "Fetch 3": "answered"}  # clients from 0.8 on are served

    def expected(self, case, frame, served):
        if case["case"] in self.BETTER:
            return self.BETTER[case["case"]]
        # An API that is not advertised closes the connection, whatever its request holds.
        key = struct.unpack_from(">h", frame, 4)[0] if len(frame) >= 8 else None
        whole = len(frame) >= 8 and struct.unpack_from(">i", frame)[0] == len(frame) - 4
        return case["kafka"] if not whole or key in served else "closed"

    def react(self, frame):
        with wire.Client(self.broker.port, timeout=0.5) as client:
            client.socket.sendall(frame)
            try:
                return client.receive().hex()
            except wire.Closed:
                return "closed"
            except TimeoutError:
                return "waits"

    def coordinate(self):
        """Groups are coordinated here, as on the broker that was recorded: their topic is there, and loaded."""
        client = self.client()
        wait_until(lambda: client.find_coordinator("g") == wire.NONE, "a coordinator is found")
        wait_until(lambda: client.heartbeat("g", 0, "m") == 25, "it is loaded: UNKNOWN_MEMBER_ID")

    def test_odd_requests(self):
        self.coordinate()
        served = self.client().api_versions()
        cases = [json.loads(line) for line in gzip.open(ROOT / "tests/golden/odd-requests.jsonl.gz", "rt")]
        self.assertGreater(len(cases), 30)
        with self.others_served():
            for case in cases:
                frame = bytes.fromhex(case["hex"])
                expected, found = self.expected(case, frame, served), self.react(frame)
                with self.subTest(case["case"]):
                    if expected == "answered":
                        self.assertEqual(found[:8], "0000004d", f"{found}, expected a reply")
                    elif case["case"].startswith("ApiVersions") and expected not in ("closed", "waits"):
                        self.assertEqual(found[:len(expected) - 4], expected[:-4])  # what follows are our own APIs
                    else:
                        self.assertEqual(found, expected)

    def test_odd_headers(self):
        """As the recorded ones, on an API that is there: null client id, one of length -2, unknown tags."""
        answer = self.react(wire.request(wire.METADATA, 1, b"\0\0\0\0", 0x4d))
        self.assertTrue(answer.startswith("0000004d"))
        head = struct.pack(">hhi", wire.METADATA, 1, 0x4d)
        framed = lambda body: struct.pack(">i", len(body)) + body
        self.assertEqual(self.react(framed(head + b"\xff\xff" + b"\0\0\0\0")), answer)
        self.assertEqual(self.react(framed(head + b"\xff\xfe" + b"\0\0\0\0")), answer)
        head = struct.pack(">hhi", wire.METADATA, 9, 0x4d) + wire.string("c")
        plain, tagged = b"\0" + b"\x01\0\0\0\0", b"\x01\x09\x02ab" + b"\x01\0\0\0\x01\x07\x01x"
        self.assertEqual(self.react(framed(head + tagged)), self.react(framed(head + plain)))
