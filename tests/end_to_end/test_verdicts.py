"""The proof is worth as much as what was compared; this file's tests run after the others."""

import pytest

COMPARING = {"test_django_accounts", "test_django_passwords", "test_django_sessions"}


def test_enough_was_compared_with_django(request, verdicts):
    if not COMPARING <= {item.module.__name__ for item in request.session.items}:
        pytest.skip("only some of the tests were asked for")
    print(f"{verdicts.granted} granted and {verdicts.denied} denied verdicts compared with Django")
    assert verdicts.granted + verdicts.denied >= 200
    assert verdicts.denied > verdicts.granted
