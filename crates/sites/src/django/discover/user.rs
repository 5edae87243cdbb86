//! Writes the keys of `[django]` that say where the accounts are.

use anyhow::{Context, Error, anyhow, bail};

use super::found::{Column, Found, Many, User};
use crate::init::Page;

/// Writes the keys.
///
/// # Errors
/// When the accounts cannot be read here: verdicts would not be the site's.
pub fn write(page: &mut Page, found: &Found) -> anyhow::Result<()> {
    let user = &found.user;
    page.string(
        "user_table",
        &user.table,
        &format!("AUTH_USER_MODEL: {}", user.model),
    );
    if user.id.form.as_deref() == Some("converted") {
        return Err(in_a_form_of_its_own(
            user,
            &user.id,
            "its sessions name accounts",
        ));
    }
    page.string("user_id_column", own(user, &user.id)?, "its primary key");
    let username = user.username.as_ref();
    let username = username
        .with_context(|| format!("{}.{} is not a column", user.model, user.username_field))?;
    match username.form.as_deref() {
        None => {}
        Some("looked up") => page.warn(&format!(
            "names are looked up in the form that the field {} gives them, and here as they are typed",
            user.username_field
        )),
        Some(_) => return Err(in_a_form_of_its_own(user, username, "it is typed")),
    }
    let comment = format!("USERNAME_FIELD: {}", user.username_field);
    page.string("username_column", own(user, username)?, &comment);
    match &user.password {
        Some(password) if password.form.as_deref() == Some("converted") => {
            return Err(in_a_form_of_its_own(user, password, "Django checks it"));
        }
        Some(password) => page.string(
            "password_column",
            own(user, password)?,
            "the hash of the password",
        ),
        None => page.string("password_column", "", "there is none: no password is good"),
    }
    match &user.active {
        Some(active) => page.string("active_column", own(user, active)?, "whether it may log in"),
        None => page.string(
            "active_column",
            "",
            "there is none: every account may log in",
        ),
    }
    let email = user.email.as_ref();
    if email.is_some_and(|it| it.form.as_deref() == Some("converted")) {
        page.warn("e-mail addresses are stored in a form of the field's own, and are not read");
    } else if let Some(email) = email {
        page.string("email_column", own(user, email)?, "EMAIL_FIELD");
    }
    for (flag, usual) in [(&user.superuser, "is_superuser"), (&user.staff, "is_staff")] {
        if flag.as_ref().is_some_and(|column| column.column != usual) {
            page.warn(&format!(
                "the column of {usual} is called otherwise, and is not read: nobody counts as such"
            ));
        }
    }
    groups(page, user);
    Ok(())
}

/// That nothing can be written of a `column` whose values are not those that the site knows.
fn in_a_form_of_its_own(user: &User, column: &Column, known: &str) -> Error {
    anyhow!(
        "nothing is written: the column {} of {} does not hold its values as {known}, so that \
         Hallpass would find other ones; [custom] reads accounts by SQL, and [http] asks a page of \
         the site's",
        column.column,
        user.model
    )
}

/// The name of `column`, which must be in the user model's own table.
fn own<'a>(user: &User, column: &'a Column) -> anyhow::Result<&'a str> {
    if column.table != user.table {
        bail!(
            "{} has its column {} in the table {} of another model: accounts that are in two \
             tables are not read here; [custom] reads them by SQL",
            user.model,
            column.column,
            column.table
        );
    }
    Ok(&column.column)
}

fn groups(page: &mut Page, user: &User) {
    let readable = |many: &Many, other: &str| many.usual && many.other == other;
    let mut foreign_key = None;
    for (many, other, key, what) in [
        (&user.groups, "group_id", "groups_table", "groups"),
        (
            &user.permissions,
            "permission_id",
            "permissions_table",
            "permissions",
        ),
    ] {
        let Some(many) = many else { continue };
        if !readable(many, other) {
            page.warn(&format!(
                "the model's {what} are not Django's own, and are not read"
            ));
            continue;
        }
        if *foreign_key.get_or_insert(&many.user) != &many.user {
            page.warn(&format!(
                "the table of {what} names accounts in another way, and is not read"
            ));
            continue;
        }
        page.string(key, &many.table, &format!("who has which {what}"));
    }
    if let Some(column) = foreign_key {
        page.string("user_foreign_key", column, "the account in both");
    }
}
