"""Topic names that nobody should use, and topics that are gone."""
import os, sys, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire
from scenario import BrokerTest

BAD_NAMES = ["a/b", "/", "/etc/x", "..", ".", "../x", "", "a" * 250, "a" * 30000, "a b", "a\0b", "a\nb", "ä", "a,b", "a:b", "a\\b",
             "a*", "a\"b"]


class Names(BrokerTest):
    def folders(self):
        return sorted(p.name for p in (self.broker.folder / "data").iterdir() if p.is_dir())

    def test_bad_names_are_refused(self):
        client = self.client()
        with self.others_served():
            before = self.folders()
            for name in BAD_NAMES:
                with self.subTest(name[:20]):
                    error, message = client.create_topic(name)
                    self.assertEqual(error, wire.INVALID_TOPIC)
                    self.assertTrue(message, "nothing is said about why")
                    _, topics = client.metadata([name], create=True)
                    self.assertEqual(topics, {name: (wire.INVALID_TOPIC, {})})
                    self.assertEqual(client.produce(name, [b"x"]).error in (wire.UNKNOWN_TOPIC_OR_PARTITION, wire.INVALID_TOPIC), True)
                    self.assertNotEqual(client.fetch(name, 0).error, wire.NONE)
                    self.assertNotEqual(client.delete_topic(name), wire.NONE)
            self.assertEqual(self.folders(), before, "folders were made")
        self.assertEqual(sorted(p.name for p in self.broker.folder.iterdir()), ["data", "server.properties"])

    def test_name_that_is_not_text(self):
        client = self.client()
        r = client.call(wire.METADATA, 4, wire.array([wire.string(b"\xff\xfe")]) + b"\x01")
        self.assertGreater(len(r.data), 8)
        self.assertTrue(client.api_versions())

    def test_longest_name(self):
        name, client = "n" * 249, self.client()
        self.assertEqual(client.create_topic(name), (wire.NONE, None))
        self.assertEqual(client.produce(name, [b"x"]).offset, 0)
        self.assertIn(name + "-0", self.folders())
        self.assertEqual(client.delete_topic(name), wire.NONE)  # the folder's name gets longer when it is set aside
        self.assertNotIn(name + "-0", self.folders())
        self.assertEqual(client.create_topic(name), (wire.NONE, None))
        self.assertEqual(client.offset(name), (wire.NONE, 0))

    def test_names_that_look_like_folders(self):
        """What is a partition's folder must be known by more than its ending."""
        client = self.client()
        for name in ("a-0", "a-delete", "b-0-1", "-", "--", "x-future", "x.abc-stray", "__cluster_metadata-0"):
            with self.subTest(name):
                self.assertEqual(client.create_topic(name)[0], wire.NONE)
                self.assertEqual(client.produce(name, [name.encode()]).offset, 0)
                self.assertEqual([r.value for r in client.read_all(name)], [name.encode()])

    def test_absurd_numbers(self):
        client = self.client()
        with self.others_served(), self.memory_bounded(32):
            for partitions in (0, -2, 2_000_000_000):
                error, message = client.create_topic(f"partitions{partitions}", partitions)
                self.assertNotEqual(error, wire.NONE)
                self.assertTrue(message)
            for replicas in (0, -2, 2, 32767):
                self.assertNotEqual(client.create_topic(f"replicas{replicas}", 1, replicas=replicas)[0], wire.NONE)
            for key, value in (("retention.ms", "soon"), ("no.such.thing", "1"), ("segment.bytes", "-1")):
                error, message = client.create_topic(f"config-{key}", 1, {key: value})
                self.assertEqual(error, 40, key)  # INVALID_CONFIG
                self.assertIn(key, message)

    def test_existing(self):
        topic = self.topic()
        self.assertEqual(self.client().create_topic(topic)[0], wire.TOPIC_ALREADY_EXISTS)

    def test_partition_that_is_not(self):
        topic, client = self.topic(2), self.client()
        for partition in (2, -1, 2_000_000_000, -2_000_000_000):
            self.assertEqual(client.produce(topic, [b"x"], partition).error, wire.UNKNOWN_TOPIC_OR_PARTITION)
            self.assertEqual(client.fetch(topic, 0, partition).error, wire.UNKNOWN_TOPIC_OR_PARTITION)
            self.assertEqual(client.offset(topic, -1, partition)[0], wire.UNKNOWN_TOPIC_OR_PARTITION)


class Deleted(BrokerTest):
    def test_produce_to_a_deleted_topic(self):
        topic, client = self.topic(), self.client()
        with self.others_served():
            self.assertEqual(client.produce(topic, [b"old"]).offset, 0)
            self.assertEqual(self.client().delete_topic(topic), wire.NONE)
            self.assertEqual(client.produce(topic, [b"late"]).error, wire.UNKNOWN_TOPIC_OR_PARTITION)
            self.assertEqual(client.fetch(topic, 0).error, wire.UNKNOWN_TOPIC_OR_PARTITION)
            self.assertEqual(client.create_topic(topic)[0], wire.NONE)
            self.assertEqual(client.produce(topic, [b"new"]).offset, 0)
            self.assertEqual([r.value for r in client.read_all(topic)], [b"new"])

    def test_deleted_while_written(self):
        """A writer in full flight: each request is acknowledged or told that the topic is not there, and none hangs."""
        topic = self.topic()
        errors, gone = [], threading.Event()

        def write():
            with wire.Client(self.broker.port) as client:
                one = wire.batch([b"z" * 200])
                while not errors or errors[-1] == wire.NONE:
                    errors.append(client.produce(topic, [], data=one).error)
                    gone.set() if len(errors) == 50 else None
        writer = threading.Thread(target=write, daemon=True)
        with self.others_served():
            writer.start()
            self.assertTrue(gone.wait(10))
            self.assertEqual(self.client().delete_topic(topic), wire.NONE)
            writer.join(10)
            self.assertFalse(writer.is_alive(), "the writer hangs")
        self.assertEqual(errors[-1], wire.UNKNOWN_TOPIC_OR_PARTITION)

    def test_deleted_while_awaited(self):
        """A long poll on a topic that goes away is answered at once, not at its time-out."""
        topic, waiter = self.topic(), self.client()
        waiter.send(wire.FETCH, 6, wire.fetch_body(topic, 0, 0, wait_ms=15000))
        self.assertEqual(self.client().delete_topic(topic), wire.NONE)
        waiter.socket.settimeout(5)
        reader = wire.Reader(waiter.receive())
        reader.int32()
        self.assertIn(waiter.fetched(reader).error, (wire.UNKNOWN_TOPIC_OR_PARTITION, wire.NOT_LEADER_OR_FOLLOWER))

    def test_gone_after_a_restart_too(self):
        topic, kept, client = self.topic(), self.topic(), self.client()
        client.produce(topic, [b"x"]), client.produce(kept, [b"kept"])
        self.assertEqual(client.delete_topic(topic), wire.NONE)
        self.broker.kill()
        self.broker.start()
        with wire.Client(self.broker.port) as client:
            self.assertEqual(client.metadata([topic])[1][topic][0], wire.UNKNOWN_TOPIC_OR_PARTITION)
            self.assertEqual([r.value for r in client.read_all(kept)], [b"kept"])
