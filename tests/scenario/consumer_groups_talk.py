"""Conversations with a group coordinator: members of the consumer protocol (KIP-848) and of the classic one, in one group.

    python3 consumer_groups_talk.py PORT | gzip -9n > ../golden/groups/conversations.jsonl.gz

writes down what a broker answers, line by line, with names instead of ids that differ from run to run. The broker (Kafka
4.3.1, for the golden file) has no groups yet, topics t1 and t2 of four partitions, and these settings: SETTINGS."""
import json, os, struct, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import kafka_wire as wire

SETTINGS = {"num.partitions": 4, "offsets.topic.num.partitions": 5, "offsets.topic.replication.factor": 1,
            "group.initial.rebalance.delay.ms": 0, "group.consumer.assignment.interval.ms": 0}
TAGS = b"\0"


def number(format, value):
    return struct.pack(">" + format, value)


def uvarint(n):
    out = b""
    while n >= 0x80:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])


def text(value):  # compact, nullable
    return b"\0" if value is None else uvarint(len(value.encode()) + 1) + value.encode()


def data(value):
    return uvarint(len(value) + 1) + value


def array(items, encode):
    return b"\0" if items is None else uvarint(len(items) + 1) + b"".join(encode(i) for i in items)


def classic(string):
    return number("h", len(string)) + string.encode()


class Flexible:
    """Reads a reply of a flexible version."""
    def __init__(self, reader):
        self.reader = reader

    def number(self, format):
        return struct.unpack(">" + format, self.reader.take(struct.calcsize(format)))[0]

    def uvarint(self):
        n = shift = 0
        while True:
            byte = self.reader.take(1)[0]
            n, shift = n | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return n

    def data(self):
        size = self.uvarint()
        return None if size == 0 else bytes(self.reader.take(size - 1))

    def text(self):
        found = self.data()
        return None if found is None else found.decode()

    def array(self, one):
        count = self.uvarint()
        return None if count == 0 else [one() for _ in range(count - 1)]

    def tags(self):
        for _ in range(self.uvarint()):
            self.uvarint()
            self.reader.take(self.uvarint())


class Talk:
    """One connection, and what was said on it."""
    JOIN = dict(rebalance=30000, topics=["t1"], owned={})

    def __init__(self, port):
        self.client, self.said, self.names, self.topics = wire.Client(port), [], {}, {}
        self.learn_topics()

    def call(self, key, version, body):
        reader = Flexible(self.client.call(key, version, TAGS + body))
        reader.tags()
        return reader

    def learn_topics(self):
        r = self.call(3, 12, b"\0" * 4)
        r.number("i")
        r.array(lambda: (r.number("i"), r.text(), r.number("i"), r.text(), r.tags()))
        r.text(), r.number("i")

        def topic():
            r.number("h")
            name, uuid = r.text(), r.reader.take(16)
            self.topics[name] = bytes(uuid)
            r.number("b")
            r.array(lambda: (r.reader.take(14), [r.array(lambda: r.number("i")) for _ in range(3)], r.tags()))
            r.number("i"), r.tags()
        r.array(topic)

    def wait_for(self, groups):
        """Until each has a coordinator that has loaded its part of the log."""
        for group in groups:
            while True:
                r = self.call(10, 4, b"\0" + array([group], text) + TAGS)
                r.number("i")
                found = r.array(lambda: (r.text(), r.number("i"), r.text(), r.number("i"), r.number("h"), r.text(), r.tags()))
                if found[0][4] == 0 and self.describe(group, silent=True)["error"] == 69:
                    break

    def name(self, member):
        """Ids that were made up here stay as they are."""
        return self.names.setdefault(member, f"M{len(self.names)}") if member and len(member) > 8 else member

    def note(self, *what, **reply):
        if reply.get("message"):
            for member, name in self.names.items():
                reply["message"] = reply["message"].replace(member, name)
        self.said.append(json.loads(json.dumps([list(what), reply])))

    def named(self, partitions):
        known = {uuid: name for name, uuid in self.topics.items()}
        return {known[uuid]: sorted(p) for uuid, p in sorted(partitions)}

    # The consumer protocol.

    def beat(self, group, member, epoch=0, instance=None, rack=None, rebalance=-1, topics=None, regex=None, assignor=None,
             owned=None, version=1):
        partitions = None if owned is None else list(owned.items())
        r = self.call(68, version, text(group) + text(member) + number("i", epoch) + text(instance) + text(rack)
                      + number("i", rebalance) + array(topics, text) + (text(regex) if version else b"") + text(assignor)
                      + array(partitions, lambda t: self.topics[t[0]] + array(t[1], lambda p: number("i", p)) + TAGS) + TAGS)
        r.number("i")
        reply = dict(error=r.number("h"), message=r.text(), member=self.name(r.text()), epoch=r.number("i"),
                     interval=r.number("i"), assignment=None)
        if r.number("b") >= 0:
            reply["assignment"] = self.named(r.array(lambda: (bytes(r.reader.take(16)), r.array(lambda: r.number("i")), r.tags())[:2]))
            r.tags()
        asked = dict(epoch=epoch, instance=instance, rack=rack, rebalance=rebalance, topics=topics, regex=regex, assignor=assignor,
                     owned=owned, version=version)
        self.note("beat", group, self.name(member), asked, **reply)
        return reply

    def describe(self, group, silent=False):
        r = self.call(69, 1, array([group], text) + b"\0" + TAGS)
        r.number("i")

        def assignment():
            found = r.array(lambda: (r.reader.take(16), r.text(), sorted(r.array(lambda: r.number("i"))), r.tags())[1:3])
            r.tags()
            return dict(sorted(found))

        def member():
            one = dict(member=self.name(r.text()), instance=r.text(), rack=r.text(), epoch=r.number("i"), client=r.text(),
                       host=r.text(), topics=sorted(r.array(r.text)), regex=r.text(), has=assignment(), target=assignment(),
                       type=r.number("b"))
            r.tags()
            return one

        def described():
            one = dict(error=r.number("h"), message=r.text(), group=r.text(), state=r.text(), epoch=r.number("i"),
                       target_epoch=r.number("i"), assignor=r.text(), members=r.array(member), operations=r.number("i"))
            one["members"] = sorted(one["members"] or [], key=lambda m: m["member"])
            r.tags()
            return one
        [one] = r.array(described)
        if not silent:
            self.note("describe", group, **one)
        return one

    # The classic protocol.

    def subscription(self, owned):
        pairs = number("i", 1) + classic("t1") + array_of_ints(owned) if owned else number("i", 0)
        return number("h", 1) + number("i", 1) + classic("t1") + number("i", -1) + pairs

    def work(self, partitions):
        return number("h", 1) + number("i", 1) + classic("t1") + array_of_ints(partitions) + number("i", -1)

    def join(self, group, member="", instance=None, owned=(), type="consumer", protocol="range", session=10000):
        metadata = self.subscription(owned)
        r = self.call(11, 9, text(group) + number("i", session) + number("i", 20000) + text(member) + text(instance) + text(type)
                      + array([protocol], lambda p: text(p) + data(metadata) + TAGS) + text(None) + TAGS)
        r.number("i")
        reply = dict(error=r.number("h"), generation=r.number("i"), type=r.text(), protocol=r.text(), leader=self.name(r.text()),
                     skip=r.number("b"))
        given = r.text()
        members = r.array(lambda: (r.text(), r.text(), r.data(), r.tags()))
        self.note("join", group, self.name(member), instance, list(owned), type, protocol, **reply, member=self.name(given),
                  members=len(members))
        return given, reply["generation"]

    def join_fully(self, group, **more):
        """Of a dynamic member: is given an id, and comes with it."""
        member, _ = self.join(group, **more)
        return self.join(group, member, **more)

    def sync(self, group, member, generation, instance=None, work=None, type="consumer", protocol="range"):
        parts = [] if work is None else [(member, self.work(work))]
        r = self.call(14, 5, text(group) + number("i", generation) + text(member) + text(instance) + text(type) + text(protocol)
                      + array(parts, lambda p: text(p[0]) + data(p[1]) + TAGS) + TAGS)
        r.number("i")
        self.note("sync", group, self.name(member), generation, instance, type, protocol, error=r.number("h"), type=r.text(),
                  protocol=r.text(), work=(r.data() or b"").hex())

    def heartbeat(self, group, member, generation, instance=None):
        r = self.call(12, 4, text(group) + number("i", generation) + text(member) + text(instance) + TAGS)
        r.number("i")
        self.note("heartbeat", group, self.name(member), generation, error=r.number("h"))

    def leave(self, group, *members):
        r = self.call(13, 5, text(group) + array(members, lambda m: text(m[0]) + text(m[1]) + text("why") + TAGS) + TAGS)
        r.number("i")
        self.note("leave", group, error=r.number("h"), members=r.array(lambda: [self.name(r.text()), r.text(), r.number("h"), r.tags()][:3]))

    def type_of(self, group):
        r = self.call(16, 5, b"\1\1" + TAGS)
        r.number("i"), r.number("h")
        listed = r.array(lambda: [r.text(), r.text(), r.text(), r.text(), r.tags()][:4])
        self.note("list", group, groups=[one for one in listed if one[0] == group])


def array_of_ints(values):
    return number("i", len(values)) + b"".join(number("i", v) for v in values)


def bad_requests(t, g):
    for bad in (dict(member=" "), dict(instance=""), dict(rack=" "), dict(rebalance=-1), dict(owned=None), dict(topics=None),
                dict(epoch=-2), dict(epoch=-3), dict(assignor="foo"), dict(epoch=5), dict(epoch=-1), dict(epoch=-2, instance="i"),
                dict(owned={"t1": [0]}), dict(topics=None, regex="["), dict(topics=None, regex="(?=x)"),
                dict(epoch=-1, instance="")):
        t.beat(g, **{"member": "m", **t.JOIN, **bad})
    t.describe(g)


def two_members(t, g):
    t.beat(g, "m", **t.JOIN)
    t.beat(g, "m", 2, owned={"t1": [0, 1, 2, 3]})
    for member, epoch in (("m", 2), ("m", 1), ("m", 3), ("nobody", 2)):
        t.beat(g, member, epoch)
    t.beat(g, "n", **t.JOIN)
    t.beat(g, "m", 2, owned={"t1": [0, 1, 2, 3]})
    t.beat(g, "n", 3, owned={})
    t.describe(g)
    t.beat(g, "m", 2, owned={"t1": [0, 1]})
    t.beat(g, "n", 3, owned={})
    t.beat(g, "m", 2, owned={"t1": [0]})  # an answer was lost
    t.beat(g, "m", 2, owned={"t1": [3]})
    t.beat(g, "m", 3, topics=["t1", "t2"])
    t.beat(g, "m", 4)
    t.beat(g, "n", 3)
    t.describe(g)
    t.beat(g, "n", -1)
    t.beat(g, "n", -1)
    t.beat(g, "m", 4)
    t.beat(g, "m", -1)
    t.describe(g)
    t.beat(g, "m", 5)


def static_members(t, g):
    static = dict(instance="i", **t.JOIN)
    t.beat(g, "a", **static)
    t.beat(g, "b", **static)
    t.beat(g, "b", 2, instance="i")
    t.beat(g, "a", -2, instance="k")
    t.beat(g, "a", -2, instance="i")
    t.describe(g)
    t.beat(g, "b", **static)
    t.beat(g, "a", 2, instance="i")
    t.describe(g)
    t.beat(g, "b", -1, instance="i")
    t.beat(g, "b", 2, instance="i")


def up_and_down(t, g):
    """A classic group, joined by a member of the consumer protocol, left by it, and left alone."""
    m, first = t.join_fully(g)
    t.sync(g, m, first, work=[0, 1, 2, 3])
    t.type_of(g)
    t.beat(g, "n", **t.JOIN)
    t.describe(g)
    t.heartbeat(g, m, first)
    t.sync(g, m, first)
    _, generation = t.join(g, m, owned=[0, 1, 2, 3])
    t.sync(g, m, generation)
    t.heartbeat(g, m, generation)
    _, generation = t.join(g, m, owned=[0, 1])
    t.sync(g, m, generation)
    t.beat(g, "n", first + 1)
    t.describe(g)
    for member, at in ((m, generation), (m, generation + 4), ("n", generation), ("zz", generation)):
        t.heartbeat(g, member, at)
    t.sync(g, m, generation + 1)
    t.sync(g, m, generation, type="foo")
    t.sync(g, m, generation, protocol="foo")
    t.join(g, m, type="connect")
    t.join(g, m, protocol="unknown")
    t.join(g, session=1)
    t.leave(g, ("zz", None), ("n", "i"))
    t.beat(g, "n", -1)
    t.type_of(g)
    t.heartbeat(g, m, generation)
    t.describe(g)
    _, generation = t.join(g, m, owned=[0, 1])
    t.sync(g, m, generation, work=[0, 1, 2, 3])
    t.leave(g, (m, None))
    t.beat(g, "n", **t.JOIN)
    t.type_of(g)
    t.beat(g, "n", -1)
    t.join(g)
    t.type_of(g)


def classic_guests(t, g):
    t.beat(g, "n", **t.JOIN)
    m, generation = t.join_fully(g)
    t.sync(g, m, generation)
    t.describe(g)
    t.leave(g, (m, None))
    t.describe(g)


def static_members_change(t, g):
    m, generation = t.join(g, instance="i")
    t.sync(g, m, generation, instance="i", work=[0, 1, 2, 3])
    t.beat(g, "s", instance="i", **t.JOIN)
    t.describe(g)
    t.heartbeat(g, m, generation, instance="i")
    m, generation = t.join(g, instance="i")
    t.type_of(g)
    t.sync(g, m, generation, instance="i")
    t.heartbeat(g, m, generation, instance="i")


def other_kinds(t, g):
    t.join_fully(g, type="connect")
    t.beat(g, "n", **t.JOIN)
    t.type_of(g)


CONVERSATIONS = (bad_requests, two_members, static_members, up_and_down, classic_guests, static_members_change, other_kinds)


def talk(port):
    """All of them: [[name, what was said], …]."""
    t = Talk(port)
    t.wait_for([one.__name__ for one in CONVERSATIONS])
    out = []
    for one in CONVERSATIONS:
        t.said, t.names = [], {}
        one(t, one.__name__)
        out.append([one.__name__, t.said])
    t.client.close()
    return out


if __name__ == "__main__":
    for name, said in talk(int(sys.argv[1])):
        for line in said:
            print(json.dumps([name] + line, sort_keys=True))
