"""Groups go both ways: moldau-server and Apache Kafka take turns on one directory with one properties file. Members of the classic
and of the consumer protocol join at the first and go on at the next, after a clean stop and after kill -9; Kafka's own
kafka-consumer-groups prints the same of both."""
import pathlib
import re
import struct
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "scenario")]
import consumer_groups_talk as talk  # noqa: E402
import kafka_wire as wire  # noqa: E402
import records  # noqa: E402

TOPIC, PARTITIONS = "t1", range(4)
SESSION_MS = 1_200_000  # nobody goes while the other program starts
# As talk.SETTINGS, with that patience.
SETTINGS = talk.SETTINGS | {"group.consumer.max.session.timeout.ms": SESSION_MS, "group.consumer.session.timeout.ms": SESSION_MS}
LOADING = (14, 15, 16)
COMMAND = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
VIEWS = (["--describe", "--all-groups", "--offsets"], ["--describe", "--all-groups", "--members", "--verbose"],
         ["--describe", "--all-groups", "--state", "--verbose"], ["--list", "--state", "--type"])


class Speaker(talk.Talk):
    """One connection to whichever serves; waits until the coordinators have loaded."""

    def __init__(self, port, groups):
        super().__init__(port)
        for group in groups:
            self.client.find_coordinator(group)
            end = time.monotonic() + 60
            while self.describe(group, silent=True)["error"] in LOADING:
                assert time.monotonic() < end, f"the coordinator of {group} has not loaded within 60 s"
                time.sleep(0.05)    # nobody tells when it has

    def commit(self, group, offsets, member="", generation=-1):
        """errors; offsets: {partition: offset}"""
        parts = talk.array(list(offsets.items()), lambda o: struct.pack(">iqi", *o, -1) + talk.text("by " + group) + talk.TAGS)
        topics = talk.array([TOPIC], lambda t: talk.text(t) + parts + talk.TAGS)
        r = self.call(8, 9, talk.text(group) + struct.pack(">i", generation) + talk.text(member) + talk.text(None) + topics + talk.TAGS)
        r.number("i")
        [found] = r.array(lambda: (r.text(), r.array(lambda: (r.number("i"), r.number("h"), r.tags())[1]), r.tags())[1])
        return found


class Groups:
    """What lives in the directory: of each kind one group with members, one that they have left; commits of nobody."""
    NAMES = ("classic", "classic-left", "consumer", "consumer-left", "nobody")

    def begin(self, t):
        self.classic, self.generation = t.join_fully("classic", session=SESSION_MS)
        t.sync("classic", self.classic, self.generation, work=list(PARTITIONS))
        self.consumers = {"m": [0, {}], "n": [0, {}]}  # epoch, what it has
        for _ in range(4):
            for member in self.consumers:
                self.beat(t, member)
        gone, generation = t.join_fully("classic-left", session=SESSION_MS)
        t.sync("classic-left", gone, generation, work=list(PARTITIONS))
        wrong = t.commit("classic-left", {0: 5, 3: 6}, gone, generation)
        t.leave("classic-left", (gone, None))
        epoch = t.beat("consumer-left", "m", **t.JOIN)["epoch"]
        wrong += t.commit("consumer-left", {1: 7}, "m", epoch)
        t.beat("consumer-left", "m", -1)
        return wrong + t.commit("nobody", {0: 8})

    def beat(self, t, member):
        epoch, has = self.consumers[member]
        reply = t.beat("consumer", member, epoch, rebalance=30000, topics=[TOPIC], owned=has)
        self.consumers[member] = [reply["epoch"], has if reply["assignment"] is None else reply["assignment"]]
        return reply["error"]

    def go_on(self, t, turn):
        """Everybody says that it lives, and commits. What was told to them that is no `all well`."""
        before = {member: list(state) for member, state in self.consumers.items()}
        t.heartbeat("classic", self.classic, self.generation)
        wrong = [t.said[-1][1]["error"]] + [self.beat(t, member) for member in self.consumers]
        if before != self.consumers:
            wrong.append(f"{before} became {self.consumers}")
        wrong += t.commit("classic", {p: 10 * turn + p for p in PARTITIONS}, self.classic, self.generation)
        for member, (epoch, has) in self.consumers.items():
            wrong += t.commit("consumer", {p: 100 * turn + p for p in has[TOPIC]}, member, epoch)
        return wrong + t.commit("nobody", {0: 8 + turn})


def described(kafka):
    """What the tool prints, without the widths of columns; groups come in any order."""
    told = []
    for view in VIEWS:
        words = [COMMAND, "--bootstrap-server", kafka.bootstrap, *view]
        lines = kafka.run_tool(*words).splitlines()
        told += [" ".join(view)] + sorted(re.sub(r"\s+", " ", line).strip() for line in lines if line.strip())
    return told


def take_turns(run, kafka, server, first, killed):
    """first: whose directory it is at first, 'Moldau' or 'Kafka'."""
    how, port = "killed" if killed else "stopped", run.args.port
    with open(kafka.properties, "a") as file:
        file.writelines(f"{k}={v}\n" for k, v in SETTINGS.items())
    turns = [records.Moldau(server, kafka.properties, port), kafka]
    if first == "Kafka":
        turns.reverse()
        kafka.format()
    groups, known, before = Groups(), [], ""
    for turn, broker in enumerate((*turns, turns[0])):
        name = type(broker).__name__
        with broker:
            if turn == 0:
                with wire.Client(port) as client:
                    client.create_topic(TOPIC, len(PARTITIONS))
                    for partition in PARTITIONS:
                        records.kcat(port, "-P", "-p", str(partition), content=b"one\ntwo\n" * (partition + 1), topic=TOPIC)
            t = Speaker(port, groups.NAMES)
            if turn == 0:
                run.expect(f"groups are made by {name}", set(groups.begin(t)), {0})
            else:
                run.expect(f"{name} tells of groups what {before} told when it was {how}", described(kafka), known)
            run.expect(f"{name} lets all members go on", set(groups.go_on(t, turn + 1)), {0})
            known = described(kafka)
            t.client.close()
            records.end(broker, killed)
        before = name
    run.expect("all of them are told", [n for n in groups.NAMES if not any(re.match(rf"{n} ", line) for line in known)], [])
    return known
