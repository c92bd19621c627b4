"""The brokers that the suites judge, with the settings that they expect: each with a fresh folder, on port 9092."""
import os, shutil, sys

from suite import CACHE, HERE

sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "interop")]
from harness.broker import Kafka  # noqa: E402
import kafka_wire as wire  # noqa: E402
from moldau import Moldau  # noqa: E402

KAFKA = "4.3.1"
PORT = 9092
COMMON = {"num.partitions": 4, "auto.create.topics.enable": "true", "transaction.max.timeout.ms": 900000,
          "offsets.topic.replication.factor": 1, "transaction.state.log.replication.factor": 1,
          "transaction.state.log.min.isr": 1, "group.initial.rebalance.delay.ms": 0}


class Judged:
    """with Judged("kafka" or "moldau", suite) as broker: … broker.address"""
    address = f"127.0.0.1:{PORT}"

    def __init__(self, kind, suite):
        self.kind, self.properties, self.topics = kind, {**COMMON, **suite.properties}, suite.topics
        self.folder = CACHE / f"broker-{kind}-{suite.name.replace(' ', '-')}"

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.start()
        with wire.Client(PORT) as client:
            for topic in self.topics:
                client.create_topic(topic)
        return self

    def start(self):
        if self.kind == "kafka":
            self.broker = Kafka(KAFKA, str(self.folder), PORT, self.properties)
        else:
            self.broker = Moldau(self.folder, PORT, **{"process.roles": "broker,controller", **self.properties}).start()

    def running(self):
        return self.broker.process.poll() is None

    def again(self):
        """After it ended by itself: a new process on the same folder; what it said last is printed."""
        print(f"the broker ended by itself, exit code {self.broker.process.returncode}", flush=True)
        if self.kind == "moldau":
            print(self.broker.log(), flush=True)
            self.broker.start()
        else:
            self.start()

    def __exit__(self, *_):
        if self.kind == "moldau":
            with open(os.path.join(self.folder, "server.log"), "w") as log:
                log.write("\n".join(self.broker.lines))
        if self.running():
            self.broker.stop()
