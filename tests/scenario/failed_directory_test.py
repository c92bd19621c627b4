"""A log directory that fails is told to the metadata: its partitions have no leader until it is back."""
import os, pathlib, shutil, struct, sys, tempfile, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau
from scenario import partition_folder, wait_until

LEADER_NOT_AVAILABLE, DESCRIBE_LOG_DIRS = 5, 35
PARTITIONS = 6


def log_dirs(client):
    """{path: (error, {(topic, partition)})}"""
    r = client.call(DESCRIBE_LOG_DIRS, 1, struct.pack(">i", -1))
    r.int32()

    def topic():
        name = r.string()
        return [(name, index) for index, _, _, _ in r.array(lambda: (r.int32(), r.int64(), r.int64(), r.boolean()))]

    def directory():
        error, path = r.int16(), r.string()
        return path, (error, {one for topic in r.array(topic) for one in topic})
    return dict(r.array(directory))


def details(client, name):
    """{partition: (error, leader, epoch, isr, offline replicas)}, of Metadata 7"""
    r = client.call(wire.METADATA, 7, wire.array([wire.string(name)]) + b"\0")
    r.int32()
    r.array(lambda: (r.int32(), r.string(), r.int32(), r.string()))
    r.string(), r.int32()

    def partition():
        error, index, leader, epoch = r.int16(), r.int32(), r.int32(), r.int32()
        r.array(r.int32)
        return index, (error, leader, epoch, r.array(r.int32), r.array(r.int32))
    [(_, _, _, partitions)] = r.array(lambda: (r.int16(), r.string(), r.boolean(), r.array(partition)))
    return dict(partitions)


class FailedDirectory(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="moldau-dirs-"))
        self.addCleanup(shutil.rmtree, self.root, True)
        self.folders = [self.root / "one", self.root / "two"]
        self.broker = Moldau(self.root / "broker", **{"log.dirs": ",".join(map(str, self.folders))}).start()
        self.addCleanup(self.broker.__exit__, None)
        self.connect()
        self.assertEqual(self.client.create_topic("t", PARTITIONS, {"internal.segment.bytes": 20000}), (wire.NONE, None))
        for partition in range(PARTITIONS):
            self.assertEqual(self.client.produce("t", [b"stored"], partition).offset, 0)
        self.lost = {p for p in range(PARTITIONS) if partition_folder(self.folders[1], "t", p).exists()}
        self.assertTrue(0 < len(self.lost) < PARTITIONS, "partitions are spread over the directories")

    def connect(self):
        self.client = wire.Client(self.broker.port)
        self.addCleanup(self.client.close)

    def leaderless(self):
        return {p for p, (error, leader, *_) in details(self.client, "t").items() if leader == -1}

    def break_one(self):
        self.folders[1].rename(self.root / "away")
        self.folders[1].write_text("a file stands there now")

    def fail(self):
        self.break_one()
        big = wire.batch([b"y" * 9000])
        for _ in range(4):  # until a new segment is needed
            for partition in self.lost:
                self.client.produce("t", [], partition, data=big)
        self.broker.wait_for_line(f"Stopping serving logs in dir {self.folders[1]}: .")

    def mend(self):
        self.folders[1].unlink()
        (self.root / "away").rename(self.folders[1])

    def check_lost(self):
        wait_until(lambda: self.leaderless() == self.lost, "the partitions of the failed directory have no leader")
        for partition, (error, leader, _, isr, offline) in details(self.client, "t").items():
            wrote, read = self.client.produce("t", [b"z"], partition), self.client.fetch("t", 0, partition)
            if partition in self.lost:
                self.assertEqual((error, leader, offline), (LEADER_NOT_AVAILABLE, -1, [1]))
                self.assertEqual((wrote.error, read.error), (wire.KAFKA_STORAGE_ERROR,) * 2)
                # An old version of this request, whose clients do not know the storage error.
                self.assertEqual(self.client.offset("t", partition=partition)[0], wire.NOT_LEADER_OR_FOLLOWER)
            else:
                self.assertEqual((error, leader, isr, offline), (wire.NONE, 1, [1], []))
                self.assertEqual((wrote.error, read.error), (wire.NONE, wire.NONE))
        told = log_dirs(self.client)
        self.assertEqual(told[str(self.folders[1])], (wire.KAFKA_STORAGE_ERROR, set()))
        self.assertEqual(told[str(self.folders[0])][0], wire.NONE)

    def check_all_back(self, epochs):
        self.assertEqual(self.leaderless(), set())
        for partition, (error, leader, epoch, isr, offline) in details(self.client, "t").items():
            self.assertEqual((error, leader, isr, offline), (wire.NONE, 1, [1], []))
            self.assertGreater(epoch, epochs[partition], "a new leadership is a new epoch")
            self.assertEqual(self.client.read_all("t", partition)[0].value, b"stored")
            self.assertEqual(self.client.produce("t", [b"again"], partition).error, wire.NONE)

    def epochs(self):
        return {p: epoch for p, (_, _, epoch, *_) in details(self.client, "t").items()}

    def test_fails_while_it_runs_and_is_back_after_a_restart(self):
        epochs = self.epochs()
        self.fail()
        self.check_lost()
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.mend()
        self.broker.start()
        self.connect()
        self.check_all_back(epochs)

    def test_topic_deleted_and_made_again_meanwhile(self):
        """What comes back is another topic's: set aside, with a line that names both, and not served."""
        self.fail()
        self.check_lost()
        old = {p: (self.root / f"away/t-{p}/partition.metadata").read_text().split("topic_id: ")[1].strip() for p in self.lost}
        self.assertEqual(self.client.delete_topic("t"), wire.NONE)
        self.assertEqual(self.client.create_topic("t", PARTITIONS), (wire.NONE, None))
        for partition in range(PARTITIONS):
            self.assertEqual(self.client.produce("t", [b"new"], partition).offset, 0)
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.mend()
        self.broker.start()
        self.connect()
        for partition in range(PARTITIONS):
            self.assertEqual([r.value for r in self.client.read_all("t", partition)], [b"new"])
            self.assertEqual(self.client.produce("t", [b"on"], partition).offset, 1)
        now = (partition_folder(self.folders[0], "t", 0) / "partition.metadata").read_text().split("topic_id: ")[1].strip()
        for partition, was in old.items():
            self.assertNotEqual(was, now)
            self.broker.wait_for_line(rf"WARN .*two/t-{partition}: of the topic with the id {was}, t has the id {now} now; set aside")
            [stray] = self.folders[1].glob(f"t-{partition}.*-stray")
            self.assertIn(b"stored", (stray / "00000000000000000000.log").read_bytes())

    def test_stays_away_over_a_restart(self):
        epochs = self.epochs()
        self.fail()
        self.check_lost()
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.broker.start()
        self.connect()
        self.check_lost()
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.mend()
        self.broker.start()
        self.connect()
        self.check_all_back(epochs)

    def test_is_gone_at_a_start(self):
        epochs = self.epochs()
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.break_one()
        self.broker.start()
        self.connect()
        self.check_lost()
        self.broker.kill()
        self.mend()
        self.broker.start()
        self.connect()
        self.check_all_back(epochs)


if __name__ == "__main__":
    unittest.main()
