"""The generated part of docs/performance.md. Cells that were not measured this time keep what they had, so a run of a
few rows, or of one broker, updates those and no others."""
import re, statistics

BEGIN, END = "<!-- begin: written by bench/run.py -->", "<!-- end: written by bench/run.py -->"
HEAD = "| {} | | Kafka | Moldau | better by | aim | pairs, date |\n|---|---|---:|---:|---:|---:|---|\n"
NOTHING = "–"


def number(value):
    """Three significant digits, with thousands marked: 0.0493, 4.93, 49.3, 4,930."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{value:.4f}" if "e" in text else text


def cell(values):
    """median (min–max)"""
    if not values:
        return NOTHING
    middle = number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))}–{number(max(values))})"


def median_in(text):
    found = re.match(r"-?[\d.,]+", text)
    return float(found[0].replace(",", "")) if found else None


def ratio(kafka, moldau, more_is_better):
    """How many times better Moldau is, from the medians in two cells."""
    k, m = median_in(kafka), median_in(moldau)
    if not k or not m or k < 0 or m < 0:
        return NOTHING
    return f"{number(m / k if more_is_better else k / m)}×"


def old_lines(section):
    """label → (kafka cell, moldau cell, pairs and date) of the lines that stand there."""
    found = {}
    for line in section.splitlines():
        fields = [f.strip() for f in line.strip().strip("|").split("|")]
        if len(fields) == 7 and not fields[0].startswith("-") and fields[2] != "Kafka":
            found[fields[0]] = (fields[2], fields[3], fields[6])
    return found


def line(measure, values, old, date):
    """values: broker → list of figures, this time; None when there is nothing to say about this measure."""
    before = old.get(measure.label, (NOTHING, NOTHING, ""))
    kafka = cell(values.get("kafka", ())) if values.get("kafka") else before[0]
    moldau = cell(values.get("moldau", ())) if values.get("moldau") else before[1]
    if kafka == moldau == NOTHING:
        return None
    when = f"{max(map(len, values.values()))}, {date}" if any(values.values()) else before[2]
    return f"| {measure.label} | {measure.unit} | {kafka} | {moldau} | {ratio(kafka, moldau, measure.more_is_better)} | {measure.aim} | {when} |"


def render(rows, sections, results, old, preface, date):
    """results: (row id, measure label) → broker → list of figures. preface: its lines."""
    parts = ["\n".join(preface)]
    for section in sections:
        lines = [line(m, results.get((r.id, m.label), {}), old, date) for r in rows if r.section == section for m in r.measures]
        lines = [l for l in lines if l]
        if lines:
            parts.append(HEAD.format(section) + "\n".join(lines))
    return "\n\n".join(parts)


def merged_preface(preface, section):
    """The new lines, and behind them the old one of a broker that took no part this time."""
    old = [l for l in section.splitlines() if l.startswith(("Apache Kafka ", "Moldau "))]
    told = {l.split()[0] for l in preface}
    return preface + [l for l in old if l.split()[0] not in told]


def split(text):
    """What stands before, in and behind the generated part."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"expected one line '{BEGIN}' and one '{END}' in docs/performance.md")
    before, rest = text.split(BEGIN)
    section, after = rest.split(END)
    return before, section, after


def write(path, rows, sections, results, preface, date):
    before, section, after = split(path.read_text())
    body = render(rows, sections, results, old_lines(section), merged_preface(preface, section), date)
    path.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}")
