#!/usr/bin/env python3
"""Tests of configs.py: what the language accepts, what it refuses and with which words, and the table of the real file."""
import pathlib
import unittest

import configs

DEF = pathlib.Path(__file__).resolve().parents[2] / "schema" / "configs.def"


def only(line, scope="broker"):
    scopes, _ = configs.parse(f"scope {scope}\n  {line}\n")
    return scopes[scope][0]


class Language(unittest.TestCase):
    def test_plain(self):
        config = only("num.partitions int 1 >=1")
        self.assertEqual((config.name, config.type, config.default, config.low, config.high),
                         ("num.partitions", "int", "1", "1", None))
        self.assertEqual(config.mode, "kReadOnly")

    def test_null_and_empty(self):
        self.assertIsNone(only("a string null").default)
        self.assertEqual(only('a string ""').default, "")

    def test_range_with_an_extra_value(self):
        config = only("compression.gzip.level int -1 -1,1..9 cluster-wide")
        self.assertEqual((config.also, config.low, config.high, config.mode), ("-1", "1", "9", "kClusterWide"))

    def test_choices(self):
        config = only("a string b b|c~ was 0.8..3.9")
        self.assertEqual((config.choices, config.any_case, config.first, config.last), (["b", "c"], True, "0.8", "3.9"))

    def test_synonyms_and_words(self):
        scopes, foreign = configs.parse('scope broker\n  a long null = a, b.hours\n      "What it does."\n'
                                        "  b.hours int 1\nforeign producer\n  acks\n  linger.ms batch.size\n")
        self.assertEqual(scopes["broker"][0].synonyms, ["a", "b.hours"])
        self.assertEqual(scopes["broker"][0].words, "What it does.")
        self.assertEqual(foreign, {"producer": ["acks", "linger.ms", "batch.size"]})

    def refused(self, text, why):
        with self.assertRaisesRegex(configs.DefError, why):
            configs.parse(text)

    def test_refused(self):
        self.refused("  a int 1\n", "line 1: outside of any section")
        self.refused("scope moon\n", "line 1: unknown scope moon")
        self.refused("scope broker\n  a int\n", "line 2: expected: name type default")
        self.refused("scope broker\n  a integer 1\n", "line 2: unknown type integer")
        self.refused("scope broker\n  a int 1 nonsense\n", "line 2: cannot read `nonsense`")
        self.refused("scope broker\n  a string 1 >=1\n", "line 2: bounds on a string")
        self.refused("scope broker\n  a int 1 9..2\n", "line 2: the range 9..2 is empty")
        self.refused("scope broker\n  a int 1 was 3.9\n", "line 2: expected `was A..B`")
        self.refused("scope broker\n  a int 1\n  a int 2\n", "line 3: a stands here twice")
        self.refused('scope broker\n      "words"\n', "line 2: a description")
        self.refused("scope broker\n  a int 1 = nobody\n", "a: no broker configuration nobody")


class Output(unittest.TestCase):
    def test_sorted_and_quoted(self):
        text = configs.cpp(*configs.parse('scope broker\n  b string null\n      "say \\"x\\""\n  a int 1\n'))
        self.assertLess(text.index('.name = "a"'), text.index('.name = "b"'))
        self.assertIn(r'say \\\"x\\\"', text)

    def test_the_real_file(self):
        scopes, foreign = configs.parse(DEF.read_text(encoding="utf-8"))
        broker = {config.name: config for config in scopes["broker"]}
        self.assertEqual(broker["log.retention.ms"].synonyms,
                         ["log.retention.ms", "log.retention.minutes", "log.retention.hours"])
        self.assertEqual(broker["host.name"].last, "2.5")
        for names in foreign.values():
            self.assertFalse(set(names) & set(broker), "a foreign name that brokers have, too")


if __name__ == "__main__":
    unittest.main()
