"""Disks that are full or fail. Needs root and mounts of its own: a small tmpfs to fill, an ext4 image to break."""
import array, contextlib, fcntl, os, pathlib, shutil, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau
from scenario import partition_folder, segments, skip, wait_until

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32): every later access fails with EIO, as on a dead disk


@contextlib.contextmanager
def mounted(folder, *how):
    """Something mounted on `folder`, made for it; skips where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        skip("a mount of its own needs root")
    done = subprocess.run(["mount", *how, str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        skip(f"mount {' '.join(how)}: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class Full(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="moldau-disk-"))
        self.addCleanup(shutil.rmtree, self.root, True)
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.disk = stack.enter_context(mounted(self.root / "disk", "-t", "tmpfs", "-o", "size=24m", "none"))
        self.filler = self.disk / "filler"
        self.broker = stack.enter_context(Moldau(self.root / "broker", **{"log.dirs": self.disk / "data"}))
        self.client = stack.enter_context(wire.Client(self.broker.port))
        self.assertEqual(self.client.create_topic("t"), (wire.NONE, None))
        self.one, self.stored = wire.batch([b"x" * 100_000]), 0

    def fill(self, leave=0):
        """Takes the room, but for `leave` bytes."""
        space = os.statvfs(self.disk)
        with open(self.filler, "ab", buffering=0) as file:
            with contextlib.suppress(OSError):
                left = space.f_bavail * space.f_frsize - leave
                while left > 0:
                    left -= file.write(bytes(min(left, 1 << 16)))

    def produce(self, count):
        """Up to `count` batches; the first error."""
        for _ in range(count):
            got = self.client.produce("t", [], data=self.one)
            if got.error != wire.NONE:
                self.assertTrue(got.message)
                return got.error
            self.assertEqual(got.offset, self.stored)
            self.stored += 1
        return wire.NONE

    def test_full_and_room_again(self):
        self.fill(leave=2 << 20)
        pid = self.broker.process.pid
        self.assertEqual(self.produce(200), wire.KAFKA_STORAGE_ERROR)
        self.assertGreater(self.stored, 5)
        for _ in range(3):
            self.assertEqual(self.produce(1), wire.KAFKA_STORAGE_ERROR)
        self.assertEqual([r.offset for r in self.client.read_all("t", check_crc=True)], list(range(self.stored)), "reads go on")
        self.assertEqual(self.client.metadata(["t"])[1]["t"], (wire.NONE, {0: (wire.NONE, 1)}))
        line = self.broker.wait_for_line("No room in dir .*No space left on device")
        self.assertIn(str(self.disk / "data"), line)
        self.assertEqual(len([l for l in self.broker.lines if "No room" in l]), 1, "one line, not one for each request")
        self.filler.unlink()
        self.assertEqual(self.produce(20), wire.NONE, "writing goes on when there is room")
        self.assertEqual([r.offset for r in self.client.read_all("t", check_crc=True)], list(range(self.stored)))
        self.assertEqual(self.broker.process.pid, pid)
        self.assertTrue(self.broker.running())

    def test_metadata_while_full(self):
        """A topic that cannot be written down is refused, and can be made when there is room."""
        self.fill()
        error, message = self.client.create_topic("late", 50)
        self.assertNotEqual(error, wire.NONE)
        self.assertTrue(message)
        self.assertTrue(self.broker.running(), self.broker.log())
        self.assertEqual(self.client.metadata(["late"])[1]["late"][0], wire.UNKNOWN_TOPIC_OR_PARTITION)
        self.filler.unlink()
        made = lambda: self.client.create_topic("late", 50)[0] in (wire.NONE, wire.TOPIC_ALREADY_EXISTS)
        wait_until(made, "a topic can be made again")
        for partition in range(50):
            self.assertEqual(self.client.produce("late", [b"x"], partition).error, wire.NONE)

    def test_killed_while_full(self):
        """A start must write a little (its registration): without any room it is refused, with one message; with a little it
        serves what is there, and writes when there is more."""
        self.fill(leave=1 << 20)
        self.assertEqual(self.produce(200), wire.KAFKA_STORAGE_ERROR)
        self.fill()
        self.broker.kill()
        code, said = self.broker.run()
        self.assertEqual(code, 1)
        [error] = [l for l in said.splitlines() if "ERROR" in l]
        for part in (self.disk / "data", "log.dirs", "No space left on device"):
            self.assertIn(str(part), error)
        with open(self.filler, "r+b") as file:
            file.truncate(file.seek(0, os.SEEK_END) - 64 * 1024)
        self.broker.start()
        with wire.Client(self.broker.port) as self.client:
            self.assertEqual([r.offset for r in self.client.read_all("t", check_crc=True)], list(range(self.stored)))
            self.assertEqual(self.produce(50), wire.KAFKA_STORAGE_ERROR)
            self.filler.unlink()
            self.assertEqual(self.produce(5), wire.NONE)
            self.assertEqual(self.broker.stop(), 0)
        self.broker.start()
        with wire.Client(self.broker.port) as client:
            self.assertEqual([r.offset for r in client.read_all("t", check_crc=True)], list(range(self.stored)))


class Failing(unittest.TestCase):
    """Two directories; one fails: its partitions are offline and say so, the other's are served."""

    def serve(self, folders):
        broker = Moldau(self.root / "broker", **{"log.dirs": ",".join(map(str, folders))}).start()
        self.addCleanup(broker.__exit__, None)
        client = wire.Client(broker.port)
        self.addCleanup(client.close)
        self.assertEqual(client.create_topic("t", 6, {"internal.segment.bytes": 20000}), (wire.NONE, None))
        for partition in range(6):
            self.assertEqual(client.produce("t", [b"stored"], partition).offset, 0)
        place = {p: next(f for f in folders if partition_folder(f, "t", p).exists()) for p in range(6)}
        self.assertEqual(set(place.values()), set(folders), "partitions are spread over the directories")
        return broker, client, place

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="moldau-disk-"))
        self.addCleanup(shutil.rmtree, self.root, True)

    def check(self, broker, client, place, failed):
        big = wire.batch([b"y" * 9000])
        for round in range(4):  # enough to need a new segment
            for partition, folder in place.items():
                got = client.produce("t", [], partition, data=big)
                if folder != failed:
                    self.assertEqual((got.error, got.offset), (wire.NONE, 1 + round), f"partition {partition} in {folder}")
        broker.wait_for_line(f"Stopping serving logs in dir {failed}: .")
        for partition, folder in place.items():
            wrote, read = client.produce("t", [b"z"], partition), client.fetch("t", 0, partition)
            if folder == failed:
                self.assertEqual((wrote.error, read.error), (wire.KAFKA_STORAGE_ERROR, wire.KAFKA_STORAGE_ERROR))
            else:
                self.assertEqual((wrote.error, read.error), (wire.NONE, wire.NONE))
        self.assertEqual(client.create_topic("new", 4), (wire.NONE, None))
        for partition in range(4):
            self.assertEqual(client.produce("new", [b"x"], partition).error, wire.NONE, "new partitions go where there is a disk")
        self.assertEqual(broker.stop(), 0, broker.log())

    def test_directory_replaced(self):
        folders = [self.root / "one", self.root / "two"]
        broker, client, place = self.serve(folders)
        folders[1].rename(self.root / "away")
        folders[1].write_text("a file stands there now")
        self.check(broker, client, place, folders[1])
        # Back in place: everything is there again.
        folders[1].unlink()
        (self.root / "away").rename(folders[1])
        broker.start()
        with wire.Client(broker.port) as client:
            for partition in range(6):
                self.assertEqual(client.read_all("t", partition)[0].value, b"stored")
                self.assertEqual(client.produce("t", [b"again"], partition).error, wire.NONE)

    def test_disk_dead(self):
        image = self.root / "image"
        with open(image, "wb") as file:
            file.truncate(32 << 20)
        if not shutil.which("mkfs.ext4"):
            skip("a dead disk needs mkfs.ext4")
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        with mounted(self.root / "disk", "-o", "loop", str(image)) as disk:
            folders = [self.root / "one", disk / "data"]
            broker, client, place = self.serve(folders)
            handle = os.open(disk, os.O_RDONLY)
            try:
                fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, array.array("I", [2]))  # 2: without flushing the log
            except OSError as missing:
                skip(f"shutting an ext4 down: {missing}")
            finally:
                os.close(handle)
            self.check(broker, client, place, folders[1])
            # It starts without that disk too, and says so.
            broker.start()
            broker.wait_for_line(f"Stopping serving logs in dir {folders[1]}")
            with wire.Client(broker.port) as client:
                for partition, folder in place.items():
                    if folder != folders[1]:
                        self.assertEqual(client.read_all("t", partition)[0].value, b"stored")
            broker.kill()

    def test_first_directory_gone(self):
        """The directory with the metadata is not there at the start: refused, not a new cluster on the others."""
        folders = [self.root / "one", self.root / "two"]
        broker, client, place = self.serve(folders)
        self.assertEqual(broker.stop(), 0)
        folders[0].rename(self.root / "away")
        folders[0].write_text("x")
        code, said = broker.run()
        self.assertEqual(code, 1, said)
        self.assertIn(str(folders[0]), said)
        folders[0].unlink()
        (self.root / "away").rename(folders[0])
        broker.start()
        with wire.Client(broker.port) as client:
            for partition in range(6):
                self.assertEqual(client.read_all("t", partition)[0].value, b"stored")
