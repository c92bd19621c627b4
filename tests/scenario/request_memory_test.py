"""Requests that come to no end: what they announce costs nothing, and what they hold is not held for ever."""
import os, struct, sys, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau
from scenario import BrokerTest, wait_until

LARGE = 90_000_000


def begin(client, announced, sent):
    """Sends the length of a request, and `sent` bytes of it."""
    client.socket.sendall(struct.pack(">ihhi", announced, wire.PRODUCE, 8, 1) + b"\0" * (sent - 8))


class Unbounded(BrokerTest):
    """queued.max.request.bytes=-1, the default."""

    def test_announced_is_not_held(self):
        before = self.broker.rss_kb()
        with self.others_served():
            peers = [self.client() for _ in range(30)]
            for peer in peers:
                begin(peer, LARGE, 1000)
            for peer in peers:
                self.assertFalse(peer.is_closed(0.01))
            grown = self.broker.rss_kb() - before
            print(f"\n30 peers announce {LARGE} bytes and send 1000: the process grows by {grown} kB", file=sys.stderr)
            self.assertLess(grown, 8192)

    def test_what_was_sent_is_free_afterwards(self):
        before = self.broker.rss_kb()
        with self.others_served():
            peers = [self.client() for _ in range(3)]
            for peer in peers:
                begin(peer, LARGE, LARGE // 3)
            wait_until(lambda: self.broker.rss_kb() - before > LARGE * 0.9 / 1024, "what has been sent is there")
            self.assertLess(self.broker.rss_kb() - before, LARGE * 1.3 / 1024)
            for peer in peers:
                peer.close()
            wait_until(lambda: self.broker.rss_kb() - before < 16384, "the memory is given back")

    def test_one_byte_at_a_time(self):
        slow = self.client()
        with self.others_served():
            for byte in wire.request(wire.API_VERSIONS, 0):
                slow.socket.sendall(bytes([byte]))
                time.sleep(0.02)
            reply = wire.Reader(slow.receive())
            self.assertEqual((reply.int32(), reply.int16()), (1, wire.NONE))


class Bounded(unittest.TestCase):
    def test_slow_senders_do_not_starve_others(self):
        limit = 100_000_000
        with Moldau(**{"queued.max.request.bytes": limit, "socket.request.max.bytes": limit}) as broker:
            slow = [wire.Client(broker.port) for _ in range(4)]
            self.addCleanup(lambda: [client.close() for client in slow])
            for client in slow[:3]:  # these find room, and leave 10 MB of it
                begin(client, LARGE, 30_000_000)
            broker_rss = broker.rss_kb
            wait_until(lambda: broker_rss() > 85_000, "three thirds have come")
            begin(slow[3], LARGE, 40_000_000)
            with wire.Client(broker.port, timeout=30) as other:
                since = time.monotonic()
                other.api_versions()
                waited = time.monotonic() - since
            print(f"\nfour half requests hold all memory: another one waits for {waited:.1f} s", file=sys.stderr)
            self.assertLess(waited, 20)
            broker.wait_for_line(r"Requests wait for memory: 1\d{8} bytes are held, queued.max.request.bytes is 100000000;"
                                 r".* by 4 requests that have not come to their end: /127\.0\.0\.1:\d+ \d+ of 90000004, ")
            closing = [line for line in broker.lines if "its own does not get on: expected 90000004 bytes, received" in line]
            self.assertGreaterEqual(len(closing), 1)
            self.assertEqual(len([line for line in broker.lines if "Requests wait for memory" in line]), 1)


if __name__ == "__main__":
    unittest.main()
