"""Tenants of django-tenants, each with a schema of its own."""

from django.db import models
from django_tenants.models import DomainMixin, TenantMixin


class Club(TenantMixin):
    name = models.CharField(max_length=100)
    auto_create_schema = True


class Domain(DomainMixin):
    pass
