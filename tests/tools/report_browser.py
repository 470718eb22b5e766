#!/usr/bin/env python3
"""A report in a real browser: report_browser.py INDEX.html [SCREENSHOTS]

Opens the page in headless Chromium, 400 and 1600 pixels wide, light and dark, and prints what is wrong: messages on the
console, requests of any kind beside the page itself, a page that scrolls sideways, text too small or too near to its
ground in colour (WCAG 2.1, 1.4.3). With a folder named, pictures of the first screen and of the whole page are put into
it. Exit code 77: there is no browser here.
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

WIDTHS, SCHEMES, HEIGHT = (400, 1600), ("light", "dark"), 1000

# Of all text that is seen: the least contrast, the smallest size, with the words in question.
LOOK = """(() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const over = (a, b) => a.slice(0, 3).map((v, i) => v * a[3] + b[i] * (1 - a[3])).concat(1);
  const linear = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = c => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const page = parse(getComputedStyle(document.body).backgroundColor);
  const ground = e => { const all = []; for (; e; e = e.parentElement) all.push(parse(getComputedStyle(e).backgroundColor));
    return all.reverse().reduce((below, c) => over(c, below), page); };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let contrast = [99, ''], size = [99, ''], drawn_size = [99, ''], n = 0;
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), e = walker.currentNode.parentElement;
    if (!text || !e.getClientRects().length || e.closest('title,desc,style')) continue;
    const s = getComputedStyle(e), drawn = e instanceof SVGElement, g = ground(e);
    const c = over(parse(drawn ? s.fill : s.color), g), a = light(c), b = light(g);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const scale = drawn && e.getScreenCTM ? Math.hypot(e.getScreenCTM().a, e.getScreenCTM().b) : 1;
    const px = parseFloat(s.fontSize) * scale;
    n++;
    if (ratio < contrast[0]) contrast = [ratio, text.slice(0, 40)];
    if (!drawn && px < size[0]) size = [px, text.slice(0, 40)];
    if (drawn && px < drawn_size[0]) drawn_size = [px, text.slice(0, 40)];
  }
  return { contrast, size, drawn_size, n, wide: document.documentElement.scrollWidth, inner: innerWidth,
    tall: document.documentElement.scrollHeight, plots: document.querySelectorAll('figure svg').length };
})()"""


class Browser:
    """The DevTools protocol over two pipes."""

    def __init__(self, program, profile):
        to_read, self.write_fd = os.pipe()
        self.read_fd, to_write = os.pipe()

        def wire():  # the browser reads descriptor 3 and writes descriptor 4
            a, b = os.dup(to_read), os.dup(to_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        options = ["--headless", "--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")
        self.process = subprocess.Popen([program, *options, "about:blank"], preexec_fn=wire, close_fds=False,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.rest, self.number, self.events, self.session = b"", 0, [], None

    def receive(self):
        while b"\0" not in self.rest:
            data = os.read(self.read_fd, 1 << 16)
            if not data:
                sys.exit("report_browser: the browser ended")
            self.rest += data
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_fd, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"report_browser: {method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self.receive())

    def open_tab(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")

    def end(self):
        self.process.kill()
        self.process.wait()


def complaints(browser, page):
    for event in browser.events:
        method, p = event.get("method", ""), event.get("params", {})
        if method == "Log.entryAdded":
            yield "console: " + p["entry"]["text"]
        elif method == "Runtime.consoleAPICalled":
            yield "console: " + json.dumps(p["args"])[:200]
        elif method == "Runtime.exceptionThrown":
            yield "exception: " + p["exceptionDetails"]["text"]
        elif method == "Network.requestWillBeSent" and p["request"]["url"] != page and \
                not p["request"]["url"].startswith("data:"):
            yield "request: " + p["request"]["url"]


def look(browser, page, width, scheme, folder):
    browser.events = []
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=False)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.call("Page.navigate", url=page)
    browser.wait("Page.loadEventFired")
    seen = browser.call("Runtime.evaluate", expression=LOOK, returnByValue=True)
    if "exceptionDetails" in seen:
        sys.exit("report_browser: " + seen["exceptionDetails"]["exception"]["description"])
    seen = seen["result"]["value"]
    wrong = list(complaints(browser, page))
    if seen["wide"] > seen["inner"]:
        wrong.append(f"the page scrolls sideways: {seen['wide']} of {seen['inner']} pixels")
    if seen["contrast"][0] < 4.5:
        wrong.append("contrast %.2f: '%s'" % tuple(seen["contrast"]))
    if seen["size"][0] < 11:
        wrong.append("text of %.1f pixels: '%s'" % tuple(seen["size"]))
    if seen["drawn_size"][0] < 8.5:
        wrong.append("text of %.1f pixels in a plot: '%s'" % tuple(seen["drawn_size"]))
    if seen["n"] < 50:
        wrong.append(f"only {seen['n']} texts")
    if folder:
        for name, tall in (("first", HEIGHT), ("whole", min(seen["tall"], 16000))):
            clip = {"x": 0, "y": 0, "width": width, "height": tall, "scale": 1}
            shot = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
            (folder / f"{name}-{width}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
    return seen, wrong


def main():
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not program:
        print("skipped: no chromium or google-chrome is here")
        sys.exit(77)
    page = pathlib.Path(sys.argv[1]).resolve().as_uri()
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    failed = False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            browser.open_tab()
            for width in WIDTHS:
                for scheme in SCHEMES:
                    seen, wrong = look(browser, page, width, scheme, folder)
                    failed |= bool(wrong)
                    print(f"{width} pixels, {scheme}: least contrast {seen['contrast'][0]:.2f}, smallest text "
                          f"{seen['size'][0]:.1f} pixels, {seen['plots']} plots")
                    for line in dict.fromkeys(wrong):
                        print("  wrong: " + line)
        finally:
            browser.end()
    sys.exit(1 if failed else 0)


main()
