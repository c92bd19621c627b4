"""Emits the header of one schema file: plain structs, and the declarations of decode, encode and encoded_size."""
import re

import language

CPP = {"bool": "bool", "int8": "std::int8_t", "int16": "std::int16_t", "uint16": "std::uint16_t", "int32": "std::int32_t",
       "uint32": "std::uint32_t", "int64": "std::int64_t", "float64": "double", "uuid": "Uuid", "string": "std::string_view",
       "bytes": "ByteView", "records": "Records"}
NOTE = "// Generated from schema/ by tools/schema/generate.py. Do not edit.\n"


def cpp_type(field):
    base = CPP.get(field.type, field.type)
    if field.array:
        base = f"std::vector<{base}>"
    return f"std::optional<{base}>" if field.nullable and field.type != "records" else base


def number(text, type_name):
    if type_name == "int64" and int(text) == -(1 << 63):
        return "INT64_MIN"
    if type_name == "int32" and int(text) == -(1 << 31):
        return "INT32_MIN"
    return text


def initializer(field):
    """What stands between name and semicolon: Kafka's default of the field."""
    if field.default == "null":
        return " = Records::none()" if field.type == "records" else "{}"
    if field.nullable and field.type != "records":
        inner = cpp_type(field)[len("std::optional<"):-1]
        return f" = {inner}{{}}"
    if field.default is not None:
        return f" = {number(field.default, field.type)}"
    return "{}"    # in writing even where it changes nothing: then designated initializers may leave the field out


def members(struct, message, indent):
    lines = [f"{indent}{cpp_type(f)} {f.name}{initializer(f)};" for f in struct.fields]
    if message.keeps_unknown_tags:
        lines.append(f"{indent}UnknownTags unknown_tags{{}};")
    return lines


def equality(struct, message, indent):
    """ByteView has no == of its own; a struct that holds one directly compares field by field."""
    if not any(f.type == "bytes" for f in struct.fields):
        return [f"{indent}bool operator==(const {struct.name}&) const = default;"]
    names = [f.name for f in struct.fields] + (["unknown_tags"] if message.keeps_unknown_tags else [])
    terms = " && ".join(f"same({n}, other.{n})" for n in names)
    return [f"{indent}bool operator==(const {struct.name}& other) const {{ return {terms}; }}"]


def snake(name):
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)).lower()


def struct_text(message):
    """Nested structs stand in a namespace and are aliased into the message: a struct with defaults that is nested in
    earnest is not complete for the std::optional of its own outer class."""
    lines = []
    if message.structs[:-1]:
        lines.append(f"namespace {snake(message.name)} {{")
        for struct in message.structs[:-1]:
            lines += [f"struct {struct.name} {{", *members(struct, message, "  "), *equality(struct, message, "  "), "};"]
        lines.append(f"}}  // namespace {snake(message.name)}")
    lines += [f"struct {message.name} {{", f'  static constexpr const char* kName = "{message.name}";']
    if message.key is not None:
        lines.append(f"  static constexpr std::int16_t kKey = {message.key};")
    flexible = message.versions[1] + 1 if message.flexible is None else message.flexible
    lines += [f"  static constexpr std::int16_t kMinVersion = {message.versions[0]};",
              f"  static constexpr std::int16_t kMaxVersion = {message.versions[1]};",
              f"  static constexpr std::int16_t kFlexibleSince = {flexible};"
              + ("  // never" if message.flexible is None else ""), ""]
    lines += [f"  using {s.name} = {snake(message.name)}::{s.name};" for s in message.structs[:-1]]
    lines += [*members(message.root, message, "  "), *equality(message.root, message, "  "), "};"]
    return "\n".join(lines) + "\n"


def declarations(message):
    return (f"bool decode(Reader& reader, std::int16_t version, {message.name}& out);\n"
            f"void encode(Writer& writer, std::int16_t version, const {message.name}& in);\n"
            f"std::size_t encoded_size(std::int16_t version, const {message.name}& in);\n")


def header(file):
    bodies = "\n".join(struct_text(m) + declarations(m) for m in file.messages)
    return (f"{NOTE}#pragma once\n\n#include <cstdint>\n#include <optional>\n#include <string_view>\n#include <vector>\n\n"
            f'#include "wire/types.h"\n\nnamespace moldau::wire {{\n\nclass Reader;\nclass Writer;\n\n{bodies}\n}}  // namespace moldau::wire\n')
