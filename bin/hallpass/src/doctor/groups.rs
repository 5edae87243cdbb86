//! Compares the groups that a host's configuration names with those of the site.

use std::sync::OnceLock;

use hallpass_core::doctor::{Finding, group_names};
use hallpass_core::{Conditions, Configuration, Requirement};

/// The groups in `conditions`.
pub fn of(conditions: &Conditions) -> Vec<String> {
    let all = conditions.any.iter().chain(&conditions.all);
    let named = all.filter_map(|requirement| match requirement {
        Requirement::Group(name) => Some(name.clone()),
        _ => None,
    });
    named.collect()
}

/// Those of `names` that no group of the site is called; none where its groups cannot be listed.
pub fn unknown(configuration: &Configuration, names: &[String]) -> Vec<String> {
    // The doctor looks at one site, whose database is asked once.
    static KNOWN: OnceLock<Option<Vec<String>>> = OnceLock::new();
    if names.is_empty() {
        return Vec::new();
    }
    let Some(known) = KNOWN.get_or_init(|| group_names(configuration)) else {
        return Vec::new();
    };
    let mut unknown: Vec<String> = Vec::new();
    for name in names {
        if !known.contains(name) && !unknown.contains(name) {
            unknown.push(name.clone());
        }
    }
    unknown
}

/// The finding for groups named at a place that the site does not have.
pub fn examine(configuration: &Configuration, at: &str, names: &[String]) -> Option<Finding> {
    let unknown = unknown(configuration, names);
    let first = unknown.first()?;
    let list: Vec<String> = unknown.iter().map(|name| format!("{name:?}")).collect();
    let plural = if unknown.len() == 1 { "" } else { "s" };
    let spaced = match unknown.len() > 1 || names.len() > unknown.len() {
        true => "; a name of several words is put in quotes",
        false => "",
    };
    let list = list.join(", ");
    let mend = format!("write a group of the site in place of {first:?}{spaced}");
    let seen = format!("the site has no group{plural} called {list}");
    // Members of another group that is named get in all the same.
    Some(match unknown.len() < names.len() {
        true => Finding::warning("host-group", at, seen, mend),
        false => Finding::problem("host-group", at, seen + ": nobody gets in", mend),
    })
}
