"""The records that the matrix writes, their lines in files, and the comparison of what was read with what was written."""
import base64
import dataclasses
import functools
import hashlib
import random
import time
from typing import Optional

NOW_MS = int(time.time() * 1000)
CLOCK = 'clock'  # a timestamp that the writing client took from its clock


@dataclasses.dataclass
class Record:
    key: Optional[bytes]
    value: Optional[bytes]
    timestamp: int = NOW_MS
    headers: list = dataclasses.field(default_factory=list)


def _incompressible(size, seed):
    return random.Random(seed).randbytes(size)


def _compressible(size):
    line = b'the moldau springs in the bohemian forest and flows through prague, %06d\n'
    return b''.join(line % i for i in range(size // 70 + 1))[:size]


@functools.cache
def shapes():
    """One of every shape a record can have; the newest timestamp is now, so that retention leaves the topic alone."""
    r = [
        Record(b'key', b'value', headers=[('header', b'text')]),
        Record('kl\u00ed\u010d \u92cd \U0001f511'.encode(), 'Vltava \u30e2\u30eb\u30c0\u30a6 \U0001f30a'.encode(), NOW_MS - 1),
        Record(None, b'null key'),
        Record(b'null value', None),
        Record(b'empty value', b''),
        Record(b'', b'empty key'),
        Record(b'', b''),
        Record(None, b''),
        Record(None, None),
        Record(b'b', b'1'),
        Record(b'all bytes ' + bytes(range(32, 256)), bytes(range(256)) * 2),
        Record(b'many headers', b'v', headers=[('a', b'1'), ('a', b'2'), ('b', b''), ('n', None), ('\u017elu\u0165', '\u016f'.encode())]),
        Record(b'long header', b'v', headers=[('h' * 300, b'x' * 3000)]),
        Record(b'early', b'timestamp 1', 1),
        Record(b'backwards', b'timestamps may go back', NOW_MS - 86_400_000),
        Record(b'compressible', _compressible(150_000), NOW_MS),
        Record(b'incompressible', _incompressible(70_000, 1), NOW_MS),
        Record(_incompressible(2_000, 2), b'long key', NOW_MS),
    ]
    r += [Record(b'%d' % (i % 7), b'small %d ' % i + b'x' * (i % 50), NOW_MS - 100 + i) for i in range(100)]
    return r


def small(label, count=20):
    return [Record(b'k%d' % (i % 3) if i % 4 else None, b'%s %d' % (label.encode(), i)) for i in range(count)]


def numbered(label, count):
    """For writing into shared topics: each record names its writer and its place."""
    return [Record(label.encode(), b'%d' % i + b'.' * (i % 40)) for i in range(count)]


@functools.cache
def big():
    """1 byte to 10 MB."""
    sizes = (1, 1_000, 100_000, 1_000_000, 1_048_577, 4_000_000)
    r = [Record(b'%d' % size, _incompressible(size, size)) for size in sizes]
    r.append(Record(b'10 MB', _compressible(5_000_000) + _incompressible(5_000_000, 10)))
    r.append(Record(b'after', b'the last'))
    return r


@functools.cache
def too_large():
    return [Record(b'too large', _incompressible(3_000_000, 3))]


def writable(records, client):
    """What of these records this client can write, as a reader with every feature sees it."""
    result = []
    for r in records:
        headers = r.headers
        if client.writes_headers == 'none':
            headers = []
        elif client.writes_headers == 'no null values':
            headers = [(n, v) for n, v in headers if v is not None]
        if r.key is None and r.value is None and not client.null_key_and_value:
            continue
        if r.key is None and r.value == b'' and not client.null_key_and_empty_value:
            continue
        timestamp = {'given': r.timestamp, 'clock': CLOCK, 'none': -1}[client.writes_timestamps]
        result.append(Record(r.key, r.value, timestamp, headers))
    return result


def field(data):
    return '-' if data is None else base64.b64encode(data).decode()


def write_file(path, records):
    with open(path, 'w') as f:
        for r in records:
            headers = ','.join('%s:%s' % (field(n.encode()), field(v)) for n, v in r.headers) or '-'
            timestamp = r.timestamp if isinstance(r.timestamp, int) and r.timestamp >= 0 else '-'
            f.write('%s\t%s\t%s\t%s\n' % (field(r.key), field(r.value), timestamp, headers))


def read_file(path):
    """[(offset, key, value, timestamp, headers)], each field as the adapter wrote it."""
    with open(path) as f:
        return [tuple(line.rstrip('\n').split('\t')) for line in f]


@functools.cache
def _shown(data):
    """The field by which an adapter shows these bytes."""
    if data is not None and len(data) > 4096:
        return '#%d:%s' % (len(data), hashlib.sha1(data).hexdigest())
    return field(data)


def _for_people(field):
    if field == '-':
        return 'null'
    if field.startswith('#'):
        return '%s bytes with SHA-1 %s' % tuple(field[1:].split(':'))
    data = base64.b64decode(field)
    return repr(data) if len(data) <= 60 else '%r… (%d bytes)' % (data[:60], len(data))


def _expected_headers(record, reader):
    if reader.reads_headers == 'text':
        text = b','.join(n.encode() + b'=' + (b'NULL' if v is None else v) for n, v in record.headers)
        return '~' + base64.b64encode(text).decode()
    return ','.join('%s:%s' % (field(n.encode()), field(v)) for n, v in record.headers) or '-'


def difference(expected, found, reader, first_offset=0):
    """The first difference between the records that were written and the lines that a reader brought, or ''."""
    for place, (record, line) in enumerate(zip(expected, found)):
        offset, key, value, timestamp, headers = line
        at = 'offset %d: ' % (first_offset + place)
        if int(offset) != first_offset + place:
            return at + 'expected a record there, found the next one at offset ' + offset
        if key != _shown(record.key):
            return at + 'expected key %s, found %s' % (_for_people(_shown(record.key)), _for_people(key))
        if value != _shown(record.value):
            return at + 'expected value %s, found %s' % (_for_people(_shown(record.value)), _for_people(value))
        if reader.reads_timestamps:
            if record.timestamp == CLOCK:
                if not NOW_MS - 60_000 <= int(timestamp) <= time.time() * 1000 + 60_000:
                    return at + 'expected a timestamp of about now (%d), found %s' % (NOW_MS, timestamp)
            elif int(timestamp) != record.timestamp:
                return at + 'expected timestamp %d, found %s' % (record.timestamp, timestamp)
        if reader.reads_headers != 'none' and headers != _expected_headers(record, reader):
            return at + 'expected headers %s, found %s' % (_expected_headers(record, reader), headers)
    if len(found) != len(expected):
        return 'expected %d records, found %d' % (len(expected), len(found))
    return ''
