"""Whole exchanges of Kafka's own clients and tools with Kafka of their version (tests/golden/wire), sent again to Moldau: its
answers differ from Kafka's in nothing but what is named here, each with its reason."""
import concurrent.futures, gzip, json, re, unittest

import exchanges
import kafka_wire as wire
from exchanges import Excuse
from moldau import Moldau

# What Kafka 4.3.1 calls its settings (tests/golden/config), to tell what is gone from what is missing.
with gzip.open(exchanges.GOLDEN / "config/describe.jsonl.gz", "rt") as lines:
    ROWS = [json.loads(line) for line in lines]
    SETTINGS_OF_4 = {row["name"].encode() for row in ROWS if row["resource"] in ("broker", "topic")}

# Stories that are not played. Not even kept in the files: ZooKeeper's sessions (zk-*, another protocol), 2.5.1's interbroker (as below),
# and 4.3.1's share-setup, share-consumer, share-consumer-reject, share-consumer-release, share-groups-admin (share groups are not served).
ZOOKEEPER = "what a broker of ZooKeeper's days tells itself as controller: LeaderAndIsr, UpdateMetadata, ControlledShutdown"
TRANSACTIONS = "transactions are not served"
LEFT_OUT = {
    "0.8.2.2": {"interbroker": ZOOKEEPER, "zookeeper-shell": ZOOKEEPER},
    "0.9.0.1": {"interbroker": ZOOKEEPER, "perf": ZOOKEEPER},
    "2.5.1": {"transactional-producer": TRANSACTIONS},
    "4.3.1": {"transactional-producer": TRANSACTIONS, "transactions-admin": TRANSACTIONS, "reassign-admin": "there is one broker"}}

# Requests within the stories that are played; a key that is served one day must leave this list.
NOT_SERVED = {
    7: "ControlledShutdown: of brokers in ZooKeeper's days",
    29: "DescribeAcls: no authorizer", 43: "ElectLeaders: one broker has one candidate",
    46: "ListPartitionReassignments: one broker has nothing to reassign",
    48: "DescribeClientQuotas: quotas are not kept", 49: "AlterClientQuotas: likewise",
    50: "DescribeUserScramCredentials: no SASL", 51: "AlterUserScramCredentials: likewise"}
# Of ApiVersions alone: what Kafka's brokers serve for what is not here.
NOT_OFFERED = set(NOT_SERVED) | {
    4, 5, 6,  # between a controller and its brokers, with ZooKeeper
    17, 36, 38, 39, 40, 41,  # SASL and delegation tokens
    24, 25, 26, 27, 28,  # transactions
    30, 31, 45, 64,  # ACLs, reassignments, UnregisterBroker
    76, 77, 78, 79, 83, 84, 85, 86, 87, 90, 91, 92,  # share groups
    80, 81,  # voters of a raft quorum
    88, 89}  # streams groups


def wider(kafka, moldau):
    return None not in (kafka, moldau) and kafka < moldau


def narrower(kafka, moldau):
    return None not in (kafka, moldau) and kafka > moldau


def only_moldau(kafka, moldau):
    return kafka is None


def gone_in_4(kafka, moldau):
    return moldau is None and kafka["name"] not in SETTINGS_OF_4


def new_in_4(kafka, moldau):
    return kafka is None and moldau["name"] in SETTINGS_OF_4


def not_offered(kafka, moldau):
    return moldau is None and kafka["api_key"] in NOT_OFFERED


# The broker of 4.x with eligible leader replicas sets min.insync.replicas for the whole cluster.
ELIGIBLE = "4.x, with eligible leader replicas, has it set for all brokers"
DEFAULTS_CHANGED = ("principal.builder.class", "listener.security.protocol.map", "metric.reporters", "ssl.enabled.protocols",
                    "ssl.protocol")
GROUP_ID_NOT_FOUND = 69


def excuses_of_both():
    not_here = "made by Kafka for transactions, which were left out"
    return [
        Excuse("ApiVersionsResponse", r"api_keys\[\d+\]", "what is not served is not offered", when=not_offered),
        Excuse("MetadataResponse", r"topics\[__transaction_state\]", not_here),
        Excuse("DescribeLogDirsResponse", r"results\[0\]\.topics\[__transaction_state\]", not_here, ("log-dirs-admin",)),
        Excuse("DescribeLogDirsResponse", r"results\[0\]\.topics\[(w1|__consumer_offsets)\]\.partitions\[\d+\]\.partition_size",
               "fillers have another size than what they stand for, and commits of transactions are left out", ("log-dirs-admin",)),
        Excuse("DescribeLogDirsResponse", r"results\[0\]\.(log_dir|total_bytes|usable_bytes)", "of the machine", ("log-dirs-admin",))]


def excuses_of_4_3_1():
    return excuses_of_both() + [
        Excuse("ApiVersionsResponse", r"api_keys\[\d+\]\.min_version", "clients from 0.8 on are served", when=narrower),
        Excuse("ApiVersionsResponse", r"finalized_features_epoch", "the end of the metadata log, which is shorter", when=narrower),
        Excuse("ApiVersionsResponse", r"(finalized|supported)_features\[(kraft|share|streams|transaction)\.version\]",
               "no raft quorum, share groups, streams groups, transactions", when=lambda kafka, moldau: moldau is None),
        Excuse("DescribeQuorumResponse", r".*\.(high_watermark|log_end_offset)", "the end of the metadata log, which is shorter",
               ("metadata-quorum-admin",), narrower),
        Excuse("DescribeQuorumResponse", r".*\.(last_fetch_timestamp|last_caught_up_timestamp)", "now", ("metadata-quorum-admin",), wider)]


def excuses_of_2_5_1():
    configs = r"(topics|results)\[(w1|wdel|0)\]\.configs"
    return excuses_of_both() + [
        Excuse("ApiVersionsResponse", r"api_keys\[\d+\]", "newer requests", when=only_moldau),
        Excuse("ApiVersionsResponse", r"api_keys\[\d+\]\.max_version", "newer versions", when=wider),
        Excuse("ApiVersionsResponse", r"(supported_features|finalized_features|finalized_features_epoch)", "a tagged field of later times",
               when=only_moldau),
        Excuse("CreateTopicsResponse", r"topics\[wrf\]\.error_message", "a controller of KRaft words it otherwise", ("topics-admin",)),
        Excuse("CreateTopicsResponse", configs + r"\[retention\.ms\]\.config_source", "4.x looks at log.retention.hours, too",
               when=narrower),
        Excuse("CreateTopicsResponse", configs + r"\[[\w.]+\]", "a setting that 4.x lacks", when=gone_in_4),
        Excuse("CreateTopicsResponse", configs + r"\[[\w.]+\]", "a setting that came later", when=new_in_4),
        Excuse("CreateTopicsResponse", configs + r"\[min\.insync\.replicas\]\.config_source", ELIGIBLE, when=narrower),
        Excuse("DescribeConfigsResponse", configs + r"\[[\w.]+\]", "a setting that 4.x lacks", when=gone_in_4),
        Excuse("DescribeConfigsResponse", configs + r"\[[\w.]+\]", "a setting that came later", when=new_in_4),
        Excuse("DescribeConfigsResponse", configs + r"\[min\.insync\.replicas\](\.config_source|\.synonyms\[\d\](\.source)?)", ELIGIBLE),
        Excuse("DescribeConfigsResponse", r"results\[\]\.configs\[min\.insync\.replicas\]", ELIGIBLE, ("configs-admin",), only_moldau),
        Excuse("DescribeConfigsResponse", r"results\[(w1|0|)\]\.error_message", "no error is no text in 2.5, an empty one in 4.x",
               when=only_moldau),
        Excuse("DescribeConfigsResponse", r"results\[0\]\.configs\[(" + "|".join(map(re.escape, DEFAULTS_CHANGED)) + r")\]\.value",
               "4.x has another default", ("configs-admin",)),
        Excuse("DescribeConfigsResponse", r"results\[0\]\.configs\[advertised\.listeners\]\.read_only",
               "a controller of KRaft is not told of new ones", ("configs-admin",), lambda kafka, moldau: moldau),
        Excuse("DescribeConfigsResponse", r"results\[0\]\.configs\[(log\.dirs|listeners)\]\.value", "of the machine", ("configs-admin",)),
        Excuse("OffsetDeleteResponse", r"topics\[w1\]", "2.5 told a topic once for each of its partitions", ("consumer-groups-admin",),
               lambda kafka, moldau: moldau is None),
        Excuse("DeleteGroupsResponse", r"results\[wg\]\.error_code", "in 2.5 a group was gone with its last offset",
               ("consumer-groups-admin",), lambda kafka, moldau: (kafka, moldau) == (GROUP_ID_NOT_FOUND, 0))]


def excuses_of_0_9_0_1():
    empty, tool = "0.9 forgot a group without members, 4.x keeps it while it has offsets", ("new-consumer-groups-tool",)
    return [
        Excuse("ListGroupsResponse", r"groups\[(kafkagroup|newgroup)\]", empty, tool, only_moldau),
        Excuse("DescribeGroupsResponse", r"groups\[newgroup\]\.group_state", empty, tool, lambda *both: both == (b"Dead", b"Empty")),
        Excuse("DescribeGroupsResponse", r"groups\[newgroup\]\.protocol_type", empty, tool, lambda *both: both == (b"", b"consumer"))]


# Of the brokers that were recorded, as far as answers show them; advertised as they were.
SETTINGS = {
    "process.roles": "broker,controller", "advertised.listeners": "PLAINTEXT://localhost:9092", "num.partitions": 1,
    "log.retention.hours": 168, "log.segment.bytes": 1 << 30, "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 3,
    "group.initial.rebalance.delay.ms": 0}
STOCK_2_5_1 = {  # its server.properties
    "num.network.threads": 3, "num.io.threads": 8, "socket.send.buffer.bytes": 102400, "socket.receive.buffer.bytes": 102400,
    "socket.request.max.bytes": 104857600, "num.recovery.threads.per.data.dir": 1, "log.retention.check.interval.ms": 300000,
    "transaction.state.log.num.partitions": 2, "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1}


# Its members get targets once in group.consumer.assignment.interval.ms.
PACED = {"consumer-kip848-rebalance"}


class Exchanges(unittest.TestCase):
    """Each version has a broker of its own, and they are played at once: what takes time is what the recorded clients waited for."""

    @classmethod
    def setUpClass(cls):
        pool = concurrent.futures.ThreadPoolExecutor(4)
        cls.played = {v: pool.submit(getattr(cls("test_" + v), "play_" + v)) for v in ("4_3_1", "2_5_1", "0_9_0_1", "0_8_2_2")}
        cls.addClassCleanup(pool.shutdown)

    def replay(self, version, excuses, before=None, **settings):
        """`before`: {story: what to do with the Replay before it}. How many (answers, records) were compared."""
        frames = exchanges.recorded(version)
        stories = list(dict.fromkeys(frame["story"] for frame in frames))
        self.assertLessEqual(set(LEFT_OUT[version]), set(stories))
        with Moldau(**SETTINGS | settings) as broker, wire.Client(broker.port) as client:
            self.assertFalse(set(NOT_SERVED) & set(client.api_versions()))
            replay = exchanges.Replay(broker.port, excuses, NOT_SERVED, PACED)
            try:
                for story in [s for s in stories if s not in LEFT_OUT[version]]:
                    (before or {}).get(story, lambda replay: None)(replay)
                    replay.play([frame for frame in frames if frame["story"] == story])
            finally:
                replay.close()
        self.assertFalse(replay.wrong, "\n".join(["", *replay.wrong]))
        self.assertEqual([e for e in excuses if not e.used], [], "excuses that nothing needs")
        return replay.compared, replay.records_compared

    def create_w1(self, replay):
        """As kafka-topics.sh did, by way of ZooKeeper."""
        with wire.Client(replay.port) as client:
            self.assertEqual(client.create_topic("w1", 2)[0], wire.NONE)

    def play_4_3_1(self):
        compared = self.replay("4.3.1", excuses_of_4_3_1(),
                               {"console-consumer-group": lambda replay: replay.fill("w1", {1: 30})}, **{"node.id": 1})
        return compared

    def test_4_3_1(self):
        self.assertEqual(self.played["4_3_1"].result(), (462, 68))

    def play_2_5_1(self):
        compared = self.replay("2.5.1", excuses_of_2_5_1(),
                               {"console-consumer-group": lambda replay: replay.fill("w1", {0: 4, 1: 22, 2: 11})},
                               **STOCK_2_5_1 | {"node.id": 0})
        return compared

    def test_2_5_1(self):
        self.assertEqual(self.played["2_5_1"].result(), (290, 47))

    def play_0_9_0_1(self):
        def two_generations_later(replay):
            replay.later = b"newgroup", 2  # for the group was not forgotten: it became empty, and is joined again

        compared = self.replay("0.9.0.1", excuses_of_0_9_0_1(),
                               {"scala-producer": self.create_w1, "new-consumer-rebalance": two_generations_later}, **{"node.id": 0})
        return compared

    def test_0_9_0_1(self):
        self.assertEqual(self.played["0_9_0_1"].result(), (235, 68))

    def play_0_8_2_2(self):
        compared = self.replay("0.8.2.2", [], {"scala-producer": self.create_w1}, **{"node.id": 0})
        return compared

    def test_0_8_2_2(self):
        self.assertEqual(self.played["0_8_2_2"].result(), (103, 44))


if __name__ == "__main__":
    unittest.main()
