//! Prints the commands that let the user of a host read files that only their owner may read.

use std::path::Path;

use nix::unistd::{Group, User};

use crate::terminal::line;

/// The group of the package, which may read configurations.
const READERS: &str = "hallpass";
/// The users that hosts run as, on Debian and elsewhere.
const HOSTS: [&str; 8] = [
    "ejabberd", "www-data", "apache", "dovecot", "prosody", "proxy", "squid", "vmail",
];

/// Prints the commands for the users that this machine has, where `files` are not for everybody.
pub fn tell(files: &[&Path]) {
    if files.is_empty() {
        return;
    }
    let exists = |name: &&str| User::from_name(name).is_ok_and(|user| user.is_some());
    let hosts: Vec<&str> = HOSTS.into_iter().filter(exists).collect();
    let readers = Group::from_name(READERS).is_ok_and(|group| group.is_some());
    line("\nThe user that runs the programs must be able to read what is secret. As root:\n");
    for command in commands(files, readers, &hosts) {
        line(&format!("    {command}"));
    }
}

/// The commands for a machine that has the users `hosts`, and the group [`READERS`] if `readers`.
fn commands(files: &[&Path], readers: bool, hosts: &[&str]) -> Vec<String> {
    let files: Vec<String> = files
        .iter()
        .map(|file| file.to_string_lossy())
        // A path holds no NUL, which is all that cannot be quoted.
        .map(|file| shlex::try_quote(&file).unwrap_or_default().into_owned())
        .collect();
    let files = files.join(" ");
    let mut commands = Vec::new();
    let group = match (readers, hosts) {
        (false, []) => "GROUP".to_owned(),
        (false, [host]) => group_of(host),
        (readers, hosts) => {
            commands.extend((!readers).then(|| format!("groupadd --system {READERS}")));
            commands.extend(hosts.iter().map(|host| {
                format!("usermod -aG {READERS} {host}  # if {host} runs them; then restart it")
            }));
            READERS.to_owned()
        }
    };
    commands.push(format!("chgrp {group} {files}"));
    commands.push(format!("chmod g+r {files}"));
    commands
}

/// The group that `user` is always in.
fn group_of(user: &str) -> String {
    let group = |user: User| Group::from_gid(user.gid).ok().flatten();
    let found = User::from_name(user).ok().flatten().and_then(group);
    found.map_or_else(|| user.to_owned(), |group| group.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_machine_gets_its_own_commands() {
        let files = [
            Path::new("/etc/hallpass/a.key"),
            Path::new("/etc/my site/b"),
        ];
        let names = "/etc/hallpass/a.key '/etc/my site/b'";
        let told = |readers, hosts: &[&str]| commands(&files, readers, hosts);
        let with = |group: &str| {
            [
                format!("chgrp {group} {names}"),
                format!("chmod g+r {names}"),
            ]
        };
        let join = |host: &str| {
            format!("usermod -aG hallpass {host}  # if {host} runs them; then restart it")
        };
        assert_eq!(told(true, &[]), with("hallpass"));
        assert_eq!(told(false, &["root"]), with("root"));
        assert_eq!(told(false, &[]), with("GROUP"));
        let several = told(false, &["a", "b"]);
        assert_eq!(several[0], "groupadd --system hallpass");
        assert_eq!(several[1..3], [join("a"), join("b")]);
        assert_eq!(several[3..], with("hallpass"));
        assert_eq!(told(true, &["a"])[0], join("a"));
    }
}
