"""Authentication backends with rules of their own. An account whose first name is "closed" is one that
the site keeps out."""

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.db.models import Q

UserModel = get_user_model()


def is_closed(user):
    return getattr(user, "first_name", "") == "closed"


class Approving(ModelBackend):
    """By the hook that Django documents."""

    def user_can_authenticate(self, user):
        return super().user_can_authenticate(user) and not is_closed(user)


class ApprovingCopied(Approving):
    """With Django's own `get_user`, copied."""

    def get_user(self, user_id):
        try:
            user = UserModel._default_manager.get(pk=user_id)
        except UserModel.DoesNotExist:
            return None
        return user if self.user_can_authenticate(user) else None


class Welcoming(ModelBackend):
    def user_can_authenticate(self, user):
        return True


class Refusing(ModelBackend):
    def authenticate(self, request, username=None, password=None, **kwargs):
        user = super().authenticate(request, username=username, password=password, **kwargs)
        return None if user is None or is_closed(user) else user


class Forgetting(ModelBackend):
    def get_user(self, user_id):
        user = super().get_user(user_id)
        return None if user is None or is_closed(user) else user


class Fetching(ModelBackend):
    """Reads more than it needs, and refuses nobody."""

    def get_user(self, user_id):
        try:
            return UserModel.objects.prefetch_related("groups").get(pk=user_id)
        except UserModel.DoesNotExist:
            return None


class FetchingSome(ModelBackend):
    """Gives only those that are in no group."""

    def get_user(self, user_id):
        try:
            return UserModel.objects.prefetch_related("groups").get(pk=user_id, groups=None)
        except UserModel.DoesNotExist:
            return None


class ForgettingNames(ModelBackend):
    """Asks its own `get_user` for what is typed, too."""

    def authenticate(self, request, username=None, password=None, **kwargs):
        user = self.get_user(username)
        return user if user is not None and user.check_password(password) else None

    def get_user(self, user_id):
        by = {"pk": user_id} if str(user_id).isdigit() else {"username": user_id}
        user = UserModel.objects.filter(**by).first()
        return None if user is None or is_closed(user) else user


class Gate:
    """Lets nobody in, and stops whom a later backend would let in."""

    def authenticate(self, request, username=None, password=None):
        if UserModel.objects.filter(username=username, first_name="closed").exists():
            raise PermissionDenied


class ByEmail(ModelBackend):
    """As many sites have it: nothing of it keeps anybody out."""

    def authenticate(self, request, username=None, password=None, **kwargs):
        try:
            user = UserModel.objects.get(Q(username__iexact=username) | Q(email__iexact=username))
        except UserModel.DoesNotExist:
            return None
        except UserModel.MultipleObjectsReturned:
            user = UserModel.objects.filter(email=username).order_by("id").first()
        if user is not None and user.check_password(password) and self.user_can_authenticate(user):
            return user
        return None

    def get_user(self, user_id):
        try:
            return UserModel.objects.get(pk=user_id)
        except UserModel.DoesNotExist:
            return None


class Some(ByEmail):
    """The same, with a rule in it that is easily overlooked."""

    def authenticate(self, request, username=None, password=None, **kwargs):
        user = UserModel.objects.filter(username=username, first_name="").first()
        if user and user.check_password(password):
            return user
        return None


class ByAddressAlone(ModelBackend):
    """Takes no name, and refuses some."""

    def authenticate(self, request, email=None, password=None):
        user = UserModel.objects.filter(email=email).first()
        if user and user.check_password(password) and not is_closed(user):
            return user
        return None


class Silent(ModelBackend):
    """Single sign-on."""

    def authenticate(self, request, assertion=None):
        return None


class Restricting(ModelBackend):
    def has_perm(self, user_obj, perm, obj=None):
        return perm == "wiki.read" and super().has_perm(user_obj, perm, obj=obj)


class Grouping(ModelBackend):
    def get_group_permissions(self, user_obj, obj=None):
        return set()


class Recording(ModelBackend):
    """Writes down who comes in."""

    def authenticate(self, request, username=None, password=None, **kwargs):
        user = super().authenticate(request, username=username, password=password, **kwargs)
        if user is not None:
            UserModel.objects.filter(pk=user.pk).update(last_name="was here")
        return user
