"""Emits the source of messages: per struct straight-line read(), write() and measure(), and the public functions on top.

A run of fixed-size fields that exist in the same versions is read and written behind one bounds check."""
from cpp_types import CPP
import language


def qualified(struct, message):
    return message.name if struct is message.root else f"{message.name}::{struct.name}"


class Codec:
    """Emits the functions of one struct of one message."""

    def __init__(self, message, struct):
        self.message, self.struct, self.type = message, struct, qualified(struct, message)
        self.by_name = {s.name: s for s in message.structs}
        flexible, (first, last) = message.flexible, struct.versions
        # None: the form is the same wherever the struct exists, so no test of the version is needed.
        self.flexible_test = None if flexible is None or flexible > last or flexible <= first else f"version >= {flexible}"
        self.always_flexible = flexible is not None and flexible <= first
        self.never_flexible = flexible is None or flexible > last

    # ---- versions

    def when(self, versions, within=None):
        """The C++ condition for `versions`, '' where it always holds."""
        first, last = within or self.struct.versions
        low = f"version >= {versions[0]}" if versions[0] > first else ""
        high = f"version <= {versions[1]}" if versions[1] < last else ""
        if low and high and versions[0] == versions[1]:
            return f"version == {versions[0]}"
        return " && ".join(filter(None, (low, high)))

    @property
    def flex(self):
        return "true" if self.always_flexible else "false" if self.never_flexible else "flexible"

    def function(self, head, lines):
        flexible = [f"  [[maybe_unused]] const bool flexible = {self.flexible_test};"] if self.flexible_test else []
        return "\n".join([head + " {", *flexible, *lines, "}", ""])

    def runs(self):
        """Fields in line, grouped: lists of fixed-size fields of equal versions, and single others."""
        runs = []
        for field in (f for f in self.struct.fields if f.tag is None):
            previous = runs[-1][0] if runs else None
            if previous and field.fixed_size and previous.fixed_size and previous.versions == field.versions:
                runs[-1].append(field)
            else:
                runs.append([field])
        return runs

    def tagged(self):
        return sorted((f for f in self.struct.fields if f.tag is not None), key=lambda f: f.tag)

    def smallest(self, field):
        """The least an element of this array takes on the wire, in any version that has the field."""
        if not field.struct:
            return language.FIXED.get(field.type) or (1 if self.message.flexible is not None else 2)
        first, last = field.versions
        return max(1, min(self.smallest_struct(self.by_name[field.type], v) for v in range(first, last + 1)))

    def smallest_struct(self, struct, version):
        flexible = self.message.flexible is not None and version >= self.message.flexible
        size = 1 if flexible else 0
        for field in struct.fields:
            if field.tag is None and field.versions[0] <= version <= field.versions[1]:
                nullable = field.nullable and field.nullable[0] <= version <= field.nullable[1]
                if field.array or field.type in ("bytes", "records", "string"):
                    size += 1 if flexible else 2 if field.type == "string" and not field.array else 4
                elif field.struct:
                    size += 1 if nullable else self.smallest_struct(self.by_name[field.type], version)
                else:
                    size += language.FIXED[field.type]
        return size

    # ---- reading

    def read(self):
        lines = []
        for run in self.runs():
            lines += self.guarded(self.when(run[0].versions), self.read_run(run) if run[0].fixed_size else self.read_one(run[0]))
        lines += self.read_tags()
        return self.function(f"static void read(Reader& in, [[maybe_unused]] std::int16_t version, "
                             f"[[maybe_unused]] {self.type}& out)", lines)

    @staticmethod
    def guarded(condition, lines):
        return [f"  if ({condition}) {{", *("  " + l for l in lines), "  }"] if condition else lines

    def read_run(self, run):
        size = sum(language.FIXED[f.type] for f in run)
        what = run[0].name if len(run) == 1 else f"{run[0].name}..{run[-1].name}"
        lines, at = [f'  if (const std::uint8_t* from = in.take({size}, "{what}")) [[likely]] {{'], 0
        for field in run:
            lines.append("    " + self.load(f"out.{field.name}", field.type, f"from + {at}" if at else "from"))
            at += language.FIXED[field.type]
        return lines + ["  }"]

    @staticmethod
    def load(target, type_name, place):
        if type_name == "bool":
            return f"{target} = *({place}) != 0;"
        if type_name == "uuid":
            return f"std::memcpy({target}.bytes.data(), {place}, 16);"
        if type_name == "float64":
            return f"{target} = to_float64(load_be<std::uint64_t>({place}));"
        return f"{target} = load_be<{CPP[type_name]}>({place});"

    def null_test(self, field, within):
        """'true', 'false', or the condition under which null is allowed."""
        return "false" if not field.nullable else self.when(field.nullable, within) or "true"

    def read_one(self, field, tagged=False):
        target, what = f"out.{field.name}", f'"{field.name}"'
        null = self.null_test(field, field.versions)
        if field.array:
            return self.read_array(field, null)
        if field.type == "records":
            return [f"  {target} = in.records({self.flex}, {null}, {what});"]
        if field.type in ("string", "bytes"):
            if null == "false":
                return [f"  {target} = in.{field.type}({self.flex}, {what});"]
            read = f"  {target} = in.nullable_{field.type}({self.flex}, {what});"
            return [read] if null == "true" else [f"  if ({null}) {{", "  " + read, "  } else {",
                                                  f"    {target} = in.{field.type}({self.flex}, {what});", "  }"]
        if not field.struct:
            return self.read_run([field])
        if not field.nullable:
            return ["  if (in.ok()) [[likely]] {", f"    read(in, version, {target});",
                    f"    if (!in.ok()) [[unlikely]] return in.inside({what});", "  }"]
        present = f"in.uvarint({what}) != 0" if tagged else f"in.number<std::int8_t>({what}) >= 0"
        return [f"  if ({present} && in.ok()) {{", f"    read(in, version, {target}.emplace());",
                f"    if (!in.ok()) [[unlikely]] return in.inside({what});", "  } else {", f"    {target}.reset();", "  }"]

    def read_array(self, field, null):
        what, target = f'"{field.name}"', f"out.{field.name}"
        arguments = f"({self.flex}, {self.smallest(field)}, {what})"
        count = f"in.nullable_array{arguments}" if null == "true" else f"in.array{arguments}"
        if null not in ("true", "false"):
            count = f"{null} ? in.nullable_array{arguments} : in.array{arguments}"
        lines = [f"  if (const std::int32_t count = {count}; " + ("count >= 0) {" if field.nullable else "count > 0) {")]
        lines.append(f"    auto& elements = {target}" + (".emplace();" if field.nullable else ";"))
        if field.struct:
            lines += ["    Reader::reserve(count, elements);",
                      "    for (std::int32_t i = 0; i < count; ++i) {",
                      "      read(in, version, elements.emplace_back());",
                      f"      if (!in.ok()) [[unlikely]] return in.inside({what}, static_cast<std::uint32_t>(i));", "    }"]
        elif field.type == "string":
            lines.append(f"    in.fill(count, elements, {self.flex}, {what});")
        else:
            lines.append("    in.fill(count, elements);")
        return lines + ((["  } else {", f"    {target}.reset();"] if field.nullable else []) + ["  }"])

    def read_tags(self):
        if self.never_flexible:
            return []
        tags = self.tagged()
        keep = self.message.keeps_unknown_tags
        if not tags and not keep:
            return self.guarded("" if self.always_flexible else "flexible", ["  in.skip_tags();"])
        unknown = "in.keep(tag, out.unknown_tags);" if keep else "in.skip(tag);"
        lines = ["  for (std::uint32_t left = in.tag_count(); left > 0 && in.ok(); --left) {", "    const Reader::Tag tag = in.tag();"]
        if not tags:
            return self.guarded("" if self.always_flexible else "flexible", lines + ["    " + unknown, "  }"])
        lines.append("    switch (tag.number) {")
        for field in tags:
            condition = self.when(field.versions, self.flexible_versions())
            lines.append(f"      case {field.tag}:")
            if condition:
                lines += [f"        if (!({condition})) {{", "          " + unknown, "          break;", "        }"]
            lines += ["      " + l for l in self.read_one(field, tagged=True)]
            lines.append("        break;")
        lines += ["      default:", "        " + unknown, "        break;", "    }", "    in.end(tag);", "  }"]
        return self.guarded("" if self.always_flexible else "flexible", lines)

    def flexible_versions(self):
        return max(self.struct.versions[0], self.message.flexible), self.struct.versions[1]

    # ---- writing

    def write(self):
        lines = []
        for run in self.runs():
            condition = self.when(run[0].versions)
            body = self.write_run(run) if run[0].fixed_size else self.write_one(run[0])
            lines += self.guarded(condition, body)
            lines += self.refusals(run, condition)
        for field in self.tagged():
            condition = self.when(field.versions)
            lines += self.refusals([field], condition)
        lines += self.write_tags()
        return self.function(f"static void write(Writer& out, [[maybe_unused]] std::int16_t version, "
                             f"[[maybe_unused]] const {self.type}& in)", lines)

    def label(self, field):
        return f'"{self.type.replace("::", ".")}.{field.name}"'

    def refusals(self, run, condition):
        """A value that this version cannot carry is a mistake, unless the field may be dropped."""
        lines = []
        if condition:
            for field in (f for f in run if not f.ignorable):
                lines.append(f"  if (!({condition}) && {self.carries(field)}) [[unlikely]] out.refuse_value({self.label(field)}, version);")
        return lines

    def carries(self, field):
        """True if dropping the field would lose something: null and empty count as nothing."""
        value = f"in.{field.name}"
        if field.nullable and field.struct and not field.array:
            return f"{value}.has_value()" if field.default == "null" else f"{value} != {self.qualified_type(field)}{{}}"
        if field.array or field.type in ("string", "bytes"):
            return f"({value} && !{value}->empty())" if field.nullable else f"!{value}.empty()"
        return self.differs(field)

    def differs(self, field):
        """True unless the field equals its default: what decides if a tagged field is written."""
        value = f"in.{field.name}"
        if field.type == "records":
            return f"!{value}.empty()"
        if field.nullable and field.default == "null":
            return f"{value}.has_value()"
        if field.array or field.type in ("string", "bytes"):
            return f"(!{value} || !{value}->empty())" if field.nullable else f"!{value}.empty()"
        if field.struct:
            return f"!({value} == {self.qualified_type(field)}{{}})"
        if field.type == "uuid":
            return f"!{value}.is_zero()"
        if field.type == "bool":
            return f"!{value}" if field.default == "true" else value
        return f"{value} != {field.default or 0}"

    def qualified_type(self, field):
        return f"{self.message.name}::{field.type}"

    def write_run(self, run):
        if len(run) == 1:
            return [f"  {self.put(run[0])}"]
        lines, at = [f"  {{", f"    std::uint8_t* to = out.extend({sum(f.fixed_size for f in run)});"], 0
        for field in run:
            lines.append("    " + self.store(f"in.{field.name}", field.type, f"to + {at}" if at else "to"))
            at += language.FIXED[field.type]
        return lines + ["  }"]

    def put(self, field):
        return self.store(f"in.{field.name}", field.type, f"out.extend({language.FIXED[field.type]})")

    @staticmethod
    def store(value, type_name, place):
        if type_name == "bool":
            return f"*({place}) = {value} ? 1 : 0;"
        if type_name == "uuid":
            return f"std::memcpy({place}, {value}.bytes.data(), 16);"
        if type_name == "float64":
            return f"store_be({place}, from_float64({value}));"
        return f"store_be({place}, {value});"

    def write_one(self, field, tagged=False):
        value = f"in.{field.name}"
        null = self.null_test(field, field.versions)
        if field.type in language.FIXED and not field.array:
            return [f"  {self.put(field)}"]
        if field.nullable and null != "true":
            is_null = f"{value}.null" if field.type == "records" else f"!{value}"
            refuse = [f"  if ({is_null} && !({null})) [[unlikely]] out.refuse_null({self.label(field)}, version);"]
        elif field.type == "records" and not field.nullable:
            refuse = [f"  if ({value}.null) [[unlikely]] out.refuse_null({self.label(field)}, version);"]
        else:
            refuse = []
        if field.array:
            return refuse + self.write_array(field, value)
        if field.type == "records":
            return refuse + [f"  out.records({self.flex}, {value});"]
        if field.type in ("string", "bytes"):
            return refuse + [f"  out.{'nullable_' if field.nullable else ''}{field.type}({self.flex}, {value});"]
        if not field.nullable:
            return [f"  write(out, version, {value});"]
        mark, none = ("std::int8_t{1}", "std::int8_t{0}") if tagged else ("std::int8_t{1}", "std::int8_t{-1}")
        return [f"  out.number({value} ? {mark} : {none});", f"  if ({value}) write(out, version, *{value});"]

    def write_array(self, field, value):
        elements = f"(*{value})" if field.nullable else value
        if field.struct:
            put = f"for (const auto& element : {elements.strip('()')}) write(out, version, element);"
        else:
            put = f"out.elements({elements.strip('()')}{', ' + self.flex if field.type == 'string' else ''});"
        lines = [f"out.array({self.flex}, {elements}.size());", put]
        if not field.nullable:
            return ["  " + l for l in lines]
        return [f"  if ({value}) {{", *("    " + l for l in lines), "  } else {", f"    out.null_array({self.flex});", "  }"]

    def tag_flag(self, field):
        condition = self.when(field.versions, self.flexible_versions())
        return (f"{condition} && " if condition else "") + self.differs(field)

    def write_tags(self):
        if self.never_flexible:
            return []
        tags = self.tagged()
        keep = self.message.keeps_unknown_tags
        guard = "" if self.always_flexible else "flexible"
        if not tags and not keep:
            return self.guarded(guard, ["  out.number(std::uint8_t{0});"])
        lines = [f"  const bool has_{f.name} = {self.tag_flag(f)};" for f in tags]
        count = " + ".join([f"std::uint32_t{{has_{f.name}}}" for f in tags]
                           + (["static_cast<std::uint32_t>(in.unknown_tags.size())"] if keep else []))
        lines.append(f"  out.uvarint({count});")
        for field in tags:
            lines += [f"  if (has_{field.name}) {{", f"    out.uvarint({field.tag});",
                      f"    out.uvarint(static_cast<std::uint32_t>({self.size(field, tagged=True)}));",
                      *("  " + l for l in self.write_one(field, tagged=True)), "  }"]
        if keep:
            lines.append("  out.unknown_tags(in.unknown_tags);")
        return self.guarded(guard, lines)

    # ---- sizes

    def measure(self):
        lines = ["  std::size_t size = 0;"]
        for run in self.runs():
            condition = self.when(run[0].versions)
            if run[0].fixed_size:
                lines += self.guarded(condition, [f"  size += {sum(f.fixed_size for f in run)};"])
            else:
                lines += self.guarded(condition, [f"  size += {self.size(run[0])};"])
        lines += self.measure_tags() + ["  return size;"]
        return self.function(f"static std::size_t measure([[maybe_unused]] std::int16_t version, "
                             f"[[maybe_unused]] const {self.type}& in)", lines)

    def size(self, field, tagged=False):
        """The C++ expression for the bytes of one field's value."""
        value = f"in.{field.name}"
        if field.array:
            elements = f"(*{value})" if field.nullable else value
            size = f"array_size({self.flex}, {elements}.size()) + {self.elements_size(field, elements.strip('()'))}"
            return f"({value} ? {size} : null_array_size({self.flex}))" if field.nullable else size
        if field.struct:
            return f"(1 + ({value} ? measure(version, *{value}) : 0))" if field.nullable else f"measure(version, {value})"
        if field.type in language.FIXED:
            return str(language.FIXED[field.type])
        return f"size_of({self.flex}, {value})"

    def elements_size(self, field, elements):
        if field.type == "string":
            return f"size_of({self.flex}, {elements})"
        if not field.struct:
            accessor = elements[1:] + "->" if elements.startswith("*") else elements + "."
            return f"{accessor}size() * {language.FIXED[field.type]}"
        return f"sum({elements}, [&](const auto& element) {{ return measure(version, element); }})"

    def measure_tags(self):
        if self.never_flexible:
            return []
        tags, keep, guard = self.tagged(), self.message.keeps_unknown_tags, "" if self.always_flexible else "flexible"
        if not tags and not keep:
            return self.guarded(guard, ["  size += 1;"])
        lines = ["  std::uint32_t tags = 0;"]
        for field in tags:
            lines += [f"  if ({self.tag_flag(field)}) {{", f"    size += tag_size({field.tag}, {self.size(field, tagged=True)});",
                      "    ++tags;", "  }"]
        if keep:
            lines += ["  size += size_of(in.unknown_tags);", "  tags += static_cast<std::uint32_t>(in.unknown_tags.size());"]
        return self.guarded(guard, lines + ["  size += uvarint_size(tags);"])


def public(message):
    name = message.name
    return (f"bool decode(Reader& reader, std::int16_t version, {name}& out) {{\n"
            f"  if (!reader.begin({name}::kName, version, {name}::kMinVersion, {name}::kMaxVersion)) return false;\n"
            f"  read(reader, version, out);\n  return reader.ok();\n}}\n"
            f"void encode(Writer& writer, std::int16_t version, const {name}& in) {{\n"
            f"  if (version < {name}::kMinVersion || version > {name}::kMaxVersion) return writer.refuse_version({name}::kName, version);\n"
            f"  write(writer, version, in);\n}}\n"
            f"std::size_t encoded_size(std::int16_t version, const {name}& in) {{ return measure(version, in); }}\n")


def message_text(message):
    codecs = [Codec(message, s) for s in message.structs]
    return "\n".join([*(c.read() + c.write() + c.measure() for c in codecs), public(message)])


SOURCE_HEAD = '''#include <cstring>

#include "wire/reader.h"
#include "wire/writer.h"

namespace moldau::wire {

template <typename T, typename Measure>
static std::size_t sum(const std::vector<T>& elements, Measure measure) {
  std::size_t size = 0;
  for (const T& element : elements) size += measure(element);
  return size;
}
'''


def source(files):
    """One translation unit of the codecs of several files."""
    from cpp_types import NOTE
    includes = "".join(f'#include "wire/gen/{f.stem}.h"\n' for f in files)
    bodies = "\n".join(message_text(m) for f in files for m in f.messages)
    return f"{NOTE}{includes}\n{SOURCE_HEAD}\n{bodies}\n}}  // namespace moldau::wire\n"
