import pathlib, sys, tempfile, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gate
from gate import Cost


class Counters(unittest.TestCase):
    def test_callgrind_takes_the_last_total(self):
        self.assertEqual(gate.callgrind_total("events: Ir\nfn=main\n1 2\ntotals: 17\nsummary: 12345\n"), 12345)

    def test_a_profile_without_total_is_an_error(self):
        with self.assertRaises(gate.GateError):
            gate.callgrind_total("events: Ir\n")

    def test_strace_with_and_without_errors(self):
        head = "% time     seconds  usecs/call     calls    errors syscall\n 60.00    0.000100           3        20           recvfrom\n"
        self.assertEqual(gate.strace_total(head + "100.00    0.000091           3        29         1 total\n"), 29)
        self.assertEqual(gate.strace_total(head + "100.00    0.000091           3        31           total\n"), 31)


class Budget(unittest.TestCase):
    def test_what_is_written_reads_back(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "budget.tsv"
            self.assertEqual(gate.read_budget(path), {})
            costs = {"a": Cost(1234, 2.5), "b": Cost(5, 0.188)}
            gate.write_budget(path, costs)
            self.assertEqual(gate.read_budget(path), costs)

    def test_five_percent_pass_and_more_fails(self):
        budget = {"a": Cost(1000, 4)}
        self.assertEqual(gate.excesses(budget, {"a": Cost(1049, 4.19)}), [])
        self.assertEqual(gate.excesses(budget, {"a": Cost(1, 0)}), [])
        self.assertEqual(len(gate.excesses(budget, {"a": Cost(1051, 4)})), 1)
        self.assertEqual(len(gate.excesses(budget, {"a": Cost(1051, 4.3)})), 2)

    def test_an_unknown_replay_fails(self):
        self.assertEqual(len(gate.excesses({}, {"a": Cost(1, 1)})), 1)

    def test_replays_fill_whole_bursts(self):
        for replay in gate.REPLAYS:
            if "--burst" in replay.load:
                self.assertEqual(replay.requests % int(replay.load[replay.load.index("--depth") + 1]), 0)


if __name__ == "__main__":
    unittest.main()
