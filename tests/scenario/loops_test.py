"""Compressed batches on several loops at once: each is unpacked with the tools of its own loop."""
import gzip, os, sys, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from scenario import BrokerTest

GZIP = 1


class Loops(BrokerTest):
    properties = {"num.network.threads": 4}

    def test_compressed_batches_from_many_connections(self):
        topic, wrong = self.topic(8), []

        def write(partition):
            values = [b"%d %d " % (partition, i) * 200 for i in range(2000)]
            records = b"".join(wire.record(v, i) for i, v in enumerate(values))
            one = wire.batch(values, attributes=GZIP, payload=gzip.compress(records, 1))
            with wire.Client(self.broker.port) as client:
                for _ in range(30):
                    got = client.produce(topic, [], partition, data=one)
                    if got.error != wire.NONE:
                        wrong.append((partition, got.error, got.message))
        threads = [threading.Thread(target=write, args=(p,)) for p in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertEqual(wrong, [], "good batches were refused")
        self.assertTrue(self.broker.running(), "the broker ended")
        for partition in range(8):
            self.assertEqual(self.client().offset(topic, -1, partition), (wire.NONE, 60000))
