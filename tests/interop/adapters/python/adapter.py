"""The line protocol of tests/interop (see its README) for adapters in Python: one command a line in, one answer a line out."""
import base64
import hashlib
import os
import sys
import time
import traceback


def decode(field):
    return None if field == '-' else base64.b64decode(field)


def encode(data):
    if data is None:
        return '-'
    if len(data) <= 4096:
        return base64.b64encode(data).decode()
    return '#%d:%s' % (len(data), hashlib.sha1(data).hexdigest())


class Record:
    def __init__(self, line):
        key, value, timestamp, headers = line.rstrip('\n').split('\t')
        self.key, self.value = decode(key), decode(value)
        self.timestamp = None if timestamp == '-' else int(timestamp)
        self.headers = []
        if headers != '-':
            for header in headers.split(','):
                name, content = header.split(':')
                self.headers.append((decode(name).decode(), decode(content)))


class Sink:
    """Writes what was read as lines; knows when the range [from, until) is complete."""

    def __init__(self, fields):
        self.out = open(fields['file'], 'w')
        self.next, self.until = int(fields['from']), int(fields['until'])
        self.seconds = int(fields['deadline'])
        self.deadline = time.monotonic() + self.seconds

    def done(self):
        if self.next < self.until and time.monotonic() > self.deadline:
            raise TimeoutError('expected records up to offset %d, found none from %d on within %d s'
                               % (self.until, self.next, self.seconds))
        return self.next >= self.until

    def add(self, offset, key, value, timestamp, headers):
        """headers: a list of (str, bytes or None), or the text (bytes) by which the client shows them."""
        if offset >= self.until:
            return
        if isinstance(headers, bytes):
            shown = '~' + base64.b64encode(headers).decode()
        else:
            shown = ','.join('%s:%s' % (encode(n.encode()), encode(v)) for n, v in headers) or '-'
        self.out.write('%d\t%s\t%s\t%s\t%s\n' % (offset, encode(key), encode(value), '-' if timestamp is None else timestamp, shown))
        self.next = offset + 1


class Adapter:
    """A client's adapter derives from this and defines produce, consume, partitions, offsets and, if it can, create."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def answer(self, verb, fields):
        if verb == 'produce':
            with open(fields['file']) as lines:
                return ','.join(map(str, self.produce(fields, [Record(line) for line in lines])))
        if verb == 'consume':
            sink = Sink(fields)
            with sink.out:
                self.consume(fields, sink)
            return ''
        if verb == 'partitions':
            return str(self.partitions(fields))
        if verb == 'offsets':
            return '%d,%d' % self.offsets(fields)
        if verb == 'create':
            configs = {k[len('config.'):]: v for k, v in fields.items() if k.startswith('config.')}
            self.create(fields['topic'], int(fields['partitions']), configs)
            return ''
        raise ValueError('unknown command ' + verb)

    def serve(self):
        answers, sys.stdout = sys.stdout, sys.stderr
        for line in sys.stdin:
            verb, *rest = line.rstrip('\n').split('\t')
            if verb == 'quit':
                break
            try:
                reply = 'ok\t' + self.answer(verb, dict(field.split('=', 1) for field in rest))
            except Exception as e:  # whatever the client raises is the answer
                if os.environ.get('INTEROP_TRACE'):
                    traceback.print_exc()
                reply = 'error\t' + ' '.join(('%s: %s' % (type(e).__name__, e)).split())
            answers.write(reply + '\n')
            answers.flush()
        os._exit(0)  # clients' own threads do not hold the process
