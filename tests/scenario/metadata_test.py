"""The metadata log and what stands beside it, damaged or written by something newer: refused with one message and unchanged, or
served; in no case are records of a topic removed."""
import os, shutil, struct, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kafka_wire as wire
from data_dirs_test import DataDirTest
from scenario import partition_folder

FEATURE_LEVEL, TOPIC, REMOVE_TOPIC = 12, 2, 9  # types of metadata records


class MetadataTest(DataDirTest):
    def stopped(self, clean=True):
        broker = self.made()
        values = self.filled(broker, count=20)
        if clean:
            self.assertEqual(broker.stop(), 0)
        broker.kill()
        return broker, values

    def log(self, broker):
        return broker.folder / "data/__cluster_metadata-0/00000000000000000000.log"


class Newer(MetadataTest):
    def append(self, broker, type_, version, body):
        """One metadata record more, as the controller of another release might have written it; the batch's bytes."""
        path = self.log(broker)
        data = path.read_bytes()
        *_, (_, last, newest) = wire.batches(data)
        kind = bytes([type_]) if type_ < 128 else bytes([type_ & 127 | 128, type_ >> 7])
        made = bytearray(wire.batch([b"\x01" + kind + bytes([version]) + body], base_offset=last + 1))
        made[12:16] = newest[12:16]  # the leader's epoch, which the CRC does not cover
        path.write_bytes(data + made)
        return bytes(made)

    def refused_as_newer(self, broker, *expected):
        """Says which directory, what was found and what is the newest that is known; without its being a torn tail, or a directory
        that has never been used, or both, changing anything."""
        folder = self.log(broker).parent
        self.refused(broker, f"{folder}: ", *expected)
        good = self.log(broker).read_bytes()
        self.log(broker).write_bytes(good + good[:70])  # what looks like a tail that was never finished stays, too
        broker.properties["log.dirs"] = f"{broker.folder}/data,{broker.folder}/fresh"
        self.refused(broker, f"{folder}: ", *expected)

    def test_metadata_version(self):
        broker, _ = self.stopped()
        self.append(broker, FEATURE_LEVEL, 0, b"\x11metadata.version" + struct.pack(">h", 99) + b"\0")
        self.refused_as_newer(broker, "metadata.version 99 was finalized", "this release knows up to 30 (4.3-IV0)")

    def test_metadata_version_of_a_directory_after_a_kill(self):
        broker, _ = self.stopped(clean=False)
        self.append(broker, FEATURE_LEVEL, 0, b"\x11metadata.version" + struct.pack(">h", 99) + b"\0")
        self.refused_as_newer(broker, "metadata.version 99 was finalized", "this release knows up to 30 (4.3-IV0)")

    def test_metadata_version_of_a_formatted_directory(self):
        """No log yet, only what its cluster shall begin with."""
        broker, _ = self.stopped()
        self.append(broker, FEATURE_LEVEL, 0, b"\x11metadata.version" + struct.pack(">h", 99) + b"\0")
        bootstrap = broker.folder / "data/bootstrap.checkpoint"
        self.assertTrue(bootstrap.exists())
        data = bootstrap.read_bytes()
        bootstrap.write_bytes(data.replace(b"metadata.version\x00\x1e", b"metadata.version\x00\x63"))
        self.assertNotEqual(bootstrap.read_bytes(), data)
        bootstrap.write_bytes(b"".join(self.resealed(one) for _, _, one in wire.batches(bootstrap.read_bytes())))
        shutil.rmtree(self.log(broker).parent)
        self.refused(broker, broker.folder / "data", "metadata.version 99 was finalized", "this release knows up to 30 (4.3-IV0)")

    @staticmethod
    def resealed(batch):
        return batch[:17] + struct.pack(">I", wire.crc32c(batch[21:])) + batch[21:]

    def test_level_of_a_feature(self):
        broker, _ = self.stopped()
        self.append(broker, FEATURE_LEVEL, 0, b"\x14transaction.version" + struct.pack(">h", 9) + b"\0")
        self.refused_as_newer(broker, "transaction.version 9 was finalized", "this release knows 0 to 2")

    def test_unknown_feature(self):
        broker, _ = self.stopped()
        self.append(broker, FEATURE_LEVEL, 0, b"\x0bflux.level" + struct.pack(">h", 1) + b"\0")
        self.refused_as_newer(broker, "flux.level 1 was finalized", "this release knows no such feature")

    def test_version_of_a_record(self):
        broker, _ = self.stopped()
        self.append(broker, TOPIC, 9, b"\x04new" + bytes(15) + b"\x01\0")
        self.refused_as_newer(broker, "TopicRecord of version 9", "this release knows 0 to 0")

    def test_a_record_that_contradicts_the_others(self):
        broker, _ = self.stopped()
        self.append(broker, REMOVE_TOPIC, 0, bytes(15) + b"\x09\0")
        self.refused(broker, self.log(broker).parent)

    def test_unknown_record_is_kept(self):
        broker, values = self.stopped()
        unknown = self.append(broker, 250, 0, b"what is this")
        for _ in range(2):
            broker.start()
            with wire.Client(broker.port) as client:
                self.assertEqual([r.value for r in client.read_all("t")], values)
                self.assertEqual(client.create_topic(f"made-{broker.process.pid}"), (wire.NONE, None))
            self.assertEqual(broker.stop(), 0)
            self.assertIn(unknown[21:], self.log(broker).read_bytes())


class Damaged(MetadataTest):
    def records_there(self, broker, values):
        """In whichever folder: the partition's, or one that was set aside."""
        found = [p for p in (broker.folder / "data").glob("t-0*/*.log") if all(v in p.read_bytes() for v in values)]
        self.assertEqual(len(found), 1, "stored records are gone")

    def test_flipped_bits_in_the_middle(self):
        """What is behind was acknowledged: cutting there would undo it. Refused, and nothing is changed."""
        broker, values = self.stopped()
        path = self.log(broker)
        good, places, at = path.read_bytes(), [], 0
        for _, _, one in wire.batches(good):
            places.append(at)
            at += len(one)
        for place in (places[0], places[len(places) // 2], places[-2]):
            for inside in (10, 20, 65):  # length, CRC, records
                with self.subTest(f"{place}+{inside}"):
                    bad = bytearray(good)
                    bad[place + inside] ^= 0x20
                    path.write_bytes(bad)
                    self.refused(broker, path, f"at byte {place}", "damage")
        path.write_bytes(good)
        broker.start()
        self.served(broker, "t", values)

    def test_torn_tail(self):
        """The record at the end may name a topic: then its folder is set aside, with a line, and can be put back."""
        for clean in (True, False):
            with self.subTest(f"clean={clean}"):
                broker, values = self.stopped(clean)
                os.truncate(self.log(broker), self.log(broker).stat().st_size - 10)
                broker.start()
                broker.wait_for_line(r"WARN .*the metadata log lost its torn tail of \d+ bytes: .*at byte \d+")
                if partition_folder(broker.folder / "data", "t").exists():
                    self.served(broker, "t", values)
                else:
                    broker.wait_for_line(r"WARN .*t-0 belongs to no topic of the metadata: set aside")
                self.records_there(broker, values)
                with wire.Client(broker.port) as client:
                    self.assertEqual(client.create_topic("another"), (wire.NONE, None))
                broker.kill()

    def test_no_metadata_log(self):
        """Gone or empty: topics are taken over from their folders, and the start says which."""
        for how in ("removed", "emptied"):
            with self.subTest(how):
                broker, values = self.stopped()
                shutil.rmtree(self.log(broker).parent) if how == "removed" else self.log(broker).write_bytes(b"")
                broker.start()
                broker.wait_for_line(r"took over the topics of a directory without a metadata log: .*\bt\b")
                self.served(broker, "t", values)
                self.assertEqual(broker.stop(), 0)
                broker.start()
                self.assertFalse([l for l in broker.lines if "took over" in l])
                self.served(broker, "t", values + [b"goes on"])
                broker.kill()

    def test_quorum_state(self):
        broker, values = self.stopped()
        path = self.log(broker).parent / "quorum-state"
        broker.start()
        broker.kill()  # twice opened: old snapshots of producers, which a start may remove, are gone
        good = path.read_bytes()
        for content in (b"", b"{]", b"[]", b"\xff" * 50):
            with self.subTest(content[:5]):
                path.write_bytes(content)
                self.refused(broker, path, "expected")
        path.write_bytes(good)
        broker.start()
        self.served(broker, "t", values)

    def test_files_of_less_weight(self):
        """bootstrap.checkpoint beside a metadata log, partition.metadata, leader epochs of the future."""
        damages = {"bootstrap.checkpoint": b"", "t-0/partition.metadata": b"", "t-0/leader-epoch-checkpoint": b"0\n2\n0 0\n7 5000\n"}
        for clean in (True, False):
            for name, content in damages.items():
                with self.subTest(f"{name} clean={clean}"):
                    broker, values = self.stopped(clean)
                    path = broker.folder / "data" / name
                    path.write_bytes(content)
                    broker.start()
                    self.served(broker, "t", values)
                    broker.kill()

    def test_partition_metadata_that_is_missing_is_written_again(self):
        for content in (None, b"", b"\0" * 20):
            with self.subTest(content):
                broker, values = self.stopped()
                path = broker.folder / "data/t-0/partition.metadata"
                good = path.read_bytes()
                path.unlink() if content is None else path.write_bytes(content)
                broker.start()
                self.assertEqual(path.read_bytes(), good)
                self.served(broker, "t", values)
                broker.kill()

    def test_partition_metadata_of_topics_that_are_taken_over(self):
        """From before there were topic ids: the folders get those that the topics have now."""
        broker, values = self.stopped()
        shutil.rmtree(self.log(broker).parent)
        path = broker.folder / "data/t-0/partition.metadata"
        path.unlink()
        broker.start()
        broker.wait_for_line(r"took over the topics .*\bt\b")
        self.assertRegex(path.read_text(), r"\Aversion: 0\ntopic_id: [\w-]{22}\Z")
        self.assertEqual(broker.stop(), 0)
        broker.start()
        self.served(broker, "t", values)

    def test_partition_folder_of_another_topic(self):
        """Its partition.metadata names a topic that is none of ours: set aside, not served and not written to."""
        broker, values = self.stopped()
        (broker.folder / "data/t-0/partition.metadata").write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABA\n")
        broker.start()
        line = broker.wait_for_line(r"WARN .*t-0 belongs to no topic of the metadata: set aside")
        self.assertRegex(line, r"it has the topic id AAAAAAAAAAAAAAAAAAAABA, t has [\w-]{22} now")
        self.served(broker, "t", [])
        self.records_there(broker, values)


class Producers(MetadataTest):
    def test_snapshots(self):
        """Empty, rubbish or gone: duplicates are known again from the log itself. (All gone after a clean stop means, as in
        Kafka, a log from before there were any: nothing is known then.)"""
        for clean in (True, False):
            for how in (b"", b"\0" * 40, b"\xff" * 40, *([] if clean else [None])):
                with self.subTest(f"{how and how[:2]} clean={clean}"):
                    broker = self.made()
                    broker.start()
                    with wire.Client(broker.port) as client:
                        self.assertEqual(client.create_topic("t", 1, {"internal.segment.bytes": 14000}), (wire.NONE, None))
                        producer, epoch = client.init_producer_id()
                        for i in range(60):
                            sent = client.produce("t", [b"%d" % i + b"." * 500], producer_id=producer, epoch=epoch, sequence=i)
                            self.assertEqual(sent.offset, i)
                    if clean:
                        self.assertEqual(broker.stop(), 0)
                    broker.kill()
                    found = list(partition_folder(broker.folder / "data", "t").glob("*.snapshot"))
                    self.assertTrue(found)
                    for path in found:
                        path.unlink() if how is None else path.write_bytes(how)
                    broker.start()
                    with wire.Client(broker.port) as client:
                        again = client.produce("t", [b"59" + b"." * 500], producer_id=producer, epoch=epoch, sequence=59)
                        self.assertEqual((again.error, again.offset), (wire.NONE, 59))
                        on = client.produce("t", [b"60"], producer_id=producer, epoch=epoch, sequence=60)
                        self.assertEqual((on.error, on.offset), (wire.NONE, 60))
                        self.assertEqual(len(client.read_all("t", check_crc=True)), 61)
                    broker.kill()
