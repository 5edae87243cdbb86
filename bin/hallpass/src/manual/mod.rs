//! Makes manual pages and completion scripts from the command lines themselves.

mod lines;
mod sections;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use hallpass_core::configuration::schema::{self, KeyDefault};
use hallpass_sites::FRAMEWORKS;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::programs::{PROGRAMS, Program};

const VERSION: &str = concat!("Hallpass ", env!("CARGO_PKG_VERSION"));
/// The moment that a reproducible build stands for, in seconds since 1970.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Writes a manual page for each program, and for each of its commands, into `directory`.
pub fn run(directory: &Path) -> anyhow::Result<ExitCode> {
    let doing = || format!("cannot write manual pages into {}", directory.display());
    fs::create_dir_all(directory).with_context(doing)?;
    let date = date()?;
    let write = |name: &str, page: &str| {
        fs::write(directory.join(name), lines::tidy(page)).with_context(doing)
    };
    for program in &PROGRAMS {
        let mut command = (program.command_line)().disable_help_subcommand(true);
        command.build();
        let mut pages = vec![(command, None)];
        while let Some((command, of_parent)) = pages.pop() {
            let (command, own) = sections::take_exit_codes(command);
            let name = command
                .get_display_name()
                .unwrap_or_else(|| command.get_name());
            let codes = own.unwrap_or_else(|| sections::exit_codes(name, of_parent.as_ref()));
            let below = command.get_subcommands().cloned();
            pages.extend(below.map(|command| (command, Some(codes.clone()))));
            let man = Man::new(command.clone())
                .title(name.to_uppercase())
                .section(program.section)
                .date(&date)
                .source(VERSION)
                .manual("Hallpass");
            let page = page(&command, &man, program, &codes).with_context(doing)?;
            write(&man.get_filename(), &page)?;
        }
    }
    write("hallpass.toml.5", &configuration(&date).render())?;
    Ok(ExitCode::SUCCESS)
}

/// The date of the pages: of the sources in a reproducible build, else today.
fn date() -> anyhow::Result<String> {
    let moment = match std::env::var(EPOCH) {
        Ok(epoch) => {
            let seconds = epoch.parse().ok();
            seconds
                .and_then(|seconds| Timestamp::from_second(seconds).ok())
                .with_context(|| format!("{EPOCH}: {epoch:?} is not a number of seconds"))?
        }
        Err(_) => Timestamp::now(),
    };
    Ok(moment.to_zoned(TimeZone::UTC).date().to_string())
}

/// Prints a script for `shell` that completes the command line of `program`.
pub fn completions(shell: Shell, program: &str) -> anyhow::Result<ExitCode> {
    let Some(program) = PROGRAMS.iter().find(|known| known.name == program) else {
        let names = PROGRAMS.map(|program| program.name).join(", ");
        bail!("unknown program {program:?}; the programs are {names}");
    };
    let mut script = Vec::new();
    clap_complete::generate(
        shell,
        &mut (program.command_line)(),
        program.name,
        &mut script,
    );
    io::stdout()
        .write_all(&script)
        .context("cannot write the completions")?;
    Ok(ExitCode::SUCCESS)
}

/// The page of `command`, which is `program` or one of its commands.
fn page(command: &Command, man: &Man, program: &Program, codes: &str) -> io::Result<String> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut end = Roff::new();
    sections::exit_status(&mut end, codes);
    sections::environment(&mut end, program.name);
    sections::files(&mut end, program.name);
    if let Some(examples) = command.get_after_help() {
        end.control("SH", ["EXAMPLES"]);
        // Verbatim, line by line.
        end.control("nf", []);
        for line in examples.to_string().lines().skip(1) {
            end.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        end.control("fi", []);
    }
    // Their pages are where this one is.
    let others = PROGRAMS
        .iter()
        .map(|program| (program.name, program.section))
        .chain([("hallpass.toml", "5")])
        .map(|(name, section)| format!("{name}({section})"));
    let file = man.get_filename();
    let others: Vec<_> = others
        .filter(|other| file != other.replace('(', ".").trim_end_matches(')'))
        .collect();
    end.control("SH", ["SEE ALSO"]);
    end.text([roman(others.join(", "))]);
    end.to_writer(&mut page)?;
    String::from_utf8(page).map_err(io::Error::other)
}

/// hallpass.toml(5): every key of the configuration file.
fn configuration(date: &str) -> Roff {
    let mut page = Roff::new();
    page.control("TH", ["HALLPASS.TOML", "5", date, VERSION, "Hallpass"]);
    page.control("SH", ["NAME"]);
    page.text([roman(
        "hallpass.toml - describes a web site to the programs of Hallpass",
    )]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "One TOML file describes one site. It is the one that --config names, else the one that the \
         environment variable HALLPASS_CONFIG names, else /etc/hallpass/hallpass.toml. Paths in it \
         are relative to it. An unknown key or a wrong value is an error, and nothing starts.",
    )]);
    page.control("PP", []);
    page.text([roman(
        "A secret is a string, or says where it is: { file = \"PATH\" }, { env = \"NAME\" } or \
         { credential = \"NAME\" }. A duration is a string as in \"500ms\", \"5s\", \"10m\", \
         \"2h\", \"14d\"; a size one as in \"64KiB\", \"512MiB\", \"1GiB\". hallpass config \
         prints the settings in force.",
    )]);
    for table in schema::tables(FRAMEWORKS) {
        match table.name {
            "" => page.control("SH", ["THE SITE"]),
            name => page.control("SH", [format!("[{name}]").as_str()]),
        };
        for key in table.keys {
            page.control("TP", []);
            let default = match key.default {
                KeyDefault::Value(value) => format!(" (default {value})"),
                KeyDefault::Words(words) => format!(" (default {})", without_markup(&words)),
                KeyDefault::Needed => " (needed)".to_owned(),
                KeyDefault::Nothing => String::new(),
            };
            page.text([bold(key.name), roman(default)]);
            page.text([roman(without_markup(&key.description))]);
        }
    }
    sections::configuration_files(&mut page);
    page.control("SH", ["SEE ALSO"]);
    let programs = PROGRAMS.map(|program| format!("{}({})", program.name, program.section));
    page.text([roman(programs.join(", "))]);
    page
}

/// Markdown without its links and backticks: `[text](page.md)` is `text`.
fn without_markup(markdown: &str) -> String {
    let mut parts = markdown.split("](");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, after) = part.split_once(')').unwrap_or(("", part));
        if let Some(open) = text.rfind("[`[").or(text.rfind('[')) {
            text.remove(open);
        }
        text.push_str(after);
    }
    text.replace(['`', '*'], "")
}
