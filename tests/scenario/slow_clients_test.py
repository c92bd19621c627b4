"""Clients that take: idle connections by the ten thousand, readers that never read. Memory stays bounded, others are served."""
import os, resource, socket, struct, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau
from scenario import BrokerTest, wait_until

WANTED = 20000


def raise_limit(wanted):
    """The limit of open files of this process and those it starts, as near to `wanted` as may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for target in (max(hard, wanted), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(target, wanted)), target))
            break
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Many(BrokerTest):
    properties = {"socket.listen.backlog.size": 4096}  # a full backlog costs a client a second

    @classmethod
    def setUpClass(cls):
        cls.limit = raise_limit(WANTED + 1000)
        super().setUpClass()

    def test_idle_connections(self):
        count = min(WANTED, self.limit - min(self.limit // 16, 2000) - 200)  # the server keeps some for files
        with self.others_served() as bystander:
            before = self.broker.rss_kb()
            begin = time.monotonic()
            idle = []
            try:
                for i in range(count):  # from several addresses: one has 28,000 ports
                    s = socket.socket()
                    s.settimeout(10)
                    s.bind((f"127.0.0.{2 + i % 8}", 0))
                    s.connect(("127.0.0.1", self.broker.port))
                    idle.append(s)
                wait_until(lambda: self.broker.descriptors() >= count, f"{count} connections accepted", 30)
                took = time.monotonic() - begin
                each = (self.broker.rss_kb() - before) * 1024 / count
                print(f"\n{count} idle connections in {took:.1f} s: {each:.0f} bytes each, the process {self.broker.rss_kb() / 1024:.1f} MiB;"
                      f" slowest request of another client {bystander.slowest * 1000:.0f} ms", file=sys.stderr)
                self.assertLess(each, 4096)
                for s in idle[::997]:  # they are alive
                    s.sendall(wire.request(wire.API_VERSIONS, 0))
                    self.assertGreater(len(s.recv(65536)), 100)
            finally:
                for s in idle:  # with a reset: 20,000 ports in TIME_WAIT would be in the way of other tests
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.close()
            wait_until(lambda: self.broker.descriptors() < 200, "the connections are let go", 30)
        if count < WANTED:
            print(f"{count} connections, not {WANTED}: the limit of open files is {self.limit}", file=sys.stderr)


class NeverRead(BrokerTest):
    def fill(self, mebibytes):
        topic = self.topic()
        client = self.client()
        one = wire.batch([b"x" * 500_000])  # made once: only offsets differ, and those are the broker's
        for _ in range(2 * mebibytes):
            self.assertEqual(client.produce(topic, [], data=one).error, wire.NONE)
        return topic

    def deaf(self, frame, times):
        """A connection that sends requests until it is not read any more, and reads nothing. How many went out."""
        client = self.client()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.socket.settimeout(0.2)
        sent = 0
        try:
            for sent in range(times):
                client.socket.sendall(frame)
        except TimeoutError:
            pass
        return client, sent

    def test_large_fetches_unread(self):
        topic = self.fill(32)
        fetch = wire.request(wire.FETCH, 6, wire.fetch_body(topic, 0, 0, max_bytes=32 << 20))
        with self.others_served(), self.memory_bounded(48):
            deaf = [self.deaf(fetch, 3000) for _ in range(8)]
        del deaf

    def test_large_metadata_unread(self):
        """Replies that are memory, not files: 24 clients would like 6 KiB a thousand times."""
        self.topic(partitions=200)
        with self.others_served(), self.memory_bounded(64):
            frame = wire.request(wire.METADATA, 4, b"\xff\xff\xff\xff\0")
            deaf = [self.deaf(frame, 1000) for _ in range(24)]
            # One of them wakes up: it gets every reply, in order.
            client, _ = deaf[0]
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            client.socket.settimeout(20)
            for _ in range(50):
                self.assertEqual(struct.unpack_from(">i", client.receive())[0], 1)

    def test_produce_unread(self):
        """Whoever reads no replies may still be heard up to a bound; what was acknowledged by then is stored."""
        topic = self.topic()
        frame = wire.request(wire.PRODUCE, 8, wire.produce_body(topic, 0, wire.batch([b"y" * 100])))
        with self.others_served(), self.memory_bounded(32):
            client, sent = self.deaf(frame * 50, 2000)
            client.socket.settimeout(20)
            reader = wire.Reader(client.receive())
            reader.int32()
            self.assertEqual(client.produced(reader).offset, 0)
        error, end = self.client().offset(topic)
        self.assertGreater(end, 0)


    def test_stop_does_not_wait_for_them(self):
        """SIGTERM while clients leave their replies unread: the stop has its bound, and what was acknowledged is there."""
        topic = self.fill(16)
        fetch = wire.request(wire.FETCH, 6, wire.fetch_body(topic, 0, 0, max_bytes=16 << 20))
        deaf = [self.deaf(fetch, 3000) for _ in range(8)]
        begin = time.monotonic()
        self.assertEqual(self.broker.stop(), 0)
        self.assertLess(time.monotonic() - begin, 10)
        del deaf
        self.broker.start()
        self.assertEqual(self.client().offset(topic), (wire.NONE, 32))


class Limits(BrokerTest):
    properties = {"connections.max.idle.ms": 1500, "max.connections.per.ip": 30, "socket.request.max.bytes": 100_000,
                  "connection.failed.authentication.delay.ms": 100}

    def test_idle_for_too_long(self):
        idle = self.client()
        with self.others_served():
            begin = time.monotonic()
            self.assertTrue(idle.is_closed(10))
            self.assertGreater(time.monotonic() - begin, 1)

    def test_connections_of_an_address(self):
        mark = len(self.broker.lines)
        with self.others_served():
            held = [wire.Client(self.broker.port, source="127.0.0.9") for _ in range(30)]
            self.assertFalse(self.stays("127.0.0.9", 10))
            self.wait_for_new_line(mark, r"127\.0\.0\.9.*30 \(max\.connections\.per\.ip\)")
            held[0].close()
            wait_until(lambda: self.stays("127.0.0.9", 0.05), "room for one more")
            for client in held:
                client.close()

    def stays(self, source, seconds):
        """Whether a connection from that address is still there after a while."""
        with wire.Client(self.broker.port, source=source) as client:
            return not client.is_closed(seconds)

    def test_frame_beyond_the_set_limit(self):
        client = self.client()
        mark = len(self.broker.lines)
        client.socket.sendall(struct.pack(">i", 100_001))
        self.assertTrue(client.is_closed())
        self.wait_for_new_line(mark, r"100001 bytes, expected at most 100000 \(socket\.request\.max\.bytes\)")
