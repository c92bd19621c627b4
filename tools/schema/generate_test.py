"""What the generator emits for small messages, read as text, and that it writes only what changed. That the C++ is right
byte for byte is shown by src/wire's golden tests."""
import pathlib
import tempfile
import textwrap
import unittest

import cpp_codec
import cpp_tables
import cpp_types
import generate
import language


def message(fields, head="message Test  versions 0-5  flexible 3+"):
    text = head + "\n" + textwrap.indent(textwrap.dedent(fields), "  ")
    return language.Parser("test.def", text).parse().messages[0]


def codec(fields, struct=-1, **head):
    m = message(fields, **head)
    return cpp_codec.Codec(m, m.structs[struct])


class Types(unittest.TestCase):
    def test_members_with_kafkas_defaults(self):
        text = cpp_types.struct_text(message("""\
            a  int32          = -1
            b  string
            c  string?        = null
            d  string?
            e  []int64?       = null
            f  int64          = -9223372036854775808
            g  bool           = true
            h  records?
            i  Item?          = null
              x  bytes
            """))
        for member in ("std::int32_t a = -1;", "std::string_view b{};", "std::optional<std::string_view> c{};",
                       "std::optional<std::string_view> d = std::string_view{};", "std::optional<std::vector<std::int64_t>> e{};",
                       "std::int64_t f = INT64_MIN;", "bool g = true;", "Records h{};", "std::optional<Item> i{};",
                       "using Item = test::Item;", "kFlexibleSince = 3;", "return same(x, other.x);"):
            self.assertIn(member, text)

    def test_never_flexible_is_one_behind_the_last_version(self):
        self.assertIn("kFlexibleSince = 3;  // never", cpp_types.struct_text(message("", "message Test  versions 0-2")))


class Codec(unittest.TestCase):
    def test_a_run_of_fixed_fields_is_checked_once(self):
        text = codec("a  int32\nb  int16\nc  bool\nd  string\ne  int8").read()
        self.assertIn('in.take(7, "a..c")', text)
        self.assertIn("load_be<std::int16_t>(from + 4)", text)
        self.assertIn('in.take(1, "e")', text)

    def test_a_run_ends_where_versions_differ(self):
        text = codec("a  int32\nb  int32  1+\nc  int32  1+\nd  int32").read()
        self.assertIn('in.take(4, "a")', text)
        self.assertIn('if (version >= 1) {\n    if (const std::uint8_t* from = in.take(8, "b..c"))', text)

    def test_no_test_of_the_version_where_it_says_nothing(self):
        always = codec("a  string", head="message Test  versions 0-5  flexible 0+").read()
        self.assertIn('in.string(true, "a")', always)
        never = codec("a  string", head="message Test  versions 0-5").read()
        self.assertIn('in.string(false, "a")', never)
        self.assertNotIn("tag", never)

    def test_one_version_and_ranges(self):
        c = codec("a  int8")
        self.assertEqual([c.when(v) for v in ((0, 5), (1, 5), (0, 4), (1, 4), (2, 2))],
                         ["", "version >= 1", "version <= 4", "version >= 1 && version <= 4", "version == 2"])

    def test_the_smallest_element_bounds_a_count(self):
        fields = """\
            a  []Item
              x  int32
              y  string
              z  int64   4+
            """
        c = codec(fields)
        self.assertEqual(c.smallest(c.struct.fields[0]), 6)  # version 3: int32, one byte of length, no tags; 0: int32, int16
        self.assertIn("in.array(flexible, 6,", c.read())

    def test_a_value_that_would_be_lost_is_refused(self):
        text = codec("a  int32  1+  = -1\nb  int32  1+  ignorable\nc  string?  0-2").write()
        self.assertIn('if (!(version >= 1) && in.a != -1) [[unlikely]] out.refuse_value("Test.a", version);', text)
        self.assertNotIn("Test.b", text)
        self.assertIn('if (!(version <= 2) && (in.c && !in.c->empty()))', text)

    def test_null_is_refused_where_the_version_has_none(self):
        text = codec("a  string?2+").write()
        self.assertIn('if (!in.a && !(version >= 2)) [[unlikely]] out.refuse_null("Test.a", version);', text)

    def test_a_tag_of_a_later_version_is_unknown(self):
        text = codec("a  int8  3+  tag 0\nb  int8  5+  tag 1").read()
        self.assertIn("case 1:\n          if (!(version >= 5)) {\n            in.skip(tag);", text)
        self.assertNotIn("if (!(version >= 3))", text)

    def test_a_tagged_field_is_written_unless_default(self):
        self.assertIn("has_a = version >= 4 && in.a != 7;", codec("a  int8  4+  tag 0  = 7").write())


class Tables(unittest.TestCase):
    def test_errors(self):
        errors = cpp_tables.parse_errors("e", '-1 BAD "Bad."\n0 NONE "Fine."\n1 NOT_NOW retriable stale_metadata "Later."\n')
        self.assertIn("kNotNow = 1,", cpp_tables.errors_header(errors))
        self.assertIn('{"NOT_NOW", "Later.", true, true},', cpp_tables.errors_source(errors))

    def test_errors_without_gaps_and_with_known_flags(self):
        for text, what in (('0 NONE "x"', "expected code -1"), ('-1 A "x"\n1 B "x"', "expected code 0, found 1"),
                           ('-1 A sometimes "x"', "flags are"), ("-1 A", "expected 'code NAME")):
            with self.assertRaisesRegex(language.SchemaError, what):
                cpp_tables.parse_errors("e", text)


class Generate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.schema, self.out = pathlib.Path(folder.name, "schema"), pathlib.Path(folder.name, "out")
        self.schema.mkdir()
        (self.schema / "errors.def").write_text('-1 BAD "Bad."\n')
        (self.schema / "00_ping.def").write_text("api Ping 0  versions 0\nrequest\n  a  int8\nresponse\n")
        (self.schema / "other.def").write_text("message Other  versions 0\n  a  int8\n")

    def run_generator(self):
        return generate.main([str(self.schema), str(self.out)])

    def test_the_list_of_outputs_is_what_is_written(self):
        self.assertEqual(self.run_generator(), 0)
        self.assertEqual(sorted(p.name for p in (self.out / "wire/gen").iterdir()), generate.output_names(self.schema))

    def test_only_changed_files_are_written_again(self):
        self.run_generator()
        before = {p: p.stat().st_mtime_ns for p in (self.out / "wire/gen").iterdir()}
        (self.schema / "other.def").write_text("# now with a comment\nmessage Other  versions 0\n  a  int16\n")
        self.run_generator()
        changed = {p.name for p, time in before.items() if p.stat().st_mtime_ns != time}
        self.assertEqual(changed, {"other.h", "messages_01.cc"})

    def test_a_mistake_fails_and_writes_nothing(self):
        (self.schema / "other.def").write_text("message Other  versions 0\n  a  int\n")
        self.assertEqual(self.run_generator(), 1)
        self.assertEqual(list((self.out / "wire/gen").iterdir()), [])

    def test_a_name_in_two_files_and_a_gap_in_the_keys(self):
        (self.schema / "third.def").write_text("message Other  versions 0\n")
        with self.assertRaisesRegex(language.SchemaError, "defined in two files: .'Other'"):
            generate.outputs(self.schema)
        (self.schema / "third.def").write_text("message Third  versions 0\n")
        (self.schema / "02_pong.def").write_text("api Pong 2  versions 0\nrequest\nresponse\n")
        with self.assertRaisesRegex(language.SchemaError, "gap"):
            generate.outputs(self.schema)


if __name__ == "__main__":
    unittest.main()
