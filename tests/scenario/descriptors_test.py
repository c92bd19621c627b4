"""More connections than there may be open files."""
import os, socket, sys, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau


class Descriptors(unittest.TestCase):
    def test_soft_limit_is_raised(self):
        """Debian's shells give 1024 open files and allow many more: as a JVM does, the broker takes what it may."""
        with Moldau(prefix=["prlimit", "--nofile=1024:20000"]) as broker:
            limits = open(f"/proc/{broker.process.pid}/limits").read()
            self.assertRegex(limits, r"Max open files\s+20000\s+20000")

    def test_out_of_descriptors(self):
        """More connections than the limit of open files: they wait; log directories stay online, who is there is served."""
        with Moldau(prefix=["prlimit", "--nofile=500:500"], **{"socket.listen.backlog.size": 4096}) as broker:
            with wire.Client(broker.port) as client:
                self.assertEqual(client.create_topic("t", 3), (wire.NONE, None))
                self.assertEqual(client.produce("t", [b"x"]).error, wire.NONE)
                idle = [socket.create_connection(("127.0.0.1", broker.port), 5) for _ in range(600)]
                broker.wait_for_line("Cannot accept connections")
                end = time.monotonic() + 8  # checkpoints are written meanwhile
                while time.monotonic() < end:
                    self.assertEqual(client.produce("t", [b"y"]).error, wire.NONE)
                    time.sleep(0.1)
                for s in idle:
                    s.close()
            self.assertEqual([l for l in broker.lines if "Stopping serving" in l], [])
            with wire.Client(broker.port) as client:
                self.assertEqual(client.produce("t", [b"z"], 2).error, wire.NONE)
