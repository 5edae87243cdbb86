//! What follows from the site's rules that stand outside its columns.
//!
//! A rule that the configuration can express is written. One that it cannot closes what it is about:
//! passwords, sessions or permissions. What then lets nobody in is an error, and so is a rule about
//! accounts themselves. Nothing is written that would let in an account which the site does
//! not.

use anyhow::{anyhow, bail};
use serde_json::Value;

use super::found::{Application, Backend, Manager, Method, Middleware, Rules};

/// What the configuration may say of a site.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expressed {
    /// Why no password of the site's database may be accepted.
    pub passwords: Option<String>,
    /// Why no account may be looked up by a name.
    pub names: Option<String>,
    /// Why the sessions may not be read.
    pub sessions: Option<String>,
    /// Why no account may count as holding a permission.
    pub permissions: Option<String>,
    /// The condition that accounts must meet.
    pub condition: Option<String>,
    /// The backends whose sessions count.
    pub backends: Vec<String>,
    /// What cannot be expressed, and grants nothing.
    pub warnings: Vec<String>,
}

/// What the configuration may say of a site with `rules`.
///
/// # Errors
/// When nothing that it could say would keep out whom the site keeps out.
pub fn express(rules: &Rules, model: &str) -> anyhow::Result<Expressed> {
    let names = names(rules);
    let mut expressed = Expressed {
        // Whom no backend knows, the site takes for a visitor as soon as the password has been shown.
        passwords: passwords(rules, model).or_else(|| names.clone()),
        names,
        permissions: permissions(rules, model),
        condition: condition(&rules.manager, model)?,
        ..Expressed::default()
    };
    if rules.model.iter().any(|name| name == "is_active") {
        bail!(
            "{model}.is_active is computed by the site: who may log in cannot be read from its \
             tables; [custom] reads them by SQL"
        );
    }
    sessions(rules, model, &mut expressed);
    if let (Some(condition), Value::String(why)) = (&expressed.condition, &rules.manager.counted) {
        expressed.warnings.push(format!(
            "whether `where = {condition:?}` gives the accounts that {} gives could not be \
             counted: {why}",
            rules.manager.name
        ));
    }
    for name in &rules.model {
        match name.as_str() {
            "get_username" => expressed.warnings.push(format!(
                "{model} has a get_username of its own: the site may call accounts otherwise than \
                 their column does"
            )),
            "is_staff" | "is_superuser" => expressed.warnings.push(format!(
                "{model}.{name} is computed by the site: nobody counts as such here"
            )),
            "no get_session_auth_hash" => expressed.warnings.push(format!(
                "{model} has no get_session_auth_hash: sessions that are not bound to a password \
                 are denied as stale"
            )),
            _ => {}
        }
    }
    expressed
        .warnings
        .extend(rules.backends.iter().filter_map(by_the_way));
    expressed
        .warnings
        .extend(rules.middleware.iter().filter_map(of_middleware));
    expressed
        .warnings
        .extend(rules.applications.iter().map(of_application));
    Ok(expressed)
}

/// That neither `passwords` nor `sessions` let anybody in, by these reasons.
pub fn nobody(passwords: &str, sessions: &str) -> anyhow::Error {
    anyhow!(
        "nothing is written: the site has rules about who may log in that a configuration cannot \
         express. Passwords: {passwords}. Sessions: {sessions}. If a condition in SQL on the row \
         of the account says the same, write the configuration by hand, with `where` in [access]"
    )
}

/// The condition that the default manager puts on accounts.
fn condition(manager: &Manager, model: &str) -> anyhow::Result<Option<String>> {
    let name = &manager.name;
    if let Some(why) = &manager.why {
        bail!(
            "nothing is written: {name}, the default manager of {model}, has a rule that cannot be \
             written as a condition on the row of the account ({why}). Django logs nobody in whom \
             it leaves out. If a condition in SQL says the same, write the configuration by hand, \
             with `where` in [access]"
        );
    }
    if manager.counted == Value::Bool(false) {
        bail!(
            "nothing is written: {name}, the default manager of {model}, gives other accounts than \
             `{}`, which is its condition. Write the configuration by hand, with `where` in \
             [access]",
            manager.condition.as_deref().unwrap_or_default()
        );
    }
    Ok(manager.condition.clone())
}

/// Why no password of the site's database may be accepted.
fn passwords(rules: &Rules, model: &str) -> Option<String> {
    if rules.model.iter().any(|name| name == "check_password") {
        return Some(format!("{model} has a check_password of its own"));
    }
    if rules.manager.natural_key == Method::Own {
        return Some(format!(
            "{} has a get_by_natural_key of its own",
            rules.manager.name
        ));
    }
    if let Some(other) = rules.second_factors.others.first() {
        return Some(format!(
            "the site has second factors of {other}, whose tables are not known here"
        ));
    }
    // The first backend that takes a password lets the account in, whatever later ones say.
    let mut own = None;
    for backend in rules.backends.iter().filter(|it| it.takes_passwords) {
        match (backend.authenticate, backend.user_can_authenticate) {
            (Method::Django | Method::Plain, Method::Own) => {
                own.get_or_insert_with(|| {
                    format!("{} has a user_can_authenticate of its own", backend.path)
                });
            }
            // It may ask it.
            (Method::Plain, _) if backend.get_user == Method::Own => {
                own.get_or_insert_with(|| format!("{} has a get_user of its own", backend.path));
            }
            (Method::Django | Method::Plain, _) => return None,
            // It may refuse accounts that later ones would accept.
            (Method::Own, _) => {
                return Some(format!(
                    "{} checks passwords in a way of its own",
                    backend.path
                ));
            }
            (Method::None | Method::Elsewhere | Method::Lockout | Method::All, _) => {}
        }
    }
    Some(own.unwrap_or_else(|| {
        "AUTHENTICATION_BACKENDS has none that takes a password of the site's own database (single \
         sign-on alone)"
            .to_owned()
    }))
}

/// Why no account may be looked up by a name: those who are known by a certificate, or only asked
/// about, show no session and no password that the site could refuse.
fn names(rules: &Rules) -> Option<String> {
    if rules.manager.natural_key == Method::Own {
        let name = &rules.manager.name;
        return Some(format!("{name} has a get_by_natural_key of its own"));
    }
    let mut knowing = rules
        .backends
        .iter()
        .filter(|it| it.get_user != Method::None);
    let own = knowing.clone().next()?;
    let all = knowing.all(|it| it.get_user == Method::Own);
    all.then(|| format!("{} has a get_user of its own", own.path))
}

/// Which sessions count, or why they may not be read.
fn sessions(rules: &Rules, model: &str, expressed: &mut Expressed) {
    let own = ["is_authenticated"]
        .into_iter()
        .chain(["get_session_auth_hash", "_get_session_auth_hash"])
        .chain(["get_session_auth_fallback_hash"])
        .find(|name| rules.model.iter().any(|own| own == name));
    let replaced = rules.middleware.iter().find(|it| it.does == "replaces");
    expressed.sessions = if let Some(name) = own {
        Some(format!("{model} has a {name} of its own"))
    } else if let Some(rule) = rules.sessions.first() {
        Some(rule.clone())
    } else if let Some(other) = rules.second_factors.pending.first() {
        Some(format!(
            "they begin before a second factor of {other} is shown, whose tables are not known here"
        ))
    } else {
        replaced.map(|it| format!("{} says in a way of its own whose they are", it.path))
    };
    let mut refused = Vec::new();
    for backend in &rules.backends {
        match (backend.get_user, backend.user_can_authenticate) {
            // One that is copied from Django's asks it, too.
            (Method::Django | Method::Plain, Method::Own) => {
                refused.push((backend, "user_can_authenticate"));
            }
            (Method::Own, _) => refused.push((backend, "get_user")),
            // Django has no session by it.
            (Method::None, _) => {}
            (Method::Django | Method::Plain | Method::Elsewhere, _)
            | (Method::Lockout | Method::All, _) => expressed.backends.push(backend.path.clone()),
        }
    }
    if expressed.sessions.is_some() {
        return;
    }
    if expressed.backends.is_empty() {
        expressed.sessions = Some(refused.first().map_or_else(
            || "no backend knows accounts by their sessions".to_owned(),
            |(backend, method)| format!("{} has a {method} of its own", backend.path),
        ));
        return;
    }
    for (backend, method) in refused {
        expressed.warnings.push(format!(
            "{} has a {method} of its own, which is not known here: sessions that it began are \
             refused",
            backend.path
        ));
    }
}

/// Why no account may count as holding a permission.
fn permissions(rules: &Rules, model: &str) -> Option<String> {
    let own = rules.model.iter().find(|name| name.contains("perm"));
    if let Some(name) = own {
        return Some(format!("{model} has a {name} of its own"));
    }
    let mut holders = rules.backends.iter().filter(|it| it.holds_permissions);
    // What one backend grants is granted, whatever others say.
    if holders.any(|backend| backend.permissions.is_empty()) {
        return None;
    }
    let own = rules.backends.iter().find_map(|backend| {
        let name = backend.permissions.first()?;
        Some(format!("{} has a {name} of its own", backend.path))
    });
    Some(own.unwrap_or_else(|| "no backend gives those of Django's tables".to_owned()))
}

/// What a backend does that grants nothing here.
fn by_the_way(backend: &Backend) -> Option<String> {
    let path = &backend.path;
    match (backend.authenticate, backend.user_can_authenticate) {
        (Method::Plain, _) => Some(format!(
            "{path} looks accounts up in a way of its own; if it takes e-mail addresses for names, \
             so does `login = [\"username\", \"email\"]` of [access]"
        )),
        // `filter_users_by_username` in account/utils.py (allauth 65).
        (Method::Django, _) if path.starts_with("allauth.") => Some(format!(
            "{path} takes names in any case, and so does `ignore_case = true` of [access]; without \
             it, a name in another case than the account's is denied"
        )),
        (Method::Lockout, _) => Some(format!(
            "{path} locks accounts or addresses out after failures: that is not read here, and \
             [limits] has a throttle of Hallpass's own"
        )),
        (_, Method::All) => Some(format!(
            "{path} lets inactive accounts in: they are denied here"
        )),
        _ => None,
    }
}

fn of_middleware(middleware: &Middleware) -> Option<String> {
    let Middleware { path, does, .. } = middleware;
    let setting = middleware.setting.as_deref().unwrap_or_default();
    Some(match does.as_str() {
        "idle" => format!(
            "{path} ends sessions that are idle ({setting}): that is not known here, and such a \
             session counts until it expires in its store"
        ),
        "remote-user" => format!(
            "{path} ends sessions at the site when its web server names nobody: here they count \
             until they expire"
        ),
        "broken" => format!("{path} cannot be looked at: {setting}"),
        "ends" => format!(
            "{path} may end sessions by a rule of the site's own, which is not known here: such a \
             session counts until the site has ended it"
        ),
        "user" => {
            format!("{path} may say in a way of its own who is logged in, which is not known here")
        }
        "expiry" => format!(
            "{path} may change when sessions expire: here they count until they expire in their \
             store"
        ),
        // An error, or a reason why sessions are not read.
        _ => return None,
    })
}

fn of_application(application: &Application) -> String {
    let Application { application, does } = application;
    match does.as_str() {
        "lock-out" => format!(
            "{application} locks accounts or addresses out after failures: that is not read here, \
             and [limits] has a throttle of Hallpass's own"
        ),
        "verification" => format!(
            "{application} lets nobody log in whose e-mail address is not verified: that is not \
             read here; `where` in [access] can say so: EXISTS (SELECT 1 FROM account_emailaddress \
             e WHERE e.user_id = account.id AND e.verified)"
        ),
        _ => format!(
            "{application} wants passwords changed that are old: that is not known here, and they \
             are good"
        ),
    }
}
