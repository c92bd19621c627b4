"""What the functions of a struct have in common: conditions on versions, runs of fields, the least size."""
import language


def qualified(struct, message):
    return message.name if struct is message.root else f"{message.name}::{struct.name}"


class Struct:
    """One struct of one message, as its functions see it: in which versions it has what, and how small it may be."""

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

    @staticmethod
    def guarded(condition, lines):
        return [f"  if ({condition}) {{", *("  " + l for l in lines), "  }"] if condition else lines

    def null_test(self, field, within):
        """'true', 'false', or the condition under which null is allowed."""
        return "false" if not field.nullable else self.when(field.nullable, within) or "true"

    def flexible_versions(self):
        return max(self.struct.versions[0], self.message.flexible), self.struct.versions[1]
