#!/usr/bin/env python3
"""Real consumers, old and new, share the partitions of a group, take over from killed members, leave at once when closed, and
go on at their committed offsets when the broker was killed and when all of them were started anew.

  tests/interop/groups.py [--only KIND,...] [--kafka VERSION] [--together N]

Each kind of consumer has a group and a topic of its own; members are processes (members/) that read, commit and say so, a line
each: `assigned PARTITIONS`, `read PARTITION OFFSET`, `committed PARTITION NEXT`; the end of their input closes them. Without
--kafka on a Moldau of its own. Prints a line for each kind, last 'N passed, N failed'.
"""
import argparse, concurrent.futures, os, pathlib, subprocess, sys, tempfile, threading, time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE)]
import kafka_wire as wire  # noqa: E402
from harness.broker import Kafka  # noqa: E402
from harness.clients import CACHE  # noqa: E402
from moldau import Moldau, free_port  # noqa: E402

PARTITIONS = 4
ALL = set(range(PARTITIONS))
PATIENCE_S = 60    # for what has no limit of its own; a JVM among many takes its time
SESSION_S = 6      # of the members: a killed one is missed that late
AT_ONCE_S = 4      # a member that closes is not waited for: well below the session's length
SETTINGS = {"offsets.topic.replication.factor": 1, "group.initial.rebalance.delay.ms": 0, "offsets.topic.num.partitions": 8,
            "group.consumer.min.session.timeout.ms": 6000, "group.consumer.session.timeout.ms": 6000,
            "group.consumer.min.heartbeat.interval.ms": 500, "group.consumer.heartbeat.interval.ms": 500}


def kinds():
    """{name: (command of a member, its protocol)}"""
    python = lambda venv, script: [f"{CACHE}/venv/{venv}/bin/python", str(HERE / "members" / script)]
    java = lambda v: ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp",
                      f"{CACHE}/members/{v}:{CACHE}/java/{v}/*", "Member"]
    found = {f"java-{v}": (java(v), "classic") for v in ("0.9.0.1", "0.10.2.2", "0.11.0.3", "2.5.1", "3.9.1", "4.3.1")}
    found |= {"java-4.3.1-consumer": (java("4.3.1"), "consumer"),
              "kafka-python-newest": (python("kafka-python-newest", "kafka_python_member.py"), "classic"),
              "kafka-python-2.0.2": (python("kafka-python-2.0.2", "kafka_python_member.py"), "classic"),
              "confluent-kafka": (python("confluent-kafka", "confluent_member.py"), "classic"),
              "confluent-kafka-consumer": (python("confluent-kafka", "confluent_member.py"), "consumer"),
              "franz-go": ([f"{CACHE}/franz-go/member"], "classic"),
              "kafkajs": (["node", str(HERE / "members/member.js")], "classic")}
    return found


class Wrong(Exception):
    """What was expected of a group and not found."""


class Feeder(threading.Thread):
    """Writes to all partitions of some topics all the time, also across kills of the broker."""

    def __init__(self, port, topics):
        super().__init__(daemon=True)
        self.port, self.topics, self.ended, self.lock = port, topics, threading.Event(), threading.Lock()
        self.last = {(t, p): -1 for t in topics for p in ALL}  # the highest offset that was acknowledged

    def run(self):
        client = None
        while not self.ended.wait(0.25):
            try:
                client = client or wire.Client(self.port, timeout=10)
                for topic, partition in self.last:
                    told = client.produce(topic, [b"fed"], partition)
                    if told.error == wire.NONE:
                        self.last[topic, partition] = told.offset
            except (OSError, wire.Closed, ValueError, AssertionError):
                client = None

    def stop(self):
        self.ended.set()
        self.join()


class Member:
    """One process of a group; what it said is in the group's ledger."""

    def __init__(self, group, name):
        self.group, self.name, self.assigned, self.fresh, self.closed = group, name, set(), set(ALL), False
        log = open(pathlib.Path(CACHE) / "log" / f"group-{group.name}-{name}.log", "w")
        extra = [f"{CACHE}/kafkajs"] if group.name == "kafkajs" else []
        self.process = subprocess.Popen([*group.command, group.address, "group-" + group.name, group.topic, group.protocol, *extra],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=HERE / "members")
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            if not line.endswith("\n"):
                break  # it was killed in the midst of a word
            with self.group.lock:
                self.group.hear(self, line.split())
        with self.group.lock:
            self.assigned = set()
            self.group.changed.notify_all()

    def close(self):
        """Ends it as its user would; seconds until it was gone."""
        begin = time.monotonic()
        self.process.stdin.close()
        self.gone()
        if not self.closed:
            raise Wrong(f"{self.name} did not close well, exit code {self.process.returncode}")
        return time.monotonic() - begin

    def kill(self):
        self.process.kill()
        self.gone()

    def gone(self):
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Wrong(f"{self.name} did not end within {PATIENCE_S} s") from None
        self.thread.join(PATIENCE_S)


class Group:
    """A kind's group: its members and the ledger of what they said.
    `read`, `committed`: by partition, the highest read and the last commit that was acknowledged."""

    def __init__(self, name, command, protocol, address):
        self.name, self.command, self.protocol, self.address = name, command, protocol, address
        self.topic, self.lock = "group-of-" + name, threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.read, self.committed, self.seen = {}, {}, {p: set() for p in ALL}
        self.trouble, self.members, self.resumed = [], [], {}

    def hear(self, member, words):
        if words[0] == "assigned":
            now = set(map(int, words[1].split(","))) if len(words) > 1 else set()
            member.fresh |= now - member.assigned  # it begins with these anew
            member.assigned = now
        elif words[0] == "read":
            partition, offset = map(int, words[1:])
            if partition in member.fresh:
                member.fresh.discard(partition)
                self.begins(member, partition, offset)
            self.seen[partition].add(offset)
            self.read[partition] = max(offset, self.read.get(partition, -1))
        elif words[0] == "committed":
            self.committed[int(words[1])] = int(words[2])
        elif words[0] == "closed":
            member.closed = True
        self.changed.notify_all()

    def begins(self, member, partition, offset):
        """Where a member begins with a partition: at what was committed last. A commit may be done and not be told yet."""
        low, high = self.committed.get(partition, 0), max(self.read.get(partition, -1) + 1, self.committed.get(partition, 0))
        if not low <= offset <= high:
            self.trouble.append(f"{member.name} begins with partition {partition} at {offset}, committed {low}, read up to {high}")

    def start(self, name):
        member = Member(self, name)
        self.members.append(member)
        return member

    def wait(self, what, condition, seconds=PATIENCE_S):
        """How long it took."""
        begin = time.monotonic()
        with self.lock:
            if not self.changed.wait_for(condition, seconds):
                held = ", ".join(f"{m.name} {sorted(m.assigned)} ({m.process.poll()})" for m in self.members)
                raise Wrong(f"not within {seconds} s: {what}; {held}; committed {self.committed}")
        return time.monotonic() - begin

    def shared(self, *members, seconds=PATIENCE_S):
        """Waits until these have all partitions between them, each its part, and read on."""
        def fair():
            parts = [m.assigned for m in members]
            return set().union(*parts) == ALL and sum(map(len, parts)) == len(ALL) and all(parts)
        took = self.wait(f"{' and '.join(m.name for m in members)} share {sorted(ALL)}", fair, seconds)
        with self.lock:
            mark = dict(self.committed)
        self.wait("all partitions go on", lambda: all(self.committed.get(p, 0) > mark.get(p, 0) for p in ALL))
        return took

    def stop(self):
        for member in self.members:
            if member.process.poll() is None:
                member.process.kill()

    # ---- the story ----------------------------------------------------------------------------------------------------------

    def before_the_kill(self):
        self.a = self.start("A")
        self.shared(self.a)
        self.b = self.start("B")
        self.shared(self.a, self.b)
        self.a.kill()
        self.shared(self.b, seconds=SESSION_S + 12)
        self.c = self.start("C")
        self.shared(self.b, self.c)
        self.c.close()
        took = self.shared(self.b, seconds=AT_ONCE_S + 2)
        if took > AT_ONCE_S:
            raise Wrong(f"B took over {took:.1f} s after C had left")

    def after_the_kill(self, feeder):
        self.shared(self.b)
        self.d = self.start("D")
        self.shared(self.b, self.d)
        self.b.close()
        self.d.close()
        with self.lock:
            mark = dict(self.committed)
        self.e = self.start("E")  # nobody was there in the meantime
        self.shared(self.e)
        end = {p: feeder.last[self.topic, p] for p in ALL}
        self.wait("E reads to the end", lambda: all(self.read.get(p, -1) >= end[p] for p in ALL))
        self.e.close()
        if missed := {p: sorted(set(range(end[p] + 1)) - self.seen[p])[:5] for p in ALL if not set(range(end[p] + 1)) <= self.seen[p]}:
            raise Wrong(f"never read: {missed}")
        if back := {p: (mark[p], self.committed[p]) for p in ALL if self.committed[p] < mark[p]}:
            raise Wrong(f"committed offsets went back: {back}")
        if self.trouble:
            raise Wrong("; ".join(self.trouble[:3]))


def tell(group, wrong):
    print(f"{'FAILED' if wrong else 'ok    '} {group.name:26} {wrong or ''}", flush=True)
    return not wrong


def attempt(step):
    try:
        step()
        return ""
    except Wrong as wrong:
        return str(wrong)


def run(broker, again, chosen, together):
    """(passed, failed); `again`: kills the broker and starts it on the same port and directory."""
    groups = [Group(name, *chosen[name], broker.address) for name in chosen]
    with wire.Client(broker.port) as client:
        for group in groups:
            error, text = client.create_topic(group.topic, PARTITIONS)
            assert error == wire.NONE, text
    passed = 0
    for at in range(0, len(groups), together):
        some = groups[at:at + together]
        feeder = Feeder(broker.port, [g.topic for g in some])
        feeder.start()
        with concurrent.futures.ThreadPoolExecutor(together) as pool:
            try:
                first = list(pool.map(lambda g: attempt(g.before_the_kill), some))
                again()
                second = list(pool.map(lambda g: attempt(lambda: g.after_the_kill(feeder)), [g for g, w in zip(some, first) if not w]))
            finally:
                feeder.stop()
                for group in some:
                    group.stop()
        second = iter(second)
        passed += sum([tell(g, w or next(second)) for g, w in zip(some, first)])
    return passed, len(groups) - passed


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", metavar="KIND,...", help=", ".join(kinds()))
    p.add_argument("--kafka", metavar="VERSION")
    p.add_argument("--together", type=int, default=4, help="groups at a time")
    options = p.parse_args()
    chosen = {n: k for n, k in kinds().items() if not options.only or n in options.only.split(",")}
    with tempfile.TemporaryDirectory(prefix="moldau-groups-") as folder:
        if options.kafka:
            broker = Kafka(options.kafka, os.path.join(folder, "kafka"), free_port(), SETTINGS)
            broker.address = broker.bootstrap
            try:
                passed, failed = run(broker, broker.kill_and_start, chosen, options.together)
            finally:
                broker.stop()
        else:
            with Moldau(folder, **{"process.roles": "broker,controller", **SETTINGS}) as broker:
                def again():
                    broker.kill()
                    broker.start()
                passed, failed = run(broker, again, chosen, options.together)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
