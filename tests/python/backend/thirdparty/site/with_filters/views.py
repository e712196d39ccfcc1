# SPDX-License-Identifier: Apache-2.0
import django_filters
from django.db.models import Q
from django.urls import path
from django_filters.views import FilterView

from with_filters.models import Car


class InFilter(django_filters.BaseInFilter, django_filters.CharFilter):
    pass


class CarFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(lookup_expr="icontains")
    price = django_filters.RangeFilter()
    built = django_filters.DateFromToRangeFilter()
    year = django_filters.NumberFilter(field_name="built", lookup_expr="year")
    years = django_filters.DateRangeFilter(field_name="built")
    fuels = django_filters.MultipleChoiceFilter("fuel", choices=Car.fuel.field.choices)
    names = InFilter(field_name="name", lookup_expr="in")
    any_text = django_filters.CharFilter(method="anywhere")
    brands = django_filters.AllValuesFilter(field_name="brand__name")
    unsold = django_filters.BooleanFilter(field_name="sold", lookup_expr="isnull")
    order = django_filters.OrderingFilter(fields=["price", "brand__name"])

    class Meta:
        model = Car
        fields = {"brand": ["exact"], "extras": ["exact"], "sold": ["exact"],
                  "brand__name": ["exact", "startswith"], "fuel": ["exact"]}  # fmt: skip

    def anywhere(self, queryset, name, value):
        return queryset.filter(Q(name__icontains=value) | Q(brand__name__icontains=value))


urlpatterns = [
    path("cars/", FilterView.as_view(filterset_class=CarFilter, template_name="cars.html")),
]
