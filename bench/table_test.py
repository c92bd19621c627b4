import pathlib, sys, tempfile, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import table
from rows import Measure, Row

A = Measure("cost of a", "µs", "a", "≤ 5")
B = Measure("speed of b", "1/s", "b", more_is_better=True)
ROWS = (Row("a", "Work", None, (A,)), Row("b", "Rest", None, (B,)))
SECTIONS = ("Work", "Rest")


class Numbers(unittest.TestCase):
    def test_three_digits(self):
        for value, text in ((0.0493, "0.0493"), (4.9312, "4.93"), (49.31, "49.3"), (99.96, "100"), (4931.2, "4,931"), (0, "0"), (0.00001234, "0.0000")):
            self.assertEqual(table.number(value), text)

    def test_a_cell_shows_the_spread(self):
        self.assertEqual(table.cell([3, 1, 2]), "2 (1–3)")
        self.assertEqual(table.cell([7.5]), "7.5")
        self.assertEqual(table.cell([]), "–")

    def test_the_ratio_says_how_much_better(self):
        self.assertEqual(table.ratio("4,000 (1–2)", "5 (4–6)", False), "800×")
        self.assertEqual(table.ratio("100", "150", True), "1.5×")
        self.assertEqual(table.ratio("–", "5", False), "–")


class Writing(unittest.TestCase):
    def write(self, path, results, date="2026-01-01", sides=()):
        table.write(path, ROWS, SECTIONS, results, ["Last run.", *(f"{n} 1." for n in sides)], date)
        return path.read_text()

    def test_runs_add_up_and_the_text_around_stays(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "doc.md"
            path.write_text(f"# Title\n{table.BEGIN}\nnothing yet\n{table.END}\nafter\n")
            text = self.write(path, {("a", A.label): {"kafka": [30, 40, 50]}})
            self.assertIn("| cost of a | µs | 40 (30–50) | – | – | ≤ 5 | 3, 2026-01-01 |", text)
            self.assertNotIn("speed of b", text)  # what nobody measured has no line
            text = self.write(path, {("a", A.label): {"moldau": [4]}, ("b", B.label): {"kafka": [10], "moldau": [40]}}, "2026-01-02")
            self.assertIn("| cost of a | µs | 40 (30–50) | 4 | 10× | ≤ 5 | 1, 2026-01-02 |", text)
            self.assertIn("| speed of b | 1/s | 10 | 40 | 4× |  | 1, 2026-01-02 |", text)
            self.assertEqual(self.write(path, {}), text)  # nothing new, nothing changed
            self.assertTrue(text.startswith("# Title\n") and text.endswith("\nafter\n"))

    def test_a_broker_that_took_no_part_keeps_its_line(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "doc.md"
            path.write_text(f"{table.BEGIN}\n{table.END}\n")
            self.write(path, {}, sides=("Apache Kafka", "Moldau"))
            text = self.write(path, {}, sides=("Moldau",))
            self.assertEqual((text.count("Apache Kafka 1."), text.count("Moldau 1.")), (1, 1))

    def test_a_document_without_markers_is_refused(self):
        with self.assertRaises(ValueError):
            table.split("# Title\n")


class Rows(unittest.TestCase):
    def test_ids_and_labels_are_unique(self):
        from rows import ROWS as all_rows
        ids = [r.id for r in all_rows]
        labels = [m.label for r in all_rows for m in r.measures]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(len(labels), len(set(labels)))
        self.assertFalse([l for l in labels if "|" in l])


if __name__ == "__main__":
    unittest.main()
