#!/usr/bin/env python3
"""kafka-consumer-groups of Kafka 4.3.1 and 2.5.1 against a broker: each run prints what it printed on Kafka of its own version,
as recorded in tests/golden/tools.

  tests/interop/groups_tools.py [--tool 4.3.1|2.5.1] [--kafka VERSION]

Without --kafka on a Moldau of its own. What the runs of a story found is laid out before: topic `keyed`, committed groups, live
members. Console consumers that had left their groups behind are left out of lists. Last line: 'N passed, N failed'.
"""
import argparse, base64, difflib, gzip, json, os, pathlib, re, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE)]
import kafka_wire as wire  # noqa: E402
from harness.broker import Kafka  # noqa: E402
from harness.clients import CACHE  # noqa: E402
from moldau import Moldau, free_port  # noqa: E402

GOLDEN = HERE.parent / "golden/tools"
SETTLE_S = 20
TOOL = {"4.3.1": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "2.5.1": "kafka.admin.ConsumerGroupCommand"}
CONSOLE = {"4.3.1": ("org.apache.kafka.tools.consumer.ConsoleConsumer", "--command-property"),
           "2.5.1": ("kafka.tools.ConsoleConsumer", "--consumer-property")}
RECORDS = {"4.3.1": 13, "2.5.1": 11}  # in topic keyed
IDLE = {"4.3.1": ("g1", "g4", "g5", "gnew"), "2.5.1": ("g1", "g4")}
# What depends on the machine that was recorded, not on the broker that is asked.
LEFT_OUT = {"broker-down": "no broker is asked", "help": "no broker is asked", "no-args": "no broker is asked", "version": "no broker is asked"}
PLACEHOLDERS = {"n": r"\d+", "uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "id": r"[\w-]{22}", "ms": r"\d+"}


def recorded(version):
    with gzip.open(GOLDEN / f"kafka-consumer-groups-{version}.jsonl.gz", "rt") as lines:
        return [case for case in map(json.loads, lines) if case["case"] not in LEFT_OUT]


class Tool:
    """The JVM in which the tool's runs follow one another."""

    def __init__(self, version, bootstrap):
        self.version, self.bootstrap = version, bootstrap
        self.path = os.pathsep.join([f"{CACHE}/classes/toolhost-{version}", f"{CACHE}/kafka/{version}/*"])
        self.process = subprocess.Popen(["java", "-Xmx300m", "-XX:TieredStopAtLevel=1", "-cp", self.path, "ToolHost"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def run(self, *words):
        """(exit code, output, errors)"""
        self.process.stdin.write("\t".join([TOOL[self.version], *words, "<"]) + "\n")
        self.process.stdin.flush()
        code, out, err = self.process.stdout.readline().rstrip("\n").split("\t")
        return int(code), *(base64.b64decode(part).decode() for part in (out, err))

    def case(self, case, files):
        words = [w for w in case["argv"][1:]]
        for at, word in enumerate(words):
            if word.startswith("localhost:"):
                words[at] = self.bootstrap
            elif word in files:
                words[at] = files[word]
        return self.run(*words)

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


class Live:
    """A console consumer in a group."""

    def __init__(self, tool, group, client, **more):
        main, option = CONSOLE[tool.version]
        settings = {"client.id": client, **more}
        words = [w for k, v in settings.items() for w in (option, f"{k}={v}")]
        self.process = subprocess.Popen(["java", "-Xmx200m", "-XX:TieredStopAtLevel=1", "-cp", tool.path, main, "--bootstrap-server", tool.bootstrap,
                                         "--topic", "keyed", "--group", group, "--from-beginning", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def plain(text, port, node):
    """What is said, without columns' widths, log times, stacks, usage and the groups of console consumers."""
    lines = []
    text = text.replace(f"127.0.0.1:{port}", "localhost:9092").replace("\r", "")
    text = re.split(r"\{usage\}|\n?Option +Description", text)[0]
    for line in text.split("\n"):
        if re.match(r"\s*(at |\.\.\. \d+ more|\{stack\}|SLF4J|.*tool exits)", line) or "console-consumer-" in line:
            continue
        if re.match(r"\[(\{timestamp\}|\d{4}-\d\d-\d\d.*?)\] ", line):  # its log, which is set up elsewhere
            continue
        line = re.sub(r"\bHashSet\(", "Set(", line.removeprefix('Exception in thread "main" '))  # Scala 2.12 was recorded; our host
        line = re.sub(r" +", " ", line).strip()
        if told := re.match(r"(Option \[.*\] takes one of these options: )(.*)", line):  # a set's order, another in each JVM
            line = told[1] + ", ".join(sorted(told[2].split(", ")))
        if line:
            lines.append(line)
    return lines


def alike(wanted, found):
    """Whether a line is as recorded, placeholders filled."""
    pattern = re.sub(r"\\\{(\w+)\\\}", lambda m: PLACEHOLDERS.get(m[1], re.escape("{" + m[1] + "}")), re.escape(wanted))
    return wanted == found or re.fullmatch(pattern, found) is not None


def loose(case, lines):
    """What the recorded broker's history, not the request, decided: epochs of the group, the order of lists."""
    if case["case"] in ("members-verbose-gnew", "state-verbose-gnew"):
        lines = [re.sub(r" \d+ (keyed:0) \d+ (keyed:0)", r" E \1 E \2", re.sub(r"(Stable) \d+ \d+ ", r"\1 E E ", l)) for l in lines]
    return sorted(lines) if "--list" in case["argv"] else lines


def difference(case, result, port, node):
    """[] if the run printed what was recorded."""
    code, out, err = result
    found = [f"exit {code}"] + loose(case, plain(out, port, node)) + ["stderr:"] + plain(err, port, node)
    wanted = [f"exit {case['exit']}"] + loose(case, plain(case["stdout"], 9092, node)) + ["stderr:"] + plain(case["stderr"], 9092, node)
    if len(found) == len(wanted) and all(map(alike, wanted, found)):
        return []
    return list(difflib.unified_diff(wanted, found, "recorded", "found", lineterm="", n=1))


def lay_out(version, port, tool):
    with wire.Client(port) as client:
        error, text = client.create_topic("keyed")
        assert error == wire.NONE, text
        for i in range(RECORDS[version]):
            assert client.produce("keyed", [b"value %d" % i]).error == wire.NONE


def commit_idle(version, tool):
    """The groups that stand empty with everything committed. gnew had been one of the consumer protocol."""
    for group in IDLE[version]:
        if group == "gnew" or (version, group) == ("2.5.1", "g4"):
            continue
        code, out, err = tool.run("--bootstrap-server", tool.bootstrap, "--reset-offsets", "--group", group, "--topic", "keyed", "--to-latest", "--execute")
        assert code == 0 and group in out, out + err


class Story:
    def __init__(self, version, broker, node):
        self.version, self.broker, self.node = version, broker, node
        self.tool, self.live = Tool(version, broker.address), {}

    def members(self, case):
        """Starts and stops the live members so that those of this case are there."""
        wanted = set()
        if "console consumer" in case["setup"]:
            wanted = {"glive", "gnew"} if self.version == "4.3.1" else {"glive"}
        elif self.version == "4.3.1" and not self.live and case["seq"] == 155:
            wanted = {"gnew"}  # was there before, once
        for group in set(self.live) - wanted:
            self.live.pop(group).stop()
        for group in wanted - set(self.live):
            more = {"group.protocol": "consumer"} if group == "gnew" else {"auto.commit.interval.ms": "12000"}
            self.live[group] = Live(self.tool, group, {"glive": "myclient", "gnew": "newclient"}[group], **more)

    def go(self, files):
        passed = failed = 0
        laid = False
        for case in recorded(self.version):
            if case["case"] == "list-empty":
                pass
            elif not laid:
                lay_out(self.version, self.broker.port, self.tool)
                commit_idle(self.version, self.tool)
                self.leave_gnew()
                laid = True
            if (self.version, case["case"]) == ("2.5.1", "list"):
                self.pass_through("g4", **{"enable.auto.commit": "false"})  # empty, nothing committed
            if (self.version, case["case"]) == ("2.5.1", "delete"):  # by then it had expired
                self.tool.run("--bootstrap-server", self.tool.bootstrap, "--delete", "--group", "g4")
            self.members(case)
            # What others change meanwhile (a member joins, its commit) is waited for.
            deadline = time.monotonic() + (SETTLE_S if not case["mutates"] else 0)
            while (wrong := difference(case, self.tool.case(case, files), self.broker.port, self.node)) and time.monotonic() < deadline:
                time.sleep(0.3)
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print(f"FAILED kafka-consumer-groups {self.version} {case['case']}\n" + "\n".join("  " + l for l in wrong), flush=True)
        return passed, failed

    def leave_gnew(self):
        """A member of the consumer protocol was in gnew and has left it, committed."""
        if self.version != "4.3.1":
            return
        self.pass_through("gnew", **{"group.protocol": "consumer", "auto.commit.interval.ms": "200"})

    def pass_through(self, group, **more):
        live = Live(self.tool, group, "newclient", **more)
        deadline = time.monotonic() + 60
        while "keyed" not in self.tool.run("--bootstrap-server", self.tool.bootstrap, "--describe", "--group", group)[1]:  # assigned
            if time.monotonic() > deadline:
                live.stop()
                raise SystemExit(f"no member came into {group} within 60 s")
            time.sleep(0.3)
        live.stop()

    def close(self):
        for live in self.live.values():
            live.stop()
        self.tool.close()


def tell_story(version, broker, node):
    with tempfile.TemporaryDirectory(prefix="moldau-tools-") as folder:
        csv = pathlib.Path(folder) / "r.csv"
        csv.write_text("keyed,0,2\n")
        story = Story(version, broker, node)
        try:
            return story.go({"/tmp/r.csv": str(csv)})
        finally:
            story.close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tool", choices=sorted(TOOL), help="only this version's")
    p.add_argument("--kafka", metavar="VERSION")
    options = p.parse_args()
    passed = failed = 0
    for version in [options.tool] if options.tool else sorted(TOOL):
        subprocess.run([HERE / "setup", "kafka", version], check=True)
        node = 0 if version == "2.5.1" else 1
        settings = {"node.id": node, "offsets.topic.replication.factor": 1, "group.initial.rebalance.delay.ms": 0}
        with tempfile.TemporaryDirectory(prefix="moldau-tools-") as folder:
            if options.kafka:
                broker = Kafka(options.kafka, os.path.join(folder, "kafka"), free_port(), settings)
                broker.address = broker.bootstrap
                try:
                    told = tell_story(version, broker, node)
                finally:
                    broker.stop()
            else:
                with Moldau(folder, **{"process.roles": "broker,controller", **settings}) as broker:
                    told = tell_story(version, broker, node)
        passed, failed = passed + told[0], failed + told[1]
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
