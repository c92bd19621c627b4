"""Kafka's protocol by hand, as far as the scenario tests need it: frames, a few requests in one version each, record batches
of magic 2. Standard library only, and nothing shared with the server: what both understand wrongly is then no agreement."""
import socket, struct, time

API_VERSIONS, PRODUCE, FETCH, LIST_OFFSETS, METADATA = 18, 0, 1, 2, 3
FIND_COORDINATOR, HEARTBEAT = 10, 12
CREATE_TOPICS, DELETE_TOPICS, INIT_PRODUCER_ID, CREATE_PARTITIONS = 19, 20, 22, 37

NONE, OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE, UNKNOWN_TOPIC_OR_PARTITION = 0, 1, 2, 3
NOT_LEADER_OR_FOLLOWER, MESSAGE_TOO_LARGE, INVALID_TOPIC, TOPIC_ALREADY_EXISTS = 6, 10, 17, 36
OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, KAFKA_STORAGE_ERROR = 45, 47, 56
UNSUPPORTED_COMPRESSION_TYPE, INVALID_RECORD = 76, 87


class Closed(Exception):
    """The broker closed the connection."""


# ---- bytes ------------------------------------------------------------------------------------------------------------------

def string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">h", len(raw)) + raw


def nullable(text):
    return b"\xff\xff" if text is None else string(text)


def array(items):
    items = list(items)
    return struct.pack(">i", len(items)) + b"".join(items)


def varint(number):
    """Zig-zag, as in records."""
    number = (number << 1) ^ (number >> 63)
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if size < 0 or self.at + size > len(self.data):
            raise ValueError(f"{size} bytes wanted at {self.at} of {len(self.data)}")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, format):
        return struct.unpack(">" + format, self.take(struct.calcsize(">" + format)))[0]

    def int16(self):
        return self.number("h")

    def int32(self):
        return self.number("i")

    def int64(self):
        return self.number("q")

    def boolean(self):
        return self.number("b") != 0

    def string(self):
        size = self.int16()
        return None if size < 0 else self.take(size).decode()

    def bytes(self):
        size = self.int32()
        return b"" if size < 0 else self.take(size)

    def array(self, element):
        return [element() for _ in range(max(0, self.int32()))]

    def varint(self):
        shift = value = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)


# ---- record batches ---------------------------------------------------------------------------------------------------------

def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def record(value, delta=0, key=None, headers=()):
    def field(data):
        return varint(-1) if data is None else varint(len(data)) + data
    body = b"\0" + varint(0) + varint(delta) + field(key) + field(value) + varint(len(headers))
    body += b"".join(field(name) + field(content) for name, content in headers)
    return varint(len(body)) + body


def batch(values, producer_id=-1, epoch=-1, sequence=-1, attributes=0, count=None, last_delta=None, crc=None, base_offset=0,
          payload=None, timestamp=None):
    """One batch of magic 2 as a producer sends it:
         baseOffset int64, batchLength int32, leaderEpoch int32, magic int8, crc uint32, then what the CRC covers:
         attributes int16, lastOffsetDelta int32, baseTimestamp and maxTimestamp int64, producerId int64, producerEpoch int16,
         baseSequence int32, count int32, records.
    The named arguments put in what no proper client would."""
    values = list(values)
    records = b"".join(record(v, i) for i, v in enumerate(values)) if payload is None else payload
    now = int(time.time() * 1000) if timestamp is None else timestamp
    covered = struct.pack(">hiqqqhii", attributes, len(values) - 1 if last_delta is None else last_delta, now, now, producer_id,
                          epoch, sequence, len(values) if count is None else count) + records
    return struct.pack(">qiibI", base_offset, 9 + len(covered), 0, 2, crc32c(covered) if crc is None else crc) + covered


class Record:
    def __init__(self, offset, key, value):
        self.offset, self.key, self.value = offset, key, value


def batches(data):
    """The whole batches in `data`: (base offset, last offset, the batch's bytes); a cut last one is left out."""
    at = 0
    while at + 61 <= len(data):
        base, length = struct.unpack_from(">qi", data, at)
        if length < 49 or at + 12 + length > len(data):
            return
        yield base, base + struct.unpack_from(">i", data, at + 23)[0], data[at:at + 12 + length]
        at += 12 + length


def crc_ok(one):
    return struct.unpack_from(">I", one, 17)[0] == crc32c(one[21:])


def records(data, check_crc=False):
    """The records of all whole, uncompressed batches in `data`."""
    out = []
    for base, _, one in batches(data):
        if check_crc and not crc_ok(one):
            raise ValueError(f"batch at {base}: wrong CRC")
        reader = Reader(one[61:])
        for _ in range(struct.unpack_from(">i", one, 57)[0]):
            size = reader.varint()
            end = reader.at + size
            reader.take(1), reader.varint()
            delta = reader.varint()
            key_size = reader.varint()
            key = None if key_size < 0 else reader.take(key_size)
            value_size = reader.varint()
            out.append(Record(base + delta, key, None if value_size < 0 else reader.take(value_size)))
            reader.at = end
    return out


# ---- requests ---------------------------------------------------------------------------------------------------------------

def request(key, version, body=b"", correlation=1, client="scenario"):
    """A frame with request header 1."""
    head = struct.pack(">hhi", key, version, correlation) + nullable(client)
    return struct.pack(">i", len(head) + len(body)) + head + body


def produce_body(topic, partition, data, acks=1, timeout_ms=10000):  # version 8
    return (nullable(None) + struct.pack(">hi", acks, timeout_ms) +
            array([string(topic) + array([struct.pack(">ii", partition, len(data)) + data])]))


def fetch_body(topic, partition, offset, max_bytes=1 << 20, wait_ms=0, min_bytes=1, isolation=0):  # version 6
    return (struct.pack(">iiiib", -1, wait_ms, min_bytes, max_bytes, isolation) +
            array([string(topic) + array([struct.pack(">iqqi", partition, offset, -1, max_bytes)])]))


class Produced:
    def __init__(self, r):
        self.index, self.error, self.offset, self.time, self.start = r.int32(), r.int16(), r.int64(), r.int64(), r.int64()
        r.array(lambda: (r.int32(), r.string()))
        self.message = r.string()


class Fetched:
    def __init__(self, r):
        self.index, self.error, self.high_watermark, self.stable, self.start = (r.int32(), r.int16(), r.int64(), r.int64(),
                                                                               r.int64())
        r.array(lambda: (r.int64(), r.int64()))
        self.data = r.bytes()

    def records(self):
        return records(self.data)


class Client:
    """One connection. Each call waits for its reply; send() and receive() pipeline."""

    def __init__(self, port, host="127.0.0.1", timeout=20, source=None):
        self.socket = socket.create_connection((host, port), timeout, source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.next = 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, key, version, body=b"", client="scenario"):
        correlation, self.next = self.next, self.next + 1
        self.socket.sendall(request(key, version, body, correlation, client))
        return correlation

    def receive_exactly(self, size):
        parts = []
        while size > 0:
            try:
                part = self.socket.recv(min(size, 1 << 20))
            except (ConnectionResetError, BrokenPipeError):
                part = b""
            if not part:
                raise Closed()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def receive(self):
        """The next reply: its bytes without the size."""
        return self.receive_exactly(struct.unpack(">i", self.receive_exactly(4))[0])

    def call(self, key, version, body=b"", client="scenario"):
        try:
            correlation = self.send(key, version, body, client)
        except (ConnectionResetError, BrokenPipeError):
            raise Closed() from None
        reader = Reader(self.receive())
        found = reader.int32()
        assert found == correlation, f"reply to {found}, expected to {correlation}"
        return reader

    def is_closed(self, seconds=10):
        """Whether the broker closes within that time, without another reply before."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True
        except TimeoutError:
            return False

    def api_versions(self):
        """{key: (oldest, newest)}"""
        r = self.call(API_VERSIONS, 0)
        assert r.int16() == NONE
        return {key: (low, high) for key, low, high in r.array(lambda: (r.int16(), r.int16(), r.int16()))}

    def metadata(self, topics=None, create=False):
        """(brokers, {topic: (error, {partition: (error, leader)})})"""
        body = struct.pack(">i", -1) if topics is None else array(string(t) for t in topics)
        r = self.call(METADATA, 4, body + struct.pack(">b", create))
        r.int32()
        brokers = r.array(lambda: (r.int32(), r.string(), r.int32(), r.string()))
        r.string(), r.int32()

        def partition():
            error, index, leader = r.int16(), r.int32(), r.int32()
            r.array(r.int32), r.array(r.int32)
            return index, (error, leader)

        def topic():
            error, name, _ = r.int16(), r.string(), r.boolean()
            return name, (error, dict(r.array(partition)))
        return brokers, dict(r.array(topic))

    def create_topic(self, name, partitions=1, configs=None, timeout_ms=30000, replicas=1):
        """(error, message)"""
        settings = array(string(k) + nullable(str(v)) for k, v in (configs or {}).items())
        topic = string(name) + struct.pack(">ih", partitions, replicas) + array([]) + settings
        r = self.call(CREATE_TOPICS, 2, array([topic]) + struct.pack(">ib", timeout_ms, 0))
        r.int32()
        [(_, error, message)] = r.array(lambda: (r.string(), r.int16(), r.string()))
        return error, message

    def delete_topic(self, name):
        r = self.call(DELETE_TOPICS, 1, array([string(name)]) + struct.pack(">i", 30000))
        r.int32()
        [(_, error)] = r.array(lambda: (r.string(), r.int16()))
        return error

    def produce(self, topic, values, partition=0, acks=1, data=None, **odd):
        data = batch(values, **odd) if data is None else data
        return self.produced(self.call(PRODUCE, 8, produce_body(topic, partition, data, acks)))

    @staticmethod
    def produced(r):
        [[one]] = r.array(lambda: (r.string(), r.array(lambda: Produced(r)))[1])
        return one

    def fetch(self, topic, offset, partition=0, **limits):
        return self.fetched(self.call(FETCH, 6, fetch_body(topic, partition, offset, **limits)))

    @staticmethod
    def fetched(r):
        r.int32()
        [[one]] = r.array(lambda: (r.string(), r.array(lambda: Fetched(r)))[1])
        return one

    def read_all(self, topic, partition=0, offset=0, check_crc=False):
        """All records from `offset` to the end, fetched by and by."""
        out = []
        while True:
            got = self.fetch(topic, offset, partition)
            if got.error != NONE:
                raise ValueError(f"fetch of {topic}-{partition} at {offset}: error {got.error}")
            found = [r for r in records(got.data, check_crc) if r.offset >= offset]
            if not found:
                if offset < got.high_watermark:
                    raise ValueError(f"{topic}-{partition}: nothing at {offset}, below the end {got.high_watermark}")
                return out
            out += found
            offset = found[-1].offset + 1

    def offset(self, topic, timestamp=-1, partition=0):
        """(error, offset); -1: the end, -2: the start"""
        body = struct.pack(">i", -1) + array([string(topic) + array([struct.pack(">iq", partition, timestamp)])])
        r = self.call(LIST_OFFSETS, 1, body)
        [[(_, error, _, offset)]] = r.array(
            lambda: (r.string(), r.array(lambda: (r.int32(), r.int16(), r.int64(), r.int64())))[1])
        return error, offset

    def find_coordinator(self, group):
        """error; the first time a group is asked for makes __consumer_offsets"""
        return self.call(FIND_COORDINATOR, 0, string(group)).int16()

    def heartbeat(self, group, generation, member):
        """error"""
        return self.call(HEARTBEAT, 0, string(group) + struct.pack(">i", generation) + string(member)).int16()

    def init_producer_id(self):
        """(producer id, epoch)"""
        r = self.call(INIT_PRODUCER_ID, 0, nullable(None) + struct.pack(">i", 60000))
        r.int32()
        assert r.int16() == NONE
        return r.int64(), r.int16()
