//! Lists the modules that Apache loads, and checks that its directives have theirs.

use hallpass_core::doctor::Finding;

use crate::doctor::directives::Directive;

/// The module of each directive.
const DIRECTIVES: [(&str, &str); 12] = [
    ("AuthBasicProvider", "auth_basic"),
    ("AuthExternal", "authnz_external"),
    ("AuthExternalProvideCache", "authnz_external"),
    ("AuthName", "authn_core"),
    ("AuthnCacheProvideFor", "authn_socache"),
    ("AuthnzFcgiCheckAuthnProvider", "authnz_fcgi"),
    ("AuthnzFcgiDefineProvider", "authnz_fcgi"),
    ("DefineExternalAuth", "authnz_external"),
    ("DefineExternalGroup", "authnz_external"),
    ("Require", "authz_core"),
    ("RewriteMap", "rewrite"),
    ("RewriteRule", "rewrite"),
];

/// The modules that are loaded, by their names without `_module`.
#[derive(Clone, Debug, Default)]
pub struct Modules(Vec<String>);

impl Modules {
    /// Records a `LoadModule`.
    pub fn load(&mut self, directive: &Directive) {
        let name = directive.word(0).trim_end_matches("_module");
        self.0.push(name.to_owned());
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|loaded| loaded == name)
    }

    /// Finds missing modules, and modules that conflict.
    pub fn examine(&self, directives: &[&Directive]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut missed: Vec<&str> = Vec::new();
        for directive in directives {
            let by_name = DIRECTIVES.iter().find(|(name, _)| directive.is(name));
            let valid_user =
                directive.is("Require") && matches!(directive.word(0), "valid-user" | "user");
            let needed = match valid_user {
                true => Some("authz_user"),
                false => by_name.map(|(_, module)| *module),
            };
            let Some(module) = needed else { continue };
            if self.has(module) || missed.contains(&module) {
                continue;
            }
            missed.push(module);
            findings.push(Finding::problem(
                "apache-module",
                directive.at(),
                format!("{} needs mod_{module}, which is not loaded", directive.name),
                format!("a2enmod {module}"),
            ));
        }
        let uses = |name: &str| directives.iter().find(|it| it.is(name));
        let threads = ["mpm_event", "mpm_worker"]
            .into_iter()
            .find(|it| self.has(it));
        if let (Some(threads), Some(define)) = (threads, uses("DefineExternalAuth")) {
            findings.push(Finding::problem(
                "apache-mpm",
                define.at(),
                format!(
                    "mod_{threads} with mod_authnz_external up to 3.3.3: now and then a request \
                     stops the whole Apache"
                ),
                format!("a2dismod {threads} && a2enmod mpm_prefork, or use mod_authnz_fcgi"),
            ));
        }
        findings
    }
}
