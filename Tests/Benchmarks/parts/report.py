"""What a part found: tables of rows, which are printed, written and put into docs/performance.md alike.

A part is a module with `measure(options)`, a generator of `Table`s. `options` has `rounds`, `seconds` (of a round),
`connections` (None without the option) and `quick` (a run that only shows that everything works).

    def measure(options):
        results = interleaved(options, {"nginx": …, "apus": …})     # functions that return {column: value}
        yield Table("Warm HTTP", compared(results, "nginx", {"apus": at_least(1.15, "ratio")}))
"""
import copy
import dataclasses
import json
import statistics


@dataclasses.dataclass(frozen=True)
class Goal:
    """What the median of a column should be."""
    column: str
    bound: float
    is_least: bool

    def verdict(self, values):
        median = statistics.median(values)
        return "reached" if (median >= self.bound if self.is_least else median <= self.bound) else "**missed**"

    def __str__(self):
        return f"{self.column} {'≥' if self.is_least else '≤'} {self.bound:g}"


def at_least(bound, column):
    return Goal(column, bound, True)


def at_most(bound, column):
    return Goal(column, bound, False)


@dataclasses.dataclass
class Row:
    """A name, and the values of each column, one a round. The name of a column says its unit."""
    name: str
    values: dict
    goals: list = dataclasses.field(default_factory=list)

    @property
    def verdicts(self):
        return [f"{goal} {goal.verdict(self.values[goal.column])}" for goal in self.goals]


@dataclasses.dataclass
class Table:
    """`note` says in Markdown what the rows are and how they were measured."""
    title: str
    rows: list
    note: str = ""

    @property
    def columns(self):
        return list(dict.fromkeys(column for row in self.rows for column in row.values))

    def markdown(self):
        judges = any(row.goals for row in self.rows)
        lines = [["", *self.columns, *(["goal"] if judges else [])]]
        for row in self.rows:
            cells = [summary(row.values.get(column, [])) for column in self.columns]
            lines.append([row.name, *cells, *(["; ".join(row.verdicts)] if judges else [])])
        text = aligned(lines, {0, len(self.columns) + 1})
        return "\n".join([f"### {self.title}", "", *([self.note, ""] if self.note else []), text, ""])

    def json(self):
        """A row a line, so that people can read it."""
        rows = ",\n".join("   " + json.dumps(dataclasses.asdict(row), ensure_ascii=False) for row in self.rows)
        head = json.dumps({"title": self.title, "note": self.note}, ensure_ascii=False)[1:-1]
        return f'  {{{head}, "rows": [\n{rows}]}}'


def aligned(lines, left):
    """A table in Markdown that reads well on a terminal, too: the columns `left` begin at the left, the others end at the
    right. The first line is the head."""
    widths = [max(3, *map(len, column)) for column in zip(*lines)]
    marks = ["-" * (width - 1) + ("-" if place in left else ":") for place, width in enumerate(widths)]
    return "\n".join("| " + " | ".join(
        cell.ljust(width) if place in left else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(line, widths))) + " |" for line in [lines[0], marks, *lines[1:]])


def goals(tables):
    """All goals and what became of them."""
    found = [(f"{table.title}: {row.name}", str(goal), summary(row.values[goal.column]),
              goal.verdict(row.values[goal.column])) for table in tables for row in table.rows for goal in row.goals]
    return "\n".join(["### Goals", "", aligned([("", "goal", "found", "verdict"), *found], {0, 1, 3}), ""])


def table(document):
    """A table that `Table.json` has written."""
    rows = [Row(row["name"], row["values"], [Goal(**goal) for goal in row["goals"]]) for row in document["rows"]]
    return Table(document["title"], rows, document["note"])


def summary(values):
    """The median, and from where to where the values go."""
    if not values:
        return ""
    median = number(statistics.median(values))
    least, most = number(min(values)), number(max(values))
    return median if least == most else f"{median} ({least}–{most})"


def number(value):
    """With three digits or more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def brief(options):
    """The same with rounds of a second at most: for what has no goal, so that a run ends in time."""
    found = copy.copy(options)
    found.seconds = min(options.seconds, 1)
    return found


def interleaved(options, contenders):
    """Calls each contender in turn, round by round (A B A B …), and collects the columns that they return."""
    results = {name: {} for name in contenders}
    for _ in range(options.rounds):
        for name, measure in contenders.items():
            for column, value in measure().items():
                results[name].setdefault(column, []).append(round(value, 4))
    return results


def ratios(values, base):
    """Round by round, since what slows a machine slows neighbours alike."""
    return [round(value / of, 4) for value, of in zip(values, base)]


def compared(results, yardstick, goals, column="requests/s", ratio="ratio"):
    """Rows with a column `ratio`: how many times the yardstick's `column` each has."""
    base = results[yardstick][column]
    for values in results.values():
        values[ratio] = ratios(values[column], base)
    return rows(results, goals)


def rows(results, goals):
    """`goals` has a goal, or a list of them, for the names that have any."""
    listed = {name: goal if isinstance(goal, list) else [goal] for name, goal in goals.items()}
    return [Row(name, values, listed.get(name, [])) for name, values in results.items()]
