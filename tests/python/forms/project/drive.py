# SPDX-License-Identifier: Apache-2.0
"""Serve the project, logged in, with a page that uses the admin as a visitor's browser does."""

import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()

import urls  # noqa: E402
from django.contrib.auth import login  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from library.documents import Author, Book  # noqa: E402

PAGE = """<!doctype html><pre id="told"></pre><iframe id="page" width="1200" height="900"></iframe>
<script>
const told = document.getElementById("told"), frame = document.getElementById("page");
const say = text => { told.textContent += (told.textContent ? "\\n" : "") + text; };
const open_page = go => new Promise(ready => {
    frame.onload = () => setTimeout(() => ready(frame.contentDocument), 200);
    go();
});
const expect = (what, right) => { if (!right) throw new Error(what); say("ok " + what); };
async function drive() {
    let page = await open_page(() => { frame.src = "/admin/library/book/add/"; });
    page.getElementById("id_title").value = "By hand";
    page.getElementById("id_title").dispatchEvent(new Event("input", {bubbles: true}));
    page.getElementById("id_slug").value = "by-hand";
    const chosen = page.getElementById("id_author");
    chosen.add(new Option("Ada", "AUTHOR", true, true));
    expect("a calendar", page.querySelector("#calendarlink0, .datetimeshortcuts a"));
    page.getElementById("id_imprint-city").value = "Bonn";
    const rows = () => page.querySelectorAll("#remarks-group tr.dynamic-remarks").length;
    expect("one empty row", rows() === 1);
    page.querySelector("#remarks-group .add-row a").click();
    expect("a second row", rows() === 2);
    page.querySelector("#id_remarks-0-text").value = "First";
    page.querySelector("#id_remarks-1-text").value = "Second";
    page = await open_page(() => page.querySelector("input[name=_continue]").click());
    expect("added", page.querySelector("li.success"));
    expect("both remarks", page.querySelector("#id_remarks-1-text").value === "Second");
    page.querySelector("#id_remarks-0-DELETE").checked = true;
    page = await open_page(() => page.querySelector("input[name=_save]").click());
    expect("changed", page.querySelector("li.success"));
    expect("in the list", page.querySelector("#result_list").textContent.includes("Bonn"));
    page.querySelector("#action-toggle").click();
    expect("all chosen", page.querySelectorAll("tr.selected").length === 1);
    page.querySelector("select[name=action]").value = "lend";
    page = await open_page(() => page.querySelector("button[name=index]").click());
    expect("lent", page.querySelector(".field-lent input").checked);
    const stored = await (await fetch("/stored/")).text();
    expect("stored: " + stored, stored === "By hand, Bonn, Second, True");
}
drive().then(() => say("done"), error => say("FAILED " + error));
</script>"""


def drive(request):
    login(request, User.objects.get(username="root"))
    return HttpResponse(PAGE.replace("AUTHOR", str(Author.objects.get().pk)))


def stored(request):
    book = Book.objects.get()
    remarks = ", ".join(one.text for one in book.remarks)
    return HttpResponse(f"{book.title}, {book.imprint.city}, {remarks}, {book.lent}")


urls.urlpatterns += [path("drive/", drive), path("stored/", stored)]

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    User.objects.create_superuser("root", password="x")
    Author(name="Ada").save()
    call_command("runserver", f"127.0.0.1:{sys.argv[1]}", use_reloader=False)
