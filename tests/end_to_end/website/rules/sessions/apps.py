from django.apps import AppConfig


class Sessions(AppConfig):
    name = "website.rules.sessions"
    label = "rules_sessions"
