"""Emits the tables: error codes, API keys, and the catalogue of all messages that tests and fuzzers walk through."""
import re

from cpp_types import NOTE
from language import FIXED, SchemaError

FLAGS = ("retriable", "stale_metadata")


def pascal(upper):
    return "k" + "".join(word.capitalize() for word in upper.split("_"))


def parse_errors(path, text):
    """Lines of 'code NAME [flag ...]  "message"' -> [(code, name, flags, message)], checked for gaps and order."""
    errors = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue
        match = re.fullmatch(r'(-?\d+)\s+([A-Z][A-Z0-9_]*)((?:\s+[a-z_]+)*)\s+"([^"]*)"', line)
        if not match:
            raise SchemaError(f"{path}:{number}: expected 'code NAME [flag ...] \"message\"', found '{line}'")
        flags = match[3].split()
        if any(f not in FLAGS for f in flags):
            raise SchemaError(f"{path}:{number}: flags are {' and '.join(FLAGS)}, found '{match[3].strip()}'")
        if int(match[1]) != len(errors) - 1:
            raise SchemaError(f"{path}:{number}: expected code {len(errors) - 1}, found {match[1]}")
        errors.append((int(match[1]), match[2], flags, match[4]))
    return errors


def errors_header(errors):
    values = "\n".join(f"  {pascal(name)} = {code}," for code, name, _, _ in errors)
    return (f"{NOTE}#pragma once\n\n#include <cstdint>\n\nnamespace moldau::wire {{\n\n"
            f"enum class ErrorCode : std::int16_t {{\n{values}\n}};\n\n}}  // namespace moldau::wire\n")


def errors_source(errors):
    rows = "\n".join(f'    {{"{name}", "{message}", {str("retriable" in flags).lower()}, {str("stale_metadata" in flags).lower()}}},'
                     for _, name, flags, message in errors)
    return (f'{NOTE}#include "wire/errors.h"\n\nnamespace moldau::wire {{\n\n'
            f"extern const ErrorInfo kErrors[{len(errors)}] = {{\n{rows}\n}};\n"
            f"extern const std::int16_t kLastError = {errors[-1][0]};\n\n}}  // namespace moldau::wire\n")


def apis_of(files):
    return sorted((f for f in files if f.api), key=lambda f: f.messages[0].key)


def api_keys_header(files):
    values = "\n".join(f"  k{f.api} = {f.messages[0].key}," for f in apis_of(files))
    return (f"{NOTE}#pragma once\n\n#include <cstdint>\n\nnamespace moldau::wire {{\n\n"
            f"enum class ApiKey : std::int16_t {{\n{values}\n}};\n\n}}  // namespace moldau::wire\n")


def api_table_source(files):
    apis = apis_of(files)
    keys = [f.messages[0].key for f in apis]
    if keys != list(range(len(keys))):
        raise SchemaError(f"API keys have a gap or stand twice: {keys}")
    rows = []
    for f in apis:
        m = f.messages[0]
        flexible = m.versions[1] + 1 if m.flexible is None else m.flexible
        rows.append(f'    {{{m.key}, "{f.api}", {m.versions[0]}, {m.versions[1]}, {flexible}}},')
    newline = "\n"
    return (f'{NOTE}#include "wire/api.h"\n\nnamespace moldau::wire {{\n\n'
            f"extern const ApiInfo kApis[{len(apis)}] = {{\n{newline.join(rows)}\n}};\n"
            f"extern const std::int16_t kApiCount = {len(apis)};\n\n}}  // namespace moldau::wire\n")


# ---- the catalogue


def described(field):
    """The statements that tell a Describer one field."""
    value, name = f"in.{field.name}", f'"{field.name}"'
    if field.array:
        inner = f"(*{value})" if field.nullable else value
        one = "describe_struct(to, version, nullptr, element);" if field.struct else f"{scalar(field.type, 'nullptr', 'element')}"
        walk = f"to.begin_array({name}); for (const auto& element : {inner}) {{ {one} }} to.end_array();"
    elif field.struct:
        inner = f"*{value}" if field.nullable else value
        walk = f"describe_struct(to, version, {name}, {inner});"
    else:
        walk = scalar(field.type, name, f"*{value}" if field.nullable and field.type != "records" else value)
    if field.nullable and field.type != "records":
        return f"if ({value}) {{ {walk} }} else {{ to.null({name}); }}"
    return walk


def scalar(type_name, name, value):
    call = {"bool": "boolean", "string": "text", "bytes": "bytes", "uuid": "uuid", "float64": "real", "records": "records"}.get(type_name, "number")
    cast = f"static_cast<std::int64_t>({value})" if type_name in FIXED and call == "number" else value
    return f"to.{call}({name}, {cast});"


def catalog_source(files):
    includes = "".join(f'#include "wire/gen/{f.stem}.h"\n' for f in files)
    parts, rows = [], []
    for message in (m for f in files for m in f.messages):
        for struct in message.structs:
            type_name = message.name if struct is message.root else f"{message.name}::{struct.name}"
            lines = []
            for field in struct.fields:
                first, last = field.versions
                low = f"version >= {first}" if first > struct.versions[0] else ""
                high = f"version <= {last}" if last < struct.versions[1] else ""
                condition = " && ".join(filter(None, (low, high)))
                lines.append(f"  if ({condition}) {{ {described(field)} }}" if condition else f"  {{ {described(field)} }}")
            body = "\n".join(lines)
            parts.append(f"static void describe_struct(Describer& to, [[maybe_unused]] std::int16_t version, const char* name, "
                         f"[[maybe_unused]] const {type_name}& in) {{\n  to.begin_struct(name);\n{body}\n  to.end_struct();\n}}")
        key = -1 if message.key is None else message.key
        flexible = message.versions[1] + 1 if message.flexible is None else message.flexible
        parts.append(f"static bool run_{message.name}(Reader& reader, std::int16_t version, Describer* to, Writer* writer, std::size_t* size) {{\n"
                     f"  {message.name} message;\n  if (!decode(reader, version, message)) return false;\n"
                     f"  if (to) describe_struct(*to, version, nullptr, message);\n  if (writer) encode(*writer, version, message);\n"
                     f"  if (size) *size = encoded_size(version, message);\n  return true;\n}}\n"
                     f"static void default_{message.name}(Writer& writer, std::int16_t version) {{ encode(writer, version, {message.name}{{}}); }}")
        rows.append(f'    {{"{message.name}", {key}, {message.versions[0]}, {message.versions[1]}, {flexible}, '
                    f"run_{message.name}, default_{message.name}}},")
    return includes, "\n".join(parts), "\n".join(rows)


def catalog_part(files, index):
    includes, parts, rows = catalog_source(files)
    return (f'{NOTE}{includes}\n#include "wire/catalog.h"\n#include "wire/reader.h"\n#include "wire/writer.h"\n\n'
            f"namespace moldau::wire {{\n\n{parts}\n\n"
            f"void append_catalog_{index}(std::vector<CatalogEntry>& to) {{\n  static const CatalogEntry kEntries[] = {{\n{rows}\n  }};\n"
            f"  to.insert(to.end(), std::begin(kEntries), std::end(kEntries));\n}}\n\n}}  // namespace moldau::wire\n")


def catalog_index(count):
    declarations = "".join(f"void append_catalog_{i}(std::vector<CatalogEntry>& to);\n" for i in range(count))
    calls = "".join(f"    append_catalog_{i}(all);\n" for i in range(count))
    return (f'{NOTE}#include "wire/catalog.h"\n\nnamespace moldau::wire {{\n\n{declarations}\n'
            f"const std::vector<CatalogEntry>& catalog() {{\n  static const std::vector<CatalogEntry> kAll = [] {{\n"
            f"    std::vector<CatalogEntry> all;\n{calls}    return all;\n  }}();\n  return kAll;\n}}\n\n}}  // namespace moldau::wire\n")
