"""python3 -m unittest harness.records_test (in tests/interop): the comparison finds every kind of difference."""
import os
import tempfile
import unittest

from . import records
from .clients import CLIENTS

READER = next(c for c in CLIENTS if c.name == 'java-4.3.1')
OLD_READER = next(c for c in CLIENTS if c.name == 'java-0.8.2.2')
KCAT = next(c for c in CLIENTS if c.name == 'kcat')
ONE = records.Record(b'k', b'v', 1000, [('h', b'x'), ('n', None)])
LINE = ('0', records.field(b'k'), records.field(b'v'), '1000', 'aA==:eA==,bg==:-')


class Difference(unittest.TestCase):
    def check(self, place, field, word, reader=READER):
        line = list(LINE)
        line[place] = field
        self.assertIn(word, records.difference([ONE], [tuple(line)], reader))

    def test_same(self):
        self.assertEqual(records.difference([ONE], [LINE], READER), '')

    def test_each_field(self):
        self.check(0, '1', 'next one at offset 1')
        self.check(1, '-', "expected key b'k', found null")
        self.check(2, '', "expected value b'v', found b''")
        self.check(3, '1001', 'expected timestamp 1000, found 1001')
        self.check(4, '-', 'expected headers')

    def test_missing_and_surplus(self):
        self.assertIn('expected 1 records, found 0', records.difference([ONE], [], READER))
        self.assertIn('expected 1 records, found 2', records.difference([ONE], [LINE, LINE], READER))

    def test_old_readers_see_neither_timestamp_nor_headers(self):
        self.assertEqual(records.difference([ONE], [LINE[:3] + ('-', '-')], OLD_READER), '')
        self.assertIn('expected value', records.difference([ONE], [LINE[:2] + ('-', '-', '-')], OLD_READER))

    def test_headers_as_text(self):
        self.assertEqual(records.difference([ONE], [LINE[:4] + ('~' + records.field(b'h=x,n=NULL'),)], KCAT), '')

    def test_clock_timestamps(self):
        clock = records.Record(b'k', b'v', records.CLOCK)
        line = LINE[:3] + (str(records.NOW_MS), '-')
        self.assertEqual(records.difference([clock], [line], READER), '')
        self.assertIn('about now', records.difference([clock], [LINE[:4] + ('-',)], READER))

    def test_long_values_by_digest(self):
        long = records.Record(b'k', b'v' * 5000, 1000)
        found = ('0', records.field(b'k'), '#5000:' + '0' * 40, '1000', '-')
        self.assertIn('5000 bytes with SHA-1 000', records.difference([long], [found], READER))

    def test_files(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'f')
            records.write_file(path, [ONE, records.Record(None, b'', records.CLOCK)])
            self.assertEqual(records.read_file(path), [LINE[1:], ('-', '', '-', '-')])


if __name__ == '__main__':
    unittest.main()
