//! Looks at which tokens of the site's are believed.

use super::{Examination, Finding};

impl Examination<'_> {
    /// A token for another program must not be one for this site, and some program must take them.
    pub(super) fn signed_tokens(&mut self) {
        let configuration = self.configuration;
        let Some(jwt) = &configuration.jwt else {
            return;
        };
        let tried = "look at which tokens are believed";
        let by_ejabberd =
            configuration.ejabberd.configured && configuration.ejabberd.accepts_sessions();
        if !configuration.daemon.accept.session && !by_ejabberd {
            self.add(Finding::warning(
                "jwt",
                tried,
                "[jwt] is there, and no program takes tokens: they are accepted where sessions are",
                "write accept = [\"session\"] in [daemon], or take [jwt] away",
            ));
            return;
        }
        let rules = &jwt.rules;
        let missing = match (&rules.issuer, &rules.audience) {
            (Some(_), Some(_)) => None,
            (None, Some(_)) => Some("issuer"),
            (Some(_), None) => Some("audience"),
            (None, None) => Some("issuer and audience"),
        };
        self.add(match missing {
            Some(missing) => Finding::warning(
                "jwt",
                tried,
                format!(
                    "[jwt] has no {missing}: a token that the same key signed for another program \
                     may log in here"
                ),
                format!("write the site's own {missing} into [jwt]"),
            ),
            None => {
                let names: Vec<&str> = rules.algorithms.iter().map(|it| it.name()).collect();
                let seen = format!("signed by {}, for one audience", names.join(" or "));
                Finding::ok("jwt", tried, seen)
            }
        });
    }
}
