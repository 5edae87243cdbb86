//! Admits the account that a credential proved, or says why not.

use std::time::SystemTime;

use hallpass_stores::Unavailable;
use hallpass_stores::sql::Queries;

use super::trace;
use crate::configuration::Access;
use crate::request::malformed_name;
use crate::{Account, ClaimedName, Conditions, Identity, Reason, Request, Requirement};
use hallpass_sites::{Accounts, Stop};

/// An account that a credential proved, and how it was found.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) account: &'a Account,
    /// The name that it was looked up by, if it was.
    pub(super) by: Option<&'a str>,
}

impl Found<'_> {
    /// Whether the account is the one that `claimed` means. A host that goes on with another name
    /// than the verdict's would let one account in as another.
    fn answers_to(
        self,
        claimed: &ClaimedName,
        accounts: &mut dyn Accounts,
        queries: &mut Queries<'_>,
    ) -> Result<bool, Unavailable> {
        match claimed {
            ClaimedName::Nameless => Ok(true),
            ClaimedName::Named(name) if self.by == Some(name) => Ok(true),
            ClaimedName::Named(name) if malformed_name(name) => Ok(false),
            ClaimedName::Named(name) => accounts.answers_to(queries, self.account, name),
        }
    }
}

/// Whether the account that a credential proved may in, as the name that the host goes on with.
/// Every way to a grant ends here.
pub(super) fn admit(
    accounts: &mut dyn Accounts,
    queries: &mut Queries<'_>,
    found: Found<'_>,
    access: &Access,
    request: &Request,
    now: SystemTime,
) -> Result<Identity, Stop> {
    let account = found.account;
    let answers = found.answers_to(&request.name, accounts, queries)?;
    if !trace::claimed(queries.tracer(), answers, &request.name, account) {
        return Err(Reason::WrongUser.into());
    }
    if !trace::active(queries.tracer(), account) {
        return Err(account.inactive.into());
    }
    if accounts.is_banned(queries, account, &request.client, now)? {
        queries.tracer().decided("ban", false, || {
            "the account or the address is banned".to_owned()
        });
        return Err(Reason::Banned.into());
    }
    let conditions = [&access.conditions, &request.conditions];
    let groups = if request.wants_groups || conditions.iter().any(|these| these.name_groups()) {
        accounts.groups(queries, account)?
    } else {
        Vec::new()
    };
    for conditions in conditions {
        if !permits(conditions, accounts, queries, account, &groups)? {
            return Err(Reason::NotPermitted.into());
        }
    }
    let groups = if request.wants_groups {
        groups
    } else {
        Vec::new()
    };
    Ok(Identity {
        groups,
        ..Identity::from(account)
    })
}

/// Whether `account`, which is in `groups`, meets `conditions`.
fn permits(
    conditions: &Conditions,
    accounts: &mut dyn Accounts,
    queries: &mut Queries<'_>,
    account: &Account,
    groups: &[String],
) -> Result<bool, Unavailable> {
    let mut met = |requirement: &Requirement| -> Result<bool, Unavailable> {
        let met = match requirement {
            Requirement::Group(name) => accounts.is_in(queries, account, groups, name)?,
            Requirement::Permission(permission) => {
                let all = account.superuser && !accounts.superusers_may_lack(permission);
                all || accounts.has_permission(queries, account, permission)?
            }
            Requirement::Staff => account.staff,
            Requirement::Superuser => account.superuser,
        };
        let tracer = queries.tracer();
        Ok(trace::requirement(tracer, requirement, met, groups))
    };
    let mut permitted = conditions.any.is_empty();
    for requirement in &conditions.any {
        permitted = permitted || met(requirement)?;
    }
    for requirement in &conditions.all {
        permitted = permitted && met(requirement)?;
    }
    Ok(permitted)
}

/// The groups of an account; an inactive one is in none.
pub(super) fn groups(
    accounts: &mut dyn Accounts,
    queries: &mut Queries<'_>,
    account: &Account,
) -> Result<Vec<String>, Unavailable> {
    if account.active {
        accounts.groups(queries, account)
    } else {
        Ok(Vec::new())
    }
}

impl Conditions {
    fn name_groups(&self) -> bool {
        let names_group = |requirement| matches!(requirement, &Requirement::Group(_));
        self.any.iter().any(names_group) || self.all.iter().any(names_group)
    }
}
