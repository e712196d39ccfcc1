# SPDX-License-Identifier: Apache-2.0
"""The admin of documents in a real browser: what its scripts do with forms inside forms."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

PROJECT = pathlib.Path(__file__).parent / "project"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH")
def test_an_inline_of_an_embedded_list_in_a_browser(tmp_path: pathlib.Path) -> None:
    assert BROWSER is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "MODELS": "docstore"}
    env["STORE"] = f"docstore://{tmp_path}/library.docstore"
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "drive.py", str(port)], cwd=PROJECT, env=env, stdout=log, stderr=log
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/books/")
        done = subprocess.run(
            [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={tmp_path}/profile", "--dump-dom", "--timeout=60000",
             "--virtual-time-budget=60000", f"http://127.0.0.1:{port}/drive/"],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    finally:
        server.terminate()
        server.wait(30)
    told = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert told is not None, done.stdout[-2000:] + done.stderr[-2000:]
    assert told[1].split("\n")[-1] == "done", told[1] + (tmp_path / "log").read_text()[-3000:]


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")
