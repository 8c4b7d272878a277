# SPDX-License-Identifier: BSD-2-Clause
"""Test results as lines: `ok 1 - what`, `not ok 2 - what`, `ok 3 - what # SKIP why`, then `1..N`.

Exit code: 0 all ok, 1 something failed, 77 everything skipped.
"""
import os
import sys
import time
import traceback


class Skip(Exception):
    """Raised anywhere in a test program: this machine lacks what the rest needs."""


class Tap:
    def __init__(self):
        self.n = self.failed = self.skipped = 0
        self.begin = time.monotonic()

    def _line(self, good, what, note=""):
        self.n += 1
        stamp = f" [{time.monotonic() - self.begin:.1f} s]"
        print(f"{'ok' if good else 'not ok'} {self.n} - {what}{note}{'' if note else stamp}",
              flush=True)

    def check(self, good, what, detail=None):
        """One assertion; detail is printed only if it fails."""
        self._line(bool(good), what)
        if not good:
            self.failed += 1
            if detail is not None:
                self.note(detail)
        return bool(good)

    def equal(self, got, want, what):
        return self.check(got == want, what, f"got  {got!r}\nwant {want!r}")

    def skip(self, what, why):
        self.skipped += 1
        self._line(True, what, f" # SKIP {why}")

    def note(self, text):
        lines = str(text).splitlines() or [""]
        for line in lines[:120]:
            print(f"#   {line[:400]}", flush=True)
        if len(lines) > 120:
            print(f"#   ... {len(lines) - 120} more lines", flush=True)

    def done(self):
        print(f"1..{self.n}", flush=True)
        if self.failed:
            return 1
        return 77 if self.n and self.skipped == self.n else 0


def run(main):
    """Runs main(tap) and exits; any exception is a failed line, Skip a skipped one."""
    tap = Tap()
    try:
        if os.geteuid() != 0:
            raise Skip("needs root")
        main(tap)
    except Skip as why:
        tap.skip("the rest", why)
    except BaseException as e:  # noqa: also SystemExit from signals: clean-up has run by now
        tap.check(False, f"{type(e).__name__}: {e}", traceback.format_exc())
    sys.exit(tap.done())
