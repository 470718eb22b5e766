"""Calls of ops of two arms lined up, computed again from the rows or sums of traces; see harness/summary/sb_ops.h."""
import difflib
import math
import re
import statistics
from itertools import groupby

TOP = 10  # rows of the report's table


def escaped(text):
    """As names are shown: control characters by their number."""
    return re.sub(r"[\x00-\x1f\x7f]", lambda m: "\\x%02x" % ord(m[0]), text)


def short(name):
    """The 60 bytes of a name that say which row a figure is of."""
    return escaped(name.encode()[:60].decode(errors="backslashreplace"))


class Ops:
    def __init__(self, db, run, before, after):
        self.db = db
        self.names = dict(db.execute("SELECT id, text FROM name")) | {None: ""}
        at = [{b: t for (arm, b, kind), t in run.at.items() if kind == "trace" and arm == a} for a in (before, after)]
        self.blocks = sorted(at[0].keys() & at[1].keys())
        self.trials = len(self.blocks)
        self.sides = [[self.calls(a[b]) for b in self.blocks] for a in at]
        self.rows, self.lined_up = self.make_rows() if self.blocks else ([], 0)

    def calls(self, trial):
        """[(stage, op), signature, {kernel: ns}] in launch order; of sums one for each stage and op."""
        api = {n for n, in self.db.execute("SELECT r.name FROM rollup r JOIN name k ON k.id = r.kind WHERE r.trial = ? AND "
                                           "k.text = 'api'", (trial,))}
        known = [c[1] for c in self.db.execute("PRAGMA table_info(trace)")]
        rows = [r for r in self.db.execute(
            "SELECT stage, op, name, dur_ns, launch, %s FROM trace WHERE trial = ? ORDER BY id"
            % ("coalesce(op_call + 1, 0)" if "op_call" in known else 0), (trial,)) if r[2] not in api]
        self.by_call = bool(rows) and all(r[5] or r[1] is None for r in rows)
        self.by_total = not rows
        if not rows:
            rows = [r + (None, 0) for r in self.db.execute("SELECT stage, op, name, dur_ns FROM rollup WHERE trial = ? ORDER BY "
                                                           "stage, op", (trial,)) if r[2] not in api]
        out = []
        for key, some in groupby(rows, lambda r: (r[0], r[1], r[5] if self.by_call else 0)):
            some, kernels = list(some), {}
            for r in some:
                kernels[r[2]] = kernels.get(r[2], 0) + r[3]
            shapes = None if self.by_total else tuple((r[2], self.shape(r[4])) for r in some)
            out.append(((self.names[key[0]], self.names[key[1]]), shapes, kernels))
        return out

    def shape(self, launch):
        row = self.db.execute("SELECT grid_x, grid_y, grid_z, block_x, block_y, block_z FROM launch WHERE id = ?", (launch,))
        return row.fetchone() if launch else None

    @staticmethod
    def match(a, b):
        """Places in b of what is in a, in order."""
        blocks = difflib.SequenceMatcher(None, [c[0] for c in a], [c[0] for c in b], autojunk=False).get_matching_blocks()
        return {m.a + k: m.b + k for m in blocks for k in range(m.size)}

    def make_rows(self):
        first = [side[0] for side in self.sides]
        there = self.match(*first)
        pairs = [(i, there.get(i)) for i in range(len(first[0]))] + \
            [(None, j) for j in sorted(set(range(len(first[1]))) - set(there.values()))]
        row_of, rows = [{}, {}], {}
        for pair in pairs:
            calls = [None if p is None else first[s][p] for s, p in enumerate(pair)]
            key = ((calls[0] or calls[1])[0],) + tuple(c and (c[1],) for c in calls)
            row = rows.setdefault(key, {"of": key[0], "calls": [0, 0], "trials": [[0] * self.trials, [0] * self.trials],
                                        "kernels": [{}, {}]})
            for side, p in enumerate(pair):
                if p is not None:
                    row["calls"][side] += 1
                    row_of[side][p] = row
        for side in range(2):
            for t, calls in enumerate(self.sides[side]):
                for i, place in self.match(calls, first[side]).items():
                    row = row_of[side][place]
                    row["trials"][side][t] += sum(calls[i][2].values())
        return self.ranked(list(rows.values())), len(there)

    def ranked(self, rows):
        for row in rows:
            row["ns"] = [statistics.median(v) if n else None for v, n in zip(row["trials"], row["calls"])]
        rows.sort(key=lambda r: (-max(n or 0 for n in r["ns"]), r["of"]))
        count = {}
        for row in rows:
            count[row["of"]] = count.get(row["of"], 0) + 1
            row["id"] = "%s/%s#%d" % (short(row["of"][0]), short(row["of"][1]), count[row["of"]])
        return rows

    def total(self):
        sums = [[sum(sum(c[2].values()) for c in calls) for calls in side] for side in self.sides]
        return {"ns": [statistics.median(s) for s in sums], "trials": sums, "calls": [len(side[0]) for side in self.sides]}

    def expected(self, what, interval):
        if what in ("shown", "rows", "trials"):
            return {"shown": min(TOP, len(self.rows)), "rows": len(self.rows), "trials": self.trials}[what]
        kind, which, end = re.fullmatch(r"(ratio|before|after|calls before|calls after):(.*?)(\.lo|\.hi)?", what).groups()
        row = next(r for r in self.rows if r["id"] == which) if which else self.total()
        if kind == "ratio":
            logs = [math.log(b / a) for a, b in zip(*row["trials"])]
            return math.exp(interval(logs)[{None: 0, ".lo": 1, ".hi": 2}[end]])
        return row["calls" if kind.startswith("calls") else "ns"][kind.endswith("after")]

    def shown(self):
        """Of each row of the table which one it is, and the stage and op that must stand there."""
        return [(r["id"], [escaped(name) or "-" for name in r["of"]]) for r in self.rows[:TOP]] + [("", [])]
