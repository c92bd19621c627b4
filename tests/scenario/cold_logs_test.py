"""Logs that were closed cleanly and damaged since: nobody looks into them before they are used, and then it is told."""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from data_dirs_test import Damaged as DamagedDirs, DataDirTest
from scenario import partition_folder, segments


class Cold(DataDirTest):
    batch_at, flip = staticmethod(DamagedDirs.batch_at), DamagedDirs.flip

    def test_broken_structure_is_said(self):
        """At the broken batch a reader gets an error (or what stands behind it), never nothing at all below the high watermark,
        and the log says where."""
        for place, name in ((1, "a middle segment"), (-1, "the last segment")):
            with self.subTest(name):
                broker = self.made()
                self.filled(broker, count=300, size=500, **{"internal.segment.bytes": 20000})
                self.assertEqual(broker.stop(), 0)
                cold = segments(partition_folder(broker.folder / "data", "t"))[place]
                position, _ = self.batch_at(cold, 5)
                self.flip(cold, position + 8, 0x40)
                broker.start()
                with wire.Client(broker.port) as client:
                    got = client.fetch("t", int(cold.name[:20]) + 5, max_bytes=2000)
                    self.assertTrue(got.error != wire.NONE or got.data, "below the high watermark: neither records nor an error")
                broker.wait_for_line(r"(WARN|ERROR) .*t-0.*" + cold.name[:20])
                broker.kill()

    def test_last_segment_shorter_than_at_the_clean_stop(self):
        """The end that is told is the end that is there, and the log says what is missing."""
        broker = self.made()
        values = self.filled(broker)
        self.assertEqual(broker.stop(), 0)
        [segment] = segments(partition_folder(broker.folder / "data", "t"))
        position, _ = self.batch_at(segment, 50)
        os.truncate(segment, position + 30)
        broker.start()
        with wire.Client(broker.port) as client:
            self.assertEqual(client.fetch("t", 49).high_watermark, 50)
            self.assertEqual(client.offset("t"), (wire.NONE, 50))
        broker.wait_for_line(r"WARN .*t-0")
        self.served(broker, "t", values[:50])


del DataDirTest, DamagedDirs
