//! Checks the claims of a token whose signature is good (RFC 7519, section 4.1).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::json::Json;
use super::{Refusal, Rules, Subject, SubjectClaim};

/// The account that `claims` name at the time `now`, and when they end.
pub(super) fn check(
    claims: &Json,
    rules: &Rules,
    now: SystemTime,
) -> Result<(Subject, Option<SystemTime>), Refusal> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let leeway = i64::try_from(rules.leeway.as_secs()).unwrap_or(i64::MAX);
    let end = time(claims, "exp", Round::Down)?.ok_or(Refusal::Invalid("it has no exp"))?;
    let from = time(claims, "nbf", Round::Up)?;
    let made = time(claims, "iat", Round::Up)?;
    issuer(claims, rules)?;
    audience(claims, rules)?;
    let subject = subject(claims, &rules.subject)?;
    let latest = now.saturating_add(leeway);
    if from.is_some_and(|from| from > latest) {
        return Err(Refusal::Invalid("it is not yet valid: see its nbf"));
    }
    if made.is_some_and(|made| made > latest) {
        return Err(Refusal::Invalid("it was made in the future: see its iat"));
    }
    if now >= end.saturating_add(leeway) {
        return Err(Refusal::Expired);
    }
    let end = u64::try_from(end).unwrap_or_default();
    Ok((subject, UNIX_EPOCH.checked_add(Duration::from_secs(end))))
}

/// Which whole second counts for a fraction: always the one that lets in less.
#[derive(Clone, Copy)]
enum Round {
    Down,
    Up,
}

/// The moment that the claim `name` is, in Unix seconds.
fn time(claims: &Json, name: &str, round: Round) -> Result<Option<i64>, Refusal> {
    match claims.member(name) {
        None => Ok(None),
        Some(Json::Integer(seconds)) => Ok(Some(*seconds)),
        Some(Json::Number(seconds)) if seconds.is_finite() => {
            let seconds = match round {
                Round::Down => seconds.floor(),
                Round::Up => seconds.ceil(),
            };
            // A cast of a float ends at the least and the greatest integer.
            #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
            Ok(Some(seconds as i64))
        }
        Some(_) => Err(Refusal::Invalid("one of its times is not a number")),
    }
}

fn issuer(claims: &Json, rules: &Rules) -> Result<(), Refusal> {
    let Some(expected) = &rules.issuer else {
        return Ok(());
    };
    match claims.member("iss").and_then(Json::text) {
        Some(issuer) if issuer == expected => Ok(()),
        _ => Err(Refusal::Invalid("its iss is not `issuer`")),
    }
}

/// Checks `aud`. A token that names an audience is refused unless `audience` is configured (RFC 7519,
/// section 4.1.3).
fn audience(claims: &Json, rules: &Rules) -> Result<(), Refusal> {
    let named = claims.member("aud");
    let Some(expected) = &rules.audience else {
        return match named {
            None => Ok(()),
            Some(_) => Err(Refusal::Invalid("it has an aud, and `audience` is not set")),
        };
    };
    let found = match named {
        Some(Json::Text(audience)) => audience == expected,
        Some(Json::List(audiences)) => {
            let texts = audiences.iter().all(|audience| audience.text().is_some());
            texts && audiences.iter().any(|it| it.text() == Some(expected))
        }
        _ => false,
    };
    match found {
        true => Ok(()),
        false => Err(Refusal::Invalid("its aud is not `audience`")),
    }
}

fn subject(claims: &Json, claim: &SubjectClaim) -> Result<Subject, Refusal> {
    let missing = Refusal::Invalid("the claim that names the account is missing, or is not text");
    match claim {
        SubjectClaim::Name(name) => {
            let text = claims.member(name).and_then(Json::text);
            let text = text.filter(|text| !text.is_empty()).ok_or(missing)?;
            Ok(Subject::Name(text.to_owned()))
        }
        SubjectClaim::Key(name) => match claims.member(name) {
            Some(Json::Text(key)) if !key.is_empty() => Ok(Subject::Key(key.clone())),
            Some(Json::Integer(key)) => Ok(Subject::Key(key.to_string())),
            _ => Err(missing),
        },
    }
}
