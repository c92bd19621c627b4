"""Decodes the `records` of Produce and Fetch: message sets (magic 0 and 1) and batches (magic 2), compressed ones, too. Nothing
shared with the server but the libraries of the codecs."""
import dataclasses, struct, zlib

import native
from kafka_wire import Reader

CODEC, LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 7, 8, 16, 32  # bits of the attributes


@dataclasses.dataclass(frozen=True)
class Stored:
    """One record. Of magic 0 the timestamp is −1."""
    offset: int
    key: bytes | None
    value: bytes | None
    magic: int
    codec: int
    timestamp: int = -1
    headers: tuple = ()
    flags: int = 0  # of the attributes, without the codec


def decode(data):
    """The records of all whole batches and messages in `data`; a cut last one is left out. ValueError: a wrong checksum."""
    out, at = [], 0
    while at + 17 <= len(data):
        offset, size = struct.unpack_from(">qi", data, at)
        if at + 12 + size > len(data):
            break
        out += (batch if data[at + 16] == 2 else message)(offset, data[at + 12:at + 12 + size])
        at += 12 + size
    return out


def message(offset, data):
    """Magic 0 and 1: crc uint32, magic int8, attributes int8, magic 1: timestamp int64, key bytes?, value bytes?. The value of a
    compressed one is a set of messages: of magic 1 it has the last one's offset, and theirs count from 0."""
    crc, magic, attributes = struct.unpack_from(">Ibb", data)
    if zlib.crc32(data[4:]) != crc:
        raise ValueError(f"message at {offset}: wrong CRC")
    reader = Reader(data[6:])
    timestamp = reader.int64() if magic == 1 else -1
    key, value = [None if (size := reader.int32()) < 0 else reader.take(size) for _ in range(2)]
    codec, flags = attributes & CODEC, attributes & ~CODEC
    if codec == 0:
        return [Stored(offset, key, value, magic, 0, timestamp, (), flags)]
    inner = decode(native.decompress(codec, value))
    base = offset - inner[-1].offset if magic == 1 else 0
    time = {"timestamp": timestamp} if flags & LOG_APPEND_TIME else {}
    return [dataclasses.replace(one, offset=base + one.offset, codec=codec, flags=flags, **time) for one in inner]


def batch(base, data):
    """Magic 2, from the leader epoch on: as kafka_wire.batch documents it."""
    crc, = struct.unpack_from(">I", data, 5)
    if native.crc32c(data[9:]) != crc:
        raise ValueError(f"batch at {base}: wrong CRC")
    attributes, _, first, last = struct.unpack_from(">hiqq", data, 9)
    count, = struct.unpack_from(">i", data, 45)
    reader = Reader(native.decompress(attributes & CODEC, data[49:]))
    out = []
    for _ in range(count):
        end = reader.varint() + reader.at
        reader.take(1)
        timestamp, offset = first + reader.varint(), base + reader.varint()
        key, value = nullable(reader), nullable(reader)
        headers = tuple((nullable(reader), nullable(reader)) for _ in range(reader.varint()))
        if reader.at != end:
            raise ValueError(f"record at {offset}: {reader.at - end} bytes beyond its size")
        out.append(Stored(offset, key, value, 2, attributes & CODEC, last if attributes & LOG_APPEND_TIME else timestamp, headers,
                          attributes & ~CODEC))
    return out


def nullable(reader):
    size = reader.varint()
    return None if size < 0 else reader.take(size)
