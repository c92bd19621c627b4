"""Decodes messages by schema/: what the tests compare field by field. Independent of the generated C++."""
import pathlib, struct, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools/schema"))
import language  # noqa: E402

NUMBERS = {"int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "float64": ">d", "bool": ">?"}


def messages():
    """{(API key, "request" or "response"): message}"""
    found = {}
    for path in sorted((ROOT / "schema").glob("[0-9]*.def")):
        for message in language.parse_file(path).messages:
            if message.is_api and message.key is not None:
                found[message.key, "request" if message.name.endswith("Request") else "response"] = message
    return found


class Decoder:
    """One message of one version; `at` is where it has come to."""

    def __init__(self, message, version, data):
        self.message, self.version, self.data, self.at = message, version, data, 0
        self.flexible = message.flexible is not None and version >= message.flexible
        self.structs = {s.name: s for s in message.structs}

    def take(self, size):
        self.at += size
        if size < 0 or self.at > len(self.data):
            raise ValueError(f"{self.message.name} {self.version}: ends at {len(self.data)}, {size} bytes wanted")
        return self.data[self.at - size:self.at]

    def unsigned(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def size(self, wide):
        """Of what follows; None is null."""
        if self.flexible:
            found = self.unsigned()
            return found - 1 if found else None
        found = struct.unpack(">i" if wide else ">h", self.take(4 if wide else 2))[0]
        return found if found >= 0 else None

    def all(self):
        found = self.struct(self.message.root)
        if self.at != len(self.data):
            raise ValueError(f"{self.message.name} {self.version}: {len(self.data) - self.at} bytes left over")
        return found

    def has(self, field):
        return field.versions[0] <= self.version <= field.versions[1]

    def struct(self, shape):
        out = {}
        for field in shape.fields:
            if self.has(field) and (field.tag is None or not self.flexible):
                out[field.name] = self.field(field)
        if self.flexible:
            tagged = {f.tag: f for f in shape.fields if f.tag is not None and self.has(f)}
            for _ in range(self.unsigned()):
                tag, size = self.unsigned(), self.unsigned()
                end = self.at + size
                if tag in tagged:
                    out[tagged[tag].name] = self.field(tagged[tag])
                self.at = end
        return out

    def field(self, field):
        if field.array:
            count = self.size(True)
            return None if count is None else [self.one(field) for _ in range(count)]
        return self.one(field)

    def one(self, field):
        if field.type in NUMBERS:
            return struct.unpack(NUMBERS[field.type], self.take(struct.calcsize(NUMBERS[field.type])))[0]
        if field.type == "uuid":
            return self.take(16)
        if field.type in ("string", "bytes", "records"):
            size = self.size(field.type != "string")
            return None if size is None else self.take(size)
        shape = self.structs[field.type]
        if field.nullable and not field.array and field.nullable[0] <= self.version <= field.nullable[1]:
            if struct.unpack(">b", self.take(1))[0] < 0:
                return None
        return self.struct(shape)
