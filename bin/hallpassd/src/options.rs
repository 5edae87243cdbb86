//! Reads the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use hallpass_core::Configuration;
use hallpass_core::configuration::{DEFAULT_PATH, Error};

use crate::endpoints::listeners;
use crate::ldap::Directory;

/// Answers servers by the sessions and accounts of a web site
///
/// Listens where [daemon] in the configuration says, until SIGTERM, and then finishes the answers
/// in progress. SIGHUP reads the configuration again; if that is wrong, the old one stays in force. Exit codes: 0 done, 1 cannot listen, 2 usage or configuration.
#[derive(Debug, clap::Parser)]
#[command(name = "hallpassd", version, after_help = EXAMPLES)]
pub struct Options {
    /// A site's configuration; may be repeated, for several sites [default: /etc/hallpass/hallpass.toml]
    #[arg(
        long,
        value_name = "FILE",
        env = "HALLPASS_CONFIG",
        hide_env_values = true
    )]
    config: Vec<PathBuf>,
    /// Check the configuration and the files that it names, report errors, and exit
    #[arg(long)]
    pub check_config: bool,
}

impl Options {
    /// Reads the configuration of every site.
    ///
    /// # Errors
    /// One of them is wrong, or two contradict each other.
    pub fn configurations(&self) -> Result<Vec<Configuration>, String> {
        let configurations = self.load().map_err(|error| error.to_string())?;
        match conflict(&configurations) {
            Some(error) => Err(error),
            None => {
                listeners(&configurations, &[])?;
                for configuration in &configurations {
                    Directory::new(configuration)?;
                }
                Ok(configurations)
            }
        }
    }

    fn load(&self) -> Result<Vec<Configuration>, Error> {
        match self.config.as_slice() {
            [] => Configuration::load(DEFAULT_PATH.as_ref()).map(|only| vec![only]),
            paths => paths.iter().map(|path| Configuration::load(path)).collect(),
        }
    }
}

/// The conflict between the names of `configurations`, if there is one.
fn conflict(configurations: &[Configuration]) -> Option<String> {
    if let [_] = configurations {
        return None;
    }
    configurations
        .iter()
        .enumerate()
        .find_map(|(number, configuration)| {
            let path = configuration.path.display();
            let Some(name) = &configuration.name else {
                return (number > 0).then(|| {
                    format!("{path}: name: is missing; of several sites only the first needs none")
                });
            };
            let before = configurations.iter().take(number);
            let same = before
                .clone()
                .find(|other| other.name.as_ref() == Some(name))?;
            Some(format!(
                "{path}: name: the site of {} is called {name} already",
                same.path.display()
            ))
        })
}

/// Reports that `configurations` are good, and their warnings.
pub fn report_ok(configurations: &[Configuration]) -> ExitCode {
    for configuration in configurations {
        for warning in &configuration.warnings {
            eprintln!("warning: {warning}");
        }
        let path = configuration.path.display();
        eprintln!("{path}: the configuration is good");
    }
    ExitCode::SUCCESS
}

const EXAMPLES: &str = "\
Examples:
  hallpassd --config /etc/hallpass/hallpass.toml

  Two sites, each also under its name, as in /forum/auth:
    hallpassd --config /etc/hallpass/shop.toml --config /etc/hallpass/forum.toml

  In nginx's configuration:
    location = /_hallpass {
      internal;
      proxy_pass http://unix:/run/hallpass/http.sock:/auth?basic=0&group=editors;
      proxy_pass_request_body off;
      proxy_set_header Content-Length \"\";
      proxy_set_header X-Original-URI $request_uri;
      proxy_set_header X-Original-URL \"\";
      proxy_set_header X-Forwarded-For $remote_addr;
    }
    location /private/ {
      auth_request /_hallpass;
      auth_request_set $login_url $upstream_http_x_login_url;
      error_page 401 = @login;
    }
    location @login { return 302 $login_url; }
  For an application behind it, nginx must set every identity header, or the client can: include
  examples/nginx-django/snippets/hallpass-identity.conf there, or for PHP hallpass-php.conf.

  By hand:
    curl -i --unix-socket /run/hallpass/http.sock -u alice http://localhost/auth";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn conflict_of(names: &[&str]) -> Option<String> {
        let site = |name: &&str| {
            let text = format!("{name}\nframework = \"django\"\ndatabase = \"sqlite:x\"");
            Configuration::parse(Path::new("/x.toml"), &text).unwrap()
        };
        conflict(&names.iter().map(site).collect::<Vec<_>>())
    }

    #[test]
    fn sites_are_told_apart_by_their_names() {
        let (shop, forum) = ("name = \"shop\"", "name = \"forum\"");
        assert_eq!(conflict_of(&[""]), None);
        assert_eq!(conflict_of(&["", shop, forum]), None);
        assert!(conflict_of(&[shop, ""]).unwrap().contains("is missing"));
        assert!(
            conflict_of(&[shop, forum, shop])
                .unwrap()
                .contains("already")
        );
    }
}
