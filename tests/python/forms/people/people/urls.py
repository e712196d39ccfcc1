# SPDX-License-Identifier: Apache-2.0
from django.contrib.auth import views
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpResponse
from django.urls import path
from rest_framework.decorators import api_view, authentication_classes
from rest_framework.response import Response

from mongodb.auth.tokens import DocumentTokenAuthentication, ObtainAuthToken


@login_required
def home(request):
    return HttpResponse(f"hello {request.user.nickname}")


@permission_required("people.change_member", raise_exception=True)
def secret(request):
    return HttpResponse("secret")


@api_view()
@authentication_classes([DocumentTokenAuthentication])
def who(request):
    return Response({"name": str(request.user)})


urlpatterns = [
    path("", home),
    path("secret/", secret),
    path("who/", who),
    path("token/", ObtainAuthToken.as_view()),
    path("login/", views.LoginView.as_view(), name="login"),
    path("reset/<uidb64>/<token>/", views.PasswordResetConfirmView.as_view(success_url="/"),
         name="password_reset_confirm"),
]  # fmt: skip
