"""kcat, one process a command: python kcat.py BOOTSTRAP

What kcat cannot say is the driver's to know: no timestamps when writing; no null key with an empty value; headers one set a run, text only; headers shown
as text (n=v,n=v) when reading.
"""
import os
import subprocess
import sys
import tempfile

from adapter import Adapter

DELIMITER = '\x1e-end-of-record-\x1e'
KEY_DELIMITER = '\x1f-end-of-key-\x1f'


class Kcat(Adapter):
    def run(self, *arguments, data=b'', seconds=60):
        try:
            p = subprocess.run(['kcat', '-b', self.bootstrap, *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               timeout=seconds)
        except subprocess.TimeoutExpired as e:
            raise TimeoutError('kcat %s did not end within %d s, having printed %d bytes'
                               % (' '.join(map(repr, arguments)), seconds, len(e.stdout or b''))) from None
        if p.returncode != 0:
            raise RuntimeError('kcat %s: exit %d: %s' % (' '.join(map(repr, arguments)), p.returncode, p.stderr.decode(errors='replace')[-500:]))
        return p.stdout

    @staticmethod
    def runs(records):
        """Records that one kcat process can send: the same headers, and all empty values meaning the same (-Z: null)."""
        group, kind = [], None
        for r in records:
            this = (tuple(r.headers), r.value is None, r.key == b'' or (r.key is None and r.value is None))
            if group and this != kind:
                yield kind, group
                group = []
            kind = this
            group.append(r)
        if group:
            yield kind, group

    def produce(self, fields, records):
        options = ['-P', '-t', fields['topic'], '-p', fields['partition'], '-z', fields['codec'], '-q',
                   '-X', 'message.max.bytes=' + fields.get('max', '1000000'), '-X', 'message.timeout.ms=30000']
        if 'acks' in fields:
            options += ['-X', 'acks=' + fields['acks']]
        if 'idempotence' in fields:
            options += ['-X', 'enable.idempotence=' + fields['idempotence']]
        for (headers, null, _), group in self.runs(records):
            more = [] if not null else ['-Z']
            for name, value in headers:
                more += ['-H', name if value is None else name + '=' + value.decode()]
            self.send(options + more, group)
        return [-1] * len(records)

    def send(self, options, group):
        # Files are no faster than standard input, but a record of its own file needs no delimiter: the way for big ones.
        if any(len(r.value or b'') > 500000 for r in group):
            for r in group:
                with tempfile.NamedTemporaryFile() as f:
                    f.write(r.value or b'')
                    f.flush()
                    self.run(*options, *([] if r.key is None else ['-k', os.fsdecode(r.key)]), f.name)
            return
        data = bytearray()
        for r in group:
            if r.key is not None or r.value is None:  # with -Z, an empty key is a null one
                data += (r.key or b'') + KEY_DELIMITER.encode()
            data += (r.value or b'') + DELIMITER.encode()
        self.run(*options, '-D', DELIMITER, '-K', KEY_DELIMITER, data=bytes(data))

    def consume(self, fields, sink):
        count = sink.until - sink.next
        if count == 0:
            return
        data = self.run('-C', '-t', fields['topic'], '-p', fields['partition'], '-o', str(sink.next), '-c', str(count), '-q',
                        '-X', 'fetch.message.max.bytes=' + fields.get('fetch', '1048576'), '-X', 'fetch.wait.max.ms=' + fields['wait'],
                        '-X', 'check.crcs=true', '-f', r'%o %T %K %S %h\n%k%s\n', seconds=sink.seconds)
        at = 0
        while at < len(data):
            line_end = data.index(b'\n', at)
            offset, timestamp, key_size, value_size, headers = data[at:line_end].split(b' ', 4)
            at = line_end + 1
            key, at = self.part(data, at, int(key_size))
            value, at = self.part(data, at, int(value_size))
            at += 1
            sink.add(int(offset), key, value, int(timestamp), headers)
        sink.done()

    @staticmethod
    def part(data, at, size):
        return (None, at) if size < 0 else (data[at:at + size], at + size)

    def partitions(self, fields):
        listing = self.run('-L', '-t', fields['topic']).decode()
        return sum(line.startswith('    partition ') for line in listing.splitlines())

    def offsets(self, fields):
        def query(time):
            return int(self.run('-Q', '-t', '%s:%s:%d' % (fields['topic'], fields['partition'], time)).decode().rsplit(' ', 1)[1])
        return query(-2), query(-1)


if __name__ == '__main__':
    Kcat(sys.argv[1]).serve()
