"""That figures arrive in files and tables as they were found, and goals are judged by medians."""
import argparse
import pathlib
import tempfile
import unittest

from parts import report, results
from parts.report import Row, Table, at_least, at_most


class Judging(unittest.TestCase):
    def test_the_median_decides(self):
        row = Row("apus", {"ratio": [0.5, 1.2, 9.0], "p99 ratio": [1.0, 1.6, 1.7]}, [
            at_least(1.2, "ratio"), at_least(1.21, "ratio"), at_most(1.6, "p99 ratio"), at_most(1.5, "p99 ratio")])
        self.assertEqual(row.verdicts, [
            "ratio ≥ 1.2 reached", "ratio ≥ 1.21 **missed**", "p99 ratio ≤ 1.6 reached", "p99 ratio ≤ 1.5 **missed**"])

    def test_a_ratio_is_that_of_one_round(self):
        found = {"nginx": {"requests/s": [100, 50]}, "apus": {"requests/s": [150, 100]}}
        rows = report.compared(found, "nginx", {"apus": at_least(1.7, "ratio")})
        self.assertEqual([row.values["ratio"] for row in rows], [[1, 1], [1.5, 2]])
        self.assertEqual([row.verdicts for row in rows], [[], ["ratio ≥ 1.7 reached"]])

    def test_contenders_take_turns(self):
        turns = []
        options = argparse.Namespace(rounds=2)
        found = report.interleaved(options, {
            name: lambda name=name: turns.append(name) or {"turn": len(turns)} for name in ("a", "b")})
        self.assertEqual(turns, ["a", "b", "a", "b"])
        self.assertEqual(found, {"a": {"turn": [1, 3]}, "b": {"turn": [2, 4]}})


class Writing(unittest.TestCase):
    def test_a_cell_has_the_median_and_the_spread(self):
        self.assertEqual(report.summary([3, 1, 2]), "2.00 (1.00–3.00)")
        self.assertEqual(report.summary([70_123, 70_123]), "70,123")
        self.assertEqual(report.summary([]), "")

    def test_rows_without_a_column_leave_its_cell_empty(self):
        text = Table("T", [Row("a", {"x": [1]}), Row("b", {"y": [20]})], "A note.").markdown()
        self.assertEqual(text.splitlines(), [
            "### T", "", "A note.", "",
            "|     |    x |    y |", "| --- | ---: | ---: |", "| a   | 1.00 |      |", "| b   |      | 20.0 |"])

    def test_what_is_written_is_read(self):
        tables = [Table("Größe", [Row("a", {"p50 ms": [0.5, 0.25]}, [at_most(1, "p50 ms")]), Row("b", {})], "Note")]
        options = argparse.Namespace(rounds=2, seconds=1, quick=True)
        folder = results.FOLDER
        with tempfile.TemporaryDirectory() as name:
            results.FOLDER = pathlib.Path(name)
            try:
                run = results.read(results.write({"warm": tables, "none": []}, options, 0.04))
            finally:
                results.FOLDER = folder
        self.assertEqual(run["parts"], {"warm": tables, "none": []})
        self.assertEqual((run["rounds"], run["busy"]), (2, 0.04))
        self.assertTrue(run["commit"])


if __name__ == "__main__":
    unittest.main()
