"""That a profile keeps what runs often, in a form that LLVM can read."""
import unittest

from parts import profiles

# `f` in C, and `add` and `idle` in Swift, whose names begin with a dollar; `add` tells what it called.
TEXT = """\
# IR level Instrumentation Flag
:ir
f
# Func Hash:
146835646621254984
# Num Counters:
2
# Counter Values:
2000
3

$s4main3addyyF
# Func Hash:
17
# Num Counters:
1
# Counter Values:
5000
# Num Value Kinds:
1
# ValueKind = IPVK_IndirectCallTarget:
0
# NumValueSites:
1
2
f:2000
/home/ada/apus/.build/release/Wire.build/Bytes.swift.o;$s4Wire4sideyyF:3000

$s4main4idleyyF
# Func Hash:
18
# Num Counters:
2
# Counter Values:
0
999

/home/ada/apus/.build/release/Wire.build/Bytes.swift.o;$s4Wire4sideyyF
# Func Hash:
19
# Num Counters:
1
# Counter Values:
8000

"""


class Frequent(unittest.TestCase):
    def test_functions_stay_of_which_a_part_runs_often(self):
        text = profiles.frequent(TEXT, enough=1000)
        self.assertIn("\nf\n", text)
        self.assertIn("\n$s4main3addyyF\n", text)
        self.assertNotIn("idle", text)
        self.assertEqual(profiles.frequent(TEXT, enough=999).count("# Func Hash:"), 3)

    def test_the_kind_of_profile_stays_also_where_its_first_function_goes(self):
        self.assertTrue(profiles.frequent(TEXT, enough=5000).startswith(
            "# IR level Instrumentation Flag\n:ir\n$s4main3addyyF\n"))

    def test_a_line_with_a_dollar_stands_before_what_follows_the_counts(self):
        text = profiles.frequent(TEXT)
        self.assertIn("2000\n3\n# Num Bitmap Bytes:\n$0\n\n$s4main3addyyF\n", text)
        self.assertIn("5000\n# Num Bitmap Bytes:\n$0\n# Num Value Kinds:\n1\n", text)

    def test_no_paths_are_in_it(self):
        text = profiles.frequent(TEXT)
        self.assertNotIn("/", text)
        self.assertNotIn("8000", text)
        self.assertTrue(text.endswith("2\nf:2000\n;$s4Wire4sideyyF:3000\n\n"))


if __name__ == "__main__":
    unittest.main()
