//! Asks again about sessions that were let in, many at a time: whether what the last verdict rested
//! on is the same.

use std::time::SystemTime;

use hallpass_sites::RestsOn;
use hallpass_stores::{Deadline, Unavailable, cache, sql};

use super::Authenticator;
use crate::{Credential, Request, Verdict};

/// All that a verdict on a session rested on, besides the request, and the time at which the session
/// ends.
#[derive(Debug)]
pub struct Recorded {
    rows: Vec<sql::Recorded>,
    values: Vec<cache::Recorded>,
}

impl Authenticator {
    /// As [`recheck`](Self::recheck), with what the verdict rests on; `None` where that is not known,
    /// or cannot be read again.
    pub fn recheck_recorded(
        &mut self,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> (Verdict, Option<Recorded>) {
        let is_session = matches!(
            &request.credential,
            Credential::Session(_) | Credential::Cookies(_)
        );
        let rests_on_reads = match self.site.sessions.rests_on() {
            RestsOn::More => false,
            RestsOn::Database => true,
            RestsOn::Cache(cache) => {
                cache.begin_recording();
                true
            }
        };
        if !is_session || !rests_on_reads {
            return (self.recheck(request, now, deadline), None);
        }
        self.database.begin_recording();
        self.records = true;
        let verdict = self.recheck(request, now, deadline);
        self.records = false;
        let rows = self.database.take_recorded();
        let values = match self.site.sessions.rests_on() {
            RestsOn::Cache(cache) => cache.take_recorded(),
            RestsOn::Database | RestsOn::More => Some(Vec::new()),
        };
        let granted = matches!(verdict, Verdict::Granted(_));
        let recorded = rows.zip(values).filter(|_| granted);
        (
            verdict,
            recorded.map(|(rows, values)| Recorded { rows, values }),
        )
    }

    /// Whether all is the same that each verdict rested on, of those that this authenticator has
    /// recorded. The stores are asked about all of them together.
    ///
    /// # Errors
    /// [`Unavailable`] when a store cannot be asked.
    pub fn unchanged(
        &mut self,
        recorded: &[&Recorded],
        deadline: Deadline,
    ) -> Result<Vec<bool>, Unavailable> {
        let rows: Vec<_> = recorded.iter().flat_map(|it| &it.rows).collect();
        let values: Vec<_> = recorded.iter().flat_map(|it| &it.values).collect();
        let values = match self.site.sessions.rests_on() {
            RestsOn::Cache(cache) if !values.is_empty() => cache.unchanged(&values, deadline)?,
            _ => vec![values.is_empty(); values.len()],
        };
        let rows = self.database.unchanged(&rows, deadline)?;
        let (mut rows, mut values) = (rows.into_iter(), values.into_iter());
        let all = |one: &Recorded| {
            // Both are taken to their ends, because the next ones follow.
            let rows = rows.by_ref().take(one.rows.len()).filter(|same| *same);
            let rows = rows.count() == one.rows.len();
            let values = values.by_ref().take(one.values.len()).filter(|same| *same);
            values.count() == one.values.len() && rows
        };
        Ok(recorded.iter().copied().map(all).collect())
    }
}
