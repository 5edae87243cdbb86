"""User models whose default manager leaves accounts out, as for soft deletion: `hallpass init django`
writes its condition down as `[access] where`, and whom Django does not see is let in nowhere."""

import tomllib
from itertools import product

import pytest

from people import SECRET
from test_init import Init
from test_init_rules import own_model

# A model, and the columns that its manager's condition is about, with all that may be in them.
MODELS = {
    "SoftDeleted": {"date_deleted": [None, "2031-05-01T10:00:00Z"], "is_active": [True, False]},
    "Approved": {
        "status": ["member", "staff", "Member", "pending", ""],
        "kind": [1, 2, 9],
        "banned": [False, True],
    },
    # What Django asks is not what its `objects` leaves out.
    "HiddenByAnother": {"hidden": [False, True]},
}


def accounts_of(columns):
    for number, values in enumerate(product(*columns.values())):
        yield f"user{number}", dict(zip(columns, values))


@pytest.mark.parametrize("server", [None, "postgresql", "mariadb"])
@pytest.mark.parametrize("model", MODELS)
def test_whom_the_default_manager_leaves_out_is_let_in_nowhere(
    new_site, shell, verdicts, request, model, server
):
    site = new_site(server=server and request.getfixturevalue(server), **own_model(model))
    accounts = dict(accounts_of(MODELS[model]))
    site.make_accounts(*({"username": name, "password": SECRET} for name in accounts))
    tokens = {name: site.ask("save_session", site.ask("login_keys", name)) for name in accounts}
    for name, fields in accounts.items():
        code = "User._base_manager.filter(username=name).update(**fields)\nanswer = None"
        site.shell(code, name=name, fields=fields)
    init = Init(shell, site)
    hallpass = init.hallpass()
    condition = tomllib.loads(init.text).get("access", {}).get("where")
    assert (condition is None) == (model == "HiddenByAnother"), init.text
    expected = {name: site.ask("authenticate", name, SECRET) is not None for name in accounts}
    assert True in expected.values() and (False in expected.values() or condition is None)
    for name, token in tokens.items():
        verdicts.compare(hallpass.check(name, SECRET), expected[name], {"inactive"})
        verdicts.compare(hallpass.check(name, "wrong"), False)
        verdicts.compare(hallpass.session(token), site.ask("session_user", token) is not None, {"inactive"})
        assert hallpass("user", "--json", "--", name).granted == expected[name]


@pytest.mark.parametrize("version", ["2.2", "3.2", "4.2"])
def test_older_djangos_say_the_same(new_site, shell, verdicts, version):
    site = new_site(version, **own_model("Approved"))
    accounts = dict(accounts_of(MODELS["Approved"]))
    site.make_accounts(
        *({"username": name, "password": SECRET} | fields for name, fields in accounts.items())
    )
    hallpass = Init(shell, site).hallpass()
    for name in accounts:
        expected = site.ask("authenticate", name, SECRET) is not None
        verdicts.compare(hallpass.check(name, SECRET), expected, {"inactive"})


def test_a_condition_that_could_not_be_counted_is_said_to_be_so(new_site, shell):
    site = new_site(**own_model("SoftDeleted"))
    site.database.rename(site.directory / "away.sqlite3")
    result = Init(shell, site)()
    assert result.code == 0
    (warning,) = [warning for warning in result.json["warnings"] if "could not be counted" in warning]
    assert "date deleted" in warning
