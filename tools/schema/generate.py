#!/usr/bin/env python3
"""Turns schema/*.def into C++: generate.py SCHEMA_DIR OUT_DIR, or --list SCHEMA_DIR for the names of what it would write.

Out come, below OUT_DIR/wire/gen: one header per schema file (00_produce.def -> produce.h), api_keys.h, error_codes.h, a
dozen sources messages_NN.cc with the codecs, tables.cc, and catalog*.cc, which only tests and fuzzers link.
A file is written only if its text changed, so a changed .def compiles its own unit and what includes its header."""
import pathlib
import sys

import cpp_codec
import cpp_tables
import cpp_types
import language

CODEC_UNITS = 12
CATALOG_UNITS = 4
OTHER_LANGUAGES = {"errors.def", "configs.def"}    # tables of their own form


def schema_files(folder):
    return sorted(p for p in pathlib.Path(folder).glob("*.def") if p.name not in OTHER_LANGUAGES)


def units(files, count):
    """Deals the files into units, always in the same way: a changed file changes its own unit only."""
    return [files[i::count] for i in range(count)]


def outputs(folder):
    """name -> text of every generated file."""
    files = [language.parse_file(p) for p in schema_files(folder)]
    names = [m.name for f in files for m in f.messages]
    if len(names) != len(set(names)):
        raise language.SchemaError(f"defined in two files: {sorted({n for n in names if names.count(n) > 1})}")
    errors_path = pathlib.Path(folder) / "errors.def"
    errors = cpp_tables.parse_errors(errors_path, errors_path.read_text())
    out = {f"{f.stem}.h": cpp_types.header(f) for f in files}
    out["api_keys.h"] = cpp_tables.api_keys_header(files)
    out["error_codes.h"] = cpp_tables.errors_header(errors)
    out["errors.cc"] = cpp_tables.errors_source(errors)
    out["apis.cc"] = cpp_tables.api_table_source(files)
    for i, unit in enumerate(units(files, CODEC_UNITS)):
        out[f"messages_{i:02d}.cc"] = cpp_codec.source(unit)
    for i, unit in enumerate(units(files, CATALOG_UNITS)):
        out[f"catalog_{i}.cc"] = cpp_tables.catalog_part(unit, i)
    out["catalog.cc"] = cpp_tables.catalog_index(CATALOG_UNITS)
    return out


def output_names(folder):
    """The same names without parsing, for CMake to know before the first build."""
    stems = [p.stem.lstrip("0123456789").removeprefix("_") for p in schema_files(folder)]
    return sorted([f"{s}.h" for s in stems] + ["api_keys.h", "error_codes.h", "errors.cc", "apis.cc", "catalog.cc"]
                  + [f"messages_{i:02d}.cc" for i in range(CODEC_UNITS)] + [f"catalog_{i}.cc" for i in range(CATALOG_UNITS)])


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--list":
        print(";".join(output_names(arguments[1])), end="")
        return 0
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    target = pathlib.Path(arguments[1]) / "wire" / "gen"
    target.mkdir(parents=True, exist_ok=True)
    try:
        texts = outputs(arguments[0])
    except language.SchemaError as error:
        print(error, file=sys.stderr)
        return 1
    for name, text in texts.items():
        path = target / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
