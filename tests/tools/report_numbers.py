#!/usr/bin/env python3
"""Every number of a report, computed again from its database.

report_numbers.py DATABASE INDEX.html [COMPARE.md [AT_LEAST]]

The figures of a report are <data> elements that say what they stand for. Each is computed here a second time, from the
samples by SQL and by the definitions in docs/design.md, and must be the same; what is shown must be that number,
rounded. Texts from the database (<bdi>, <code>) must be in it, or in what `compare --format markdown` says; words of the
report's own may hold no other numbers than the few that are listed. Runs whose blocks are all whole.
"""
import html.parser
import itertools
import json
import math
import re
import sqlite3
import statistics
import sys
from datetime import datetime, timezone

import report_captions
from report_ops import Ops, escaped

SUMS = {"op.gemm_ns+op.conv_ns": ["op.gemm_ns", "op.conv_ns"],
        "memory.trial_bytes": ["memory.weights_bytes", "memory.allocated_peak_bytes"]}
CLAIMS = {"matrix_operations": ("op.gemm_ns+op.conv_ns", 1 / 3, 1 / 2), "attention_speed": ("op.attention_ns", 1 / 1.5, 1 / 1.3),
          "attention_vram": ("memory.attention_bytes", 0.5, 0.7), "total_time": ("wall_ns", 0.7, 0.8),
          "fragmentation": ("memory.fragmentation", -math.inf, math.nextafter(0.05, 0))}
LEVEL = 0.95  # of a run whose number of blocks was given, and of trace blocks
# Numbers in the report's own words: of methods, of names, of what is claimed.
OWN = ["95 % interval", "95 % intervals", "by 1 ulp", "1 ulp", "below 6 there", "1, or 0:", "FP32", "TF32", "bf16",
       "2-3x faster", "1.3-1.5x faster", "30-50 % less", "20-30 % less", "0.333..0.500", "0.667..0.769", "0.500..0.700",
       "0.700..0.800", "below 5 %", "below 1 px", "below 1 %", "below 1 is", "3-D", "each at 1 %"]
FACTORS = ["precision", "attention", "alloc", "offload"]


def fail(text):
    sys.exit("report_numbers: " + text[:800])


# ---- the database --------------------------------------------------------------------------------------------------

class Run:
    def __init__(self, path, uid):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.run, self.uid = db.execute("SELECT id, uid FROM run WHERE substr(uid, 1, length(?1)) = ?1", (uid,)).fetchone()
        q = lambda text: db.execute(text, (self.run,)).fetchall()
        self.arms = [name for _, name in q("SELECT idx, name FROM arm WHERE run = ? ORDER BY idx")]
        self.levels = {}
        for arm, part, level in q("SELECT a.name, l.part, l.level FROM arm_level l JOIN arm a ON a.run = l.run AND "
                                  "a.idx = l.arm WHERE l.run = ?"):
            self.levels.setdefault(arm, {})[part] = level
        self.facts = {k: v for k, v in q("SELECT key, value FROM fact WHERE run = ?")}
        self.trials = q("SELECT t.id, a.name, t.block, t.kind, t.outcome, t.trace_complete FROM trial t JOIN arm a ON "
                        "a.run = t.run AND a.idx = t.arm JOIN worker w ON w.id = t.worker WHERE t.run = ? AND "
                        "w.purpose <> 'counters' ORDER BY t.id")
        self.samples = {}
        for trial, name, value in q("SELECT s.trial, m.name, s.value FROM sample s JOIN metric m ON m.id = s.metric JOIN "
                                    "trial t ON t.id = s.trial WHERE t.run = ? AND s.value IS NOT NULL"):
            self.samples[trial, name] = float(value)
        self.names = {name for _, name in self.samples}
        self.blocks = {k: sorted({b for _, _, b, kind, _, _ in self.trials if kind == k}) for k in ("timing", "trace")}
        self.at = {(arm, b, kind): t for t, arm, b, kind, outcome, whole in self.trials
                   if outcome == "ok" and (kind == "timing" or whole)}
        self.params = [json.loads(text) for text, in q("SELECT params FROM run_case WHERE run = ?")]
        self.text = "\n".join(str(c) for table in ("run", "run_case", "fact", "arm", "worker", "trial")
                              for row in db.execute(f"SELECT * FROM {table}") for c in row if c is not None)
        self.text += "\n" + "\n".join(escaped(text) for text, in db.execute("SELECT text FROM name"))
        self.db, self.lined_up, self.main = db, {}, None

    def params_of(self):
        text, workload, preset = self.db.execute("SELECT params, workload, preset FROM run_case WHERE run = ?", (self.run,)).fetchone()
        return json.loads(text) | {"workload": workload, "preset": preset}

    def pairs(self, *what):
        return len(pairs(self, *what))

    def lattice(self, *what):
        return lattice(self, *what)

    def ops(self, before, after):
        if (before, after) not in self.lined_up:
            self.lined_up[before, after] = Ops(self.db, self, before, after)
        return self.lined_up[before, after]

    def value(self, metric, arm, block, kind):
        trial = self.at.get((arm, block, kind))
        if trial is None:
            return None
        if (trial, metric) in self.samples:
            return self.samples[trial, metric]
        if metric in self.names or metric not in SUMS:
            return None
        parts = [self.samples.get((trial, m)) for m in SUMS[metric] if m in self.names]
        return sum(parts) if parts and None not in parts else None

    def column(self, metric, arms):
        """Of each arm the values by block, from timing trials, or from those with a tracer where only they have it."""
        for kind in (["trace"] if metric.startswith("op.") else ["timing", "trace"]):
            columns = [{b: v for b in self.blocks[kind] if (v := self.value(metric, a, b, kind)) is not None} for a in arms]
            if any(columns):
                return columns
        return [{} for _ in arms]


# ---- statistics ----------------------------------------------------------------------------------------------------

def interval(values):
    """Median and the interpolated interval of order statistics (Hettmansperger and Sheather 1986)."""
    x, n = sorted(values), len(values)
    middle = statistics.median(x)
    if n < 6:
        return middle, None, None
    covered = lambda r: 1 - 2 * sum(math.comb(n, i) for i in range(r)) / 2 ** n
    r = max(k for k in range(1, n // 2 + 1) if covered(k) >= LEVEL)
    if 2 * (r + 1) > n + 1:
        return middle, x[r - 1], x[n - r]
    part = (covered(r) - LEVEL) / (covered(r) - covered(r + 1))
    weight = (n - r) * part / (r + (n - 2 * r) * part)
    return middle, (1 - weight) * x[r - 1] + weight * x[r], (1 - weight) * x[n - r] + weight * x[n - r - 1]


def pairs(run, metric, before, after):
    a, b = run.column(metric, [before, after])
    return [(a[i], b[i]) for i in sorted(a.keys() & b.keys())]


def effect(run, metric, before, after, what):
    name = what.split(".")[0]
    both = pairs(run, metric, before, after)
    if name == "difference":
        return dict(zip(("", "lo", "hi"), interval([y - x for x, y in both])))
    logs = [math.log(y / x) for x, y in both if x > 0 and y >= 0 and y > 0]
    r = lo = hi = 0.0  # where nothing is left
    if logs:
        r, lo, hi = (None if v is None else math.exp(v) for v in interval(logs))
    turn = {"inverse": lambda v: 1 / v, "less": lambda v: 1 - v, "more": lambda v: v - 1}.get(name)
    if turn:
        ends = sorted(turn(v) for v in (lo, hi) if v is not None)
        return dict(zip(("", "lo", "hi"), [turn(r)] + ends))
    return {"": r, "lo": lo, "hi": hi}


def lattice(run, metric, first, last, what):
    """Factorial contrasts and Shapley shares of each block, then the median over blocks."""
    kind, label = what.split(":", 1)
    label, _, end = label.rpartition(".") if label.endswith((".lo", ".hi")) else (label, "", "")
    part_of = lambda f: [p for p in run.levels[first] if p == f or p.startswith(f + ".")]
    free = [f for f in FACTORS if any(run.levels[first][p] != run.levels[last][p] for p in part_of(f))]
    arm_at = {}
    for on in itertools.product((0, 1), repeat=len(free)):
        levels = dict(run.levels[first])
        for f, o in zip(free, on):
            if o:
                levels.update({p: run.levels[last][p] for p in part_of(f)})
        arm_at[on] = next(a for a in run.arms if run.levels[a] == levels)
    times = metric.endswith("_ns") or metric == "sm_cycles"
    if kind == "share" and label not in free:  # the sum, asked for below
        label, kind = label[1:], "one share"
    columns = dict(zip(arm_at, run.column(metric, list(arm_at.values()))))
    blocks = sorted(set.intersection(*(set(c) for c in columns.values())))
    out = []
    for b in blocks:
        f = {s: math.log(c[b]) if times else c[b] for s, c in columns.items()}
        put = lambda s, i, o: s[:i] + (o,) + s[i + 1:]
        step = lambda i, keep=lambda s: True: statistics.mean(f[put(s, i, 1)] - f[s] for s in f if not s[i] and keep(s))
        whole = f[(1,) * len(free)] - f[(0,) * len(free)]
        if kind == "all together":
            out.append(whole)
        elif kind == "effect":
            out.append(step(free.index(label)))
        elif kind == "interaction":
            i, j = (free.index(x) for x in label.split(" x "))
            out.append(step(i, lambda s: s[j]) - step(i, lambda s: not s[j]))
        elif kind == "effect at a level":
            name, level = label.split(", ")
            other, word = level.split("=")
            j = free.index(other)
            on = any(run.levels[last][p] == word != run.levels[first][p] for p in part_of(other))
            out.append(step(free.index(name), lambda s: bool(s[j]) == on))
        else:  # share
            i, n = free.index(label), len(free)
            weight = lambda s: math.factorial(sum(s)) * math.factorial(n - sum(s) - 1) / math.factorial(n)
            share = sum(weight(s) * (f[put(s, i, 1)] - f[s]) for s in f if not s[i])
            out.append(share / whole if whole else math.nan)
    got = interval(out)
    if kind == "share":  # medians of shares need not sum to 1; they are made to
        total = sum(lattice(run, metric, first, last, "share:=" + f)[0] for f in free)
        got = tuple(None if v is None else v / total for v in got)
    if times and "share" not in kind:
        got = tuple(None if v is None else math.exp(v) for v in got)
    return got[{"": 0, "lo": 1, "hi": 2}[end]], len(blocks)


def verdict(run, claim, before, after):
    metric, lo, hi = CLAIMS[claim]
    e = effect(run, metric, before, after, "ratio")
    if e["lo"] > hi:
        return "not met"
    if e["hi"] < lo:
        return "exceeded"
    if e["lo"] >= lo and e["hi"] <= hi:
        return "met"
    return "met or exceeded" if e["lo"] < lo and e["hi"] <= hi else "inconclusive"


# ---- what a figure should be ---------------------------------------------------------------------------------------

def count(run, metric, arm, what, claims):
    if metric == "blocks":
        return len(run.blocks[what])
    if metric == "arms":
        return len(run.arms)
    if metric == "lattice":
        return max(2 ** n for n in range(4) if 2 ** n <= len(run.arms))
    if metric == "trials.timing":
        return sum(a == arm and kind == "timing" and o == what for _, a, _, kind, o, _ in run.trials)
    if metric == "trials":
        return sum((arm is None or a == arm) and o == what for _, a, _, _, o, _ in run.trials)
    if metric == "switches":
        effects = [v for k, v in run.facts.items() if k.startswith("effect.")]
        return len(effects) if what == "on" else sum(v is not None and v.startswith("in effect") for v in effects)
    if metric == "claims":
        good = ("met", "exceeded", "met or exceeded")
        return {"stated": 7, "tested": len(claims), "hold": sum(v in good for v in claims)}.get(what, claims.count(what))
    return None


def expected(run, d, claims):
    metric, arm, after, what = d["metric"], d.get("arm"), d.get("after"), d["what"]
    if metric == "ops":
        return run.ops(arm or run.main[0], after or run.main[1]).expected(what, interval)
    n = count(run, metric, arm, what, claims)
    if n is not None:
        return n
    if metric.startswith("claim."):
        metric = CLAIMS[metric[len("claim."):]][0]
    if " of " in what:
        way, _, of = what.partition(" of ")
        of, _, end = of.partition(".") if of.endswith((".lo", ".hi")) else (of, "", "")
        other = {"": "", "lo": ".hi", "hi": ".lo"}[end] if way != "more" else end and "." + end
        ratio = lattice(run, metric, arm, after, of + other)[0]
        return {"inverse": 1 / ratio, "less": 1 - ratio, "more": ratio - 1}[way]
    if ":" in what:
        return lattice(run, metric, arm, after, what)[0]
    if what == "pairs":
        combined = len(run.arms) > 2 and d["block"]
        return lattice(run, metric, arm, after, "all together:x")[1] if combined else len(pairs(run, metric, arm, after))
    if what == "ulp":
        return float(run.facts["ulp." + metric.split(".", 1)[1]])
    if what == "drift":  # Sen's slope over the arm's trials
        x = list(run.column(metric, [arm])[0].values())
        return statistics.median((v - u) / (j - i) for (i, u), (j, v) in itertools.combinations(enumerate(x), 2)) * \
            (len(x) - 1) / statistics.median(x)
    if what == "median":
        return statistics.median(run.column(metric, [arm])[0].values())
    name, _, end = what.partition(".")
    if name == "value":
        return dict(zip(("", "lo", "hi"), interval(list(run.column(metric, [arm])[0].values()))))[end]
    return effect(run, metric, arm, after, name)[end]


UNITS = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1, "TiB": 2 ** 40, "GiB": 2 ** 30, "MiB": 2 ** 20, "KiB": 2 ** 10, "B": 1,
         "%": 0.01, "pp": 0.01, "px": 1, "deg": 1, "M": 1e6}


def is_rounded(shown, value):
    """Is this the number, rounded to the digits that are shown?"""
    match = re.fullmatch(r"([-+]?\d+(?:\.(\d+))?)(?:e([-+]\d+))? ?(\S*)", shown)
    if not match or (match[4] and match[4] not in UNITS):
        return False
    number, step = float(match[1] + ("e" + match[3] if match[3] else "")), 10.0 ** (int(match[3] or 0) - len(match[2] or ""))
    scales = [UNITS[match[4]]] if match[4] else set(UNITS.values())  # the ends of an interval leave the unit out
    return any(abs(number * s - value) <= 0.5000001 * step * s for s in scales)


# ---- the page --------------------------------------------------------------------------------------------------------

class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.figures, self.stored, self.own = [], [], []
        self.stack, self.data, self.missing, self.row = [], None, False, []
        self.captions = {}

    def handle_starttag(self, tag, attributes):
        if tag in ("meta", "link"):
            return
        self.stack.append(tag)
        if tag == "tr":
            self.row = []
        if tag == "figure":
            self.figure = dict(attributes)["id"].removeprefix("plot-")
        self.missing |= ("id", "missing") in attributes  # reasons from elsewhere: the last part of the page
        if tag == "data":
            self.data = {k.removeprefix("data-"): v for k, v in attributes} | {"text": "", "row": list(self.row)}
            self.own.append(" ")

    def handle_endtag(self, tag):
        self.stack.pop()
        if tag == "data":
            self.figures.append(self.data)
            self.data = None
        elif tag not in ("strong", "a", "span", "bdi", "code"):
            self.own.append("\n")

    def handle_data(self, text):
        if self.data is not None:
            self.data["text"] += text
        elif "figcaption" in self.stack and "bdi" in self.stack:
            self.captions[self.figure] = self.captions.get(self.figure, "") + text
        elif self.missing or "style" in self.stack or "svg" in self.stack or "figcaption" in self.stack or "title" in self.stack:
            pass
        elif "bdi" in self.stack or "code" in self.stack:
            self.stored.append(text)
            self.row.append(text)
        else:
            self.own.append(text)
            for figure in self.figures[-1:]:
                figure.setdefault("follows", text)


def check_figures(run, page):
    claims = {(f["metric"][6:], f["arm"], f["after"]) for f in page.figures
              if f["metric"].startswith("claim.") and f["what"] == "ratio"}
    verdicts = [verdict(run, *c) for c in sorted(claims)]
    shown = [f for f in page.figures if f["metric"] == "ops" and "arm" in f]
    two = (shown or [f for f in page.figures if f["what"] == "ratio" and "after" in f])[:1]
    run.main = (two[0]["arm"], two[0]["after"]) if two else None
    rows = {re.sub(r"^[a-z ]*:|\.(lo|hi)$", "", f["what"]): f["row"][:2] for f in shown}
    if shown and list(rows.items()) != run.ops(*run.main).shown():
        fail(f"the calls of ops that take most time are {run.ops(*run.main).shown()}, not {list(rows.items())}")
    for f in page.figures:
        f["block"] = f.get("follows", "").startswith(" block") or f["metric"].startswith("lattice")
        try:
            want = expected(run, f, verdicts)
        except (KeyError, StopIteration, ValueError, TypeError, statistics.StatisticsError) as e:
            fail(f"{f}: cannot be computed: {e!r}")
        value = float(f["value"])
        f["number"] = int(value) if f["what"] == "pairs" else value
        if want is None or abs(value - want) > 1e-9 * max(abs(want), 1e-6):
            fail(f"{f['text']!r} is {value!r}; from the database it is {want!r}: {f}")
        if not is_rounded(f["text"], value):
            fail(f"{f['text']!r} is not {value!r}: {f}")


def made_texts(run):
    """Texts that are put together of stored ones."""
    stamps = re.findall(r"\b1[67]\d{17}\b", run.text)
    sizes = [f"{p['width']}x{p['height']}" for p in run.params if "width" in p]
    return sizes + [datetime.fromtimestamp(int(s) // 10 ** 9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") for s in stamps]


def check_texts(run, page, said):
    known = run.text + "\n" + "\n".join(made_texts(run)) + "\n" + said
    for text in page.stored:
        if re.search(r"\d", text) and text not in known and text.replace(", ", ",") not in known and \
                not text.startswith("spabench report "):
            if not (text.endswith("..") and text[:-2] in known) and \
                    not all(word.strip("(),;") in known for word in text.split()):
                fail(f"not in the database: {text!r}")
    own = "".join(page.own)
    for words in OWN:
        own = own.replace(words, "")
    if match := re.search(r".{0,60}\d.{0,60}", own):
        fail(f"a number that stands for nothing: {match[0]!r}")


def unescaped(markdown):
    return re.sub(r"\\(.)", r"\1", re.sub("<!-- -->", "", markdown)).replace("&lt;", "<").replace("&amp;", "&")


def main():
    page, text = Page(), open(sys.argv[2], encoding="utf-8").read()
    page.feed(text)
    run = Run(sys.argv[1], re.search(r"<code>([0-9a-f]{32})</code>", text)[1])  # that the page says it is of
    said = unescaped(open(sys.argv[3], encoding="utf-8").read()) if len(sys.argv) > 3 else ""
    if len(page.figures) < (int(sys.argv[4]) if len(sys.argv) > 4 else 20):
        fail(f"only {len(page.figures)} figures")
    check_figures(run, page)
    check_texts(run, page, said)
    try:
        report_captions.check(run, lambda uid: Run(sys.argv[1], uid), page)
    except (ValueError, KeyError, TypeError, StopIteration) as e:
        fail(f"{e}" if isinstance(e, ValueError) else f"{e!r}")
    print(f"{len(page.figures)} figures{f' and {len(page.captions)} captions' if page.captions else ''} are those of the database")


main()
