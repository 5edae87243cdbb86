"""Custom user models, as far from auth.User as Django allows. A site uses one at a time."""

import uuid

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class Manager(BaseUserManager):
    pass


if settings.AUTH_USER_MODEL == "people.Member":

    class Member(AbstractBaseUser, PermissionsMixin):
        """Logs in by e-mail; no table or column has the usual name."""

        uuid = models.UUIDField(primary_key=True, default=uuid.uuid4, db_column="member_uuid")
        address = models.EmailField(unique=True, db_column="mail address")
        password = models.CharField(max_length=128, db_column="secret_hash")
        is_active = models.BooleanField(default=True, db_column="enabled")
        objects = Manager()

        USERNAME_FIELD = EMAIL_FIELD = "address"

        class Meta:
            db_table = "Club members"


if settings.AUTH_USER_MODEL == "people.Visitor":

    class Visitor(AbstractBaseUser):
        """The least a user model can be: no e-mail, no flags, no groups."""

        username = models.CharField(max_length=40, unique=True)
        objects = Manager()

        USERNAME_FIELD = "username"


if settings.AUTH_USER_MODEL == "people.Customer":

    class Customer(AbstractBaseUser, PermissionsMixin):
        """The login name is the primary key."""

        number = models.CharField(max_length=20, primary_key=True)
        is_active = models.BooleanField(default=True)
        objects = Manager()

        USERNAME_FIELD = "number"


if settings.AUTH_USER_MODEL == "people.Subscriber":

    class Subscriber(AbstractBaseUser, PermissionsMixin):
        """More of them than 32 bits can count."""

        id = models.BigAutoField(primary_key=True)
        username = models.CharField(max_length=150, unique=True)
        email = models.EmailField(blank=True)
        is_active = models.BooleanField(default=True)
        objects = Manager()

        USERNAME_FIELD = "username"


if settings.AUTH_USER_MODEL == "people.Caller":

    class Caller(AbstractBaseUser, PermissionsMixin):
        """The login name is a number."""

        phone = models.BigIntegerField(unique=True)
        email = models.EmailField(blank=True)
        is_active = models.BooleanField(default=True)
        objects = Manager()

        USERNAME_FIELD = "phone"


if settings.AUTH_USER_MODEL == "people.Person":

    class Person(AbstractBaseUser, PermissionsMixin):
        """Its table is where the settings say."""

        username = models.CharField(max_length=40, unique=True)
        is_active = models.BooleanField(default=True)
        objects = Manager()

        USERNAME_FIELD = "username"

        class Meta:
            db_table = getattr(settings, "PEOPLE_TABLE", "people")


if settings.AUTH_USER_MODEL == "people.Stranger":

    class Stranger(AbstractBaseUser):
        """Somebody else keeps the passwords."""

        username = models.CharField(max_length=40, unique=True)
        password = None
        objects = Manager()

        USERNAME_FIELD = "username"


if settings.AUTH_USER_MODEL == "people.Holder":

    class Holder(AbstractBaseUser):
        """The login name is a UUID, and not the primary key."""

        badge = models.UUIDField(unique=True)
        objects = Manager()

        USERNAME_FIELD = "badge"
