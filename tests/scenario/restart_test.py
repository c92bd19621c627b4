"""What a broker knows, and does not know, after a start."""
import os, pathlib, shutil, sys, tempfile, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau


class Producers(unittest.TestCase):
    """Of an idempotent producer the last five batches are known while the broker runs, and only the last one after a restart,
    for that is what Kafka's snapshot of producers holds. Kafka 4.3.1 gives the very answers below."""

    def again(self, client, sequences):
        found = [client.produce("t", [b"x"], acks=-1, producer_id=5000, epoch=0, sequence=s) for s in sequences]
        return [(one.error, one.offset) for one in found]

    def test_duplicates(self):
        gap = (wire.OUT_OF_ORDER_SEQUENCE_NUMBER, -1)
        with tempfile.TemporaryDirectory(prefix="moldau-producers-") as folder, Moldau(folder) as broker:
            with wire.Client(broker.port) as client:
                self.assertEqual(client.create_topic("t"), (wire.NONE, None))
                self.assertEqual(self.again(client, range(6)), [(wire.NONE, n) for n in range(6)])
                self.assertEqual(self.again(client, range(6)), [gap] + [(wire.NONE, n) for n in range(1, 6)])
            self.assertEqual(broker.stop(), 0)
            broker.start()
            with wire.Client(broker.port) as client:
                self.assertEqual(self.again(client, range(6)), 5 * [gap] + [(wire.NONE, 5)])
                self.assertEqual(self.again(client, [6]), [(wire.NONE, 6)])


class TakenOver(unittest.TestCase):
    """A directory without a metadata log: the topics come from their folders; their settings cannot, and the start says so."""

    def test_settings_are_missed(self):
        with tempfile.TemporaryDirectory(prefix="moldau-restart-") as folder, Moldau(folder) as broker:
            with wire.Client(broker.port) as client:
                self.assertEqual(client.create_topic("kept", 1, {"retention.ms": 1234567}), (wire.NONE, None))
                self.assertEqual(client.produce("kept", [b"x"]).error, wire.NONE)
            self.assertEqual(broker.stop(), 0)
            self.assertFalse([l for l in broker.lines if "set again" in l])
            data = pathlib.Path(folder) / "data"
            shutil.rmtree(data / "__cluster_metadata-0")
            (data / "bootstrap.checkpoint").unlink(missing_ok=True)
            broker.start()
            line = broker.wait_for_line("taking over 1 topics .* set again")
            self.assertIn("ZooKeeper", line)
            with wire.Client(broker.port) as client:
                self.assertEqual([r.value for r in client.read_all("kept")], [b"x"])
            self.assertEqual(broker.stop(), 0)
            broker.start()
            self.assertFalse([l for l in broker.lines if "set again" in l], "once")


if __name__ == "__main__":
    unittest.main()
