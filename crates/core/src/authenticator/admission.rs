//! Whether those who have proved who they are may in.

use std::time::SystemTime;

use hallpass_stores::Unavailable;
use hallpass_stores::sql::Queries;

use super::{malformed_name, told};
use crate::configuration::Access;
use crate::site::Directory;
use crate::{Account, Conditions, Identity, Question, Reason, Requirement};

/// Whether `account` is the one that the host calls `owner`, where it calls it anything.
pub(super) fn belongs(
    directory: &mut dyn Directory,
    queries: &mut Queries<'_>,
    account: &Account,
    owner: Option<&str>,
) -> Result<bool, Unavailable> {
    let Some(owner) = owner else {
        return Ok(true);
    };
    if malformed_name(owner) {
        return Ok(false);
    }
    directory.is_called(queries, account, owner)
}

/// Whether an account whose owner has proved who they are may in.
pub(super) fn admit(
    directory: &mut dyn Directory,
    queries: &mut Queries<'_>,
    account: &Account,
    access: &Access,
    question: &Question,
    now: SystemTime,
) -> Result<Result<Identity, Reason>, Unavailable> {
    if !told::active(queries.witness(), account.active) {
        return Ok(Err(Reason::Inactive));
    }
    if directory.bars(queries, account, &question.client, now)? {
        queries.witness().decided("ban", false, || {
            "the account or the address is banned".to_owned()
        });
        return Ok(Err(Reason::Inactive));
    }
    let conditions = [&access.conditions, &question.conditions];
    let groups = if question.wants_groups || conditions.iter().any(|these| these.name_groups()) {
        directory.groups(queries, account)?
    } else {
        Vec::new()
    };
    for conditions in conditions {
        let mut met = |requirement: &Requirement| -> Result<bool, Unavailable> {
            let met = match requirement {
                Requirement::Group(name) => directory.is_in(queries, account, &groups, name)?,
                Requirement::Permission(permission) => {
                    account.superuser || directory.holds(queries, account, permission)?
                }
                Requirement::Staff => account.staff,
                Requirement::Superuser => account.superuser,
            };
            Ok(told::requirement(
                queries.witness(),
                requirement,
                met,
                &groups,
            ))
        };
        let mut permitted = conditions.any.is_empty();
        for requirement in &conditions.any {
            permitted = permitted || met(requirement)?;
        }
        for requirement in &conditions.all {
            permitted = permitted && met(requirement)?;
        }
        if !permitted {
            return Ok(Err(Reason::NotPermitted));
        }
    }
    let groups = if question.wants_groups {
        groups
    } else {
        Vec::new()
    };
    Ok(Ok(Identity {
        groups,
        ..account.identity()
    }))
}

/// The groups of an account; an inactive one is in none.
pub(super) fn groups(
    directory: &mut dyn Directory,
    queries: &mut Queries<'_>,
    account: &Account,
) -> Result<Vec<String>, Unavailable> {
    if account.active {
        directory.groups(queries, account)
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
