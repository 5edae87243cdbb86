//! Makes manual pages and completion scripts from the command lines themselves.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use hallpass_core::configuration::schema::{self, KeyDefault};
use hallpass_sites::FRAMEWORKS;

use crate::options::Options;
use crate::programs::{PROGRAMS, Program};

/// Writes a manual page for each program, and for each of its commands, into `directory`.
pub fn run(directory: &Path) -> anyhow::Result<ExitCode> {
    let doing = || format!("cannot write manual pages into {}", directory.display());
    fs::create_dir_all(directory).with_context(doing)?;
    for Program {
        section,
        command_line,
        ..
    } in &PROGRAMS
    {
        let mut command = command_line().disable_help_subcommand(true);
        command.build();
        let mut pages = vec![command];
        while let Some(command) = pages.pop() {
            pages.extend(command.get_subcommands().cloned());
            let man = Man::new(command.clone())
                .section(*section)
                .source(concat!("Hallpass ", env!("CARGO_PKG_VERSION")))
                .manual("Hallpass");
            let file = man.get_filename();
            let others = PROGRAMS
                .iter()
                .map(|program| (program.name, program.section))
                .filter(|(name, section)| file != format!("{name}.{section}"));
            let page = page(&command, &man, others).with_context(doing)?;
            fs::write(directory.join(file), page).with_context(doing)?;
        }
    }
    let page = configuration();
    fs::write(directory.join("hallpass.toml.5"), page.render()).with_context(doing)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a completion script for `shell`.
pub fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "hallpass", &mut script);
    io::stdout()
        .write_all(&script)
        .context("cannot write the completions")?;
    Ok(ExitCode::SUCCESS)
}

/// The page of `command`, whose last section refers to `others`.
fn page<'a>(
    command: &Command,
    man: &Man,
    others: impl Iterator<Item = (&'a str, &'a str)>,
) -> io::Result<Vec<u8>> {
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
    if let Some(examples) = command.get_after_help() {
        end.control("SH", ["EXAMPLES"]);
        // Verbatim, line by line.
        end.control("nf", []);
        for line in examples.to_string().lines().skip(1) {
            end.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        end.control("fi", []);
    }
    let others: Vec<_> = others
        .map(|(name, section)| format!("{name}({section})"))
        .collect();
    end.control("SH", ["SEE ALSO"]);
    end.text([roman(others.join(", "))]);
    end.to_writer(&mut page)?;
    Ok(page)
}

/// hallpass.toml(5): every key of the configuration file.
fn configuration() -> Roff {
    let mut page = Roff::new();
    let version = concat!("Hallpass ", env!("CARGO_PKG_VERSION"));
    page.control("TH", ["hallpass.toml", "5", "", version, "Hallpass"]);
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
    page.control("SH", ["FILES"]);
    page.text([roman(hallpass_core::configuration::DEFAULT_PATH)]);
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
