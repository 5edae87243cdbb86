//! Prints findings, for people and for programs.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use hallpass_core::doctor::{Finding, Status};
use serde_json::{Value, json};

use crate::terminal::{UNAVAILABLE, USAGE, WIDTH, line, plain, wrap};

/// The column at which text begins.
const INDENT: usize = 9;

/// The findings of a run.
pub struct Report {
    lines: Vec<Line>,
    code: u8,
}

/// A finding as printed. Those of another process are read from its JSON.
pub struct Line {
    check: String,
    status: String,
    tried: String,
    seen: String,
    mend: Option<String>,
}

impl Report {
    pub fn new(findings: Vec<Finding>) -> Self {
        let worst = findings.iter().map(|finding| finding.status).max();
        let code = match worst {
            _ if findings.iter().any(|finding| finding.unreachable) => UNAVAILABLE,
            Some(Status::Problem) => 1,
            _ => 0,
        };
        Self {
            lines: findings.into_iter().map(Line::from).collect(),
            code,
        }
    }

    /// The configuration cannot be read.
    pub fn misconfigured(finding: Finding) -> Self {
        Self {
            code: USAGE,
            ..Self::new(vec![finding])
        }
    }

    /// The report that another process printed as JSON, with its exit code, after `finding`.
    ///
    /// # Errors
    /// When it is not such a report.
    pub fn of_process(finding: Finding, printed: &[u8], code: u8) -> anyhow::Result<Self> {
        let read: Value =
            serde_json::from_slice(printed).context("what the doctor said as that user")?;
        let findings = read.get("findings").and_then(Value::as_array);
        let mut lines = vec![Line::from(finding)];
        for found in findings.context("the doctor said nothing as that user")? {
            let text = |key: &str| found.get(key).and_then(Value::as_str).map(str::to_owned);
            lines.push(Line {
                check: text("check").unwrap_or_default(),
                status: text("status").unwrap_or_default(),
                tried: text("tried").unwrap_or_default(),
                seen: text("seen").unwrap_or_default(),
                mend: text("mend"),
            });
        }
        Ok(Self { lines, code })
    }

    pub fn exit_code(&self) -> ExitCode {
        self.code.into()
    }

    pub fn print(&self, as_json: bool) {
        if as_json {
            line(&self.json().to_string());
        } else {
            self.text();
        }
    }

    fn worst(&self) -> &'static str {
        let any = |word| self.lines.iter().any(|line| line.status == word);
        [Status::Problem, Status::Warning]
            .map(Status::word)
            .into_iter()
            .find(|word| any(*word))
            .unwrap_or(Status::Ok.word())
    }

    fn json(&self) -> Value {
        let finding = |line: &Line| {
            json!({
                "check": line.check,
                "status": line.status,
                "tried": line.tried,
                "seen": line.seen,
                "mend": line.mend,
            })
        };
        let findings: Vec<Value> = self.lines.iter().map(finding).collect();
        json!({ "status": self.worst(), "findings": findings })
    }

    fn text(&self) {
        let colourful = std::io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        for it in &self.lines {
            let said = format!("{}: {}", plain(&it.tried), plain(&it.seen));
            let mut rows = wrap(&said, WIDTH - INDENT).into_iter();
            let first = rows.next().unwrap_or_default();
            let status = format!("{:<INDENT$}", it.status);
            line(&format!(
                "{}{first}",
                coloured(&status, &it.status, colourful)
            ));
            rows.for_each(|row| line(&format!("{:INDENT$}{row}", "")));
            if let Some(mend) = &it.mend {
                let mend = format!("-> {}", plain(mend));
                for row in wrap(&mend, WIDTH - INDENT) {
                    line(&format!("{:INDENT$}{row}", ""));
                }
            }
        }
        let of = |status: Status| {
            let count = self
                .lines
                .iter()
                .filter(|line| line.status == status.word());
            count.count()
        };
        let problems = counted(of(Status::Problem), "problem");
        let warnings = counted(of(Status::Warning), "warning");
        line(&match of(Status::Ok) {
            ok if ok == self.lines.len() => format!("All {ok} checks are ok."),
            ok => format!("{ok} ok, {warnings}, {problems}"),
        });
    }
}

impl From<Finding> for Line {
    fn from(finding: Finding) -> Self {
        Self {
            check: finding.check.to_owned(),
            status: finding.status.word().to_owned(),
            tried: finding.tried,
            seen: finding.seen,
            mend: finding.mend,
        }
    }
}

/// `count` and `word`, in the plural where that is right.
fn counted(count: usize, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

/// `text` in the colour of `status`, by ECMA-48's SGR.
fn coloured(text: &str, status: &str, colourful: bool) -> String {
    let colour = match status {
        "ok" => 32,
        "warning" => 33,
        _ => 31,
    };
    if colourful {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
