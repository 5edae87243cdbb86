//! Makes manual pages and completion scripts from the command lines themselves.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

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
        // As they stand, line by line.
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
