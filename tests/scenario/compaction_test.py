"""Compaction on the real server: what it leaves is what Kafka's cleaner leaves of the same input, segment by segment and batch
by batch; nothing is lost when it is killed at work; nobody waits for it; a partition that it cannot read is set aside.

`tests/golden/compaction/kafka-4.3.1.json.gz` was recorded from Kafka 4.3.1 with log.cleaner.backoff.ms=100:
    python3 tests/scenario/compaction_test.py --record PORT DATA_DIR > FILE"""
import concurrent.futures, gzip, json, os, pathlib, random, subprocess, sys, time, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compaction_cases as cases  # noqa: E402
import kafka_wire as wire  # noqa: E402
from moldau import Moldau  # noqa: E402
from scenario import BrokerTest, Bystander, wait_until  # noqa: E402

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden/compaction/kafka-4.3.1.json.gz"
QUICK = {"log.cleaner.backoff.ms": 50}


def write_rounds(client, topic, rounds, keys=40, first=0):
    """(offset, value) of the newest record of each key."""
    newest = {}
    for i in range(first, first + rounds):
        key = b"k%d" % (i % keys)
        value = b"%d " % i + b"x" * 200
        wrote = cases.produce(client, topic, cases.batch([(key, value)], cases.TIME + i))
        assert wrote.error == wire.NONE, wrote.error
        newest[key] = (wrote.offset, value)
    return newest


def newest_of(broker, topic):
    done = subprocess.run(["kcat", "-b", broker.address, "-C", "-t", topic, "-e", "-q", "-f", "%o %k %s\n"], capture_output=True,
                          timeout=60, check=True)
    lines = [line.split(b" ", 2) for line in done.stdout.splitlines()]
    return {key: (int(offset), value) for offset, key, value in lines}, len(lines)


COMPACTED = {"cleanup.policy": "compact", "internal.segment.bytes": 20000, "min.cleanable.dirty.ratio": 0.01, "file.delete.delay.ms": 0}


class AsKafka(BrokerTest):
    properties = QUICK

    def test_leaves_what_kafka_leaves(self):
        golden = json.loads(gzip.open(GOLDEN).read())
        self.assertEqual(sorted(golden), sorted(cases.CASES))
        with concurrent.futures.ThreadPoolExecutor(len(golden)) as pool:  # they mostly wait for the cleaner's next look
            runs = {case: pool.submit(cases.run, self.broker.port, self.broker.folder / "data", case, case) for case in golden}
        for case, run in runs.items():
            with self.subTest(case=case):
                self.assertEqual(run.result(), golden[case])

    def test_nobody_waits_for_it(self):
        bystander = Bystander(self.broker, "aside")
        with wire.Client(self.broker.port) as client:
            client.create_topic("aside")
            self.assertEqual(client.create_topic("busy", configs=COMPACTED)[0], wire.NONE)
            bystander.start()
            bystander.served.wait(10)
            newest = write_rounds(client, "busy", 3000)
            wait_until(lambda: self.broker_says(r"Cleaned busy-0"), "a round", 30)
        bystander.finish(self)
        self.assertLess(bystander.slowest, 1.0)
        found, count = newest_of(self.broker, "busy")
        self.assertEqual(found, newest)
        self.assertLess(count, 3000)

    def test_what_cannot_be_read_is_set_aside(self):
        with wire.Client(self.broker.port) as client:
            for topic in ("sick", "well"):
                self.assertEqual(client.create_topic(topic, configs=COMPACTED | {"min.cleanable.dirty.ratio": 1.0})[0], wire.NONE)
                write_rounds(client, topic, 300)
            log = self.broker.folder / "data/sick-0/00000000000000000000.log"
            with open(log, "r+b") as file:
                file.seek(1000)
                file.write(b"\xff\xff\xff")
            for topic in ("sick", "well"):
                cases.alter(client, topic, min_cleanable_dirty_ratio=0.01)
            wait_until(lambda: self.broker_says(r"Cannot clean sick-0, which is set aside.*00000000000000000000\.log: at byte"), "sick", 10)
            wait_until(lambda: self.broker_says(r"Cleaned well-0"), "well", 10)
            write_rounds(client, "sick", 10)
        self.assertEqual(list((self.broker.folder / "data/sick-0").glob("*.cleaned")), [])

    def broker_says(self, pattern):
        try:
            return self.broker.wait_for_line(pattern, 0.01)
        except AssertionError:
            return None


class Killed(unittest.TestCase):
    def test_nothing_is_lost_when_it_is_killed_at_work(self):
        lot = random.Random(7)
        with Moldau(**QUICK | {"log.cleaner.io.max.bytes.per.second": 200_000}) as broker:
            with wire.Client(broker.port) as client:
                self.assertEqual(client.create_topic("t", configs=COMPACTED)[0], wire.NONE)
            newest = {}
            for i in range(4):
                with wire.Client(broker.port) as client:
                    newest |= write_rounds(client, "t", 800, first=i * 800)
                time.sleep(lot.random() * 1.5)
                broker.kill()
                broker.start()
                self.assertEqual(newest_of(broker, "t")[0], newest)
            broker.wait_for_line(r"Cleaned t-0", 30)
            self.assertEqual(newest_of(broker, "t")[0], newest)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--record"]:
        port, data = int(sys.argv[2]), sys.argv[3]
        told = {case: cases.run(port, data, case, case) for case in cases.CASES}
        with gzip.GzipFile(fileobj=sys.stdout.buffer, mode="wb", mtime=0) as packed:
            packed.write(json.dumps(told, indent=0).encode())
    else:
        unittest.main()
