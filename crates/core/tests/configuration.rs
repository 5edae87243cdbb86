//! What is wrong with a configuration is said with file, line and key.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::configuration::{Listener, LogFormat, TrustedProxy};

const HEAD: &str = "framework = \"django\"\ndatabase = \"sqlite:db.sqlite3\"\n";

fn error(text: &str) -> String {
    Configuration::parse(Path::new("/etc/site.toml"), text)
        .unwrap_err()
        .to_string()
}

fn good(text: &str) -> Configuration {
    Configuration::parse(Path::new("/etc/site.toml"), &format!("{HEAD}{text}")).unwrap()
}

#[test]
fn errors_name_file_line_and_key() {
    for (text, expected) in [
        (
            "[django]\nsesion_table = \"x\"",
            "/etc/site.toml:4: django.sesion_table: no such key; \
          did you mean `session_table`?",
        ),
        (
            "[djagno]\n",
            "/etc/site.toml:3: djagno: no such key; did you mean `django`?",
        ),
        (
            "[access]\n\n\ngroup = []",
            "/etc/site.toml:6: access.group: no such key; did you mean \
          `groups`?",
        ),
        (
            "[limits]\ndeadline = 5",
            "/etc/site.toml:4: limits.deadline: is not a duration, as in \
          \"500ms\", \"5s\", \"10m\", \"2h\" or \"14d\"",
        ),
        (
            "[limits]\ndeadline = \"0s\"",
            "/etc/site.toml:4: limits.deadline: must be longer than 0s",
        ),
        (
            "[daemon]\nqueue = 0",
            "/etc/site.toml:4: daemon.queue: is not from 1 to 1000000",
        ),
        (
            "[access]\nwhere = true",
            "/etc/site.toml:4: access.where: is not a string",
        ),
        (
            "[access]\nwhere = \"1 = 1; DROP TABLE auth_user\"",
            "/etc/site.toml:4: access.where: has a `;`, which ends a statement",
        ),
        (
            "[access]\nwhere = \"is_staff) OR (1 = 1\"",
            "/etc/site.toml:4: access.where: closes a parenthesis that it does not open",
        ),
        (
            "[access]\nwhere = \"is_staff -- nobody else\"",
            "/etc/site.toml:4: access.where: has a comment, which could end anywhere",
        ),
        (
            "[access]\nwhere = \"username <> :name\"",
            "/etc/site.toml:4: access.where: has the parameter :name, and there is none here",
        ),
        (
            "[access]\nignore_case = \"yes\"",
            "/etc/site.toml:4: access.ignore_case: is neither true \
          nor false",
        ),
        (
            "[django]\nsecret_key = { file = \"/nowhere/at/all\" }",
            "/etc/site.toml:4: \
          django.secret_key: cannot read the secret in /nowhere/at/all: No such file or directory \
          (os error 2)",
        ),
        (
            "[django]\nsecret_key = { fiel = \"x\" }",
            "/etc/site.toml:4: django.secret_key: is \
          neither a string nor one of { file = \"…\" }, { env = \"NAME\" }, { credential = \
          \"NAME\" }",
        ),
        (
            "[django]\nsecret_key = { env = \"NO_SUCH_VARIABLE\" }",
            "/etc/site.toml:4: \
          django.secret_key: the environment has no variable NO_SUCH_VARIABLE",
        ),
        (
            "[django]\nsecret_key = \"\"",
            "/etc/site.toml:4: django.secret_key: the secret is empty",
        ),
        (
            "[django]\nuser_table = \"\"",
            "/etc/site.toml:4: django.user_table: is not a valid table \
          name",
        ),
    ] {
        assert_eq!(error(&format!("{HEAD}{text}")), expected);
    }
}

#[test]
fn more_errors_are_found() {
    for (text, expected) in [
        ("framework = ", "/etc/site.toml:1: "),
        ("", "/etc/site.toml: framework: is missing"),
        (
            "framework = \"django\"",
            "/etc/site.toml: database: is missing",
        ),
        (
            "framework = \"zope\"",
            "/etc/site.toml:1: framework: is none of",
        ),
        (
            "framework = 1",
            "/etc/site.toml:1: framework: is not a string",
        ),
        (
            "framework = \"django\"\ndatabase = \"db.sqlite3\"",
            "/etc/site.toml:2: database: ",
        ),
        (
            "framework = \"django\"\ndatabase = \"sqlite:\"",
            "/etc/site.toml:2: database: names no",
        ),
        (
            "framework = \"django\"\ndatabase = \"oracle:x\"",
            "/etc/site.toml:2: database: starts",
        ),
        (
            "framework = \"django\"\n[database]\nurl = 1",
            "/etc/site.toml:3: database.url: is not",
        ),
    ] {
        let error = error(text);
        assert!(error.starts_with(expected), "{error}");
    }
    for text in [
        "django = 1",
        "[django]\nsession_engine = \"redis\"",
        "[django]\nversion = \"new\"",
        "[django]\nsecret_key = { file = \"a\", env = \"b\" }",
        "[django]\nsecret_key = { credential = \"../x\" }",
        "[django]\nnormalize = \"nfc\"",
        "[django]\nsession_cookie_name = \"\"",
        "[django]\ngroups_table = \"a\\u0000b\"",
        "[access]\nlogin = []",
        "[access]\nlogin = []\npasswords = true",
        "[access]\nlogin = [\"phone\"]",
        "[access]\ngroups = \"staff\"",
        "[access]\ngroups = [1]",
        "[access]\ngroups = [\"editors\", \"is:admin\"]",
        "[access]\ngroups = [\"perm:\"]",
        "[access]\npermissions = [\"shop.\"]",
        "[access]\npermissions = [\"is:staff\"]",
        "[access]\nstaff = 1",
        "[access]\nsuperuser = \"yes\"",
        "[access]\npasswords = []",
        "[passwords]\nmax_iterations = -1",
        "[passwords]\nmax_iterations = 1e9",
        "[passwords]\nmax_memory = 5",
        "[passwords]\ndummy = \"sha512\"",
        "[passwords]\ndummy = \"pbkdf2_sha256$4000000000\"",
        "[limits]\nmax_password = 0",
        "[ejabberd]\nunavailable = \"maybe\"",
        "[ejabberd]\naccept = [\"anything\"]",
        "[ejabberd]\naccount_changes = \"yes\"",
        "[access]\npasswords = false\n[ejabberd]\naccount_changes = true",
        "[ejabberd]\naccept = [\"ticket\"]",
        "[daemon]\nlisten = [\"127.0.0.1:80\"]",
        "[daemon]\nlisten = [\"tcp:localhost\"]",
        "[daemon]\nlisten = [\"unix:\"]",
        "[daemon]\nlisten = [\"unix:/x?mode=0999\"]",
        "[daemon]\nlisten = [\"unix:/x?mode=7777\"]",
        "[daemon]\ntrusted_proxies = [\"example.com\"]",
        "[daemon]\ntrusted_proxies = [\"10.0.0.0/33\"]",
        "[daemon]\ntrusted_proxies = [\"10.0.0.0/-1\"]",
        "[daemon]\ntrusted_proxies = [\"10.0.0.0/+8\"]",
        "[daemon]\ntrusted_proxies = [\"10.0.0.0/08\"]",
        "[daemon]\ntrusted_proxies = [\"10.0.0.0/\"]",
        "[daemon]\ntrusted_proxies = [\"/8\"]",
        "[daemon]\ntrusted_proxies = [\"10.0.0.0/8/8\"]",
        "[daemon]\ntrusted_proxies = [\"10.0.0.0/255.0.0.0\"]",
        "[daemon]\ntrusted_proxies = [\"10.1.0.0/8\"]",
        "[daemon]\ntrusted_proxies = [\"0.0.0.1/0\"]",
        "[daemon]\ntrusted_proxies = [\"fd00::/129\"]",
        "[daemon]\ntrusted_proxies = [\"fd00::1/64\"]",
        "[daemon]\ntrusted_proxies = [\"::ffff:10.0.0.0/104\"]",
        "[daemon]\ntrusted_proxies = [\"pods/16\"]",
        "[daemon]\nrealm = \"ü\"",
        "[daemon]\nlogin_url = \"/a b\"",
        "[log]\nlevel = \"loud\"",
        "[log]\nto = \"stdout\"",
        "name = \"a/b\"",
        "name = \"\"",
        "name = \"auth\"",
        "name = \"session\"",
        "name = \"ticket\"",
        "name = \"check\"",
        "name = \"question\"",
        "name = \"cache\"",
        "name = \"healthz\"",
        "name = \"readyz\"",
        "name = \"metrics\"",
        "name = \"ended\"",
        "name = \"as\"",
        "[daemon]\nvouch = [\"fastcgi\"]",
        "[daemon]\nvouch = \"unix\"",
        "[limits]\ndeadline = \"61m\"",
        "[limits]\ndeadline = \"30d\"",
        "[limits]\ndeadline = \"18446744073709551615s\"",
        "[limits]\nfailure_window = \"32d\"",
        "[tickets]\nlifetime = \"32d\"",
        "[daemon]\nverified_cache = \"32d\"",
        "[django]\nsession_cookie_age = \"36501d\"",
        "[django]\nsession_cookie_age = 4294967294",
        "[tickets]\nkye = \"x\"",
    ] {
        let error = error(&format!("{HEAD}{text}"));
        assert!(error.starts_with("/etc/site.toml:"), "{text}: {error}");
        let value = text.rsplit('=').next().unwrap().trim().trim_matches('"');
        assert!(
            value.len() < 12 || !error.contains(value),
            "{error} shows the value"
        );
    }
}

#[test]
fn an_error_never_shows_a_secret() {
    let text = format!("{HEAD}[django]\nsecret_key = \"hunter2hunter2\"\nsecret_kye = 1");
    assert!(!error(&text).contains("hunter2"));
    let text = format!("{HEAD}[django]\nsecret_key = \"hunter2hunter2\nsecret_kye = 1");
    assert!(!error(&text).contains("hunter2"));
}

#[test]
fn what_is_not_said_has_its_default() {
    let configuration = good("");
    assert_eq!(configuration.session_cookie_name(), Some("sessionid"));
    assert_eq!(configuration.limits.deadline.as_secs(), 4);
    assert_eq!(configuration.limits.max_password, 4096);
    assert_eq!(configuration.passwords.limits.max_iterations, 20_000_000);
    assert_eq!(configuration.daemon.queue, 1024);
    let mode = 0o660;
    let listener = Listener::Unix {
        path: "/run/hallpass/http.sock".into(),
        mode,
    };
    assert_eq!(configuration.daemon.listen, [listener]);
    let local = TrustedProxy::Address([127, 0, 0, 1].into());
    assert_eq!(
        configuration.daemon.trusted_proxies,
        [TrustedProxy::Unix, local]
    );
    assert!(configuration.ejabberd.ignore_case && configuration.ejabberd.unescape_jid);
    assert_eq!(configuration.log.format, LogFormat::Text);
    assert!(!configuration.reads_sessions());
}

#[test]
fn proxies_of_a_network_are_trusted_and_no_others() {
    for (trusted, peer, expected) in [
        ("10.244.0.0/16", "10.244.0.0", true),
        ("10.244.0.0/16", "10.244.255.255", true),
        ("10.244.0.0/16", "10.245.0.0", false),
        ("10.244.0.0/16", "10.243.255.255", false),
        ("10.244.0.0/16", "::ffff:10.244.0.1", false),
        ("10.244.0.0/16", "::", false),
        ("192.0.2.7/32", "192.0.2.7", true),
        ("192.0.2.7/32", "192.0.2.6", false),
        ("128.0.0.0/1", "128.0.0.1", true),
        ("128.0.0.0/1", "127.0.0.1", false),
        ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("fd00:10:244::/56", "fd00:10:244:ff::1", true),
        ("fd00:10:244::/56", "fd00:10:244:100::1", false),
        ("2001:db8::1/128", "2001:db8::1", true),
        ("2001:db8::1/128", "2001:db8::2", false),
        ("::/0", "2001:db8::1", true),
        ("::/0", "192.0.2.7", false),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.8", false),
        ("::ffff:192.0.2.7", "192.0.2.7", true),
    ] {
        let daemon = good(&format!("[daemon]\ntrusted_proxies = [\"{trusted}\"]")).daemon;
        let peer = peer.parse().unwrap();
        assert_eq!(daemon.trusts(Some(peer)), expected, "{trusted} {peer}");
        assert!(!daemon.trusts(None));
    }
}

#[test]
fn paths_are_relative_to_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("site.toml");
    std::fs::write(directory.path().join("key"), "the key\n").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(directory.path().join("key"), private).unwrap();
    let text = format!(
        "{HEAD}[django]\nsecret_key = {{ file = \"key\" }}\n[daemon]\nlisten = \
                        [\"unix:run/x.sock?mode=0600\", \"tcp:[::1]:80\"]"
    );
    std::fs::write(&path, text).unwrap();
    let configuration = Configuration::load(&path).unwrap();
    assert!(configuration.reads_sessions());
    let listener = Listener::Unix {
        path: directory.path().join("run/x.sock"),
        mode: 0o600,
    };
    assert_eq!(configuration.daemon.listen[0], listener);
    assert!(configuration.warnings.is_empty());
}

#[test]
fn a_secret_that_everybody_can_read_is_warned_about() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("site.toml");
    std::fs::write(&path, format!("{HEAD}[django]\nsecret_key = \"x\"")).unwrap();
    for (mode, warnings) in [(0o644, 1), (0o640, 0), (0o600, 0), (0o604, 1)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let configuration = Configuration::load(&path).unwrap();
        assert_eq!(configuration.warnings.len(), warnings, "{mode:o}");
    }
}

/// Whose rules read the session cookie, by table and word.
#[test]
fn a_cookie_rule_is_one_of_four_words() {
    use hallpass_core::cookie::Reader;
    let custom = |rule: &str| {
        format!(
            "framework = \"custom\"\ndatabase = \"sqlite:x\"\n[access]\npasswords = false\n\
             [custom]\nuser = \"SELECT :username\"\ncookie = \"sid\"\n{rule}"
        )
    };
    let http = |framework: &str, rule: &str| {
        format!(
            "framework = \"{framework}\"\nsession_source = \"http\"\n[http]\n\
             url = \"http://127.0.0.1/\"\ncookie = \"sid\"\nusername = \"/user\"\n{rule}"
        )
    };
    for (text, expected) in [
        (custom(""), Reader::Django),
        (custom("cookie_rule = \"django\""), Reader::Django),
        (custom("cookie_rule = \"php\""), Reader::Php),
        (custom("cookie_rule = \"first\""), Reader::First),
        (custom("cookie_rule = \"last\""), Reader::Last),
        (http("custom", ""), Reader::Django),
        (http("custom", "cookie_rule = \"first\""), Reader::First),
        (http("django", ""), Reader::Django),
        (http("django", "cookie_rule = \"first\""), Reader::First),
    ] {
        let read = Configuration::parse(Path::new("/etc/site.toml"), &text).unwrap();
        assert_eq!(read.session_cookie().unwrap().reader, expected, "{text}");
    }
    for wrong in ["\"First\"", "\"\"", "\"node\"", "1", "true"] {
        for text in [
            custom(&format!("cookie_rule = {wrong}")),
            http("custom", &format!("cookie_rule = {wrong}")),
        ] {
            let error = error(&text);
            assert!(error.contains("cookie_rule"), "{error}");
        }
    }
}

#[test]
fn no_wait_is_longer_than_an_hour() {
    let database = |keys: &str| {
        format!("framework = \"django\"\ndatabase = {{ url = \"postgres:///x\", {keys} }}\n")
    };
    for key in ["connect_timeout", "query_timeout"] {
        assert!(error(&database(&format!("{key} = \"3601s\""))).contains("is longer than \"1h\""));
        let cache = format!("{HEAD}[django]\ncache = {{ url = \"redis://h\", {key} = \"30d\" }}\n");
        assert!(error(&cache).contains("is longer than \"1h\""), "{key}");
    }
    let http = "session_source = \"http\"\n[http]\nurl = \"http://127.0.0.1/\"\ncookie = \"c\"\n\
                username = \"/u\"\ntimeout = \"30d\"";
    assert!(error(&format!("{HEAD}{http}")).contains("is longer than \"1h\""));
    for longest in ["deadline = \"1h\"", "failure_window = \"31d\""] {
        good(&format!("[limits]\n{longest}"));
    }
}

#[test]
fn a_site_may_be_called_as_a_path_begins_or_goes_on() {
    for name in ["authors", "sessions", "Auth", "a", "v1"] {
        let text = format!("name = \"{name}\"\n");
        assert_eq!(good(&text).name.as_deref(), Some(name));
    }
}

#[test]
fn files_that_others_can_change_or_read_are_warned_about() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (
        directory.path().join("site.toml"),
        directory.path().join("key"),
    );
    std::fs::write(
        &path,
        format!("{HEAD}[django]\nsecret_key = {{ file = \"key\" }}"),
    )
    .unwrap();
    std::fs::write(&key, "the key").unwrap();
    let warnings = |of_file: u32, of_key: u32| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(of_file)).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(of_key)).unwrap();
        Configuration::load(&path).unwrap().warnings
    };
    // Without a secret in it, everybody may read the configuration.
    for good in [(0o644, 0o600), (0o640, 0o640), (0o600, 0o400)] {
        assert!(warnings(good.0, good.1).is_empty(), "{good:?}");
    }
    for (of_file, of_key, expected) in [
        (0o644, 0o644, "django.secret_key: is a secret in"),
        (0o644, 0o604, "which everybody can read"),
        (0o644, 0o620, "django.secret_key: "),
        (0o646, 0o600, "site.toml: others can write it"),
        (0o664, 0o600, "site.toml: others can write it"),
        (0o666, 0o600, "chmod go-w"),
    ] {
        let warnings = warnings(of_file, of_key);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(expected), "{warnings:?}");
    }
    assert_eq!(warnings(0o666, 0o666).len(), 3);
}

#[test]
fn listeners_that_are_open_to_all_are_warned_about() {
    for (listener, warnings) in [
        ("tcp:127.0.0.1:1", 0),
        ("tcp:127.9.9.9:1", 0),
        ("tcp:[::1]:1", 0),
        ("tcp:[::ffff:127.0.0.1]:1", 0),
        ("unix:/s", 0),
        ("unix:/s?mode=0660", 0),
        ("unix:/s?mode=0664", 0),
        ("unix:/s?mode=0666", 1),
        ("unix:/s?mode=0662", 1),
        ("tcp:0.0.0.0:1", 1),
        ("tcp:[::]:1", 1),
        ("tcp:192.0.2.1:1", 1),
    ] {
        for key in ["listen", "fastcgi", "dovecot_auth"] {
            let configuration = good(&format!("[daemon]\n{key} = [\"{listener}\"]"));
            assert_eq!(configuration.warnings.len(), warnings, "{key} {listener}");
        }
    }
}

#[test]
fn dialects_over_tcp_need_a_token() {
    for (daemon, expected) in [
        (
            "dialects = [\"tcp:127.0.0.1:1\"]",
            "/etc/site.toml:4: daemon.dialects: has a TCP listener, which needs `dialect_token`",
        ),
        (
            "dialects = [\"unix:/s\", \"tcp:[::1]:1\"]",
            "/etc/site.toml:4: daemon.dialects: has a TCP listener",
        ),
        (
            "dialects = [\"unix:/s\"]\ndialect_token = \"\"",
            "/etc/site.toml:5: daemon.dialect_token: the secret is empty",
        ),
        (
            "dialects = [\"unix:/s\", \"unix:/s?mode=0600\"]",
            "/etc/site.toml:4: daemon.dialects: names one socket twice",
        ),
    ] {
        let found = error(&format!("{HEAD}[daemon]\n{daemon}"));
        assert!(found.starts_with(expected), "{found}");
    }
    let token = "dialect_token = \"0123456789abcdef\"";
    for (daemon, warnings) in [
        ("dialects = [\"unix:/s\"]".to_owned(), 0),
        ("dialects = [\"unix:/s?mode=0666\"]".to_owned(), 1),
        (format!("dialects = [\"tcp:127.0.0.1:1\"]\n{token}"), 0),
        (format!("dialects = [\"tcp:0.0.0.0:1\"]\n{token}"), 1),
        ("dialect_token = \"0123456789abcde\"".to_owned(), 1),
    ] {
        let configuration = good(&format!("[daemon]\n{daemon}"));
        assert_eq!(configuration.warnings.len(), warnings, "{daemon}");
        assert!(!format!("{configuration:?}").contains("0123456789"));
    }
}

#[test]
fn who_vouches_is_said() {
    let vouches = |daemon: &str, listener: &str| {
        let configuration = good(&format!("[daemon]\nlisten = [\"{listener}\"]\n{daemon}\n"));
        configuration
            .daemon
            .vouches(&configuration.daemon.listen[0])
    };
    for (daemon, unix, tcp) in [
        ("", true, false),
        ("vouch = [\"unix\"]", true, false),
        ("vouch = []", false, false),
        ("vouch = [\"tcp:127.0.0.1:1\"]", false, true),
        ("vouch = [\"tcp:127.0.0.1:2\"]", false, false),
        ("vouch = [\"tcp:0.0.0.0:1\"]", false, false),
        ("vouch = [\"unix:/s\"]", true, false),
        ("vouch = [\"unix:/s?mode=0600\"]", true, false),
        ("vouch = [\"unix:/t\"]", false, false),
        ("vouch = [\"unix\", \"tcp:127.0.0.1:1\"]", true, true),
    ] {
        assert_eq!(vouches(daemon, "unix:/s"), unix, "{daemon}");
        assert_eq!(vouches(daemon, "tcp:127.0.0.1:1"), tcp, "{daemon}");
    }
}

#[test]
fn a_directory_is_described() {
    let ldap = good("").ldap;
    assert_eq!(
        (
            ldap.base.as_str(),
            ldap.list,
            ldap.size_limit,
            ldap.configured
        ),
        ("dc=example,dc=org", false, 500, false)
    );
    let ldap = good(
        "[ldap]\nbase = \"o=Shop\"\nlist = true\nsize_limit = 7\ncertificate = \"c.pem\"\n\
         certificate_key = \"/k.pem\"",
    )
    .ldap;
    let certificate = ldap.certificate.unwrap();
    assert_eq!(certificate.chain, Path::new("/etc/c.pem"));
    assert_eq!(certificate.key, Path::new("/k.pem"));
    assert_eq!(
        (ldap.base.as_str(), ldap.list, ldap.size_limit),
        ("o=Shop", true, 7)
    );
    for (text, expected) in [
        ("base = \"\"", "4: ldap.base: must begin with"),
        (
            "base = \"example.org\"",
            "4: ldap.base: is not a distinguished name",
        ),
        ("base = \"cn=x\"", "4: ldap.base: must begin with"),
        (
            "base = \"dc=a+dc=b\"",
            "4: ldap.base: is not a distinguished name",
        ),
        ("size_limit = 0", "4: ldap.size_limit: "),
        ("list = \"yes\"", "4: ldap.list: "),
        (
            "certificate = \"c.pem\"",
            "ldap.certificate_key: is missing",
        ),
        (
            "certificate_key = \"k.pem\"",
            "ldap.certificate_key: has no effect",
        ),
        ("bas = \"dc=x\"", "did you mean `base`?"),
    ] {
        let error = error(&format!("{HEAD}[ldap]\n{text}\n"));
        assert!(error.contains(expected), "{text}: {error}");
    }
    for (daemon, certificate, warnings) in [
        ("tcp:127.0.0.1:1", "", 0),
        ("tcp:192.0.2.1:1", "", 2),
        (
            "tcp:192.0.2.1:1",
            "certificate = \"c\"\ncertificate_key = \"k\"",
            1,
        ),
    ] {
        let text = format!("[daemon]\nldap = [\"{daemon}\"]\n[ldap]\n{certificate}\n");
        let found = good(&text).warnings;
        assert_eq!(found.len(), warnings, "{found:?}");
    }
}
