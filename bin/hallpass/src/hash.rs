//! Runs `hallpass hash`: verifies, identifies and makes encoded password hashes, without any site.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use hallpass_passwords::{Algorithm, Context, Encoded, Limits, Outcome, ParseError, Rules, make};
use serde_json::json;

use crate::options::{self, HashCommand};
use crate::terminal::{self, complain, line};

/// Django's rules, and PHP's for what Django does not know.
pub const LIKELY_RULES: [Rules; 2] = [Rules::Django, Rules::Php];

/// The word for the algorithm of an account that has no password, or a locked one.
pub const UNUSABLE: &str = "unusable";

pub fn run(command: HashCommand, as_json: bool) -> anyhow::Result<ExitCode> {
    match command {
        HashCommand::Verify {
            encoded,
            rules,
            login_name,
            salt,
        } => {
            let context = Context {
                login_name: login_name.as_deref(),
                salt: salt.as_deref(),
                pepper: None,
            };
            check(&encoded.read()?, rules, &context, as_json)
        }
        HashCommand::Identify { encoded } => Ok(say(&encoded.read()?, as_json)),
        HashCommand::Make {
            algorithm,
            iterations,
        } => new(algorithm, iterations, as_json),
    }
}

impl options::Encoded {
    fn read(self) -> anyhow::Result<String> {
        match (self.encoded, self.encoded_file) {
            (Some(encoded), _) => Ok(encoded),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("reading {}", path.display()))?;
                Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
            }
            (None, None) => Err(anyhow!("there is no encoded hash")),
        }
    }
}

fn check(
    encoded: &str,
    rules: Option<Rules>,
    context: &Context<'_>,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let password = terminal::password()?;
    if password.expose().len() as u64 >= terminal::LONGEST {
        return Err(anyhow!("the password is longer than any that is hashed"));
    }
    let parsed = match rules {
        Some(rules) => Encoded::parse(rules, encoded),
        None => Encoded::parse_any(&LIKELY_RULES, encoded),
    };
    let outcome = match parsed {
        Ok(encoded) => encoded.verify(password.expose(), context, &Limits::default()),
        Err(error) => error.into(),
    };
    let (verdict, reason) = match outcome {
        Outcome::Match => ("granted", None),
        Outcome::Mismatch => ("denied", Some("wrong-password")),
        Outcome::Unusable => ("denied", Some("unusable-password")),
        Outcome::Unsupported => ("denied", Some("unsupported-hash")),
    };
    match (as_json, reason) {
        (true, _) => line(&json!({ "verdict": verdict, "reason": reason }).to_string()),
        (false, None) => line(verdict),
        (false, Some(reason)) => line(&format!("{verdict}: {reason}")),
    }
    Ok(if outcome == Outcome::Match {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn say(encoded: &str, as_json: bool) -> ExitCode {
    let parsed = Encoded::parse_any(&LIKELY_RULES, encoded);
    let parsed = match parsed {
        Err(ParseError::Unsupported) => Encoded::parse_any(&Rules::SELF_DESCRIBING, encoded),
        parsed => parsed,
    };
    let (algorithm, cost) = match parsed {
        Ok(hash) => (hash.algorithm(), hash.parameters()),
        Err(ParseError::Unusable) if !encoded.is_empty() => (UNUSABLE, String::new()),
        Err(_) => {
            if as_json {
                line(&json!({ "algorithm": null, "cost": null }).to_string());
            } else {
                complain("this is not a hash of a known algorithm");
            }
            return ExitCode::FAILURE;
        }
    };
    if as_json {
        line(&json!({ "algorithm": algorithm, "cost": cost }).to_string());
    } else if cost.is_empty() {
        line(algorithm);
    } else {
        line(&format!("{algorithm}, {cost}"));
    }
    ExitCode::SUCCESS
}

fn new(algorithm: Algorithm, cost: Option<u32>, as_json: bool) -> anyhow::Result<ExitCode> {
    let password = terminal::password()?;
    let mut failed = None;
    let mut random = |bytes: &mut [u8]| {
        if let Err(error) = getrandom::fill(bytes) {
            failed = Some(error);
        }
    };
    let encoded = make(algorithm, password.expose(), cost, &mut random);
    if let Some(error) = failed {
        return Err(anyhow!("the system gives no random bytes: {error}"));
    }
    let encoded = encoded.map_err(|error| anyhow!("{error}"))?;
    if as_json {
        line(&json!({ "encoded": encoded }).to_string());
    } else {
        line(&encoded);
    }
    Ok(ExitCode::SUCCESS)
}
