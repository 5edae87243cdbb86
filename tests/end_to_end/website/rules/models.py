"""User models with a rule that stands in no column that Django itself has. A site uses one at a time."""

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Account(AbstractBaseUser):
    username = models.CharField(max_length=150, unique=True)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "username"

    class Meta:
        abstract = True


def manager(*conditions, **fields):
    """A manager that leaves out whom the conditions are not met by."""

    class Manager(BaseUserManager):
        def get_queryset(self):
            return super().get_queryset().filter(*conditions, **fields)

    return Manager()


if settings.AUTH_USER_MODEL == "rules.SoftDeleted":

    class SoftDeleted(Account):
        date_deleted = models.DateTimeField(null=True, db_column="date deleted")
        objects = manager(date_deleted__isnull=True)


if settings.AUTH_USER_MODEL == "rules.Approved":

    class Approved(Account):
        status = models.CharField(max_length=20, default="member")
        kind = models.IntegerField(default=1)
        banned = models.BooleanField(default=False)
        objects = manager(~Q(kind=9), Q(banned=False) | Q(kind=2), status__in=["member", "staff"])


if settings.AUTH_USER_MODEL == "rules.Worded":

    class Worded(Account):
        is_active = models.CharField(max_length=9, default="yes", blank=True)
        objects = BaseUserManager()


if settings.AUTH_USER_MODEL == "rules.Scored":

    class Scored(Account):
        score = models.IntegerField(default=0)
        objects = manager(score__lt=5)


if settings.AUTH_USER_MODEL == "rules.Converted":

    class ReversedField(models.CharField):
        """As fields that encrypt: the column holds something else."""

        def from_db_value(self, value, expression, connection):
            return value and value[::-1]

        def get_prep_value(self, value):
            return value and value[::-1]

    class Converted(Account):
        username = ReversedField(max_length=150, unique=True)
        objects = BaseUserManager()


if settings.AUTH_USER_MODEL == "rules.HiddenByAnother":

    class HiddenByAnother(Account):
        """Django asks the default manager, which is not `objects`."""

        hidden = models.BooleanField(default=False)
        objects = manager(hidden=False)
        everybody = BaseUserManager()

        class Meta:
            default_manager_name = "everybody"


if settings.AUTH_USER_MODEL == "rules.Expiring":

    class Expiring(Account):
        expires = models.DateTimeField(null=True)
        objects = manager(Q(expires=None) | Q(expires__gt=timezone.now()))


if settings.AUTH_USER_MODEL == "rules.OfATeam":

    class Team(models.Model):
        open = models.BooleanField(default=True)

    class OfATeam(Account):
        team = models.ForeignKey(Team, null=True, on_delete=models.CASCADE)
        objects = manager(Q(team=None) | Q(team__open=True))


if settings.AUTH_USER_MODEL == "rules.GotOtherwise":

    class GettingQuerySet(models.QuerySet):
        def get(self, *arguments, **fields):
            return super().get(*arguments, email="", **fields)

    class GotOtherwise(Account):
        objects = BaseUserManager.from_queryset(GettingQuerySet)()


if settings.AUTH_USER_MODEL == "rules.Computed":

    class Computed(Account):
        state = models.CharField(max_length=20, default="open")
        objects = BaseUserManager()

        @property
        def is_active(self):
            return self.state == "open"


if settings.AUTH_USER_MODEL == "rules.Locked":

    class Locked(Account):
        locked = models.BooleanField(default=False)
        objects = BaseUserManager()

        def check_password(self, password):
            return not self.locked and super().check_password(password)


if settings.AUTH_USER_MODEL == "rules.Versioned":

    class Versioned(Account):
        closed = models.BooleanField(default=False)
        objects = BaseUserManager()

        def get_session_auth_hash(self):
            return "" if self.closed else super().get_session_auth_hash()


if settings.AUTH_USER_MODEL == "rules.Ghost":

    class Ghost(Account):
        gone = models.BooleanField(default=False)
        objects = BaseUserManager()

        @property
        def is_authenticated(self):
            return not self.gone


if settings.AUTH_USER_MODEL == "rules.Folded":

    class FoldingManager(BaseUserManager):
        def get_by_natural_key(self, username):
            """Names that differ in case alone are one."""
            return self.get(**{"{}__iexact".format(self.model.USERNAME_FIELD): username})

    class Folded(Account):
        objects = FoldingManager()


if settings.AUTH_USER_MODEL == "rules.Listed":

    class ListingManager(BaseUserManager):
        def get_by_natural_key(self, username):
            return self.get(username=username, listed=True)

    class Listed(Account):
        listed = models.BooleanField(default=True)
        objects = ListingManager()


if settings.AUTH_USER_MODEL == "rules.Permitted":

    class Permitted(Account, PermissionsMixin):
        objects = BaseUserManager()

        def has_perm(self, permission, obj=None):
            return permission == "wiki.read"
