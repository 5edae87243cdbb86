//! Runs many statements in one exchange, which takes one way to the server and back (pipelining:
//! section 55.2.4 of PostgreSQL 15's manual).

use std::collections::BTreeSet;
use std::hash::RandomState;

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;

use super::super::recorded::{Recorded, RowsDigest};
use super::super::server::Failure;
use super::error::is_unknown_statement;
use super::exchange::{completes, parse, run};
use super::parameter::bind;
use super::statements::is_of;
use super::value::row;
use super::wire::UNEXPECTED;
use super::{Postgres, Standing, lost, refused};

/// The most statements of one exchange. All are sent before the first answer is read, so that they
/// must fit into the system's buffers.
pub(super) const MOST_TOGETHER: usize = 256;

impl Postgres {
    /// The digests of the rows that `reads` give; `None` where one of them can only be asked by
    /// itself, because it is not prepared yet, say.
    pub(super) async fn digests_together(
        &mut self,
        reads: &[&Recorded],
        key: &RandomState,
    ) -> Result<Option<Vec<u64>>, Failure> {
        let is_direct = match self.standing {
            Standing::Direct => true,
            Standing::Pooled => false,
            Standing::Unknown | Standing::Changing => return Ok(None),
        };
        let texts: BTreeSet<&str> = reads.iter().map(|read| &*read.statement).collect();
        for text in &texts {
            self.know(text).await?;
        }
        let mut out = BytesMut::new();
        let mut digests = vec![RowsDigest::new(key).finish(); reads.len()];
        let mut asked = Vec::with_capacity(reads.len());
        for (place, read) in reads.iter().enumerate() {
            let Some(ready) = self.statements.get(&*read.statement) else {
                return Ok(None);
            };
            let name = match (is_direct, &ready.name, &ready.original) {
                (true, Some(name), None) => name,
                (false, _, None) => "",
                _ => return Ok(None),
            };
            let parameters = read.parameters();
            let values = ready.statement.values(&parameters).map_err(refused)?;
            // What is not a value of its type gives no rows.
            let bound = bind(&values, &ready.parameters).map_err(Failure::Refused)?;
            let Some(values) = bound else { continue };
            let put = match is_direct {
                true => Ok(()),
                false => parse("", &ready.statement.text, &ready.parameters, &mut out),
            };
            let most = i32::try_from(read.limit).unwrap_or(0);
            put.and_then(|()| run(name, &values, most, !is_direct, &mut out))
                .map_err(lost)?;
            asked.push((place, read));
        }
        let statements = std::mem::take(&mut self.statements);
        let mut answered = asked.iter();
        let mut current = answered.next();
        let mut digest = RowsDigest::new(key);
        let mut is_changed = false;
        let done = self.exchange(&out, asked.len(), |message| {
            let Some((place, read)) = current else {
                return Err(UNEXPECTED);
            };
            let ready = statements.get(&*read.statement).ok_or(UNEXPECTED)?;
            match message {
                Message::RowDescription(body) => is_changed |= !is_of(&body, &ready.columns)?,
                Message::NoData => is_changed |= !ready.columns.is_empty(),
                Message::DataRow(_) if digest.count() >= read.limit => return Err(UNEXPECTED),
                Message::DataRow(body) if !is_changed => {
                    let kinds = ready.columns.iter().map(|column| &column.kind);
                    digest.add(&row(&body, kinds)?);
                }
                message if completes(&message) => {
                    let whole = std::mem::replace(&mut digest, RowsDigest::new(key));
                    if let Some(digest) = digests.get_mut(*place) {
                        *digest = whole.finish();
                    }
                    current = answered.next();
                }
                _ => {}
            }
            Ok(())
        });
        let done = done.await;
        self.statements = statements;
        match done {
            Ok(()) if !is_changed => Ok(Some(digests)),
            // Each by itself is described anew.
            Ok(()) => Ok(None),
            Err(error) => {
                if is_unknown_statement(&error) && is_direct {
                    self.note_pooler();
                }
                // Which of them are outdated is not known.
                texts.iter().for_each(|text| self.forget(text));
                Err(self.failure(error))
            }
        }
    }
}
