"""The cases, and how they are run: all writers at once, then all readers at once, then everybody on one topic."""
import concurrent.futures
import dataclasses
import os
import re
import threading
import time

from . import records
from .clients import AdapterError, admin_refusal, refusal

BIG_BYTES = 12_000_000    # max.message.bytes of the topic for big records, and the writers' own limit
FETCH_BYTES = 16_000_000  # old readers must ask for at least the largest record
MIXED_PARTITIONS = 3
READ_S, READ_BIG_S = 20, 60  # for one reading
GIVE_UP_AFTER = 2         # commands of a client that took longer than SLOW_S and failed: its further ones fail untried
SLOW_S = 10
STORED_S = 5              # from the end of a writing without acknowledgement until its records are there
REFUSED_S = 2             # of records that a reader cannot decompress: some old ones ask again for ever


@dataclasses.dataclass
class Case:
    name: str
    topic: str
    partition: int
    writer: object
    records: list
    codec: str = 'none'
    options: dict = dataclasses.field(default_factory=dict)  # of the produce command
    fetch: dict = dataclasses.field(default_factory=dict)    # of the consume command
    file: str = ''
    failed: str = ''                                          # why writing failed


@dataclasses.dataclass
class Result:
    writer: str
    reader: str
    case: str
    status: str  # 'passed', 'failed', 'skipped'
    message: str = ''


class Matrix:
    def __init__(self, clients, adapters, directory, served_like, quick):
        self.clients, self.adapters, self.directory = clients, adapters, directory
        self.served_like, self.quick = served_like, quick
        self.run_id = 'i%d' % (time.time() * 1000 % 10**9)
        self.results, self.lock, self.files = [], threading.Lock(), 0
        self.active = [c for c in clients if not refusal(c, served_like)]
        self.readers = [c for c in self.active if c.reader]
        self.cases = self.plan()

    # -- the plan

    def plan(self):
        cases = []
        for place, w in enumerate(self.clients):
            def case(name, recs, codec='none', topic=None, fetch=None, **options):
                options = {**w.produce, **options}
                cases.append(Case(name, '%s-%s' % (self.run_id, topic or name.replace('/', '-')), 0 if topic else place, w, recs, codec, options,
                                  fetch or {}))
            codecs = w.codecs
            if self.quick:  # none and one other; over all writers every codec comes up
                codecs = ('none', w.codecs[1:][place % (len(w.codecs) - 1)])
            for codec in codecs:
                case('shapes/' + codec, records.shapes(), codec)
            case('auto-created', records.small('auto'), topic='auto-' + w.name)
            off = {'idempotence': 'false'} if w.idempotence != 'none' else {}
            for acks in ('0', '1', 'all'):
                case('acks=' + acks, records.small('acks'), acks=acks, **off)
            if w.idempotence != 'none':
                case('idempotent', records.small('idempotent', 300), idempotence='true', acks='all')
            if not self.quick:
                for codec in ('none', 'snappy'):
                    case('big/' + codec, records.big(), codec, fetch={'fetch': FETCH_BYTES}, max=BIG_BYTES)
        for c in cases:
            c.topic = c.topic.replace('=', '-')
        return cases

    # -- running

    def run(self, note):
        started = time.monotonic()

        def step(text):
            note('%5.1f s  %s' % (time.monotonic() - started, text))
        step('creating topics')
        self.create_topics()
        step('every admin client creates, every client looks')
        self.admin_clients()
        step('%d clients write %d cases' % (len(self.active), len(self.cases)))
        self.each(self.active, self.write_all)
        step('%d clients read them' % len(self.readers))
        self.each(self.readers, self.read_all)
        step('too large a record is refused')
        self.each(self.active, self.refuse_too_large)
        step('all write and read one topic at the same time')
        self.mixed()
        step('done')

    def each(self, clients, work):
        with concurrent.futures.ThreadPoolExecutor(max(1, len(clients))) as pool:
            list(pool.map(work, clients))

    def record(self, writer, reader, case, error=None, skipped=''):
        status = 'skipped' if skipped else 'failed' if error else 'passed'
        with self.lock:
            self.results.append(Result(writer, reader, case, status, skipped or error or ''))

    def new_file(self):
        with self.lock:
            self.files += 1
            return os.path.join(self.directory, '%05d.records' % self.files)

    def ask(self, client, verb, **fields):
        adapter = self.adapters[client.name]
        if adapter.slow_failures >= GIVE_UP_AFTER:
            raise AdapterError('not tried, as %d commands of this client waited in vain before' % GIVE_UP_AFTER)
        begin = time.monotonic()
        try:
            return adapter.ask(verb, **fields)
        except AdapterError:
            if time.monotonic() - begin > SLOW_S:
                adapter.slow_failures += 1
            raise

    # -- topics

    def helper(self):
        """A client to create what the cases need: the first, by age and speed, that this broker serves."""
        able = [a.client for a in self.adapters.values() if a.client.admin and not admin_refusal(a.client, self.served_like)]
        return sorted(able, key=lambda c: (c.name not in ('confluent-kafka', 'java-4.3.1'), c.name))[0]

    def create_topics(self):
        helper = self.helper()
        plain = sorted({c.topic for c in self.cases if c.name != 'auto-created'})
        for topic in plain:
            limit = {'config__max.message.bytes': BIG_BYTES} if '-big-' in topic else {}
            self.ask(helper, 'create', topic=topic, partitions=len(self.clients), **limit)
        self.ask(helper, 'create', topic=self.run_id + '-too-large', partitions=len(self.clients))
        self.ask(helper, 'create', topic=self.run_id + '-mixed', partitions=MIXED_PARTITIONS)

    def admin_clients(self):
        creators = [c for c in self.clients if c.admin]
        for c in creators:
            reason = admin_refusal(c, self.served_like)
            if reason:
                self.record(c.name, '', 'creates a topic', skipped=reason)
                continue
            try:
                self.ask(c, 'create', topic='%s-by-%s' % (self.run_id, c.name), partitions=2, config__retention__ms=86400000)
                self.record(c.name, '', 'creates a topic')
            except AdapterError as e:
                self.record(c.name, '', 'creates a topic', 'expected topic %s-by-%s with 2 partitions, found: %s' % (self.run_id, c.name, e))
        made = [r.writer for r in self.results if r.case == 'creates a topic' and r.status == 'passed']

        def look(reader):
            for creator in made:
                try:
                    found = self.ask(reader, 'partitions', topic='%s-by-%s' % (self.run_id, creator))
                    error = '' if found == '2' else 'expected 2 partitions in its metadata, found ' + found
                except AdapterError as e:
                    error = 'expected 2 partitions in its metadata, found: %s' % e
                self.record(creator, reader.name, 'topic created by admin client', error)
        self.each(self.readers, look)

    # -- writers x readers

    def write_all(self, writer):
        for case in self.cases:
            if case.writer is writer:
                case.failed = self.write(case)

    def write(self, case):
        """Writes the records of a case and checks the offsets that the writer was told; returns what went wrong."""
        writer, file = case.writer, self.new_file()
        case.records = records.writable(case.records, writer)
        records.write_file(file, case.records)
        try:
            answer = self.ask(writer, 'produce', topic=case.topic, partition=case.partition, file=file, codec=case.codec, **case.options)
        except AdapterError as e:
            return 'expected %d records to be written to %s-%d, found: %s' % (len(case.records), case.topic, case.partition, e)
        finally:
            os.unlink(file)
        told = [int(n) for n in answer.split(',')]
        expected = list(range(len(case.records)))
        if not writer.default_acks_told or case.options.get('acks') == '0':
            expected = [-1] * len(expected)
        if told != expected:
            return 'expected offsets %d…%d to be told to the writer, found %s' % (expected[0], expected[-1], answer[:200])
        return self.not_stored(case) if expected[0] < 0 else ''

    def not_stored(self, case):
        """Where the writer was told nothing, what the broker says: so that readers are not blamed for what was not written."""
        deadline = time.monotonic() + STORED_S
        while True:
            try:
                found = self.ask(self.helper(), 'offsets', topic=case.topic, partition=case.partition)
            except AdapterError as e:
                found = str(e)
            if found == '0,%d' % len(case.records):
                return ''
            if time.monotonic() > deadline:
                return 'expected %s-%d to end at offset %d, found the earliest and latest offset %s' % (case.topic, case.partition, len(case.records), found)
            time.sleep(0.05)

    def read_all(self, reader):
        for case in self.cases:
            if not refusal(case.writer, self.served_like):
                self.record(case.writer.name, reader.name, case.name, case.failed or self.read(case, reader))

    def read(self, case, reader):
        """Reads a case; returns the difference. A codec that the reader does not know must be an error, not wrong records."""
        file = self.new_file()
        where = 'in %s-%d, ' % (case.topic, case.partition)
        deadline = REFUSED_S if case.codec not in reader.reads else READ_BIG_S if case.fetch else READ_S
        try:
            self.ask(reader, 'consume', topic=case.topic, partition=case.partition, until=len(case.records), file=file, wait=10,
                     deadline=deadline, **{'from': 0}, **case.fetch)
            found = records.read_file(file)
            if case.codec not in reader.reads:
                return where + 'expected an error, as this reader does not know %s; found %d records' % (case.codec, len(found))
            error = records.difference(case.records, found, reader)
            return error and where + error
        except AdapterError as e:
            if case.codec not in reader.reads and self.adapters[reader.name].slow_failures < GIVE_UP_AFTER:
                return ''
            return where + 'expected %d records, found: %s' % (len(case.records), e)
        finally:
            if os.path.exists(file):
                os.unlink(file)

    def refuse_too_large(self, writer):
        """A batch above the topic's max.message.bytes: the writer must be told so (by old ones as error 10)."""
        file, place = self.new_file(), self.clients.index(writer)
        records.write_file(file, records.too_large())
        if writer.produce:
            return  # the Scala producer hides the reason
        try:
            found = 'offsets ' + self.ask(writer, 'produce', topic=self.run_id + '-too-large', partition=place, file=file, codec='none',
                                          max=BIG_BYTES, **writer.produce)
        except AdapterError as e:
            found = str(e)
        told = re.search(r'(?i)too ?large|larger than|size ?too|MESSAGE_TOO_LARGE', found)
        self.record(writer.name, '', 'too large', '' if told else 'expected an error that says the record is too large, found: ' + found)

    # -- everybody on one topic

    def mixed(self):
        """Half of the clients write while the other half reads along, then the other way round, then all read everything."""
        topic, count = self.run_id + '-mixed', 50 if self.quick else 300
        halves = self.active[0::2], self.active[1::2]
        until, wrong = 0, {}
        for turn, writers in enumerate(halves):
            begin, until = until, until + count * len(writers)
            along = [c for c in halves[1 - turn] if c.reader]
            jobs = [(self.mixed_write, (w, topic, count, wrong)) for w in writers]
            jobs += [(self.mixed_along, (r, topic, begin, until)) for r in along]
            with concurrent.futures.ThreadPoolExecutor(max(1, len(jobs))) as pool:
                for future in [pool.submit(work, *arguments) for work, arguments in jobs]:
                    future.result()
        seen = {}
        self.each(self.readers, lambda r: self.mixed_read(r, topic, until, seen))
        self.mixed_check(topic, count, until, seen, wrong)

    def mixed_write(self, writer, topic, count, wrong):
        for partition in range(MIXED_PARTITIONS):
            file = self.new_file()
            records.write_file(file, records.numbered(writer.name, count))
            codec = writer.codecs[(partition + self.clients.index(writer)) % min(4, len(writer.codecs))]  # no zstd: all are to read it
            try:
                self.ask(writer, 'produce', topic=topic, partition=partition, file=file, codec=codec, acks='all', **writer.produce)
            except AdapterError as e:
                wrong[writer.name, partition] = 'expected %d records to be written to %s-%d, found: %s' % (count, topic, partition, e)

    def mixed_along(self, reader, topic, begin, until):
        failed = ''
        for partition in range(MIXED_PARTITIONS):
            expected, error = 'expected the offsets %d…%d, ' % (begin, until - 1), ''
            try:
                offsets = [] if failed else [int(line[0]) for line in self.mixed_lines(reader, topic, partition, begin, until)]
                if failed:
                    error = 'not tried after the failure before'
                elif offsets != list(range(begin, until)):
                    error = expected + 'found ' + str(offsets)[:200]
            except AdapterError as e:
                error = failed = expected + 'found: %s' % e
            self.record('(all)', reader.name, 'mixed, reading along', error and 'in %s-%d, %s' % (topic, partition, error))

    def mixed_lines(self, reader, topic, partition, begin, until, wait=500):
        file = self.new_file()
        self.ask(reader, 'consume', topic=topic, partition=partition, until=until, file=file, wait=wait, deadline=READ_S, **{'from': begin})
        return records.read_file(file)

    def mixed_read(self, reader, topic, until, seen):
        for partition in range(MIXED_PARTITIONS):
            try:
                bounds = self.ask(reader, 'offsets', topic=topic, partition=partition)
                seen[reader.name, partition] = self.mixed_lines(reader, topic, partition, 0, int(bounds.split(',')[1]), 10)
                error = '' if bounds == '0,%d' % until else 'expected the earliest and latest offset 0,%d, found %s' % (until, bounds)
            except AdapterError as e:
                error = 'expected %d records, found: %s' % (until, e)
            self.record('(all)', reader.name, 'mixed, offsets', error and 'in %s-%d, %s' % (topic, partition, error))

    def mixed_check(self, topic, count, until, seen, wrong):
        """Each writer's records are there once and in its order; all readers see the same sequence."""
        first = next((c.name for c in self.readers if c.magic == 2), self.readers[0].name if self.readers else '')
        for partition in range(MIXED_PARTITIONS):
            where = 'in %s-%d, ' % (topic, partition)
            reference = [line[:3] for line in seen.get((first, partition), [])]
            for writer in self.active:
                key = records.field(writer.name.encode())
                found = [value for _, k, value in reference if k == key]
                expected = [records.field(r.value) for r in records.numbered(writer.name, count)]
                error = '' if found == expected else 'expected its %d records once each and in order, found %d' % (count, len(found))
                self.record(writer.name, '(all)', 'mixed, written', wrong.get((writer.name, partition)) or error and where + error)
            for reader in self.readers:
                lines = [line[:3] for line in seen.get((reader.name, partition), [])]
                error = ''
                if lines != reference or len(lines) != until:
                    place = next((i for i, (a, b) in enumerate(zip(reference, lines)) if a != b), min(len(lines), len(reference)))
                    error = where + 'expected the %d records that %s sees, found %d, the first difference at offset %d' % (until, first, len(lines), place)
                self.record('(all)', reader.name, 'mixed, same sequence', error)

    def skipped(self):
        """Records what this broker does not serve, cell by cell."""
        for case in self.cases:
            for reader in self.clients:
                reason = refusal(case.writer, self.served_like) or refusal(reader, self.served_like)
                if reader.reader and reason:
                    self.record(case.writer.name, reader.name, case.name, skipped=reason)
