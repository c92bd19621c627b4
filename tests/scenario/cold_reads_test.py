"""Readers of what the page cache has forgotten: no network thread waits for the disk, background threads do."""
import os, pathlib, re, shutil, struct, sys, tempfile, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau
from scenario import BrokerTest, partition_folder, skip, wait_until

COUNT, SIZE = 160, 60_000  # batches of one record each: 10 MB, far more than is read ahead
FIRST_TIME = 1_600_000_000_000


class ColdReads(BrokerTest):
    properties = {"num.network.threads": 2, "log.index.interval.bytes": 4096}

    name = "cold"

    @classmethod
    def setUpClass(cls):
        if shutil.which("strace") is None:
            skip("no strace")
        # What the threads read and how, as `TID call(…) = result`: pread64 waits for the disk, preadv2(…, RWF_NOWAIT) does not.
        cls.broker = Moldau(prefix=("strace", "-D", "-f", "-qq", "-e", "trace=pread64,preadv2", "-e", "signal=none",
                                    "--output=/dev/null"), **cls.properties)
        if not cls.can_be_told(cls.broker.folder):
            skip("this file system keeps its pages, or cannot tell what is in memory")
        cls.trace = cls.broker.folder / "reads"
        cls.broker.prefix[-1] = f"--output={cls.trace}"
        cls.broker.start()
        with wire.Client(cls.broker.port) as client:
            assert client.create_topic(cls.name, 1, {"retention.ms": -1})[0] == wire.NONE
            filler = os.urandom(SIZE)
            for i in range(COUNT):
                done = client.produce(cls.name, [b"%06d" % i + filler], timestamp=FIRST_TIME + 1000 * i)
                assert (done.error, done.offset) == (wire.NONE, i)
        cls.folder = partition_folder(cls.broker.folder / "data", cls.name)

    def forget(self):
        """Nothing of the partition's files is in memory any more."""
        for path in self.folder.iterdir():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)

    @staticmethod
    def can_be_told(folder):
        """Whether the file system lets pages go and says what is not in memory; on a file of its own, for asking reads ahead."""
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 16))
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            try:
                os.preadv(file.fileno(), [bytearray(1)], 1 << 15, os.RWF_NOWAIT)
            except BlockingIOError:
                return True
            except OSError:
                pass
            return False

    def network_threads(self):
        tasks = pathlib.Path(f"/proc/{self.broker.process.pid}/task").iterdir()
        return {task.name for task in tasks if (task / "comm").read_text().startswith("moldau-net")}

    def reads(self):
        """So far: [(thread, call, the whole line)]"""
        lines = self.trace.read_text().splitlines()
        return [(found[1], found[2], line) for line in lines if (found := re.match(r"(\d+) +(pread64|preadv2)\(", line))]

    def in_background(self, what, work, again=False):
        """`work`, for which a network thread has found something missing, and other threads have read it. `again`: only then
        it may read as if nothing could be missing."""
        self.forget()
        before, network = len(self.reads()), self.network_threads()
        result = work()
        reads = wait_until(lambda: self.reads()[before:], f"{what}: reads are seen")
        if again:
            first = min((i for i, (*_, line) in enumerate(reads) if "EAGAIN" in line), default=len(reads))
            reads = [r for i, r in enumerate(reads) if i <= first or r[0] not in network]
        waited = [line for thread, call, line in reads if thread in network and call == "pread64"]
        missed = [line for thread, call, line in reads if thread in network and "EAGAIN" in line]
        self.assertEqual(waited, [], f"{what}: a network thread may have waited for the disk")
        self.assertTrue(missed, f"{what}: nobody missed anything\n" + "\n".join(line for *_, line in reads))
        self.assertTrue(any(thread not in network and call == "pread64" for thread, call, _ in reads))
        return result

    def test_fetch_that_jumps(self):
        client = self.client()
        for offset in (COUNT // 2, 7, COUNT - 40, 100):
            got = self.in_background(f"fetch at {offset}", lambda: client.fetch(self.name, offset, max_bytes=200_000))
            self.assertEqual(got.error, wire.NONE)
            self.assertEqual([(r.offset, r.value[:6]) for r in got.records()], [(offset + i, b"%06d" % (offset + i)) for i in range(3)])

    def test_replies_stay_in_order(self):
        client = self.client()
        offsets = [COUNT // 2, COUNT - 1, 11, COUNT - 1, 60]  # cold and warm by turns
        self.forget()
        client.fetch(self.name, COUNT - 1)
        for offset in offsets:
            client.send(wire.FETCH, 6, wire.fetch_body(self.name, 0, offset, max_bytes=10))
        for offset in offsets:
            reader = wire.Reader(client.receive())
            reader.int32()
            self.assertEqual(wire.Client.fetched(reader).records()[0].offset, offset)

    def test_fetch_of_an_old_client(self):
        client = self.client()
        body = (struct.pack(">iii", -1, 0, 1) + struct.pack(">i", 200_000) +
                wire.array([wire.string(self.name) + wire.array([struct.pack(">iqi", 0, 90, 200_000)])]))
        reader = self.in_background("fetch 3", lambda: client.call(wire.FETCH, 3, body))
        reader.int32()
        [[(index, error, end, data)]] = reader.array(
            lambda: (reader.string(), reader.array(lambda: (reader.int32(), reader.int16(), reader.int64(), reader.bytes())))[1])
        self.assertEqual((index, error, end), (0, wire.NONE, COUNT))
        self.assertEqual((struct.unpack(">q", data[:8])[0], data[16]), (90, 1), "offset and magic of the first message")
        self.assertIn(b"000090", data[:60])

    def test_offset_of_a_time(self):
        client = self.client()
        for wanted in (3, 150, 77):
            found = self.in_background(f"time of {wanted}", lambda: client.offset(self.name, FIRST_TIME + 1000 * wanted - 500))
            self.assertEqual(found, (wire.NONE, wanted))

    def test_first_use_after_a_start(self):
        """Nobody looks into a log that was closed properly before it is used."""
        for what, work in (("first fetch", lambda client: client.fetch(self.name, 33, max_bytes=10).error),
                           ("first time", lambda client: client.offset(self.name, FIRST_TIME + 33_000)[0])):
            self.assertEqual(self.broker.stop(), 0)
            self.broker.start()
            with wire.Client(self.broker.port) as client:
                self.assertEqual(self.in_background(what, lambda: work(client), again=True), wire.NONE)

    def test_closed_meanwhile(self):
        """Whoever leaves while his request is read in leaves nothing behind."""
        descriptors = None
        for i in range(40):
            self.forget()
            with wire.Client(self.broker.port) as leaver:
                leaver.send(wire.FETCH, 6, wire.fetch_body(self.name, 0, 5 * i, wait_ms=100_000, min_bytes=1 << 30))
            if i == 20:
                descriptors = self.broker.descriptors()
        with self.others_served():
            pass
        self.assertLess(self.broker.descriptors(), descriptors + 10)


del BrokerTest

if __name__ == "__main__":
    unittest.main()
