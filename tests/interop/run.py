#!/usr/bin/env python3
"""Real clients, old and new, write and read on one broker at the same time: every writer x every reader.

  tests/interop/run.py --bootstrap HOST:PORT             a broker that serves everything (Moldau)
  tests/interop/run.py --kafka 4.3.1                     starts that Apache Kafka and runs against it
Prints a table writer x reader, what failed, and last 'N passed, N failed, N skipped'.
"""
import argparse
import collections
import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness.broker import Kafka
from harness.clients import CACHE, CLIENTS, HERE, Adapter
from harness.matrix import Matrix


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = p.add_mutually_exclusive_group(required=True)
    where.add_argument('--bootstrap', metavar='HOST:PORT', help='a running broker')
    where.add_argument('--kafka', metavar='VERSION', help='start Apache Kafka VERSION (KRaft: 3.3 or newer) and use it')
    p.add_argument('--port', type=int, default=0, help='of the Kafka to start (default: a free one)')
    p.add_argument('--only', metavar='CLIENT,...', help='only these clients: ' + ', '.join(c.name for c in CLIENTS))
    p.add_argument('--quick', action='store_true', help='all clients, two codecs each, no big records')
    p.add_argument('--serves-like', metavar='VERSION', help='skip what Apache Kafka VERSION refuses (default: that of --kafka)')
    p.add_argument('--all-versions', action='store_true', help='skip nothing (the default with --bootstrap)')
    p.add_argument('--times', action='store_true', help='print how long each client was at work')
    p.add_argument('--no-setup', action='store_true', help='the clients are installed: do not run setup')
    return p.parse_args()


def chosen(only):
    if not only:
        return CLIENTS
    names = only.split(',')
    unknown = set(names) - {c.name for c in CLIENTS}
    if unknown:
        raise SystemExit('unknown client %s; known: %s' % (', '.join(sorted(unknown)), ', '.join(c.name for c in CLIENTS)))
    return [c for c in CLIENTS if c.name in names]


def start_adapters(clients, bootstrap, logs):
    """One process for each client, and one that can create topics if none of them can."""
    needed = {c.name for c in clients} | {'confluent-kafka'}
    return {c.name: Adapter(c, bootstrap, logs) for c in CLIENTS if c.name in needed}


def print_table(clients, results):
    cells = collections.defaultdict(collections.Counter)
    for r in results:
        cells[r.writer, r.reader][r.status] += 1
    readers = [c for c in clients if c.reader]
    width = max(len(c.name) for c in clients) + 2

    def cell(writer, reader):
        n = cells[writer, reader]
        if not n:
            return '.'
        if n['skipped'] and not n['passed'] and not n['failed']:
            return 'skip'
        return '%d/%d' % (n['passed'], n['passed'] + n['failed'])

    print('writer \\ reader'.ljust(width) + ''.join(c.short.rjust(9) for c in readers) + '    itself')
    for w in [c.name for c in clients] + ['(all)']:
        print(w.ljust(width) + ''.join(cell(w, c.name).rjust(9) for c in readers) + cell(w, '').rjust(10))


def report(clients, results):
    print_table(clients, results)
    reasons = collections.Counter()
    failures = collections.defaultdict(list)
    for r in results:
        if r.status == 'skipped':
            reasons[r.message] += 1
        if r.status == 'failed':
            failures[r.writer, r.case, r.message].append(r.reader or 'broker')
    for (writer, case, message), failed in failures.items():
        print('FAILED %s -> %s [%s] %s' % (writer, ', '.join(failed), case, message))
    for reason, count in reasons.items():
        print('skipped: %s (%d)' % (reason, count))
    count = collections.Counter(r.status for r in results)
    print('%d passed, %d failed, %d skipped' % (count['passed'], count['failed'], count['skipped']))
    return 1 if count['failed'] or not count['passed'] else 0


def main():
    options = arguments()
    clients = chosen(options.only)
    if not options.no_setup:
        subprocess.run([os.path.join(HERE, 'setup')], check=True)
    logs = os.path.join(CACHE, 'log')
    broker = Kafka(options.kafka, os.path.join(CACHE, 'broker'), options.port) if options.kafka else None
    served_like = '' if options.all_versions else options.serves_like or options.kafka or ''
    bootstrap = broker.bootstrap if broker else options.bootstrap
    directory = tempfile.mkdtemp(prefix='records-', dir=CACHE)
    adapters = {}

    def interrupted(*_):  # the threads that wait for answers end with the adapters
        for a in adapters.values():
            a.process.kill()
        raise KeyboardInterrupt
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupted)
    try:
        adapters = start_adapters(clients, bootstrap, logs)
        matrix = Matrix(clients, adapters, directory, served_like, options.quick)
        try:
            matrix.run(lambda text: print(text, flush=True))
        except KeyboardInterrupt:
            print('interrupted: what follows is what was done until then, and what failed because of it')
            report(clients, matrix.results)
            return 1
        matrix.skipped()
        if options.times:
            print(', '.join('%s %.1f s' % (n, a.busy_s) for n, a in sorted(adapters.items(), key=lambda i: -i[1].busy_s)))
        return report(clients, matrix.results)
    finally:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda a: a.stop(), adapters.values()))
        shutil.rmtree(directory, ignore_errors=True)
        if broker:
            broker.stop()


if __name__ == '__main__':
    sys.exit(main())
