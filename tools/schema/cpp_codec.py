"""Emits the source of messages: per struct straight-line read(), write() and measure(), and the public functions on top.

A run of fixed-size fields that exist in the same versions is read and written behind one bounds check."""
from cpp_reader import Reading
import language


class Codec(Reading):
    """Emits the functions of one struct of one message."""

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
