"""The schema language: what it accepts, and that each mistake is named with file, line and expectation."""
import textwrap
import unittest

from language import Parser, SchemaError


def parse(text):
    return Parser("99_test.def", textwrap.dedent(text)).parse()


def message(fields, head="message Test  versions 0-5  flexible 3+"):
    return parse(head + "\n" + textwrap.indent(textwrap.dedent(fields), "  ")).messages[0]


class Accepts(unittest.TestCase):
    def test_an_api_becomes_a_request_and_a_response(self):
        file = parse("""\
            # A comment.
            api Ping 7  versions 0-2
            request
              text  string
            response
              text  string  1+   # KIP-1
            """)
        self.assertEqual((file.stem, file.api), ("test", "Ping"))
        self.assertEqual([(m.name, m.key, m.versions, m.flexible) for m in file.messages],
                         [("PingRequest", 7, (0, 2), None), ("PingResponse", 7, (0, 2), None)])
        self.assertEqual(file.messages[1].root.fields[0].versions, (1, 2))

    def test_a_message_without_fields(self):
        self.assertEqual(message("").root.fields, [])

    def test_all_that_a_field_can_say(self):
        field, tagged = message("""\
            a  []int32?1+  0-4  = null ignorable
            b  uuid        3+   tag 0
            """).root.fields
        self.assertEqual((field.name, field.type, field.array, field.versions, field.nullable, field.default, field.ignorable),
                         ("a", "int32", True, (0, 4), (1, 4), "null", True))
        self.assertEqual((tagged.tag, tagged.versions, tagged.fixed_size), (0, (3, 5), None))

    def test_nullable_everywhere_or_from_some_version_on(self):
        fields = message("a  string?\nb  string?2+\nc  string?2-3").root.fields
        self.assertEqual([f.nullable for f in fields], [(0, 5), (2, 5), (2, 3)])

    def test_structs_come_before_their_users_and_the_message_last(self):
        m = message("""\
            outer  []Outer
              inner  Inner
                x  int8
            other  Inner  2+
            """)
        self.assertEqual([s.name for s in m.structs], ["Inner", "Outer", "Test"])

    def test_a_struct_exists_where_any_field_holds_it(self):
        m = message("""\
            old  []Item  0-1
              x  int8
              y  int8  1+
            later  []Item  4+
            """)
        self.assertEqual(m.structs[0].versions, (0, 5))
        self.assertEqual(m.structs[0].fields[1].versions, (1, 5))

    def test_a_field_is_clipped_to_its_struct(self):
        m = message("""\
            items  []Item  2-4
              x  int8
            """)
        self.assertEqual(m.structs[0].fields[0].versions, (2, 4))

    def test_unknown_tags_are_kept_where_the_file_says_so(self):
        self.assertTrue(parse("keep_unknown_tags\nmessage A  versions 0").messages[0].keeps_unknown_tags)
        self.assertFalse(parse("message A  versions 0").messages[0].keeps_unknown_tags)


class Refuses(unittest.TestCase):
    def refuses(self, text, what, line):
        with self.assertRaises(SchemaError) as raised:
            Parser("99_test.def", text).parse()
        self.assertIn(what, str(raised.exception))
        self.assertTrue(str(raised.exception).startswith(f"99_test.def:{line}: "), str(raised.exception))

    def refuses_field(self, fields, what, line=2):
        self.refuses("message Test  versions 0-5  flexible 3+\n" + textwrap.indent(textwrap.dedent(fields), "  "), what, line)

    def test_an_empty_file(self):
        with self.assertRaisesRegex(SchemaError, "defines no message"):
            parse("# nothing\n")

    def test_blocks(self):
        self.refuses("mesage A  versions 0", "expected api, request, response", 1)
        self.refuses("request", "expected api, request, response", 1)
        self.refuses("message A  versions 0\n\nmessage A  versions 0", "A is defined twice", 3)
        self.refuses("message a  versions 0", "PascalCase", 1)
        self.refuses("api A 1  versions 0\nmessage B  versions 0", "expected api, request", 2)
        self.refuses("api A x  versions 0\nrequest", "expected a key", 1)
        self.refuses("message A  versions 0\nkeep_unknown_tags", "expected api, request", 2)

    def test_heads(self):
        self.refuses("message A", "expected 'versions A-B", 1)
        self.refuses("message A  versions 0+", "last version must be written out", 1)
        self.refuses("message A  versions 3-1", "range 3-1 is empty", 1)
        self.refuses("message A  versions 0-3  flexible 1-2", "open range", 1)
        self.refuses("message A  versions 0-3  flexible 5+", "outside of 0-3", 1)

    def test_indentation(self):
        self.refuses_field("a  int8\n b  int8", "indentation", 3)
        self.refuses_field("a  int8\n  b  int8", "indentation", 3)
        self.refuses("  a  int8\n", "outside of a message", 1)

    def test_names_and_types(self):
        self.refuses_field("camelCase  int8", "snake_case")
        self.refuses_field("default  int8", "snake_case")
        self.refuses_field("a", "expected 'name type")
        self.refuses_field("a  integer", "PascalCase")
        self.refuses_field("a  int8+", "expected a type")
        self.refuses_field("a  int8\na  int8", "two fields a", 3)
        self.refuses_field("a  []bytes", "no message needs an array of bytes")
        self.refuses_field("a  int8?", "int8 cannot be null")

    def test_versions(self):
        self.refuses_field("a  int8  6+", "outside of 0-5")
        self.refuses_field("a  int8  2-9", "outside of 0-5")
        self.refuses_field("a  int8  1,2", "expected a version range")
        self.refuses_field("a  []Item  0-1\n  x  int8  3+", "x exists in no version of Item", 3)

    def test_the_rest_of_a_line(self):
        self.refuses_field("a  int8  ignorable = 3", "do not understand '= 3'")
        self.refuses_field("a  int8  = three", "no default")
        self.refuses_field("a  string  = null", "no default")
        self.refuses_field("a  bool  = false", "no default")
        self.refuses_field("a  []int8  = 3", "no default")

    def test_tags(self):
        self.refuses_field("a  int8  2+  tag 0", "needs a flexible version")
        self.refuses_field("a  int8  3+  tag 1", "expected 0, 1, 2")
        self.refuses_field("a  int8  3+  tag 0\nb  int8  3+  tag 0", "expected 0, 1, 2", 3)
        self.refuses("message A  versions 0\n  a  int8  tag 0", "needs a flexible version", 2)

    def test_structs(self):
        self.refuses_field("a  []Item", "Item has no fields")
        self.refuses_field("a  []Item\n  b  []Item", "Item holds itself", 3)


if __name__ == "__main__":
    unittest.main()
