//! Runs `hallpass config`: prints the settings in force, or the schema of the configuration file.

use std::process::ExitCode;

use anyhow::Context;
use hallpass_core::configuration::schema::{self, KeyDefault, Origin, Setting};
use hallpass_runtime::CommandLine;
use hallpass_sites::FRAMEWORKS;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::options::ConfigOptions;
use crate::terminal::{line, plain};

/// Prints the settings in force, each with where it is from; or the schema.
pub fn run(
    common: &CommandLine,
    options: &ConfigOptions,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    if options.schema {
        line(&serde_json::to_string_pretty(&schema::schema(FRAMEWORKS))?);
        return Ok(ExitCode::SUCCESS);
    }
    // Reports errors in the usual way.
    let path = common.configuration()?.path;
    let text = std::fs::read_to_string(&path).map(Zeroizing::new);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let settings: Vec<Setting> = schema::settings(FRAMEWORKS, &path, &text)?
        .into_iter()
        .filter(|setting| !options.changed || is_changed(setting))
        .collect();
    if as_json {
        let settings: Vec<Value> = settings.iter().map(object).collect();
        line(&json!({ "file": path, "settings": settings }).to_string());
        return Ok(ExitCode::SUCCESS);
    }
    line(&format!("# {}", plain(&path.display().to_string())));
    let mut table = "";
    for setting in &settings {
        if setting.table != table {
            table = setting.table;
            line(&format!("\n[{table}]"));
        }
        line(&written(setting));
    }
    Ok(ExitCode::SUCCESS)
}

/// The setting as it would be written in the file; one without a value is a comment.
fn written(setting: &Setting) -> String {
    let key = setting.key.name;
    match (&setting.given, &setting.key.default) {
        (Some((value, Origin::Line(line))), _) => {
            format!("{key} = {}  # line {line}", printed(value))
        }
        (Some((value, Origin::SiteFile(path))), _) => {
            format!(
                "{key} = {}  # {}",
                printed(value),
                plain(&path.display().to_string())
            )
        }
        (None, KeyDefault::Value(value)) => format!("{key} = {value}  # default"),
        (None, KeyDefault::Words(words)) => format!("# {key}: {words}  # default"),
        (None, KeyDefault::Nothing | KeyDefault::Needed) => format!("# {key}: none"),
    }
}

/// `value` without control characters. The lines of a text or a list stay lines.
fn printed(value: &str) -> String {
    value.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn is_changed(setting: &Setting) -> bool {
    match (&setting.given, &setting.key.default) {
        (None, _) => false,
        (Some((value, _)), KeyDefault::Value(default)) => {
            let bare = |text: &str| text.replace([' ', '\n', '\t'], "").replace('\'', "\"");
            bare(value) != bare(default)
        }
        (Some(_), _) => true,
    }
}

fn object(setting: &Setting) -> Value {
    let key = match setting.table {
        "" => setting.key.name.to_owned(),
        table => format!("{table}.{}", setting.key.name),
    };
    let default = match &setting.key.default {
        KeyDefault::Value(value) => Some(value),
        _ => None,
    };
    let (value, line, file) = match &setting.given {
        Some((value, Origin::Line(line))) => (Some(value), Some(line), None),
        Some((value, Origin::SiteFile(path))) => (Some(value), None, Some(path)),
        None => (default, None, None),
    };
    json!({
        "key": key,
        "value": value,
        "default": default,
        "line": line,
        "file": file,
        "changed": is_changed(setting),
    })
}
