# SPDX-License-Identifier: Apache-2.0
"""Run the demo: load the data, serve the API until Ctrl-C; with --check, try it and stop.

python demo.py [--check] [--port N]
"""

import argparse
import http.cookiejar
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent


def free_port(wanted: int) -> int:
    """The wanted port or the next free one."""
    for port in range(wanted, wanted + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SystemExit(f"no free port from {wanted} to {wanted + 99}")


def manage(*words: str, **options: Any) -> list[str]:
    return [sys.executable, str(HERE / "manage.py"), *words]


def load(env: dict[str, str] | None = None) -> None:
    """Load the data; the command has said why when it cannot."""
    if subprocess.run(manage("load_demo"), cwd=HERE, env=env).returncode:
        raise SystemExit(1)


def interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def serve(port: int) -> int:
    load()
    signal.signal(signal.SIGTERM, interrupt)
    base = f"http://127.0.0.1:{port}"
    print(
        f"""
Serving {base}/   (Ctrl-C stops it)

  the start page, with links     {base}/
  the largest cities             {base}/api/cities/
  cities of France, by name      {base}/api/cities/?country=FR&ordering=name
  search                         {base}/api/cities/?search=springfield
  inhabitants by country         {base}/api/cities/by-country/
  users and posts                {base}/api/users/  {base}/api/posts/
  visits, Django's own models    {base}/api/visits/
  Django's admin                 {base}/admin/   (name demo, password demo: for the demo only)
""",
        flush=True,
    )
    server = subprocess.Popen(manage("runserver", "--noreload", f"127.0.0.1:{port}"), cwd=HERE)
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        print("\nStopped. The data is kept; `make demo` starts it again.")
        return 0


class Check:
    """Makes the demo's requests and counts what was right."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.passed = self.failed = 0

    def call(self, path: str, method: str = "GET", body: Any = None, html: bool = False) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.base + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        request.add_header("Accept", "text/html" if html else "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                text = reply.read().decode()
                status = reply.status
        except urllib.error.HTTPError as refusal:
            text, status = refusal.read().decode(), refusal.code
        if html:
            return status, text
        return status, json.loads(text) if text else None

    def expect(self, what: str, right: bool, got: Any) -> None:
        if right:
            self.passed += 1
            print(f"  ok      {what}")
        else:
            self.failed += 1
            print(f"  FAILED  {what}: {str(got)[:500]}")

    def wait(self) -> None:
        for _ in range(300):
            try:
                self.call("/api/users/")
                return
            except (OSError, ValueError):
                time.sleep(0.1)
        raise SystemExit("the server did not start")

    def run(self) -> None:
        self.cities()
        self.blog()
        self.visits()
        self.admin()
        status, page = self.call("/", html=True)
        self.expect("start page links to the API", status == 200 and "/api/cities/" in page, page)
        status, page = self.call("/api/posts/", html=True)
        self.expect("browsable API", status == 200 and "Post List" in page, page)

    def cities(self) -> None:
        status, page = self.call("/api/cities/")
        names = [city["name"] for city in page["results"]]
        self.expect(
            "largest cities first, 20 a page",
            status == 200 and len(names) == 20 and page["count"] > 30000 and names[0] == "Shanghai",
            page,
        )
        status, page = self.call("/api/cities/?country=FR&population__gte=200000&ordering=name")
        rows = page["results"]
        self.expect(
            "filter by country and population, by name",
            {row["country"] for row in rows} == {"FR"}
            and min(row["population"] for row in rows) >= 200000
            and [row["name"] for row in rows] == sorted(row["name"] for row in rows),
            page,
        )
        status, page = self.call("/api/cities/?search=springfield")
        self.expect(
            "search by name",
            page["count"] > 3
            and all("springfield" in row["name"].lower() for row in page["results"]),
            page,
        )
        status, paris = self.call("/api/cities/2988507/")
        self.expect("one city", status == 200 and paris["name"] == "Paris", paris)
        status, missing = self.call("/api/cities/1/")
        self.expect("a city that is not there is a 404", status == 404, missing)
        status, rows = self.call("/api/cities/by-country/")
        top = [row["country"] for row in rows[:2]]
        self.expect("inhabitants by country", sorted(top) == ["CN", "IN"], rows[:3])

    def blog(self) -> None:
        email = f"ada{time.time_ns()}@example.com"
        status, user = self.call("/api/users/", "POST", {"name": "Ada", "email": email, "age": 36})
        self.expect("create a user", status == 201 and len(user["id"]) == 24, user)
        status, errors = self.call("/api/users/", "POST", {"name": "", "email": "no", "age": 200})
        self.expect(
            "validation errors by field",
            status == 400 and set(errors) == {"name", "email", "age"},
            errors,
        )
        status, errors = self.call("/api/users/", "POST", {"name": "Ada", "email": email})
        self.expect("a second user of that email", status == 400 and "email" in errors, errors)
        body = {
            "title": "Notes",
            "author": user["id"],
            "tags": ["math"],
            "comments": [{"author": "Bob", "text": "More!"}],
        }
        status, post = self.call("/api/posts/", "POST", body)
        self.expect("create a post", status == 201 and post["comment_count"] == 1, post)
        path = f"/api/posts/{post.get('id')}/"
        status, post = self.call(path, "PATCH", {"title": "Notes II"})
        self.expect("update a post", status == 200 and post["title"] == "Notes II", post)
        status, errors = self.call(path, "PATCH", {"comments": [{"author": "Bob"}]})
        self.expect("errors inside a comment", status == 400 and "comments" in errors, errors)
        status, _ = self.call(path, "DELETE")
        again, _ = self.call(path)
        self.expect("delete a post", status == 204 and again == 404, (status, again))
        status, _ = self.call(f"/api/users/{user.get('id')}/", "DELETE")
        self.expect("delete a user", status == 204, status)
        status, errors = self.call("/api/users/nonsense/")
        self.expect("a malformed id is a 404", status == 404, errors)

    def visits(self) -> None:
        """Django's models, by DRF's own serializer."""
        status, page = self.call("/api/visits/?search=ueno")
        self.expect(
            "search within an array of embedded models",
            status == 200 and [row["city_name"] for row in page["results"]] == ["Tokyo (JP)"],
            page,
        )
        body = {
            "city": 2988507,
            "visitor": page["results"][0]["visitor"],
            "day": "2025-01-02",
            "tags": ["snow"],
            "opinion": {"stars": 4, "text": "Cold."},
        }
        status, visit = self.call("/api/visits/", "POST", body)
        self.expect("create a visit", status == 201 and visit["city_name"] == "Paris (FR)", visit)
        path = f"/api/visits/{visit.get('id')}/"
        status, visit = self.call(path, "PATCH", {"opinion": {"stars": 5}})
        self.expect(
            "a part of an embedded model",
            status == 200 and visit["opinion"] == {"stars": 5, "text": "Cold."},
            visit,
        )
        status, errors = self.call(path, "PATCH", {"city": 1, "opinion": {"stars": 9}})
        self.expect(
            "errors of a model by field",
            status == 400 and set(errors) == {"city", "opinion"} and "stars" in errors["opinion"],
            errors,
        )
        status, _ = self.call(path, "DELETE")
        self.expect("delete a visit", status == 204, status)

    def admin(self) -> None:
        """Django's admin, as a browser uses it."""
        browser = Browser(self.base)
        status, page = browser.open("/admin/")
        self.expect("the admin asks for a login", 'name="password"' in page, page)
        status, page = browser.send("/admin/login/?next=/admin/", username="demo", password="no")
        self.expect("a wrong password is refused", "correct username" in page, page)
        status, page = browser.send("/admin/login/?next=/admin/", username="demo", password="demo")
        self.expect("log in to the admin", status == 200 and "Visits" in page, page)
        status, page = browser.open("/admin/visits/visit/?stars=5&day__year=2025")
        self.expect("filter and dates", "1 visit" in page and "Tokyo (JP)" in page, page)
        visit = {
            "city": "2643743",
            "visitor": (re.findall(r'<option value="(\d+)"', browser.open(ADD)[1]) or [""])[0],
            "day": "2025-02-03",
            "tags": "fog,tea",
            "opinion-stars": "4",
            "opinion-text": "Grey",
            "sights-TOTAL_FORMS": "1",
            "sights-INITIAL_FORMS": "0",
            "sights-0-name": "Tower Bridge",
            "sights-0-hours": "1",
        }
        status, page = browser.send(ADD, **{**visit, "city": "1", "opinion-stars": "9"})
        self.expect(
            "the admin's errors",
            "There is no city of that number." in page and "9 is not one of" in page,
            page,
        )
        status, page = browser.send(ADD, **visit)
        self.expect("add in the admin", "was added successfully" in page, page)
        status, page = browser.open("/admin/visits/visit/?q=tower+bridge")
        found = re.findall(r"/admin/visits/visit/(\d+)/change/", page)
        self.expect("search in the admin", len(found) == 1 and "London (GB)" in page, page)
        path = f"/admin/visits/visit/{found[0] if found else 0}"
        status, page = browser.open(f"{path}/change/")
        self.expect(
            "the form of arrays and embedded models",
            'value="fog,tea"' in page and "Grey" in page and 'value="Tower Bridge"' in page,
            page,
        )
        changed = {**visit, "tags": "fog", "opinion-text": "Sun", "sights-INITIAL_FORMS": "1"}
        status, page = browser.send(f"{path}/change/", **changed)
        _, again = browser.open(f"{path}/change/")
        self.expect(
            "change in the admin",
            "was changed successfully" in page and 'value="fog"' in again and "Sun" in again,
            again,
        )
        status, page = browser.open(f"{path}/history/")
        self.expect("history", "Changed Tags and Opinion" in page, page)
        status, page = browser.send(f"{path}/delete/", post="yes")
        gone, _ = self.call(f"/api/visits/{found[0] if found else 0}/")
        self.expect("delete in the admin", "was deleted" in page and gone == 404, page)
        self.documents(browser)

    def documents(self, browser: "Browser") -> None:
        """The same admin, of documents."""
        status, page = browser.open("/admin/api/city/?country=FR&q=pari")
        self.expect("documents in the admin", "Paris" in page and "48.85" in page, page)
        email = f"bob{time.time_ns()}@example.com"
        new = "/admin/api/user/add/"
        status, page = browser.send(new, name="Bob", email=email, is_active="on", age="200")
        self.expect("a document's errors", "less than or equal to 150" in page, page)
        status, page = browser.send(new, name="Bob", email=email, is_active="on")
        self.expect("add a document", "was added successfully" in page, page)
        status, page = browser.open(f"/admin/api/user/?q={email}")
        (user,) = re.findall(r"/admin/api/user/(\w{24})/change/", page)[:1] or [""]
        post = {
            "title": "From the admin",
            "author": user,
            "tags": "one\ntwo, three",
            "comments-TOTAL_FORMS": "1",
            "comments-INITIAL_FORMS": "0",
            "comments-0-author": "Ada",
            "comments-0-text": "In a list of embedded documents",
        }
        status, page = browser.send("/admin/api/post/add/", **post)
        self.expect("add a document with a list inside", "was added successfully" in page, page)
        status, page = browser.open("/admin/api/post/?q=embedded+documents")
        (found,) = re.findall(r"/admin/api/post/(\w{24})/change/", page)[:1] or [""]
        status, rows = self.call(f"/api/posts/{found}/")
        self.expect(
            "what the admin stored",
            rows.get("tags") == ["one", "two, three"] and rows.get("comment_count") == 1,
            rows,
        )
        status, page = browser.send(f"/admin/api/user/{user}/delete/", post="yes")
        gone, _ = self.call(f"/api/posts/{found}/")
        self.expect("deleting a user takes the posts along", gone == 404, page)


ADD = "/admin/visits/visit/add/"


class Browser:
    """Opens pages and sends their forms, with cookies."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.cookies = http.cookiejar.CookieJar()
        keep = urllib.request.HTTPCookieProcessor(self.cookies)
        self.opener = urllib.request.build_opener(keep)

    def open(self, path: str, data: bytes | None = None) -> tuple[int, str]:
        try:
            with self.opener.open(self.base + path, data, timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def send(self, path: str, **fields: str) -> tuple[int, str]:
        """Send a form of that page."""
        token = next(one.value for one in self.cookies if one.name == "csrftoken")
        fields["csrfmiddlewaretoken"] = str(token)
        return self.open(path, urllib.parse.urlencode(fields).encode())


def check(port: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        env = dict(os.environ)
        if not env.get("MONGODB_URI"):
            env["MONGODB_URI"] = f"docstore://{folder}/cities.docstore"
            killed = subprocess.Popen(manage("load_demo"), cwd=HERE, env=env)
            time.sleep(1)
            killed.kill()
            killed.wait()
        # the first takes up where the killed one was; the second finds the data and loads nothing
        for _ in range(2):
            load(env)
        server = subprocess.Popen(
            manage("runserver", "--noreload", f"127.0.0.1:{port}"),
            cwd=HERE,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            tries = Check(f"http://127.0.0.1:{port}")
            tries.wait()
            tries.run()
        finally:
            server.terminate()
            server.wait(30)
    print(f"{tries.passed} passed, {tries.failed} failed")
    return 1 if tries.failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="try the API, then stop")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    port = free_port(options.port)
    return check(port) if options.check else serve(port)


if __name__ == "__main__":
    raise SystemExit(main())
