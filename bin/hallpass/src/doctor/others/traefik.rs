//! Checks Traefik's file provider: `forwardAuth`, the routers that use it, and copied headers.

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::traefik_files::{Placed, read};
use super::{all, asks, question};
use crate::doctor::directives::IDENTITY;
use crate::doctor::hosts::{fits_without, nothing_without};

/// The findings for the file at `path`, or the files in it; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let (all_settings, unread) = read(path)?;
    let listen = &configuration.daemon.listen;
    let (mut findings, mut ours) = (Vec::new(), Vec::new());
    for it in &all_settings {
        let ["http", "middlewares", name, "forwardAuth", "address"] = *it.keys() else {
            continue;
        };
        let Some(asked) = asks(&it.setting.value, listen) else {
            continue;
        };
        findings.extend(asked.finding(&it.at(), "listen", listen));
        let target = it
            .setting
            .value
            .split_once("://")
            .map_or("", |(_, rest)| rest);
        let target = target.find('/').and_then(|start| target.get(start..));
        findings.extend(question(
            target.unwrap_or_default(),
            &it.at(),
            configuration,
        ));
        findings.extend(headers(it, name, &all_settings));
        ours.push((name.to_owned(), it));
    }
    findings.extend(routers(&ours, &all_settings, unread.is_none()));
    match unread {
        Some(unread) if ours.is_empty() => Ok(nothing_without(path, &unread)),
        Some(unread) if findings.is_empty() => Ok(fits_without(path, &unread)),
        _ => Ok(all(path, !ours.is_empty(), findings)),
    }
}

/// What is copied of the answer, and what of the client's is believed.
fn headers(address: &Placed, name: &str, all: &[Placed]) -> Vec<Finding> {
    let of = |key: &str| -> Vec<&Placed> {
        let is = |it: &&Placed| match *it.keys() {
            ["http", "middlewares", other, "forwardAuth", own, ..] => other == name && own == key,
            _ => false,
        };
        all.iter().filter(is).collect()
    };
    let mut findings = Vec::new();
    let copied = of("authResponseHeaders");
    let regex = of("authResponseHeadersRegex");
    let regex = regex
        .iter()
        .find_map(|it| regex::Regex::new(&it.setting.value).ok());
    let taken = |header: &str| {
        let listed = copied
            .iter()
            .any(|it| it.setting.value.eq_ignore_ascii_case(header));
        listed || regex.as_ref().is_some_and(|regex| regex.is_match(header))
    };
    let open: Vec<&str> = IDENTITY.into_iter().filter(|it| !taken(it)).collect();
    let mend = "copy all of docs/http.md by authResponseHeaders, and write \
                authResponseHeadersRegex: \"(?i)^Remote[-_]\"";
    let seen =
        |what: &str| format!("the application gets {what} as any client may have written it");
    if !open.is_empty() {
        let seen = seen(&open.join(", "));
        findings.push(Finding::warning(
            "traefik-identity",
            address.at(),
            seen,
            mend,
        ));
    } else if !taken("Remote_User") {
        let seen = seen("Remote_User and the like");
        findings.push(Finding::warning(
            "traefik-identity",
            address.at(),
            seen,
            mend,
        ));
    }
    let trusts = of("trustForwardHeader");
    if let Some(trusts) = trusts.iter().find(|it| it.setting.value == "true") {
        findings.push(Finding::warning(
            "traefik-client-address",
            trusts.at(),
            "the client chooses its own address: it may guess passwords without limit, and have \
             others locked out",
            "take trustForwardHeader away, unless another proxy of yours is in front",
        ));
    }
    findings
}

/// The routers: one at least must use the middleware, by itself or in a chain. `are_all` says whether
/// there are no others.
fn routers(ours: &[(String, &Placed)], all: &[Placed], are_all: bool) -> Vec<Finding> {
    let mut names: Vec<String> = ours.iter().map(|(name, _)| name.clone()).collect();
    // Chains in chains.
    for _ in 0..8 {
        for it in all {
            if let ["http", "middlewares", chain, "chain", "middlewares", _] = *it.keys()
                && names.iter().any(|name| is_named(&it.setting.value, name))
                && !names.iter().any(|name| name == chain)
            {
                names.push(chain.to_owned());
            }
        }
    }
    let key = |it: &Placed, key: &str| match *it.keys() {
        ["http", "routers", router, own, ..] if own == key => Some(router.to_owned()),
        _ => None,
    };
    let uses: Vec<String> = all
        .iter()
        .filter(|it| names.iter().any(|name| is_named(&it.setting.value, name)))
        .filter_map(|it| key(it, "middlewares"))
        .collect();
    // An entry point, or labels of containers, may use it where no router of these files does.
    let entry = all.iter().any(|it| match *it.keys() {
        ["entryPoints", _, "http", "middlewares", _] => {
            names.iter().any(|name| is_named(&it.setting.value, name))
        }
        _ => false,
    });
    let Some((name, first)) = ours.first() else {
        return Vec::new();
    };
    if entry {
        return Vec::new();
    }
    if uses.is_empty() && are_all {
        return vec![Finding::problem(
            "traefik-router",
            first.at(),
            format!("no router uses the middleware {name}: everybody gets in"),
            format!("write middlewares: [{name}] into the router"),
        )];
    }
    let services: Vec<(String, &Placed)> = all
        .iter()
        .filter_map(|it| Some((key(it, "service")?, it)))
        .collect();
    let mut findings = Vec::new();
    for (router, it) in &services {
        let same = |(other, placed): &&(String, &Placed)| {
            uses.contains(other) && placed.setting.value == it.setting.value
        };
        if !uses.contains(router) && services.iter().any(|other| same(&other)) {
            findings.push(Finding::problem(
                "traefik-router",
                it.at(),
                format!(
                    "the router {router} leads to the application {} without the middleware {name}: \
                     everybody reaches it, with identity headers of their own",
                    it.setting.value
                ),
                format!("write middlewares: [{name}] into it, too"),
            ));
        }
    }
    findings
}

/// Whether `value` names the middleware, perhaps with its provider.
fn is_named(value: &str, name: &str) -> bool {
    value.split('@').next() == Some(name)
}
