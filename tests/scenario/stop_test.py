"""A stop with fetches waiting for records: they are answered at once, and the stop takes no part of its grace."""
import os, sys, threading, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau
from scenario import wait_until


def unread_bytes(port):
    """Of each open connection of the server: what has come and was not read yet."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in list(table)[1:]]
    return [int(row[4].split(":")[1], 16) for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == "01"]


def fetched(client):
    reply = wire.Reader(client.receive())
    reply.int32()  # the correlation id
    return wire.Client.fetched(reply)


class Stop(unittest.TestCase):
    def test_long_polls_do_not_delay_it(self):
        with Moldau() as broker:
            with wire.Client(broker.port) as client:
                self.assertEqual(client.create_topic("quiet")[0], wire.NONE)
                end = client.produce("quiet", [b"one"]).offset + 1
                clients = [wire.Client(broker.port) for _ in range(8)]
                for c in clients:
                    self.addCleanup(c.close)
                    c.send(wire.FETCH, 6, wire.fetch_body("quiet", 0, end, wait_ms=60000))
                wait_until(lambda: unread_bytes(broker.port) == [0] * (len(clients) + 1), "the fetches are read")
                begin = time.monotonic()
                stopper = threading.Thread(target=broker.stop)
                stopper.start()
                replies = [fetched(c) for c in clients]
                stopper.join()
                took = time.monotonic() - begin
        self.assertEqual([(r.error, r.data, r.high_watermark) for r in replies], [(wire.NONE, b"", end)] * len(clients))
        self.assertEqual(broker.process.returncode, 0)
        print(f"\nstop with {len(clients)} waiting fetches: {took * 1000:.0f} ms", file=sys.stderr)
        self.assertLess(took, 2.5)  # the grace is 5 s


if __name__ == "__main__":
    unittest.main()
