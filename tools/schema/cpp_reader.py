"""Emits the function that reads a struct."""
from cpp_struct import Struct
from cpp_types import CPP
import language


class Reading(Struct):
    """read(): straight down the fields, a run of fixed-size ones behind one bounds check."""

    def read(self):
        lines = []
        for run in self.runs():
            lines += self.guarded(self.when(run[0].versions), self.read_run(run) if run[0].fixed_size else self.read_one(run[0]))
        lines += self.read_tags()
        return self.function(f"static void read(Reader& in, [[maybe_unused]] std::int16_t version, "
                             f"[[maybe_unused]] {self.type}& out)", lines)

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
