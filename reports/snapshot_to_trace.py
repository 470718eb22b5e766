#!/usr/bin/env python3
"""Turn a snapshot of PyTorch's CUDA allocator into a trace for `spabench replay`.

    snapshot_to_trace.py SNAPSHOT [OUT] [--device N] [--events N] [--limit BYTES] [--device-bytes BYTES]
                         [--conf STRING] [--no-times]

SNAPSHOT is what torch.cuda.memory._dump_snapshot() wrote (a pickle, also gzipped). Its history has to be on from the
first allocation, or the trace is marked `partial`:

    torch.cuda.memory._record_memory_history(context=None, max_entries=10000000)

OUT is a text file, gzipped when its name ends in .gz; without it the text goes to stdout. Format: docs/traces.md.
Python's standard library is enough; nothing of the pickle is run, because it may hold plain data only.
"""
import argparse
import gzip
import io
import os
import pickle
import re
import sys
import tempfile

LETTERS = {
    "alloc": "a",
    "free_requested": "l",
    "free_completed": "c",
    "segment_alloc": "S",
    "segment_free": "F",
    "segment_map": "M",
    "segment_unmap": "U",
    "oom": "o",
}
WITH_SIZE = "aoSFMU"
FAMILIES = ("allocated_bytes", "requested_bytes", "active_bytes", "reserved_bytes", "inactive_split_bytes",
            "allocation", "active", "segment", "inactive_split")
COUNTS = ("num_alloc_retries", "num_ooms", "num_sync_all_streams", "num_device_alloc", "num_device_free")


class PlainUnpickler(pickle.Unpickler):
    """Snapshots are dicts, lists, strings and numbers; whatever else a pickle asks for is refused."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError("it asks for %s.%s, which no snapshot needs" % (module, name))


def load(path):
    with open(path, "rb") as f:
        data = f.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return PlainUnpickler(io.BytesIO(data)).load()


def events_of(snapshot, device):
    """The history of one device, as (letter, entry)."""
    traces = snapshot["device_traces"]
    if device is None:
        used = [i for i, t in enumerate(traces) if t]
        if len(used) != 1:
            raise ValueError("it has the history of %d devices; choose one with --device" % len(used))
        device = used[0]
    return device, [(LETTERS[e["action"]], e) for e in traces[device] if e["action"] in LETTERS]


def fold_frees(events):
    """A free that completes at once is one line, 'f'."""
    out, i = [], 0
    while i < len(events):
        letter, e = events[i]
        after = events[i + 1] if i + 1 < len(events) else None
        if letter == "l" and after and after[0] == "c" and after[1]["addr"] == e["addr"]:
            out.append(("f", e))
            i += 2
        else:
            out.append((letter, e))
            i += 1
    return out


def stream_numbers(events):
    """Streams are addresses of the driver's; their order counts (the cache is released by it), their values do not."""
    streams = sorted({e["stream"] for _, e in events} | {0})
    return {s: i for i, s in enumerate(streams)}


def earlier_blocks(snapshot, device, events):
    """Blocks that lived before the history began: those that end, or are there at the end, without a beginning."""
    live, early = set(), {}
    for letter, e in events:
        if letter == "a":
            live.add(e["addr"])
        elif letter in "fl":
            if e["addr"] not in live:
                early[e["addr"]] = (e["size"], e["stream"])
            live.discard(e["addr"])
    for s in snapshot["segments"]:
        if s["device"] != device:
            continue
        for b in s["blocks"]:
            if b["state"] == "active_allocated" and b["address"] not in live:
                early[b["address"]] = (b["requested_size"], s["stream"])
    return early


def with_emptied_cache(events, stats):
    """Where the driver never refused, whatever was given back was given back on the program's demand."""
    if not stats or stats.get("num_alloc_retries") or stats.get("num_ooms") or collects(stats):
        return events
    out, released = [], False
    for letter, e in events:
        if letter in "FU" and not released:
            out.append(("e", e))
        if letter in "FU":
            released = True
        elif letter != "c":
            released = False
        out.append((letter, e))
    return out


def collects(stats):
    return stats.get("_collects", False)


def expectations(stats):
    names = [f + "." + p + "." + k for f in FAMILIES for p in ("all", "large_pool", "small_pool")
             for k in ("current", "peak", "allocated", "freed")]
    for name in names + list(COUNTS):
        if name == "num_sync_all_streams" and stats.get(name) != stats.get("num_alloc_retries"):
            continue  # the program emptied the cache: when there was nothing to give back, the history does not show it
        if name in stats:
            yield name, stats[name]


def settings_string(snapshot):
    settings = snapshot.get("allocator_settings", {})
    for key in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
        if settings.get(key):
            return settings[key]
    return ""


def check_pools(snapshot, device):
    """Segments of a private pool (of a CUDA graph, say) serve that pool alone, which no trace can tell."""
    for s in snapshot["segments"]:
        if s["device"] == device and tuple(s.get("segment_pool_id", (0, 0))) != (0, 0):
            raise ValueError("segment %x is of the private pool %s, and replay knows none; record the program without "
                             "CUDA graphs and memory pools" % (s["address"], tuple(s["segment_pool_id"])))


def convert(snapshot, args, name):
    extra = snapshot.get("extra", {})
    conf = args.conf if args.conf is not None else settings_string(snapshot)
    device, events = events_of(snapshot, args.device)
    check_pools(snapshot, device)
    whole = args.events is None or args.events >= len(events)
    if not whole:
        events = events[:args.events]
    stats = dict(extra.get("memory_stats", {})) if whole else {}
    if "garbage_collection_threshold" in conf:
        stats["_collects"] = True
    folded = fold_frees(events)
    numbers = stream_numbers(folded)
    early = earlier_blocks(snapshot, device, folded) if whole else {}
    lines = head(name, conf, args, extra, early, stats)
    n = 0
    for addr, (size, stream) in sorted(early.items()):
        lines.append("a 0 %x %d%s" % (addr, size, suffix(numbers.get(stream, 0))))
        n += 1
    first = folded[0][1]["time_us"] if folded else 0
    last = 0
    for letter, e in with_emptied_cache(folded, stats):
        if not args.no_times:
            last = max(last, e["time_us"] - first)  # the clock of the history is not quite steady
        parts = [letter, str(last)]
        if letter not in "oe":
            parts.append("%x" % e["addr"])
        if letter in WITH_SIZE:
            parts.append("%d%s" % (e["size"], suffix(numbers[e["stream"]])))
        lines.append(" ".join(parts))
        n += 1
    lines.append("end %d" % n)
    return "\n".join(lines) + "\n", n


def suffix(stream):
    return " %d" % stream if stream else ""


def head(name, conf, args, extra, early, stats):
    source = "PyTorch snapshot %s" % name
    if "torch" in extra:
        source += ", torch %s" % extra["torch"]
    if "device" in extra:
        source += ", %s" % extra["device"]
    lines = ["spabench-trace 1", "source " + re.sub(r"[^ -~]", "?", source)[:180]]
    lines.append("policy " + ("expandable" if re.search(r"expandable_segments\s*:\s*True", conf) else "default"))
    if conf:
        lines.append("conf " + " ".join(conf.split()))
    total = args.device_bytes or extra.get("total_memory")
    if total:
        lines.append("device_bytes %d" % total)
    limit = args.limit or int(extra.get("fraction", 0) * (extra.get("properties_total") or total or 0))
    if limit:
        lines.append("limit_bytes %d" % limit)
    if early:
        lines.append("partial")
    else:
        lines += ["expect %s %d" % pair for pair in expectations(stats)]
    return lines + ["begin"]


def write_file(path, data):
    """All of it or nothing: what was at the path stays until the new text is whole. Devices and pipes as they are."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as f:
            f.write(data)
        return
    path = os.path.realpath(path)
    fd, part = tempfile.mkstemp(prefix=".snapshot_to_trace.", dir=os.path.dirname(path))
    try:
        with os.fdopen(fd, "wb") as f:
            f.write(data)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(part, 0o666 & ~mask)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def write_stdout(text):
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python tries again at its end, and says so
        raise


def write(path, text):
    if not path:
        write_stdout(text)
    elif path.endswith(".gz"):
        # without a date, so that the same snapshot gives the same bytes
        write_file(path, gzip.compress(text.encode(), 9, mtime=0))
    else:
        write_file(path, text.encode())


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("snapshot")
    p.add_argument("out", nargs="?")
    p.add_argument("--device", type=int, help="whose history [the only one there is]")
    p.add_argument("--events", type=int, help="only the first N entries of the history")
    p.add_argument("--limit", type=int, help="bytes that set_per_process_memory_fraction() allowed [no limit]")
    p.add_argument("--device-bytes", type=int, help="memory of the device [not known]")
    p.add_argument("--conf", help="the settings string [the one in the snapshot]")
    p.add_argument("--no-times", action="store_true", help="all times 0, which compresses to less than half")
    args = p.parse_args()
    try:
        text, n = convert(load(args.snapshot), args, args.snapshot.rsplit("/", 1)[-1])
    except (OSError, EOFError, KeyError, ValueError, TypeError, AttributeError, IndexError,
            pickle.UnpicklingError) as e:
        sys.exit("snapshot_to_trace.py: cannot convert '%s': %s: %s" % (args.snapshot, type(e).__name__, e))
    try:
        write(args.out, text)
    except OSError as e:
        sys.exit("snapshot_to_trace.py: cannot write '%s': %s" % (args.out or "standard output", e.strerror or e))
    if args.out:
        print("%s: %d events" % (args.out, n), file=sys.stderr)


if __name__ == "__main__":
    main()
