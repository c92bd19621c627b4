"""What the scenario tests share: one broker for a class of tests, and somebody else who uses it meanwhile."""
import contextlib, os, pathlib, sys, threading, time, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kafka_wire as wire
from moldau import Moldau


def skip(reason):
    """Skips the test, and says so where the summary of a quiet run would not."""
    print(f"skipped: {reason}", file=sys.stderr)
    raise unittest.SkipTest(reason)


def wait_until(condition, what, seconds=10):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.005)
    return found


class Bystander(threading.Thread):
    """A well-behaved client: writes one record after the other and reads each back, on a connection and topic of its own.
    finish() checks that it was served all the time and that everything it wrote is still there."""
    PATIENCE_S = 5  # none of its requests may take longer, whatever the others do

    def __init__(self, broker, topic):
        super().__init__(daemon=True)
        self.broker, self.topic, self.acknowledged, self.slowest, self.trouble = broker, topic, [], 0.0, None
        self.ended, self.served = threading.Event(), threading.Event()

    def run(self):
        try:
            with wire.Client(self.broker.port, timeout=self.PATIENCE_S) as client:
                while not self.ended.wait(0.002):
                    self.one(client)
        except Exception as trouble:
            self.trouble = trouble
        self.served.set()

    def one(self, client):
        value = b"bystander %d" % len(self.acknowledged)
        begin = time.monotonic()
        wrote = client.produce(self.topic, [value])
        if wrote.error != wire.NONE:
            raise AssertionError(f"produce: error {wrote.error}")
        read = client.fetch(self.topic, wrote.offset)
        if [(r.offset, r.value) for r in read.records()] != [(wrote.offset, value)]:
            raise AssertionError(f"fetch at {wrote.offset}: error {read.error}, {len(read.data)} bytes")
        self.slowest = max(self.slowest, time.monotonic() - begin)
        self.acknowledged.append((wrote.offset, value))
        self.served.set()

    def finish(self, test):
        # At least one more round after everything that the test did.
        before = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) > before or self.trouble, "the bystander is served")
        self.ended.set()
        self.join()
        test.assertIsNone(self.trouble, f"the bystander was not served: {self.trouble!r}\n{self.broker.log()}")
        with wire.Client(self.broker.port) as client:
            stored = [(r.offset, r.value) for r in client.read_all(self.topic, check_crc=True)]
        test.assertEqual(stored, self.acknowledged, "what the bystander wrote is not there")


class BrokerTest(unittest.TestCase):
    """One broker for all tests of the class; each uses topics of its own. `properties` of the class: its settings."""
    properties = {}

    @classmethod
    def setUpClass(cls):
        cls.broker = Moldau(**cls.properties).start()

    @classmethod
    def tearDownClass(cls):
        broker = cls.broker
        if broker.running():
            code = broker.stop()
            assert code == 0, f"exit code {code} after SIGTERM\n{broker.log()}"
        broker.__exit__(None)

    def client(self, **options):
        client = wire.Client(self.broker.port, **options)
        self.addCleanup(client.close)
        return client

    def topic(self, partitions=1, broker=None, **configs):
        name = self.id().split(".")[-1] + f"-{len(self.__dict__.setdefault('topics_made', []))}"
        self.topics_made.append(name)
        with wire.Client((broker or self.broker).port) as client:
            error, message = client.create_topic(name, partitions, {k.replace("_", "."): v for k, v in configs.items()})
        self.assertEqual(error, wire.NONE, message)
        return name

    @contextlib.contextmanager
    def others_served(self):
        """Meanwhile another connection writes and reads, and afterwards all that is there; the process is the same."""
        pid = self.broker.process.pid
        bystander = Bystander(self.broker, self.topic())
        bystander.start()
        self.assertTrue(bystander.served.wait(10), "the bystander is served before it begins")
        try:
            yield bystander
        finally:
            self.assertTrue(self.broker.running(), "the broker ended\n" + self.broker.log())
            bystander.finish(self)
        self.assertEqual(self.broker.process.pid, pid)

    def lines_since(self, mark):
        return self.broker.lines[mark:]

    def wait_for_new_line(self, mark, pattern, seconds=10):
        import re
        found = lambda: next((l for l in self.lines_since(mark) if re.search(pattern, l)), None)
        try:
            return wait_until(found, f"a line like {pattern!r}", seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}; found\n" + "\n".join(self.lines_since(mark)[-20:])) from None

    @contextlib.contextmanager
    def memory_bounded(self, mebibytes):
        """The process's memory grows by less than that, and descriptors come back."""
        before, descriptors, most = self.broker.rss_kb(), self.broker.descriptors(), 0
        ended = threading.Event()

        def watch():
            nonlocal most
            while not ended.wait(0.01):
                most = max(most, self.broker.rss_kb())
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        grown = (max(most, self.broker.rss_kb()) - before) / 1024
        self.assertLess(grown, mebibytes, f"memory grew by {grown:.1f} MiB")


def partition_folder(root, topic, partition=0):
    return pathlib.Path(root) / f"{topic}-{partition}"


def segments(folder):
    return sorted(pathlib.Path(folder).glob("*.log"))
