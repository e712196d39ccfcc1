# SPDX-License-Identifier: Apache-2.0
from django.contrib import admin
from django.urls import path
from library import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("books/", views.Books.as_view(), name="books"),
    path("poems/", views.Poems.as_view(template_name="library/book_list.html")),
    path("new/", views.NewBook.as_view()),
    path("books/<slug:slug>/", views.OneBook.as_view(), name="book"),
    path("books/<slug:slug>/change/", views.ChangedBook.as_view()),
    path("keys/<pk>/delete/", views.GoneBook.as_view()),
    path("keys/<pk>/", views.short),
    path("ids/<object_id:pk>/", views.OneBook.as_view(), name="book-by-id"),
]
