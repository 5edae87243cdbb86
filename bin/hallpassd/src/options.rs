//! The command line.

use hallpass_program::CommandLine;

/// Answers HTTP servers by the sessions and accounts of a web site
///
/// Listens where [daemon] listen in the configuration says, until SIGTERM, and then finishes the
/// answers in progress. Exit codes: 0 done, 1 cannot listen, 2 usage or configuration.
#[derive(Debug, clap::Parser)]
#[command(name = "hallpassd", version, after_help = EXAMPLES)]
pub struct Options {
    #[command(flatten)]
    pub common: CommandLine,
}

const EXAMPLES: &str = "\
Examples:
  hallpassd --config /etc/hallpass/hallpass.toml

  In nginx's configuration:
    location = /_hallpass {
      internal;
      proxy_pass http://unix:/run/hallpass/http.sock:/auth?group=editors;
      proxy_pass_request_body off;
      proxy_set_header Content-Length \"\";
      proxy_set_header X-Original-URI $request_uri;
    }
    location /private/ {
      auth_request /_hallpass;
      auth_request_set $login_url $upstream_http_x_login_url;
      error_page 401 = @login;
    }
    location @login { return 302 $login_url; }

  By hand:
    curl -i --unix-socket /run/hallpass/http.sock -u alice http://localhost/auth";
