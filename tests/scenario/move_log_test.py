"""Partitions move to another log directory while clients write and read, and go on to after a kill."""
import os, pathlib, shutil, struct, sys, tempfile, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau
from scenario import Bystander, partition_folder, wait_until

ALTER_REPLICA_LOG_DIRS, DESCRIBE_LOG_DIRS, INCREMENTAL_ALTER_CONFIGS = 34, 35, 44
UNKNOWN_TOPIC_OR_PARTITION, LOG_DIR_NOT_FOUND = 3, 57


def move(client, topic, directory, partition=0):
    topics = wire.array([wire.string(topic) + struct.pack(">ii", 1, partition)])
    r = client.call(ALTER_REPLICA_LOG_DIRS, 1, wire.array([wire.string(str(directory)) + topics]))
    r.int32()
    [(_, [(_, error)])] = r.array(lambda: (r.string(), r.array(lambda: (r.int32(), r.int16()))))
    return error


def whereabouts(client, topic):
    """{(path, is future): (size, lag)} of the topic's partition 0"""
    r = client.call(DESCRIBE_LOG_DIRS, 1, struct.pack(">i", -1))
    r.int32()
    found = {}

    def directory():
        _, path = r.int16(), r.string()
        for name, partitions in r.array(lambda: (r.string(), r.array(
                lambda: (r.int32(), r.int64(), r.int64(), r.boolean())))):
            for index, size, lag, future in partitions:
                if (name, index) == (topic, 0):
                    found[pathlib.Path(path).name, future] = (size, lag)
    r.array(directory)
    return found


class MoveLog(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="moldau-move-"))
        self.addCleanup(shutil.rmtree, self.root, True)
        self.folders = {name: self.root / name for name in ("one", "two")}
        self.broker = Moldau(self.root / "broker", **{
            "log.dirs": ",".join(map(str, self.folders.values())), "replica.fetch.max.bytes": 2000,
            "log.segment.delete.delay.ms": 100}).start()
        self.addCleanup(self.broker.__exit__, None)
        self.connect()

    def connect(self):
        self.client = wire.Client(self.broker.port)
        self.addCleanup(self.client.close)

    def make(self, records=3000):
        self.assertEqual(self.client.create_topic("t", 1, {"internal.segment.bytes": 400_000}), (wire.NONE, None))
        for i in range(records):
            self.assertEqual(self.client.produce("t", [b"%06d" % i + b"x" * 1000]).offset, i)
        self.written = records
        home = next(n for n, f in self.folders.items() if partition_folder(f, "t").exists())
        return home, next(n for n in self.folders if n != home)

    def settled_in(self, name):
        wait_until(lambda: list(whereabouts(self.client, "t")) == [(name, False)], f"t-0 lies in {name}", 30)

    def check(self):
        found = [(r.offset, r.value[:6]) for r in self.client.read_all("t", check_crc=True)]
        self.assertEqual(found, [(i, b"%06d" % i) for i in range(len(found))])
        self.assertGreaterEqual(len(found), self.written)
        self.written = len(found)

    def test_there_and_back_while_records_come(self):
        home, other = self.make()
        bystander = Bystander(self.broker, "elsewhere")
        self.assertEqual(self.client.create_topic("elsewhere"), (wire.NONE, None))
        bystander.start()
        for to in (other, home):
            self.assertEqual(move(self.client, "t", self.folders[to]), wire.NONE)
            for _ in range(200):
                self.assertEqual(self.client.produce("t", [b"%06d" % self.written]).offset, self.written)
                self.written += 1
            self.settled_in(to)
            self.check()
        self.assertEqual(move(self.client, "elsewhere", self.folders["two"]), wire.NONE)
        bystander.finish(self)
        wait_until(lambda: [f.name for f in self.folders[other].iterdir() if f.name.startswith("t-0")] == [],
                   "the old folder is removed")

    def test_killed_in_the_middle(self):
        home, other = self.make()
        resumed = 0
        for _ in range(4):
            self.assertEqual(move(self.client, "t", self.folders[other]), wire.NONE)
            wait_until(lambda: whereabouts(self.client, "t").get((other, True), (1,))[0] > 0, "the copy grows")
            self.assertEqual(self.client.produce("t", [b"%06d" % self.written]).offset, self.written)
            self.written += 1
            self.broker.kill()
            self.broker.start()
            self.connect()
            self.settled_in(other)
            resumed += "Going on to move t-0" in self.broker.log()
            self.check()
            home, other = other, home
        self.assertGreater(resumed, 0, "no kill came in the middle of a move")

    def throttle(self, rate):
        change = wire.string("replica.alter.log.dirs.io.max.bytes.per.second") + b"\0" + wire.string(str(rate))
        r = self.client.call(INCREMENTAL_ALTER_CONFIGS, 0, wire.array([b"\x04" + wire.string("1") + wire.array([change])]) + b"\0")
        r.int32()
        self.assertEqual(r.array(lambda: (r.int16(), r.take(2), r.take(1), r.string()))[0][0], wire.NONE)

    def test_keeps_to_a_rate_that_is_set_while_it_runs(self):
        home, other = self.make(500)
        self.throttle(0)
        self.assertEqual(move(self.client, "t", self.folders[other]), wire.NONE)
        self.throttle(150_000)
        begin = time.monotonic()
        self.settled_in(other)
        # A second's worth at once, a chunk too much, the rest in its time.
        self.assertGreater(time.monotonic() - begin, (500_000 - 150_000 - 2000) / 150_000 - 0.1)
        self.check()
        self.throttle(9223372036854775807)
        self.assertEqual(move(self.client, "t", self.folders[home]), wire.NONE)
        self.settled_in(home)

    def test_changes_of_mind_and_errors(self):
        home, other = self.make(500)
        self.assertEqual(move(self.client, "t", "/nowhere"), LOG_DIR_NOT_FOUND)
        self.assertEqual(move(self.client, "nothing", self.folders[other]), UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(move(self.client, "t", self.folders[other]), wire.NONE)
        self.assertEqual(move(self.client, "t", self.folders[home]), wire.NONE)
        wait_until(lambda: not any(future for _, future in whereabouts(self.client, "t")), "nothing moves")
        self.check()
        # A place for what is not there yet.
        for name in self.folders:
            self.assertEqual(move(self.client, "coming-" + name, self.folders[name]), UNKNOWN_TOPIC_OR_PARTITION)
            self.assertEqual(self.client.create_topic("coming-" + name), (wire.NONE, None))
            self.assertTrue(partition_folder(self.folders[name], "coming-" + name).exists())

    def test_a_deleted_topic_takes_its_copy_along(self):
        _, other = self.make(500)
        self.assertEqual(move(self.client, "t", self.folders[other]), wire.NONE)
        self.assertEqual(self.client.delete_topic("t"), wire.NONE)
        wait_until(lambda: not [f for folder in self.folders.values() for f in folder.iterdir()
                                if f.name.startswith("t-0") and not f.name.endswith("-delete")], "all is removed")


if __name__ == "__main__":
    unittest.main()
