"""Captions of a report's figures: their numbers, runs and devices, computed again from the database."""
import json
import re
import statistics
from datetime import datetime, timezone

from report_ops import escaped

# Numbers in the captions' own words.
OWN = ["95 %", "1 - peak", "128 MiB", "FP32", "TF32"]


def fail(text):
    raise ValueError(text)


def kernels(run, arm):
    """{(stage, op, kind, name): [median ns, launches, bytes]} over an arm's complete traces."""
    trials = [t for (a, _, kind), t in run.at.items() if a == arm and kind == "trace"]
    out = {}
    for i, trial in enumerate(trials):
        for stage, op, kind, name, count, ns, size in run.db.execute(
                "SELECT coalesce(s.text, ''), coalesce(o.text, ''), coalesce(k.text, ''), n.text, count, dur_ns, bytes FROM rollup r "
                "LEFT JOIN name s ON s.id = stage LEFT JOIN name o ON o.id = op LEFT JOIN name k ON k.id = kind JOIN name n ON "
                "n.id = r.name WHERE trial = ?", (trial,)):
            if kind != "api" and ns > 0:
                entry = out.setdefault((stage, op, kind, name), [[0] * len(trials), count, size])
                entry[0][i] += ns
    return {key: [statistics.median(ns), count, size] for key, (ns, count, size) in out.items()}, len(trials)


def counter(run, arm, metric):
    row = run.db.execute("SELECT s.value FROM sample s JOIN metric m ON m.id = s.metric JOIN trial t ON t.id = s.trial JOIN worker w "
                         "ON w.id = t.worker JOIN arm a ON a.run = t.run AND a.idx = t.arm WHERE t.run = ? AND a.name = ? AND "
                         "m.name = ? AND w.purpose = 'counters' AND s.value IS NOT NULL ORDER BY t.id", (run.run, arm, metric)).fetchone()
    return float(row[0]) if row else 0


def largest_rates(run):
    """The largest FLOP/s and byte/s of the run, and what had them."""
    flop, size = (0, ""), (0, "")
    for arm in run.arms:
        known, _ = kernels(run, arm)
        if not known:
            continue
        for kind in ("gemm", "conv", "attention"):
            times = run.column(f"op.{kind}_ns", [arm])[0].values()
            work = counter(run, arm, f"counter.{kind}.flop")
            if times and work and sum(v[2] for k, v in known.items() if k[2] == kind):
                flop = max(flop, (work / statistics.median(times) * 1e9, f"{kind} of {arm}"))
        work = counter(run, arm, "counter.all.flop")
        if work and counter(run, arm, "counter.all.dram_read_bytes") + counter(run, arm, "counter.all.dram_write_bytes"):
            flop = max(flop, (work / sum(v[0] for v in known.values()) * 1e9, f"whole pass of {arm}"))
        for stage, op in {k[:2] for k in known}:
            some = {k: v for k, v in known.items() if k[:2] == (stage, op)}
            kind = max(some, key=lambda k: some[k][0])[2]
            ns, launches, moved = (sum(v[i] for v in some.values()) for i in range(3))
            if kind not in ("gemm", "conv", "attention") and op not in ("", "upload", "download") and moved >= 2 ** 27 * launches:
                size = max(size, (moved / ns * 1e9, f"{op} in {stage}"))
    return flop, size


def measured_ceiling(run, uid, what):
    facts = dict(run.db.execute("SELECT key, value FROM fact WHERE run = (SELECT id FROM run WHERE substr(uid, 1, 12) = ?)", (uid,)))
    rates = [float(facts[f"ceiling.{what}.work"]) / float(ns) * 1e9 for ns in facts[f"ceiling.{what}.samples_ns"].split()]
    return [facts[f"ceiling.{what}.shape"], max(rates) / 1e12, len(rates), statistics.median(rates) / 1e12]


def differences(run, uid):
    """What the run of the ceilings knows and this one knows differently, in words."""
    card = "SELECT device_uuid FROM worker WHERE run = ? ORDER BY id LIMIT 1"
    fact = "SELECT value FROM fact WHERE run = ? AND key = '{}'"
    there = run.db.execute("SELECT id FROM run WHERE substr(uid, 1, 12) = ?", (uid,)).fetchone()[0]
    out = []
    for words, sql in (("card", card), ("software", fact.format("software")), ("power limit in W", fact.format("gpu.power_limit_w")),
                       ("application clock in MHz", fact.format("gpu.application_clock_mhz"))):
        a, b = ((run.db.execute(sql, (r,)).fetchone() or (None,))[0] for r in (there, run.run))
        out += [f"{words} '{a}' there, '{b}' here"] if a and b and a != b else []
    return "; ".join(out)


def like(run, arm, *switches):
    """The arm that is `arm` with these switches on; None: there is none."""
    on = {"precision.gemm": "tf32", "precision.conv": "tf32", "attention": "efficient", "alloc": "expandable"}
    want = dict(run.levels[arm]) | {k: v for k, v in on.items() if k.split(".")[0] in switches}
    return next((a for a in run.arms if run.levels[a] == want), None)


def claim_pairs(run):
    """Of each claim that has a figure, over how many pairs (or values) it is."""
    plain = {"precision.gemm": "fp32", "precision.conv": "fp32", "precision.attention": "fp32", "attention": "standard", "alloc": "default"}
    before = next((a for a in run.arms if all(run.levels[a].get(k, v) == v for k, v in plain.items()) and
                   run.levels[a].get("offload", "off") == "off"), None)
    all_three, out = ("precision", "attention", "alloc"), []
    if before:
        for metric, on in (("op.gemm_ns+op.conv_ns", ["precision"]), ("op.attention_ns", ["attention"]),
                           ("memory.attention_bytes", ["attention"]), ("wall_ns", all_three)):
            if after := like(run, before, *on):
                out.append(run.pairs(metric, before, after))
        if after := like(run, before, *all_three):
            quality = sorted(m for m in run.names if re.fullmatch(r"quality\.track.*_px_median", m)) + ["quality.depth_rel_median"]
            out += [len(run.column(m, [after])[0]) for m in quality]
    alloc = [like(run, a, "alloc") for a in ([before] if before and like(run, before, "alloc") else run.arms if
                                             run.params_of()["workload"] == "churn" else [])]
    out += [len(run.column("memory.fragmentation", [a])[0]) for a in alloc if a][:1]
    return [n for n in out if n]


def limit_of(run, r):
    return json.loads(run.db.execute("SELECT plan FROM run WHERE id = ?", (r,)).fetchone()[0]).get("memory_limit") or 0


def like_runs(run, with_limit):
    """Runs of the same case and device, whatever their frames; of other limits of memory where with_limit says so."""
    always, timed = ("width", "height", "queries", "support"), ("iterations", "stride", "window", "cameras")
    about = {r: (json.loads(p), w, preset) for r, p, w, preset in run.db.execute("SELECT run, params, workload, preset FROM run_case")}
    fact = lambda r, key: (run.db.execute("SELECT value FROM fact WHERE run = ? AND key = ?", (r, key)).fetchone() or (None,))[0]
    limit = lambda r: limit_of(run, r)
    own, out = about[run.run], []
    for r, (params, workload, preset) in about.items():
        found = fact(r, "capacity.by") is not None
        same = all(params.get(k) == own[0].get(k) for k in always + (() if found else timed))
        if same and (workload, preset) == own[1:] and fact(r, "device.name") == fact(run.run, "device.name") and \
                fact(run.run, "sweep") in (None, fact(r, "sweep")) and (with_limit or limit(r) == limit(run.run)):
            out.append((r, params["frames"], limit(r)))
    return out


def runs_with_a_limit(run):
    """How many were given a limit or looked for the largest clip; those that had the whole GPU only if one failed for it."""
    one = lambda text, r: run.db.execute(text, (r,)).fetchone() is not None
    like = [r[0] for r in like_runs(run, True) if r[2] or run.facts.get("device.kind") != "cpu"]
    plain = [r for r in like if not limit_of(run, r) and not one("SELECT 1 FROM fact WHERE run = ? AND key = 'capacity.by'", r)]
    failed = any(one("SELECT 1 FROM trial WHERE run = ? AND outcome = 'oom'", r) for r in plain)
    return len(like) - (0 if failed else len(plain))


def most_trials(run, arms, kind="timing"):
    return max(sum(a == arm and k == kind for a, _, k in run.at) for arm in arms)


def numbers(run, name, text, page):
    """[(pattern, the values that its groups must have)]: each pattern must be there."""
    pair = run.main or (run.arms[0],)
    n, own = lambda arms: most_trials(run, arms), []
    timing = lambda arms: [(r"[Mm]edians of at most (\d+) timing trials?\b", [n(arms)])]
    intervals = lambda count: [("with 95 % intervals" if count >= 6 else "without intervals, which need six", [])]
    if name in ("arms", "time-memory"):
        own = timing(run.arms) + intervals(n(run.arms))
    elif name == "stages":
        own = timing(pair) + intervals(n(pair))
    elif name == "fragmentation":
        own = timing(run.arms)
    elif name == "trials":
        drawn = [t for _, t in run.at.items() if _[2] == "timing"]
        failed = sum(kind == "timing" and o != "ok" for _, _, _, kind, o, _ in run.trials)
        slow = sum(run.samples.get((t, "device.throttled"), 0) > 0 for t, _, _, kind, _, _ in run.trials if kind == "timing")
        own = [(r"is a timing trial, (\d+) from", [len(drawn)])] + [(p, [c]) for p, c in ((r" (\d+) failed and", failed), (
            r" (\d+) ran while the card was throttled", slow)) if c]
    elif name == "effects":
        f = next(f for f in page.figures if f["what"].startswith("effect:") and f["metric"] == "wall_ns")
        blocks = run.lattice("wall_ns", f["arm"], f["after"], "all together:x")[1]
        own = [(r"Medians over (\d+) whole blocks?\b", [blocks])] + intervals(blocks)
    elif name == "kernels" and "groups of calls" in text:
        ops = run.ops(*run.main)
        own = [(r"The (\d+) of (\d+) groups of calls", [min(12, len(ops.rows)), len(ops.rows)]),
               (r"the sums over (\d+) trace trials?\b", [ops.trials])] + intervals(ops.trials)
    elif name == "kernels":
        known, trials = next(k for k in (kernels(run, arm) for arm in run.arms) if k[0])
        own = [(r"The (\d+) kernels of (\d+) that", [min(12, len(known)), len(known)]),
               (r"the sums over (\d+) trace trials?\b", [trials])] + intervals(trials)
    elif name == "memory":
        arms = {a for a, in run.db.execute("SELECT DISTINCT a.name FROM memory_timeline m JOIN trial t ON t.id = m.trial JOIN arm a ON "
                                           "a.run = t.run AND a.idx = t.arm WHERE t.run = ?", (run.run,))}
        own = [(r": (\d+) traced pass", [min(2, len(arms))])]
    elif name == "claims":
        counts = claim_pairs(run)
        own = [(r"the estimate over (?:(\d+) to )?(\d+) pairs?\b", [min(counts) if min(counts) < max(counts) else None, max(counts)])]
    elif name == "roofline" and "largest rates measured in this run" in text:
        flop, size = largest_rates(run)
        own = [(r"not the device's: ([\d.]+) TFLOP/s \(([^)]*)\)", [round(flop[0] / 1e12, 1), flop[1]]),
               (r", ([\d.]+) TB/s \(([^,]*), of ops", [round(size[0] / 1e12, 2), size[1]])]
    elif name == "roofline":
        uid = re.search(r"; run ([0-9a-f]{12}) of \S+Z", text)[1]
        created, = run.db.execute("SELECT created_ns FROM run WHERE substr(uid, 1, 12) = ? AND id IN (SELECT run FROM run_case WHERE "
                                  "workload = 'micro')", (uid,)).fetchone()
        own = [(r"; run ([0-9a-f]{12}) of (\S+Z)", [uid, datetime.fromtimestamp(created // 10 ** 9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")])]
        for what, words in (("copy", "a copy"), ("fp32", "an FP32 product"), ("tf32", "a TF32 product")):
            own.append((words + r" of (.*?) ([\d.]+) T(?:B|FLOP)/s \(best of n = (\d+), median ([\d.]+)\)", measured_ceiling(run, uid, what)))
        if differs := differences(run, uid):
            own.append((re.escape(f", not the same ({differs})"), []))
    elif name == "sweep":
        own = [(r"^[^.]* database that is part of a sweep over frames\. (\d+) iterations? of the tracker\.",
                [run.params_of()["iterations"]])] if " iteration" in text else []
        own += [(r"(\d+) runs of this case", [len({t for _, t, _ in like_runs(run, False)})])]
    elif name == "capacity":
        own = [(r"From (\d+) runs of this case", [runs_with_a_limit(run)])]
    return own


def same(got, want):
    if isinstance(want, float):
        digits = len(got.partition(".")[2])
        return abs(float(got) - want) <= 0.51 * 10.0 ** -digits
    return got == (None if want is None else str(want))


def who(run, database):
    """How the caption of a plot of this run ends, and how it begins where the report is another run's."""
    params = run.params_of()
    frames = f", {params['frames']} frames of {params['width']}x{params['height']}"
    device, case = escaped(run.facts["device.name"]), f"{params['workload']} {params['preset']}"
    return f" {device}, run {run.uid[:12]}, {case}{frames}.", f"Of run {run.uid[:12]} ({case}{frames}), the newest", f" {device}."


def check(run, others, page):
    """others: the database's other runs by the first digits of their id."""
    for name, text in page.captions.items():
        tail, _, _ = who(run, None)
        of = run
        emulated = " Some levels are emulated on this device: times of their arms prove nothing."
        if run.facts.get("emulated") and emulated in text:
            text = text.replace(emulated, "")
        if match := re.match(r"Of run ([0-9a-f]{12}) ", text):
            of = others(match[1])
            _, head, tail = who(of, None)
            if of.facts["device.name"] != run.facts["device.name"] or not text.startswith(head):
                fail(f"caption of {name}: not {head!r}: {text!r}")
            text = text[len(head):]
        if not text.endswith(tail):
            fail(f"caption of {name} does not end as {tail!r}: {text!r}")
        text = text[:-len(tail)]
        spans = []
        for pattern, want in numbers(of, name, text, page):
            match = re.search(pattern, text)
            got = list(match.groups()) if match else None
            if got is None or not all(same(g, w) for g, w in zip(got, want)):
                fail(f"caption of {name}: {pattern!r} is {got}, from the database {want}: {text!r}")
            spans.append(match.span())
        for begin, end in sorted(spans, reverse=True):
            text = text[:begin] + "|" + text[end:]
        for words in OWN:
            text = text.replace(words, "")
        if match := re.search(r".{0,40}\d.{0,40}", text):
            fail(f"caption of {name}: a number that stands for nothing: {match[0]!r}")
