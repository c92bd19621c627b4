"""Members of the consumer protocol and of the classic one in one group: every answer is that of Kafka 4.3.1, as it was written
down in tests/golden/groups (consumer_groups_talk.py)."""
import gzip, itertools, json, os, pathlib, sys, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import consumer_groups_talk as talk
from moldau import ROOT
from scenario import BrokerTest


class ConsumerGroups(BrokerTest):
    properties = talk.SETTINGS

    def test_answers_are_those_of_kafka(self):
        with gzip.open(pathlib.Path(ROOT) / "tests/golden/groups/conversations.jsonl.gz", "rt") as lines:
            recorded = [json.loads(line) for line in lines]
        self.assertGreater(len(recorded), 100)
        client = self.client()
        for topic in ("t1", "t2"):
            client.create_topic(topic, partitions=4)
        heard = [[name] + line for name, said in talk.talk(self.broker.port) for line in said]
        for name, lines in itertools.groupby(zip(recorded, heard), key=lambda pair: pair[0][0]):
            for number, (kafka, moldau) in enumerate(lines):
                with self.subTest(conversation=name, line=number, asked=kafka[1]):
                    self.assertEqual(moldau, kafka)
        self.assertEqual(len(heard), len(recorded))

    def test_regular_expressions_are_resolved_at_once(self):
        """Kafka answers the first heartbeat without an assignment and resolves afterwards; here the first has it."""
        client = self.client()
        for topic in ("r1", "r2"):
            client.create_topic(topic, partitions=1)
        t = talk.Talk(self.broker.port)
        t.wait_for(["regex"])
        reply = t.beat("regex", "m", rebalance=30000, regex="r[0-9]", owned={})
        self.assertEqual(reply["assignment"], {"r1": [0], "r2": [0]})
        t.client.close()


class ClassicOnly(BrokerTest):
    properties = {**talk.SETTINGS, "group.coordinator.rebalance.protocols": "classic"}

    def test_the_consumer_protocol_may_be_off(self):
        t = talk.Talk(self.broker.port)
        self.assertEqual(t.beat("g", "m", rebalance=1000, topics=["t1"], owned={})["error"], 35)
        self.assertEqual(t.describe("g")["error"], 35)
        t.client.close()


if __name__ == "__main__":
    unittest.main()
