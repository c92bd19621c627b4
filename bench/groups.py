"""Consumer groups under load, with requests written by hand, so that the load generator costs the same for both brokers:
a thousand members that join one group, and ten thousand groups that commit each second."""
import selectors, socket, struct, time

from brokers import BenchError

JOIN, SYNC, COMMIT, FIND, METADATA, CREATE = 11, 14, 8, 10, 3, 19


def text(value):
    raw = value.encode()
    return struct.pack(">h", len(raw)) + raw


def blob(value):
    return struct.pack(">i", len(value)) + value


def frame(api, version, body, correlation=0):
    inner = struct.pack(">hhi", api, version, correlation) + text("bench") + body
    return struct.pack(">i", len(inner)) + inner


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def take(self):
        """The bodies of whole replies that have come."""
        self.buffer += self.socket.recv(1 << 20)
        replies, at = [], 0
        while len(self.buffer) - at >= 4:
            size = struct.unpack_from(">i", self.buffer, at)[0]
            if len(self.buffer) - at - 4 < size:
                break
            replies.append(self.buffer[at + 8:at + 4 + size])
            at += 4 + size
        self.buffer = self.buffer[at:]
        return replies

    def ask(self, data):
        self.send(data)
        while not (replies := self.take()):
            pass
        return replies[0]


def find_coordinator(port, group):
    connection, deadline = Connection(port), time.monotonic() + 60
    while time.monotonic() < deadline:
        reply = connection.ask(frame(FIND, 0, text(group)))
        if struct.unpack_from(">h", reply)[0] == 0:
            return
        time.sleep(0.1)
    raise BenchError(f"no coordinator for {group} within 60 s")


class Reply:
    """A reply read field by field."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        value = struct.unpack_from(form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def string(self):
        size = self.number(">h")
        value = self.data[self.at:self.at + max(size, 0)]
        self.at += max(size, 0)
        return value.decode()

    def bytes(self):
        size = self.number(">i")
        value = self.data[self.at:self.at + max(size, 0)]
        self.at += max(size, 0)
        return value


class Member:
    """JoinGroup 5 until it is in, then SyncGroup 3; the leader gives everybody eight bytes of work."""

    def __init__(self, port, group):
        self.connection, self.group, self.id, self.state = Connection(port), group, "", "joining"
        self.generation = -1

    def join(self):
        return frame(JOIN, 5, text(self.group) + struct.pack(">ii", 60_000, 120_000) + text(self.id) + struct.pack(">h", -1) +
                     text("consumer") + struct.pack(">i", 1) + text("range") + blob(b"\0\0\0\0\0\1\0\5bench\xff\xff\xff\xff"))

    def sync(self, members):
        body = text(self.group) + struct.pack(">i", self.generation) + text(self.id) + struct.pack(">h", -1)
        body += struct.pack(">i", len(members)) + b"".join(text(m) + blob(b"12345678") for m in members)
        return frame(SYNC, 3, body)

    def heard(self, data):
        reply = Reply(data)
        reply.number(">i")  # throttle
        error = reply.number(">h")
        if self.state == "joining":
            self.generation = reply.number(">i")
            reply.string()
            leader, self.id = reply.string(), reply.string()
            if error == 79:  # MEMBER_ID_REQUIRED
                return self.connection.send(self.join())
            if error:
                raise BenchError(f"JoinGroup: error {error}")
            members = []
            for _ in range(reply.number(">i")):
                members.append(reply.string())
                reply.string()
                reply.bytes()
            self.state = "syncing"
            return self.connection.send(self.sync(members if leader == self.id else []))
        if error == 27:  # REBALANCE_IN_PROGRESS
            self.state = "joining"
            return self.connection.send(self.join())
        if error or reply.bytes() != b"12345678":
            raise BenchError(f"SyncGroup: error {error}")
        self.state = "stable"


def join_many(ctx):
    """From the first JoinGroup until everybody has its assignment; group.initial.rebalance.delay.ms as it is (3 s)."""
    count, group = ctx.scaled(1000), f"join{time.monotonic_ns()}"
    find_coordinator(ctx.broker.port, group)
    # Connected beforehand: a backlog of 50 (socket.listen.backlog.size) makes a client wait a second now and then.
    members = [Member(ctx.broker.port, group) for _ in range(count)]
    waiting = selectors.DefaultSelector()
    for member in members:
        waiting.register(member.connection.socket, selectors.EVENT_READ, member)
    cpu, at = ctx.broker.cpu_seconds(), time.monotonic()
    for member in members:
        member.connection.send(member.join())
    stable = 0
    while stable < count:
        if time.monotonic() - at > 120:
            raise BenchError(f"{stable} of {count} members are stable after 120 s")
        for key, _ in waiting.select(1):
            before = key.data.state
            for reply in key.data.connection.take():
                key.data.heard(reply)
            stable += (key.data.state == "stable") - (before == "stable")
    figures = {"stable_s": time.monotonic() - at, "cpu_ms_per_member": (ctx.broker.cpu_seconds() - cpu) * 1000 / count}
    for member in members:
        member.connection.socket.close()
    return figures


def commit_frame(group, topic, offset):
    body = text(group) + struct.pack(">i", -1) + text("") + struct.pack(">q", -1)
    body += struct.pack(">i", 1) + text(topic) + struct.pack(">i", 1) + struct.pack(">iq", 0, offset) + text("")
    return frame(COMMIT, 2, body)


def commit_many(ctx):
    """One commit of each group each second, over 16 connections; a second's commits are sent as fast as they go."""
    count = ctx.scaled(10_000)
    options = ctx.topic(1)
    groups = [f"commit{i}" for i in range(count)]
    find_coordinator(ctx.broker.port, groups[0])
    connections = [Connection(ctx.broker.port) for _ in range(16)]

    def second(offset):
        begin = time.monotonic()
        due = []
        for i, connection in enumerate(connections):
            own = groups[i::16]
            connection.send(b"".join(commit_frame(g, options[1], offset) for g in own))
            due.append(len(own))
        for i, connection in enumerate(connections):
            while due[i] > 0:
                for reply in connection.take():
                    error = struct.unpack_from(">h", reply, len(reply) - 2)[0]
                    if error and offset > 0:
                        raise BenchError(f"OffsetCommit: error {error}")
                    due[i] -= 1
        took = time.monotonic() - begin
        time.sleep(max(0, 1 - took))
        return took

    for offset in range(-int(ctx.warmup), 1):
        second(offset)
    cpu, took = ctx.broker.cpu_seconds(), []
    for offset in range(1, int(ctx.seconds) + 1):
        took.append(second(offset))
    figures = {"cpu_us_per_commit": (ctx.broker.cpu_seconds() - cpu) * 1e6 / (count * len(took)), "slowest_s": max(took)}
    for connection in connections:
        connection.socket.close()
    ctx.delete(options)
    return figures
