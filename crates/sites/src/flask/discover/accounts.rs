//! Proposes the statements of `[custom]` from the site's mapped class of accounts.

use anyhow::bail;

use super::DiscoverFlask;
use super::found::{Accounts, Found, Model};
use crate::custom::discover::name;
use crate::init::Page;
use crate::quoted_table;

/// Names that columns of login names and of hashes usually have.
const NAMES: [&str; 7] = [
    "username",
    "user_name",
    "login",
    "nickname",
    "name",
    "email",
    "mail",
];
const HASHES: [&str; 6] = [
    "password_hash",
    "password",
    "pw_hash",
    "passwd",
    "hash",
    "_password",
];

/// The class of accounts, where the site has no rule about it that cannot be expressed.
pub(super) fn checked(found: &Found) -> anyhow::Result<&Model> {
    let model = match &found.accounts {
        Accounts::Other { other } => bail!(
            "nothing is written: {other}, so that its accounts cannot be found; write [custom] by \
             hand, as docs/flask.md shows"
        ),
        Accounts::Known(model) => model,
    };
    let refuse = |why: String| -> anyhow::Result<&Model> {
        bail!(
            "nothing is written: {why}. A configuration cannot express that; docs/flask.md says what \
             can be done"
        )
    };
    if model.is_inherited {
        return refuse(format!(
            "the columns of {} are in several tables",
            model.model
        ));
    }
    if model.key.is_none() {
        return refuse(format!("{}.get_id gives what is in no column", model.model));
    }
    if model.active.is_none() {
        return refuse(format!(
            "{}.is_active depends on more than one column",
            model.model
        ));
    }
    if !model.refused.is_empty() {
        return refuse(format!(
            "its user loader refuses accounts that no column tells from others, such as {}",
            model.refused.join(", ")
        ));
    }
    if !model.others.is_empty() {
        return refuse(format!(
            "its user loader gives another account than asked for, for {}",
            model.others.join(", ")
        ));
    }
    Ok(model)
}

/// `[custom]`, and what of the site's rules it cannot say.
pub(super) fn write(
    page: &mut Page,
    found: &Found,
    model: &Model,
    options: &DiscoverFlask,
) -> anyhow::Result<()> {
    let there = |wanted: &str| model.columns.iter().any(|column| column == wanted);
    let chosen = |given: &Option<String>, usual: &[&str]| match given {
        Some(given) if !there(given) => bail!("{} has no column {given}", model.table),
        Some(given) => Ok(Some(given.clone())),
        None => Ok(usual.iter().find(|it| there(it)).map(|it| (*it).to_owned())),
    };
    let Some(username) = chosen(&options.username_column, &NAMES)? else {
        bail!(
            "none of the columns of {} is known to hold login names; --username-column names it. It \
             has {}",
            model.table,
            model.columns.join(", ")
        );
    };
    let hash = chosen(&options.password_column, &HASHES)?;
    let key = model.key.as_deref().unwrap_or_default();
    let mut columns = format!("{} AS id, {} AS username", name(key)?, name(&username)?);
    if let Some(hash) = &hash {
        columns.push_str(&format!(", {} AS password", name(hash)?));
    }
    if let Some(email) = ["email", "mail"].into_iter().find(|it| there(it)) {
        columns.push_str(&format!(", {} AS email", name(email)?));
    }
    if let Some(active) = model.active.as_deref().filter(|it| !it.is_empty()) {
        columns.push_str(&format!(", {} AS is_active", name(active)?));
    }
    let table = quoted_table(&model.table);
    let select = format!("SELECT {columns} FROM {table} WHERE");
    page.table(
        "custom",
        &format!("the SQL that finds accounts: {}", model.model),
    );
    let comment = "the account of a login name";
    page.string(
        "user",
        &format!("{select} {} = :username", name(&username)?),
        comment,
    );
    let comment = "the account of a session, by what get_id gives";
    page.string(
        "user_by_id",
        &format!("{select} {} = :id", name(key)?),
        comment,
    );
    let numbered = model.numbers.iter().any(|column| column == key);
    if numbered {
        let key = name(key)?;
        page.string(
            "accounts",
            &format!("{select} {key} > :id ORDER BY {key} LIMIT 1000"),
            "for `hallpass audit`, and to learn what a check of an unknown name has to cost",
        );
    }
    if let Some(groups) = &model.groups {
        let statement = format!(
            "SELECT g.\"name\" FROM {} g JOIN {} p ON p.{} = g.{} JOIN {table} a ON a.{} = p.{} \
             WHERE a.{} = :id",
            quoted_table(&groups.table),
            quoted_table(&groups.pairs),
            name(&groups.other.1)?,
            name(&groups.other.0)?,
            name(&groups.own.0)?,
            name(&groups.own.1)?,
            name(key)?,
        );
        let comment = format!("{}.{}", model.model, groups.relation);
        page.string("groups", &statement, &comment);
    }
    warn(page, found, model, &username);
    let of_security = found.extensions.iter().any(|it| it == "security");
    if hash.is_none() || of_security {
        let why = if of_security {
            "Flask-Security hashes passwords in a way of its own, and may ask for a second factor"
        } else {
            "no column of hashes is known"
        };
        page.warn(&format!("no password lets anybody in: {why}"));
        page.table("access", "who gets in");
        page.boolean("passwords", false, "see above");
    } else if !numbered {
        page.table("passwords", "how passwords are checked");
        let comment = "what an unknown name costs: Werkzeug's usual hash takes as long";
        page.string("dummy", "pbkdf2_sha256$600000", comment);
    }
    Ok(())
}

/// Names what is code of the site's own.
fn warn(page: &mut Page, found: &Found, model: &Model, username: &str) {
    page.note(&format!(
        "The login form is code of the site's own: that it looks names up in {username}, as they are \
         typed, is a guess."
    ));
    if model.loads_inactive == Some(true) {
        page.warn(
            "the site's user loader loads accounts that are not active, so that their sessions go on \
             at the site; here they end",
        );
    }
    let Some(login) = &found.login else {
        return;
    };
    if !model.loader {
        page.warn("the site's LoginManager has no user loader: it lets nobody in by a session");
    }
    if login.request_loader {
        page.note(
            "The site's request loader lets in others, by what only its code knows; not here.",
        );
    }
    page.note(
        "`hallpass compare` asks the site's user loader about its accounts, and the site about its \
         sessions.",
    );
}
