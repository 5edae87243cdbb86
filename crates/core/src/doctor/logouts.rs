//! Looks at whether a logout at the site can be seen.

use super::{Examination, Finding};

impl Examination<'_> {
    /// A session that is all in its cookie goes on wherever the cookie is kept, whatever the site's
    /// own page has told the browser.
    pub(super) fn logouts(&mut self) {
        let (ejabberd, daemon) = (&self.configuration.ejabberd, &self.configuration.daemon);
        let kicks = ejabberd.kick.is_some() && ejabberd.accepts_sessions();
        let watches = !daemon.listen.is_empty() && daemon.accept.session;
        if !self.site.sessions.keeps_in_cookie() || !(kicks || watches) {
            return;
        }
        let tried = "look at whether a logout at the site can be seen";
        let seen = "sessions are in the cookie itself, where a logout leaves no trace: what was let \
                    in goes on until the session expires or the account is closed";
        self.add(if kicks {
            let mend = "keep sessions in a store of the site, such as a table or Redis, or give them \
                        a short life; [ejabberd] kick ends connections then only";
            Finding::warning("logout", tried, seen, mend)
        } else {
            Finding::ok("logout", tried, seen)
        });
    }
}
