"""The schema language: a file of schema/ becomes messages, or a SchemaError that names file, line and mistake.

The language itself is described for its readers in schema/README.md. What the parser hands on always holds: every struct
is defined once per message, structs come before those that use them, version ranges are pairs (first, last) clipped to the
versions of the message, tags are unique and dense from 0 within a struct."""
import dataclasses
import pathlib
import re

# type -> bytes on the wire; None where the length varies
FIXED = {"bool": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "float64": 8, "uuid": 16}
BASIC = FIXED | {"string": None, "bytes": None, "records": None}
ARRAYS_OF = {"int8", "int16", "int32", "int64", "uuid", "string"}
CPP_WORDS = set("and auto bool break case catch char class const continue default delete do double else enum explicit export"
                " extern false float for friend goto if int long mutable namespace new not operator or private protected"
                " public register return short signed sizeof static struct switch template this throw true try typedef"
                " typename union unsigned using virtual void volatile while xor".split())


class SchemaError(Exception):
    pass


@dataclasses.dataclass
class Field:
    name: str
    type: str                 # a basic type or the name of a struct
    array: bool
    versions: tuple           # (first, last) where the field exists
    nullable: tuple | None    # where null is allowed
    tag: int | None
    default: str | None
    ignorable: bool
    line: int

    @property
    def struct(self):
        return self.type not in BASIC

    @property
    def fixed_size(self):
        """Bytes on the wire if that is always the same, else None."""
        return None if self.array or self.nullable or self.tag is not None else FIXED.get(self.type)


@dataclasses.dataclass
class Struct:
    name: str
    fields: list
    versions: tuple = None    # where any field holds it: the union over its uses


@dataclasses.dataclass
class Message:
    name: str
    key: int | None
    versions: tuple
    flexible: int | None      # the first version with tag sections and compact lengths
    structs: list             # nested structs, each before its users; the message itself comes last
    is_api: bool
    keeps_unknown_tags: bool

    @property
    def root(self):
        return self.structs[-1]


@dataclasses.dataclass
class File:
    stem: str                 # names the generated header: 00_produce -> produce
    messages: list
    api: str | None           # the name of the API, if the file defines one


def parse_range(text, within):
    """'3+', '1-4' or '2', clipped to `within`."""
    match = re.fullmatch(r"(\d+)(\+|-(\d+))?", text)
    if not match:
        raise SchemaError(f"expected a version range as 3+, 1-4 or 2, found '{text}'")
    first = int(match[1])
    last = within[1] if match[2] == "+" else int(match[3] or first)
    if first > last or first < within[0] or last > within[1]:
        raise SchemaError(f"range {text} is empty or lies outside of {within[0]}-{within[1]}")
    return first, last


def intersect(a, b):
    first, last = max(a[0], b[0]), min(a[1], b[1])
    return (first, last) if first <= last else None


class Parser:
    """One file. Blocks start in column 0; fields are indented by two blanks a level."""

    def __init__(self, path, text):
        self.path, self.text, self.number = path, text, 0
        self.messages, self.api, self.keeps_unknown_tags = [], None, False

    def parse(self):
        try:
            for self.number, raw in enumerate(self.text.splitlines(), 1):
                line = raw.split("#", 1)[0].rstrip()
                if line:
                    self.field_line(line) if line[0] == " " else self.block_line(line.split())
            for self.message in self.messages:
                self.finish(self.message)
        except SchemaError as error:
            raise SchemaError(f"{self.path}:{self.number}: {error}") from None
        if not self.messages:
            raise SchemaError(f"{self.path}: defines no message")
        return File(re.sub(r"^\d+_", "", pathlib.Path(self.path).stem), self.messages, self.api and self.api[0])

    def block_line(self, words):
        if words == ["keep_unknown_tags"] and not self.messages:
            self.keeps_unknown_tags = True
        elif words[0] == "api" and not self.messages and not self.api and len(words) > 2:
            self.api = (words[1], self.small_number(words[2]), *self.head(words[3:]))
        elif words in (["request"], ["response"]) and self.api:
            self.start(self.api[0] + words[0].capitalize(), *self.api[1:])
        elif words[0] == "message" and not self.api and len(words) > 1:
            key = self.small_number(words[2]) if words[2:3] and words[2].isdigit() else None
            self.start(words[1], key, *self.head(words[2 if key is None else 3:]))
        else:
            raise SchemaError(f"expected api, request, response, message or keep_unknown_tags, found '{' '.join(words)}'")

    @staticmethod
    def small_number(word):
        if not re.fullmatch(r"\d{1,4}", word):
            raise SchemaError(f"expected a key, found '{word}'")
        return int(word)

    @staticmethod
    def head(words):
        """versions A-B [flexible C+] -> (range, first flexible version or None)"""
        if len(words) not in (2, 4) or words[0] != "versions" or words[2:3] not in ([], ["flexible"]):
            raise SchemaError(f"expected 'versions A-B [flexible C+]', found '{' '.join(words)}'")
        versions = parse_range(words[1], (0, 99))
        if words[1].endswith("+"):
            raise SchemaError("the last version must be written out")
        if len(words) == 2:
            return versions, None
        if not words[3].endswith("+"):
            raise SchemaError("flexible must be an open range: a message stays flexible")
        return versions, parse_range(words[3], versions)[0]

    def start(self, name, key, versions, flexible):
        if any(m.name == name for m in self.messages):
            raise SchemaError(f"{name} is defined twice")
        self.type_name(name)
        message = Message(name, key, versions, flexible, [], self.api is not None, self.keeps_unknown_tags)
        message.structs.append(Struct(name, [], versions))
        self.messages.append(message)
        self.open = [message.root]  # the structs around the next field, outermost first

    @staticmethod
    def type_name(name):
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
            raise SchemaError(f"expected a type's name in PascalCase, found '{name}'")

    def field_line(self, line):
        if not self.messages:
            raise SchemaError("a field outside of a message")
        indent = len(line) - len(line.lstrip())
        depth = indent // 2 - 1
        if indent % 2 or depth >= len(self.open):
            raise SchemaError("indentation: a field stands two blanks deeper than its struct")
        del self.open[depth + 1:]
        message, struct = self.messages[-1], self.open[-1]
        field = self.field(line.split(), message)
        if any(f.name == field.name for f in struct.fields):
            raise SchemaError(f"{struct.name} has two fields {field.name}")
        struct.fields.append(field)
        if field.struct:
            known = next((s for s in message.structs if s.name == field.type), None)
            if known is None:
                known = Struct(field.type, [])
                message.structs.append(known)
                self.open.append(known)

    def field(self, words, message):
        if len(words) < 2:
            raise SchemaError("expected 'name type [versions] [tag N] [= default] [ignorable]'")
        name, (array, base, mark, null_range) = words[0], self.type(words[1])
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in CPP_WORDS:
            raise SchemaError(f"expected a field's name in snake_case, found '{name}'")
        rest, versions, tag, default, ignorable = words[2:], message.versions, None, None, False
        if rest and rest[0][0].isdigit():
            versions = parse_range(rest.pop(0), message.versions)
        if rest[:1] == ["tag"] and len(rest) > 1:
            tag, rest = self.small_number(rest[1]), rest[2:]
        if rest[:1] == ["="] and len(rest) > 1:
            default, rest = rest[1], rest[2:]
        if rest[:1] == ["ignorable"]:
            ignorable, rest = True, rest[1:]
        if rest:
            raise SchemaError(f"do not understand '{' '.join(rest)}'")
        nullable = (parse_range(null_range, message.versions) if null_range else versions) if mark else None
        field = Field(name, base, array, versions, nullable, tag, default, ignorable, self.number)
        self.check_field(field, message)
        return field

    def type(self, word):
        """'[]Topic?2+' -> (True, 'Topic', '?', '2+')"""
        match = re.fullmatch(r"(\[\])?(\w+)(\?)?(.*)", word)
        if not match or (match[4] and not match[3]):
            raise SchemaError(f"expected a type, found '{word}'")
        if match[2] not in BASIC:
            self.type_name(match[2])
        return bool(match[1]), match[2], match[3], match[4]

    @staticmethod
    def check_field(field, message):
        if field.array and not field.struct and field.type not in ARRAYS_OF:
            raise SchemaError(f"no message needs an array of {field.type}")
        if field.nullable and field.type in FIXED and not field.array:
            raise SchemaError(f"{field.type} cannot be null")
        if field.tag is not None and (message.flexible is None or field.versions[0] < message.flexible):
            raise SchemaError("a tagged field needs a flexible version")
        number = field.type.startswith(("int", "uint")) and not field.array
        if field.default is not None and not (
                (field.default == "null" and field.nullable) or (field.type == "bool" and field.default == "true")
                or (number and re.fullmatch(r"-?\d+", field.default))):
            raise SchemaError(f"'{field.default}' is no default for this type")

    def finish(self, message):
        """Checks that need the whole message; sorts its structs and fills in where each exists."""
        message.structs = self.sorted(message.structs)
        for struct in reversed(message.structs):
            tags = []
            for field in struct.fields:
                self.number = field.line
                where = intersect(field.versions, struct.versions)
                if not where:
                    raise SchemaError(f"{field.name} exists in no version of {struct.name}")
                field.versions = where
                field.nullable = field.nullable and intersect(field.nullable, where)
                if field.tag is not None:
                    tags.append(field.tag)
                if field.struct:
                    used = next(s for s in message.structs if s.name == field.type)
                    before = used.versions or where
                    used.versions = min(before[0], where[0]), max(before[1], where[1])
            if sorted(tags) != list(range(len(tags))):
                raise SchemaError(f"the tags of {struct.name} are {sorted(tags)}, expected 0, 1, 2 …")

    def sorted(self, structs):
        """Each struct before those that use it, so the first one (the message) comes last."""
        by_name, order, path = {s.name: s for s in structs}, [], []

        def visit(struct):
            if struct in path:
                raise SchemaError(f"{struct.name} holds itself")
            if struct in order:
                return
            path.append(struct)
            for field in struct.fields:
                self.number = field.line
                if field.struct:
                    if not by_name[field.type].fields:
                        raise SchemaError(f"{field.type} has no fields")
                    visit(by_name[field.type])
            order.append(path.pop())

        visit(structs[0])
        return order


def parse_file(path):
    path = pathlib.Path(path)
    return Parser(path, path.read_text()).parse()
