#!/usr/bin/env python3
"""Measured requests of providers (JSON lines, plain or .gz) as a comparison log, to analyse by the same definitions.

    scripts/import_requests.py llm_requests.jsonl.gz --log-dir logs/requests
    scripts/analyze_shadow_mode_logs.py --log-dir logs/requests --stats-only

A line has provider_model, e2e_s, and where there are any error_code, error_msg, ttft_s, in_tok, out_tok. Importing a
file again writes the same log.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from shlex import quote

from _project import use_own_python


def main() -> int:
    from zantara_exp.analysis.requests import import_requests
    from zantara_exp.core import terminal
    from zantara_exp.core.errors import ZantaraError
    from zantara_exp.io import file_modes

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="JSON lines, one request each")
    parser.add_argument("--log-dir", type=Path, required=True, metavar="DIR", help="a folder of its own for the log")
    parser.add_argument("--day", type=date.fromisoformat, default=date(2024, 1, 1), help="UTC day they are dated with")
    given = parser.parse_args()
    try:
        with file_modes.private():
            count = import_requests(given.file, given.log_dir, given.day)
    except ZantaraError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_status
    terminal.say(f"{given.file.name}: {count} requests in {given.log_dir}")
    terminal.say(f"next: scripts/analyze_shadow_mode_logs.py --log-dir {quote(str(given.log_dir))} --stats-only")
    return 0


if __name__ == "__main__":
    use_own_python()
    sys.exit(main())
