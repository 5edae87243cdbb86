//! Compares the groups that a host's configuration names with those of the site.

use hallpass_core::doctor::{Finding, unknown_groups};
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

/// The finding for groups named at a place that the site does not have.
pub fn examine(configuration: &Configuration, at: &str, names: &[String]) -> Option<Finding> {
    let unknown = unknown_groups(configuration, names);
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
