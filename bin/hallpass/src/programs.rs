//! Lists the programs, and runs the one by whose name this executable was started.
//!
//! The Debian package installs one executable with a name for each of [`PROGRAMS`]. The path that was
//! executed decides which program it is, and not `argv[0]`, which the caller chooses: Squid passes
//! `(hallpass-squid)`. Where that path is another name for the file, as with a symbolic link, or with
//! the `/dev/fd/3` of fexecve(3), the file's own name decides.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use rustix::fs::getxattr;
use rustix::param::linux_execfn;
use rustix::process::{getegid, geteuid, getgid, getuid};

use crate::options::Options;

/// EX_NOPERM of sysexits.h, which no host takes for a grant or a wrong password.
const NOT_PERMITTED: u8 = 77;

/// The file that this process executes.
const EXECUTABLE: &str = "/proc/self/exe";

/// A program of this project.
pub struct Program {
    pub name: &'static str,
    /// The section of its manual page: 8 for programs that only servers run.
    pub section: &'static str,
    pub command_line: fn() -> Command,
    main: fn() -> ExitCode,
}

/// Every program; the first is this one.
pub const PROGRAMS: [Program; 7] = [
    program("hallpass", "1", Options::command, crate::hallpass),
    program(
        "hallpass-apache",
        "1",
        hallpass_apache::command_line,
        hallpass_apache::main,
    ),
    program(
        "hallpass-ejabberd",
        "1",
        hallpass_ejabberd::command_line,
        hallpass_ejabberd::main,
    ),
    program(
        "hallpass-checkpassword",
        "8",
        hallpass_checkpassword::command_line,
        hallpass_checkpassword::main,
    ),
    program(
        "hallpass-pam",
        "8",
        hallpass_pam::command_line,
        hallpass_pam::main,
    ),
    program(
        "hallpass-squid",
        "8",
        hallpass_squid::command_line,
        hallpass_squid::main,
    ),
    program("hallpassd", "8", hallpassd::command_line, hallpassd::main),
];

const fn program(
    name: &'static str,
    section: &'static str,
    command_line: fn() -> Command,
    main: fn() -> ExitCode,
) -> Program {
    Program {
        name,
        section,
        command_line,
        main,
    }
}

/// Runs the program that was executed; `hallpass` where neither the executed path nor the file has
/// the name of a program.
///
/// Refuses rights that come from the executable: all names share one file, so rights meant for one
/// program would apply to every other.
pub fn main() -> ExitCode {
    if has_rights_of_its_file() {
        eprintln!(
            "hallpass: this file is several programs, and must not be setuid, setgid or have capabilities; \
             add the caller to the group hallpass-ask, or build the one program by itself"
        );
        return NOT_PERMITTED.into();
    }
    let [this, ..] = &PROGRAMS;
    let executed = named(Path::new(OsStr::from_bytes(linux_execfn().to_bytes())));
    let program = executed.or_else(|| named(&fs::read_link(EXECUTABLE).ok()?));
    (program.unwrap_or(this).main)()
}

/// Whether the executable has capabilities, or is setuid or setgid and has given rights to this
/// process by it. Different ids alone prove nothing: pam_exec passes on those of a setuid caller.
fn has_rights_of_its_file() -> bool {
    if getxattr(EXECUTABLE, "security.capability", &mut [0; 0]).is_ok() {
        return true;
    }
    if getuid() == geteuid() && getgid() == getegid() {
        return false;
    }
    let file = fs::metadata(EXECUTABLE);
    file.map_or(true, |file| file.mode() & 0o6000 != 0)
}

/// The program whose name ends `path`.
fn named(path: &Path) -> Option<&'static Program> {
    let name = path.file_name()?;
    PROGRAMS.iter().find(|program| name == program.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_the_name_of_its_command_line() {
        for program in &PROGRAMS {
            assert_eq!((program.command_line)().get_name(), program.name);
        }
    }
}
