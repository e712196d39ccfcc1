# SPDX-License-Identifier: Apache-2.0
"""Django's own generic views."""

from django.http import HttpResponse
from django.shortcuts import get_list_or_404, get_object_or_404
from django.urls import reverse_lazy
from django.views.generic import CreateView, DeleteView, DetailView, ListView, UpdateView

from library.documents import Book


class Books(ListView):
    model = Book
    paginate_by = 2


class Poems(ListView):
    queryset = Book.objects(genre="p").order_by("-title")


class OneBook(DetailView):
    model = Book


class NewBook(CreateView):
    model = Book
    fields = ["title", "slug", "author", "genre", "tags"]


class ChangedBook(UpdateView):
    model = Book
    fields = ["title"]


class GoneBook(DeleteView):
    model = Book
    success_url = reverse_lazy("books")


def short(request, pk):
    get_list_or_404(Book, genre="n")
    return HttpResponse(get_object_or_404(Book, pk=pk).title)
