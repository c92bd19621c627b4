"""librdkafka's own test programs, from the source inside Confluent's package for Node. A unit is a test number: the runner
chooses by number only, and a number may hold several tests. Local tests (mocks and units, no broker) are left out."""
import json, re, sys

from suite import FAILED, HERE, PASSED, SKIPPED, Outcome, Suite, last_lines, process, text_of

sys.path.append(str(HERE.parent / "interop"))
from harness.clients import CACHE as CLIENTS  # noqa: E402

PACKAGE = "@confluentinc/kafka-javascript@1.10.1"
LAST = 149  # what follows are share groups
KAFKA_TOPICS = f"""#!/bin/sh
exec java -Xmx200m -XX:TieredStopAtLevel=1 -cp '{CLIENTS}/kafka/4.3.1/*' org.apache.kafka.tools.TopicCommand "$@"
"""  # which some tests call by this name


class Librdkafka(Suite):
    name = "librdkafka"
    source = "librdkafka in npm " + PACKAGE
    properties = {"group.initial.rebalance.delay.ms": 3000}  # 0102 and 0113 count rebalances
    tools = ("npm", "make", "g++")
    limit_s = 400
    long = {"0113": 1200}  # has many parts, each with several rebalances
    left_out = {"0028": "a known issue of librdkafka's", "0047": "a known issue of librdkafka's", "0079": "a known issue of librdkafka's",
                "0097": "needs SSL", "0098": "needs several brokers and transactions", "0101": "needs several brokers",
                "0103": "transactions", "0109": "needs an authorizer", "0115": "needs SASL", "0119": "needs SASL", "0126": "needs SASL", "0129": "transactions",
                "0135": "needs SASL", "0142": "needs SASL"}
    environment = {}
    # One part of 0081 needs an authorizer and fails without, and the parts behind it would not run: each runs alone.
    parts = {"0081": ("CreateTopics", "DeleteTopics", "CreatePartitions", "AlterConfigs", "DescribeConfigs", "DeleteRecords", "ListConsumerGroups",
                      "DescribeConsumerGroups", "DescribeTopics", "DescribeCluster", "DeleteGroups", "DeleteConsumerGroupOffsets", "ListOffsets",
                      "AlterConsumerGroupOffsets", "ListConsumerGroupOffsets")}
    # Tests of old formats, which the runner leaves out when it is told of a broker as new as 4.0.
    as_older = {"0092": "3.9.1"}

    def __init__(self):
        super().__init__()
        self.tree = self.folder / "node_modules/@confluentinc/kafka-javascript/deps/librdkafka"

    def prepare(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "package.json").write_text('{"private": true}')
        self.once("install", ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE])
        self.once("configure", ["./configure", "--disable-gssapi"], self.tree)
        self.once("libraries", ["make", "-j2", "libs"], self.tree)
        self.once("tests", ["make", "-j2", "-C", "tests", "build"], self.tree)
        script = self.folder / "kafka/bin/kafka-topics.sh"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(KAFKA_TOPICS)
        script.chmod(0o755)

    def remote(self):
        """The names of the tests that use a broker."""
        declared = re.findall(r"^    _TEST\(\s*(\w+),\s*([^,)]*)", (self.tree / "tests/test.c").read_text(), re.M)
        return {name for name, flags in declared if "LOCAL" not in flags and "MANUAL" not in flags and not name.endswith("_mock")}

    def units(self):
        numbers = sorted({n[:4] for n in self.remote() if int(n[:4]) <= LAST and n[:4] not in self.left_out})
        return [unit for n in numbers for unit in ([f"{n} {part}" for part in self.parts[n]] if n in self.parts else [n])]

    def run(self, unit, address, log):
        configuration, report = log.with_suffix(".conf"), log.with_suffix(".json")
        configuration.write_text(f"metadata.broker.list={address}\ntest.topic.random=true\n")
        report.unlink(missing_ok=True)
        unit, _, part = unit.partition(" ")
        limit_s = self.long.get(unit, self.limit_s)
        code, seconds = process(["./test-runner", "-p1", "-L"], log, limit_s, self.tree / "tests", {
            "LD_LIBRARY_PATH": f"{self.tree}/src:{self.tree}/src-cpp", "TESTS": unit,
            "TEST_KAFKA_VERSION": self.as_older.get(unit, "4.3.1") if self.broker == "moldau" else "4.3.1",
            "RDKAFKA_TEST_CONF": str(configuration), "TEST_REPORT": str(report),
            "KAFKA_PATH": str(self.folder / "kafka"), "BROKERS": address,
            **({"SUBTESTS": f"do_test_{part}:"} if part else {}), **self.environment})
        found = self.reported(unit, report, log, seconds)
        for outcome in found if part else ():
            outcome.test += " " + part
            if not re.search(rf"do_test_{part}\b.*PASS|\[ do_test_{part}\b", text_of(log)):
                outcome.result, outcome.why = SKIPPED, f"it has no part {part} with this group protocol"
        if code is None:
            return [Outcome(unit, FAILED, f"no end within {limit_s} s: {self.reason(log)}", seconds)]
        if code != 0 and not any(o.result == FAILED for o in found):
            return [*found, Outcome(unit, FAILED, f"exit code {code}: {self.reason(log)}", seconds)]
        return found

    def reported(self, unit, report, log, seconds):
        """The outcomes in the runner's report. Skipped without a word there are the tests of other numbers and scenarios."""
        if not report.exists() or not (text := report.read_text()).strip():
            return []
        tests = json.loads(re.sub(r",(\s*[}\]])", r"\1", text))["tests"]
        out, remote = [], self.remote()
        for name, test in tests.items():
            if not name.startswith(unit + "_") or name not in remote:
                continue
            if test["state"] == "PASSED":
                out.append(Outcome(name, PASSED, "", test.get("duration", seconds)))
            elif test["state"] == "FAILED":
                out.append(Outcome(name, FAILED, self.reason(log), test.get("duration", seconds)))
            elif why := self.skip_reason(name, log):
                out.append(Outcome(name, SKIPPED, why))
        return out

    @staticmethod
    def plain(line):
        return re.sub(r"\x1b\[[0-9;]*m", "", line).strip()

    def skip_reason(self, name, log):
        for line in map(self.plain, text_of(log).splitlines()):
            if found := re.search(rf"\[{name}\s.*?WARN: SKIPPING TEST:\s*(.*)", line):
                return found[1]
        return ""

    def reason(self, log):
        lines = [self.plain(l) for l in text_of(log).splitlines()]
        told = [l for l in lines if re.search(r"TEST FAILURE|Assert|Test.*failed at|FAILED", l)]
        for i, line in enumerate(lines):
            if "### Test" in line and "failed at" in line:
                return " ".join(lines[i:i + 3])[:300]
        return (told[0] if told else last_lines(log, 1))[:300]


class LibrdkafkaConsumer(Librdkafka):
    """The same with the consumer group protocol of KIP-848."""
    name = "librdkafka consumer"
    environment = {"TEST_CONSUMER_GROUP_PROTOCOL": "consumer"}
