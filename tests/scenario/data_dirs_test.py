"""Data directories that are somebody else's, or damaged. What can be served is served, what cannot is said, nothing is thrown
away in silence."""
import os, pathlib, re, shutil, struct, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from moldau import Moldau, free_port
from scenario import partition_folder, segments


class DataDirTest(unittest.TestCase):
    def made(self, **properties):
        broker = Moldau(**properties)
        self.addCleanup(broker.__exit__, None)
        return broker

    def refused(self, broker, *expected):
        """Does not start: one message, exit 1, and the directory's files are as before."""
        before = self.contents(broker.folder)
        code, said = broker.run()
        self.assertEqual(code, 1, said)
        errors = [l for l in said.splitlines() if "ERROR" in l]
        self.assertEqual(len(errors), 1, said)
        for part in expected:
            self.assertIn(str(part), errors[0])
        self.unchanged(broker.folder, before)
        return errors[0]

    @staticmethod
    def contents(folder):
        """Of every file of the directories; a lock may stay behind, it is the process's."""
        return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name not in ("server.properties", ".lock")}

    def unchanged(self, folder, before):
        after = self.contents(folder)
        different = sorted(str(p) for p in before.keys() | after.keys() if before.get(p) != after.get(p))
        self.assertEqual(different, [], "the refused start changed files")

    def served(self, broker, topic, values, start=0):
        with wire.Client(broker.port) as client:
            self.assertEqual([r.value for r in client.read_all(topic, offset=start, check_crc=True)], values)
            wrote = client.produce(topic, [b"goes on"])
            self.assertEqual((wrote.error, wrote.offset), (wire.NONE, start + len(values)))

    def filled(self, broker, topic="t", count=100, size=100, **configs):
        """Starts it with a topic of `count` records in a batch each; the values."""
        values = [b"%06d" % i + b"." * size for i in range(count)]
        if not broker.running():
            broker.start()
        with wire.Client(broker.port) as client:
            self.assertEqual(client.create_topic(topic, 1, configs), (wire.NONE, None))
            for i, value in enumerate(values):
                self.assertEqual(client.produce(topic, [value]).offset, i)
        return values


class Foreign(DataDirTest):
    def edit(self, folder, pattern, replacement):
        path = folder / "meta.properties"
        text = path.read_text()
        changed = re.sub(pattern, replacement, text)
        self.assertNotEqual(text, changed)
        path.write_text(changed)

    def test_of_another_cluster(self):
        broker = self.made()
        broker.properties["log.dirs"] = f"{broker.folder}/one,{broker.folder}/two"
        broker.start()
        self.assertEqual(broker.stop(), 0)
        self.edit(broker.folder / "two", "cluster.id=.*", "cluster.id=AAAAAAAAAAAAAAAAAAAAAA")
        self.refused(broker, broker.folder / "two/meta.properties", "cluster.id", "AAAAAAAAAAAAAAAAAAAAAA", "expected", "found")

    def test_of_another_cluster_beside_a_fresh_and_an_old_one(self):
        """Nothing is formatted, and nothing brought up to date, before all have been looked at."""
        broker = self.made()
        broker.properties["log.dirs"] = f"{broker.folder}/old,{broker.folder}/two,{broker.folder}/fresh"
        broker.start()
        self.assertEqual(broker.stop(), 0)
        shutil.rmtree(broker.folder / "fresh")
        self.edit(broker.folder / "old", "node.id=", "broker.id=")
        self.edit(broker.folder / "old", "version=1", "version=0")
        self.edit(broker.folder / "two", "cluster.id=.*", "cluster.id=AAAAAAAAAAAAAAAAAAAAAA")
        self.refused(broker, broker.folder / "two/meta.properties", "cluster.id")

    def test_of_another_node(self):
        broker = self.made()
        broker.start()
        self.assertEqual(broker.stop(), 0)
        broker.properties["node.id"] = 7
        self.refused(broker, broker.folder / "data/meta.properties", "node.id", "expected 7", "found 1")

    def test_of_a_newer_version(self):
        broker = self.made()
        broker.start()
        self.assertEqual(broker.stop(), 0)
        self.edit(broker.folder / "data", "version=1", "version=2")
        self.refused(broker, broker.folder / "data/meta.properties", "version", "expected 0 or 1", "found 2", "newer")

    def test_meta_properties_that_are_none(self):
        broker = self.made()
        broker.start()
        self.assertEqual(broker.stop(), 0)
        for text in ("", "rubbish", "version=x\n", "version=-1\n", "version=1\ncluster.id=x\nnode.id=many\n"):
            (broker.folder / "data/meta.properties").write_text(text)
            self.refused(broker, broker.folder / "data/meta.properties", "expected")

    def test_metadata_log_of_another_cluster(self):
        """One directory's metadata log put into another's: its records name another cluster's directories, or are refused;
        in no case are the topics of either deleted."""
        one = self.made()
        values = self.filled(one)
        self.assertEqual(one.stop(), 0)
        two = self.made()
        self.filled(two, "other")
        self.assertEqual(two.stop(), 0)
        shutil.rmtree(one.folder / "data/__cluster_metadata-0")
        shutil.copytree(two.folder / "data/__cluster_metadata-0", one.folder / "data/__cluster_metadata-0")
        files = lambda: sorted(p.read_bytes() for p in one.folder.rglob("00000000000000000000.log") if b"000042...." in p.read_bytes())
        before = files()
        self.assertTrue(before)
        try:
            one.start()
        except RuntimeError:
            pass
        one.kill()
        self.assertEqual(files(), before, "records of the partition whose topic the metadata do not know are gone")
        del values

    def test_used_by_another_process(self):
        with Moldau() as first:
            values = self.filled(first)
            second = Moldau(first.folder, free_port())
            second.properties["log.dirs"] = f"{first.folder}/fresh,{first.properties['log.dirs']}"
            before = self.contents(first.folder)
            code, said = second.run(text=second._file())
            self.assertEqual(code, 1)
            self.unchanged(first.folder, before)
            [error] = [l for l in said.splitlines() if "ERROR" in l]
            for part in (first.folder / "data/.lock", "no other process", "log.dirs", first.folder / "server.properties"):
                self.assertIn(str(part), error)
            self.served(first, "t", values)

    def test_lock_left_by_a_dead_process(self):
        """A lock is the process's, not the file's."""
        broker = self.made()
        values = self.filled(broker)
        broker.kill()
        self.assertTrue((broker.folder / "data/.lock").exists())
        broker.start()
        self.served(broker, "t", values)


class Damaged(DataDirTest):
    def killed(self, **configs):
        broker = self.made()
        values = self.filled(broker, **configs)
        broker.kill()
        return broker, values, partition_folder(broker.folder / "data", "t")

    @staticmethod
    def batch_at(path, index):
        """(position, size) of the batch."""
        data, at = path.read_bytes(), 0
        for i, (_, _, one) in enumerate(wire.batches(data)):
            if i == index:
                return at, len(one)
            at += len(one)

    def flip(self, path, position, bit=0x20):
        data = bytearray(path.read_bytes())
        data[position] ^= bit
        path.write_bytes(data)

    def test_cut_in_mid_batch(self):
        for cut in (1, 30, 61, 100):
            broker, values, folder = self.killed()
            [segment] = segments(folder)
            position, _ = self.batch_at(segment, 99)
            with open(segment, "r+b") as file:
                file.truncate(position + cut)
            broker.start()
            line = broker.wait_for_line(r"WARN .*t-0: dropped ")
            self.assertIn(f"dropped {cut} bytes", line)
            self.assertIn("ends at offset 99", line)
            self.served(broker, "t", values[:99])
            broker.kill()

    def test_rubbish_behind_the_end(self):
        broker, values, folder = self.killed()
        with open(segments(folder)[0], "ab") as file:
            file.write(os.urandom(777))
        broker.start()
        self.assertIn("dropped 777 bytes", broker.wait_for_line(r"WARN .*t-0: dropped "))
        self.served(broker, "t", values)

    def test_zeros_behind_the_end(self):
        """What a file system leaves of a file that grew before a power loss."""
        broker, values, folder = self.killed()
        with open(segments(folder)[0], "ab") as file:
            file.write(bytes(1 << 20))
        broker.start()
        self.assertIn("dropped 1048576 bytes", broker.wait_for_line(r"WARN .*t-0: dropped "))
        self.served(broker, "t", values)

    def test_flipped_bits_after_a_kill(self):
        """Recovery cuts at the batch that is broken, and says how much went with it; without the checkpoint of what had been
        written, everything behind the recovery point is looked at."""
        for inside in (10, 20, 70):  # length, CRC, records
            broker, values, folder = self.killed()
            (broker.folder / "data/written-offset-checkpoint").unlink(missing_ok=True)
            [segment] = segments(folder)
            position, _ = self.batch_at(segment, 40)
            size = segment.stat().st_size
            self.flip(segment, position + inside)
            broker.start()
            line = broker.wait_for_line(r"WARN .*t-0: dropped ")
            self.assertIn(f"dropped {size - position} bytes", line)
            self.assertIn(f"at byte {position}", line)
            self.served(broker, "t", values[:40])
            broker.kill()

    def test_flipped_bits_in_a_cold_segment(self):
        """After a clean stop nobody looks. A batch whose records are damaged is delivered as it is, its CRC tells the reader;
        everything before and behind is there, the directory stays online, others are served."""
        broker = self.made()
        values = self.filled(broker, count=300, size=500, **{"internal.segment.bytes": 20000})
        other = self.filled(broker, "other", count=3)
        self.assertEqual(broker.stop(), 0)
        folder = partition_folder(broker.folder / "data", "t")
        cold = segments(folder)[1]
        position, _ = self.batch_at(cold, 5)
        first = int(cold.name[:20])
        self.flip(cold, position + 100)
        broker.start()
        with wire.Client(broker.port) as client:
            offset, seen = 0, {}
            while offset < 300:
                got = client.fetch("t", offset)
                self.assertEqual(got.error, wire.NONE)
                for base, last, one in wire.batches(got.data):
                    seen[base] = (wire.crc_ok(one), wire.records(one)[0].value if wire.crc_ok(one) else None)
                    offset = last + 1
            self.assertEqual([base for base, (ok, _) in seen.items() if not ok], [first + 5])
            self.assertEqual({b: v for b, (ok, v) in seen.items() if ok}, {i: v for i, v in enumerate(values) if i != first + 5})
        self.served(broker, "other", other)

    def test_broken_structure_in_a_cold_segment(self):
        """A batch whose length is damaged: readers get what stands before it, and an error that says so at it or what stands
        behind; the partition goes on taking records, the other partitions of the directory are served."""
        broker = self.made()
        values = self.filled(broker, count=300, size=500, **{"internal.segment.bytes": 20000})
        other = self.filled(broker, "other", count=3)
        self.assertEqual(broker.stop(), 0)
        cold = segments(partition_folder(broker.folder / "data", "t"))[1]
        position, _ = self.batch_at(cold, 5)
        first, behind = int(cold.name[:20]), int(segments(partition_folder(broker.folder / "data", "t"))[2].name[:20])
        self.flip(cold, position + 8, 0x40)  # 1 GiB long
        broker.start()
        with wire.Client(broker.port) as client:
            for offset in range(first, behind):
                got = client.fetch("t", offset, max_bytes=2000)
                if offset < first + 5:
                    self.assertEqual(got.error, wire.NONE, offset)
                    self.assertEqual([r.value for r in wire.records(got.data) if r.offset == offset], [values[offset]])
                else:
                    self.assertIn(got.error, (wire.NONE, wire.CORRUPT_MESSAGE, wire.KAFKA_STORAGE_ERROR), offset)
                    # Neither records nor an error would leave a consumer waiting there for ever.
                    self.assertTrue(got.error != wire.NONE or got.records(), f"nothing at {offset}, below the high watermark")
        self.served(broker, "other", other)
        with wire.Client(broker.port) as client:
            self.assertEqual([r.value for r in client.read_all("t", offset=behind)], values[behind:])
            self.assertEqual(client.produce("t", [b"on"]).offset, 300)

    def test_lost_indexes(self):
        for how in ("unlink", "empty", "rubbish"):
            broker = self.made()
            values = self.filled(broker, count=200, size=500, **{"internal.segment.bytes": 20000, "index.interval.bytes": 1000})
            self.assertEqual(broker.stop(), 0)
            for path in partition_folder(broker.folder / "data", "t").glob("*index"):
                path.unlink() if how == "unlink" else path.write_bytes(b"" if how == "empty" else os.urandom(801))
            broker.start()
            with wire.Client(broker.port) as client:
                for offset in (0, 57, 123, 199):
                    self.assertEqual([r.value for r in client.fetch("t", offset).records() if r.offset == offset], [values[offset]], how)
            self.served(broker, "t", values)
            broker.kill()


class Checkpoints(DataDirTest):
    NAMES = ("recovery-point-offset-checkpoint", "replication-offset-checkpoint", "log-start-offset-checkpoint",
             "written-offset-checkpoint")

    def damaged(self, broker, content):
        for name in self.NAMES:
            (broker.folder / "data" / name).write_bytes(content)
        for path in partition_folder(broker.folder / "data", "t").glob("leader-epoch-checkpoint"):
            path.write_bytes(content)

    def test_empty_or_rubbish(self):
        for clean in (True, False):
            for content in (b"", b"0\n", b"99\n1\nt 0 5\n", b"0\n5\nt 0 50\n", b"0\n1\nt zero 5\n", b"\xff" * 100):
                with self.subTest(f"{content[:20]} clean={clean}"):
                    broker = self.made()
                    values = self.filled(broker)
                    self.assertEqual(broker.stop(), 0) if clean else broker.kill()
                    self.damaged(broker, content)
                    broker.start()
                    self.served(broker, "t", values)
                    broker.wait_for_line(r"(recovery-point|replication|log-start)-offset-checkpoint.*taken as empty")
                    broker.kill()

    def lie(self, broker, name, offset, boot=False):
        path = broker.folder / "data" / name
        lines = ["0", *([pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()] if boot else []), "1", f"t 0 {offset}"]
        path.write_text("\n".join(lines) + "\n")

    def test_recovery_point_lies(self):
        """Claims more than there is, or less than nothing; after a clean stop and after a kill."""
        for clean in (True, False):
            for offset in (1_000_000, 101, 99, 0, -5, 1 << 62):
                with self.subTest(f"{offset} clean={clean}"):
                    broker = self.made()
                    values = self.filled(broker)
                    self.assertEqual(broker.stop(), 0) if clean else broker.kill()
                    self.lie(broker, "recovery-point-offset-checkpoint", offset)
                    broker.start()
                    self.served(broker, "t", values)
                    broker.kill()

    def test_recovery_point_lies_about_a_torn_tail(self):
        broker = self.made()
        values = self.filled(broker)
        broker.kill()
        self.lie(broker, "recovery-point-offset-checkpoint", 100)
        [segment] = segments(partition_folder(broker.folder / "data", "t"))
        with open(segment, "r+b") as file:
            file.truncate(segment.stat().st_size - 10)
        broker.start()
        broker.wait_for_line(r"WARN .*t-0")
        self.served(broker, "t", values[:99])

    def test_high_watermark_lies(self):
        for offset in (1_000_000, 0, -5):
            with self.subTest(offset):
                broker = self.made()
                values = self.filled(broker)
                broker.kill()
                self.lie(broker, "replication-offset-checkpoint", offset)
                broker.start()
                self.served(broker, "t", values)
                broker.kill()

    def test_log_start_lies(self):
        """A start below 0 or beyond the end would hide or drop records that nobody deleted."""
        for clean, offset in ((True, -5), (True, 1_000_000), (False, -5)):
            with self.subTest(f"{offset} clean={clean}"):
                broker = self.made()
                values = self.filled(broker)
                self.assertEqual(broker.stop(), 0) if clean else broker.kill()
                self.lie(broker, "log-start-offset-checkpoint", offset)
                broker.start()
                self.served(broker, "t", values)
                if offset > 0:
                    broker.wait_for_line(r"WARN .*t-0: expected a log start offset up to the end, 100, found 1000000.*ignored")
                broker.kill()

    def test_log_start_beyond_the_end_after_a_kill(self):
        """There the end may have been lost, and an offset given once must not be given again: as in Kafka the log begins anew
        at its start, and the log says so."""
        broker = self.made()
        self.filled(broker)
        broker.kill()
        self.lie(broker, "log-start-offset-checkpoint", 1000)
        broker.start()
        broker.wait_for_line(r"WARN .*t-0: expected records from offset 1000 on, found an end at 100; begun anew there")
        with wire.Client(broker.port) as client:
            self.assertEqual((client.offset("t", -2)[1], client.offset("t")[1]), (1000, 1000))
        self.served(broker, "t", [], 1000)

    def test_written_offset_lies(self):
        broker = self.made()
        values = self.filled(broker)
        broker.kill()
        path = broker.folder / "data/written-offset-checkpoint"
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        for claimed in (1_000_000, 50):
            path.write_text(f"0\n{boot}\n1\nt 0 {claimed}\n")
            broker.start()
            with wire.Client(broker.port) as client:
                self.assertEqual([r.value for r in client.read_all("t")], values)
            broker.kill()
