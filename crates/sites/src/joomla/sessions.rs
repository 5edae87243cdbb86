//! Reads sessions: the rows of `#__session`, and the session's own data, which must agree.
//!
//! | | the row | the data |
//! |---|---|---|
//! | handler `database` | must be there, live, no guest's, the right client's | in the row; must name the same user where there is any |
//! | `redis`, `memcached`, `filesystem` | the same | must be there and name the same user: the row outlives a logout, the data does not |
//! | any, `session_metadata` off | only holds the data, if anything | must be there; says the user and the time |
//!
//! Joomla renews `time` in the row at every request, whatever the handler. With `session_metadata`
//! off, the handler `database` still writes rows, and all but the id, the time and the data are
//! what a new row has: a guest's, of no user and no client.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_sessions::php::joomla as format;
use hallpass_stores::cache::{self, Cache, KeyPattern};
use hallpass_stores::sql::{Queries, Row, Value};
use hallpass_stores::{Deadline, Files, Unavailable};
use rustix::process::geteuid;
use zeroize::Zeroizing;

use super::extensions::Statements as Extensions;
use super::groups::Groups;
use super::keys::{Keys, Lookup};
use super::second_step::{SecondSteps, Step};
use super::statements::Learned;
use crate::cache::other_database;
use crate::joomla::settings::{Joomla, JoomlaClient, JoomlaSessions};
use crate::php::cached::session_data;
use crate::prefixed;
use crate::{
    Account, Client, Decoding, Elsewhere, Login, Reason, Required, SAMPLE, Sample, SessionSource,
    Stop, session_rows, until,
};

/// The longest session id (`session_id` of `#__session`).
const LONGEST_ID: usize = 192;
/// The longest file of a session that is read, in bytes.
const LONGEST_FILE: usize = 1 << 20;

/// The sessions of a Joomla site.
#[derive(Debug)]
pub(super) struct Sessions {
    prefix: String,
    client: JoomlaClient,
    shared: bool,
    metadata: bool,
    lifetime: Duration,
    store: Store,
    allow_missing_second_factor: bool,
    second_steps: Option<Learned<Box<Steps>>>,
}

/// What is asked about a session that has not shown a second factor.
#[derive(Debug)]
struct Steps {
    steps: SecondSteps,
    groups: Groups,
    extensions: Option<Extensions>,
}

/// Where the data is.
#[derive(Debug)]
enum Store {
    Row,
    Files {
        files: Files,
        owners: Vec<u32>,
    },
    Cache {
        cache: Box<Cache>,
        keys: Vec<Keys>,
        settings: Box<cache::Settings>,
    },
    Unreachable(String),
}

/// What the row of a session says.
struct Metadata {
    user: i64,
    end: SystemTime,
    data: Zeroizing<Vec<u8>>,
}

impl Sessions {
    pub(super) fn new(joomla: &Joomla) -> Self {
        Self {
            prefix: joomla.prefix.clone(),
            client: joomla.client,
            shared: joomla.shared_session,
            metadata: joomla.session_metadata,
            lifetime: joomla.lifetime,
            store: match &joomla.sessions {
                JoomlaSessions::Database => Store::Row,
                JoomlaSessions::Files { directory, owners } => Store::Files {
                    files: Files::new(directory),
                    // As PHP: root's and its own.
                    owners: [owners, &[0, geteuid().as_raw()][..]].concat(),
                },
                JoomlaSessions::Cache(settings, client) => Store::Cache {
                    cache: Box::new(Cache::new(settings)),
                    keys: Keys::of(*client, joomla.major),
                    settings: settings.clone(),
                },
                JoomlaSessions::Unplaced => Store::Unreachable(
                    "PHP's own files, whose place is known when `session_filesystem_path` is given \
                     here (as `session.save_path` of the site's php.ini)"
                        .to_owned(),
                ),
                JoomlaSessions::Unreachable(what) => Store::Unreachable(what.clone()),
            },
            allow_missing_second_factor: joomla.allow_missing_second_factor,
            second_steps: None,
        }
    }

    /// Whether `#__session` is read.
    fn reads_rows(&self) -> bool {
        self.metadata || matches!(self.store, Store::Row)
    }

    /// What the row of the session `id` says, or why the session does not count.
    fn metadata(
        &self,
        queries: &mut Queries<'_>,
        id: &str,
        now: SystemTime,
    ) -> Result<Metadata, Stop> {
        let columns = "\"client_id\", \"guest\", \"time\", \"userid\", \"data\"";
        let mut row = row(&self.prefix, queries, id, columns)?;
        let (client, guest) = (row.take(1), row.take(2).integer_like());
        let ours = match client.integer_like() {
            None => self.shared && client == Value::Null,
            Some(_) if self.shared => true,
            Some(client) => client == client_id(self.client),
        };
        let told = || {
            format!(
                "it is {} of the application that `client` names",
                if ours { "one" } else { "none" }
            )
        };
        if !queries.tracer().decided("client", ours, told) {
            return Err(Reason::OtherApplication.into());
        }
        let time = row
            .take(3)
            .integer_like()
            .and_then(|time| u64::try_from(time).ok());
        let end = time.and_then(|time| {
            UNIX_EPOCH.checked_add(Duration::from_secs(time).checked_add(self.lifetime)?)
        });
        let Some(end) = end else {
            return Err(Reason::InvalidSession.into());
        };
        // Joomla counts whole seconds, and the last of them is the session's.
        let lives = end >= whole_seconds(now);
        if !queries.tracer().decided("expiry", lives, || until(end)) {
            return Err(Reason::ExpiredSession.into());
        }
        let user = row.take(4).integer_like().filter(|user| *user > 0);
        let Some(user) = user.filter(|_| guest == Some(0)) else {
            return Err(Reason::AnonymousSession.into());
        };
        Ok(Metadata {
            user,
            end,
            data: as_written(bytes(row.take(5))),
        })
    }

    /// The session's data where no row with metadata has it; why there is none, where there is none.
    fn stored(&mut self, queries: &mut Queries<'_>, id: &str) -> Lookup {
        let deadline = queries.deadline();
        match &mut self.store {
            Store::Row => {
                let mut row = row(&self.prefix, queries, id, "\"data\"")?;
                let data = as_written(bytes(row.take(1)));
                match data.is_empty() {
                    true => Err(Reason::NoSession.into()),
                    false => Ok(data),
                }
            }
            Store::Cache { cache, keys, .. } => {
                for keys in keys {
                    let key = Zeroizing::new(format!("{}{id}", keys.prefix));
                    let Some(entry) = cache.get(key.as_bytes(), deadline)? else {
                        continue;
                    };
                    return Ok(session_data(entry, keys.client)?);
                }
                Err(Reason::NoSession.into())
            }
            Store::Files { files, owners } => {
                let name = format!("sess_{id}");
                let Some(file) = files.read(name.as_bytes(), LONGEST_FILE, deadline)? else {
                    return Err(Reason::NoSession.into());
                };
                // In a world-writable directory, any user could put a session.
                if !owners.contains(&file.owner) && files.is_open_to_all()? {
                    return Err(Reason::InvalidSession.into());
                }
                Ok(file.bytes)
            }
            Store::Unreachable(what) => Err(Unavailable::new(format!(
                "sessions cannot be read: the site keeps them in {what}"
            ))
            .into()),
        }
    }

    /// What `user` must still do at the site before the session counts.
    fn second_step(
        &mut self,
        queries: &mut Queries<'_>,
        user: i64,
    ) -> Result<Option<Step>, Unavailable> {
        if self.allow_missing_second_factor {
            return Ok(None);
        }
        let learned = self.second_steps.take();
        let learned = match learned.filter(|it| it.lasts(queries)) {
            Some(learned) => learned,
            None => {
                let columns = queries.columns(&format!("{}users", self.prefix))?;
                let column = columns.iter().any(|column| column.name == "otpKey");
                let groups = Groups::new(&self.prefix, queries)?;
                let steps = Box::new(Steps {
                    steps: SecondSteps::new(&self.prefix, column, queries)?,
                    extensions: Extensions::new(&self.prefix, &groups, queries)?,
                    groups,
                });
                Learned::new(steps, queries)
            }
        };
        let step = learned.known.step(queries, user);
        self.second_steps = Some(learned);
        step
    }
}

impl Steps {
    fn step(&self, queries: &mut Queries<'_>, user: i64) -> Result<Option<Step>, Unavailable> {
        let steps = self.steps.known(queries, self.extensions.as_ref())?;
        // Before 4.2, a session begins after the second factor.
        if !matches!(steps, SecondSteps::Table { .. }) {
            return Ok(None);
        }
        let extensions = match &self.extensions {
            Some(statements) => Some(statements.read(queries)?),
            None => None,
        };
        let user = Value::Integer(user);
        steps.in_session(queries, extensions.as_ref(), &self.groups, &user)
    }
}

/// The row of the session `id`, with its id and then `columns`.
fn row(prefix: &str, queries: &mut Queries<'_>, id: &str, columns: &str) -> Result<Row, Stop> {
    let statement = format!(
        "SELECT \"session_id\", {columns} FROM {} WHERE \"session_id\" = :id",
        prefixed(prefix, "session")
    );
    let rows = queries.rows_of_data(&statement, &[(":id", id.into())], 16);
    let rows = session_rows(rows)?;
    // A collation may take several for the same; PHP's ids have case.
    let row = rows.into_iter().find_map(|mut row| {
        let stored = bytes(row.take(0));
        (stored == id.as_bytes()).then_some(row)
    });
    Ok(row.ok_or(Reason::NoSession)?)
}

fn bytes(value: Value) -> Vec<u8> {
    match value {
        Value::Text(text) => text.into_bytes(),
        Value::Bytes(bytes) => bytes,
        _ => Vec::new(),
    }
}

impl SessionSource for Sessions {
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        _client: &Client,
        now: SystemTime,
    ) -> Result<Login, Stop> {
        let Some(id) = session_id(token) else {
            return Err(Reason::NoSession.into());
        };
        let metadata = if self.metadata {
            Some(self.metadata(queries, id, now)?)
        } else {
            None
        };
        let (data, decoded) = match (&self.store, &metadata) {
            (Store::Row, Some(metadata)) if metadata.data.is_empty() => (None, ROW),
            (Store::Row, Some(metadata)) => (Some(metadata.data.clone()), ROW_WITH_DATA),
            (Store::Row, None) => (Some(self.stored(queries, id)?), ROW_WITH_DATA),
            _ => (Some(self.stored(queries, id)?), STORE),
        };
        let data = match data.map(|data| format::read(&data, None)).transpose() {
            Ok(data) => data,
            Err(invalid) => {
                queries
                    .tracer()
                    .decided("payload", false, || invalid.to_string());
                return Err(Reason::InvalidSession.into());
            }
        };
        if let Some(data) = &data {
            let user = data.user_id;
            queries
                .tracer()
                .decided("payload", user.is_some(), || match user {
                    Some(user) => format!("the account {user} is logged in"),
                    None => "nobody is logged in".to_owned(),
                });
        }
        let (user, end) = match (&metadata, &data) {
            (Some(metadata), None) => (metadata.user, metadata.end),
            (Some(metadata), Some(data)) => match data.user_id {
                None => return Err(Reason::AnonymousSession.into()),
                // If the row and the data disagree, neither is believed.
                Some(user) if user != metadata.user => return Err(Reason::InvalidSession.into()),
                Some(user) => (user, metadata.end),
            },
            (None, Some(data)) => {
                let Some(user) = data.user_id else {
                    return Err(Reason::AnonymousSession.into());
                };
                let last = data.last_request.and_then(|last| u64::try_from(last).ok());
                let end = last.and_then(|last| {
                    UNIX_EPOCH.checked_add(Duration::from_secs(last).checked_add(self.lifetime)?)
                });
                match end {
                    None => return Err(Reason::InvalidSession.into()),
                    Some(end) if end < whole_seconds(now) => {
                        return Err(Reason::ExpiredSession.into());
                    }
                    Some(end) => (user, end),
                }
            }
            (None, None) => return Err(Reason::NoSession.into()),
        };
        let passed = data.is_some_and(|data| data.mfa_checked && !data.mfa_mandatory);
        let step = if passed {
            None
        } else {
            self.second_step(queries, user)?
        };
        if let Some(step) = step {
            let (reason, told) = match step {
                Step::Show => (
                    Reason::SecondFactor,
                    "the account has one, and the session has not passed it",
                ),
                Step::SetUp => (
                    Reason::SecondFactorSetUp,
                    "one of the account's groups demands one, and it is not set up",
                ),
            };
            let tracer = queries.tracer();
            tracer.decided("second-factor", false, || told.to_owned());
            return Err(reason.into());
        }
        Ok(Login {
            key: user.to_string(),
            auth_hash: None,
            expires: Some(end),
            decoded,
            from_token: false,
        })
    }

    fn tables(&self) -> Vec<String> {
        let session = self.reads_rows().then_some("session");
        let full = |name: &str| format!("{}{name}", self.prefix);
        session.into_iter().chain(["user_mfa"]).map(full).collect()
    }

    /// The row that says who is logged in, where sessions have one.
    fn needs(&self) -> Vec<Required> {
        if !self.reads_rows() {
            return Vec::new();
        }
        let columns = ["session_id", "client_id", "guest", "time", "userid", "data"];
        let name = format!("{}session", self.prefix);
        vec![Required::table(name, "joomla.dbprefix", &columns)]
    }

    fn sample(&mut self, queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        if !self.reads_rows() {
            return Ok(None);
        }
        let people = if self.metadata {
            " WHERE \"guest\" = 0"
        } else {
            ""
        };
        let newest = format!(
            "SELECT \"session_id\" FROM {}{people} ORDER BY \"time\" DESC LIMIT {SAMPLE}",
            prefixed(&self.prefix, "session")
        );
        let Some(mut sample) = crate::tokens(queries, &newest)? else {
            return Ok(None);
        };
        sample.people = self.metadata && !matches!(self.store, Store::Row);
        if let Store::Cache {
            cache,
            keys,
            settings,
        } = &mut self.store
        {
            let prefixes = keys.iter().map(|keys| keys.prefix.as_bytes());
            let prefixes = prefixes.filter(|prefix| !prefix.is_empty());
            let number = database_of(prefixes, cache, settings, queries.deadline());
            sample.elsewhere = number.map(Elsewhere::Database);
        }
        Ok(Some(sample))
    }

    /// Joomla's sessions say nothing of the password.
    fn confirms(&self, _login: &Login, _account: &Account) -> bool {
        true
    }
}

/// The number of another database of the same Redis that has keys which begin with one of
/// `prefixes`; `None` where the configured one has such keys, too, or none was found.
fn database_of<'a>(
    prefixes: impl Iterator<Item = &'a [u8]>,
    cache: &mut Cache,
    settings: &cache::Settings,
    deadline: Deadline,
) -> Option<u32> {
    let any = |_: &[u8]| true;
    let mut elsewhere = None;
    for prefix in prefixes {
        let pattern = KeyPattern::beginning(prefix);
        let here = cache.keys(&pattern, &any, 1, deadline)?;
        if !here.keys.is_empty() || !here.all {
            return None;
        }
        elsewhere = elsewhere.or_else(|| other_database(settings, &pattern, &any, deadline));
    }
    elsewhere
}

const ROW: Decoding = Decoding {
    store: "the row of #__session",
    container: "",
    format: "",
};
const ROW_WITH_DATA: Decoding = Decoding {
    store: "the row of #__session",
    container: "",
    format: "Joomla's data",
};
const STORE: Decoding = Decoding {
    store: "the session handler's store",
    container: "",
    format: "Joomla's data",
};

/// Data as it was before it went into the row. Joomla 1.6 to 3.x puts `\0\0\0`, as text, in the place
/// of what leads the names of protected properties (libraries/joomla/session/storage/database.php
/// of 3.10); since 3.4.7 there are none.
fn as_written(data: Vec<u8>) -> Zeroizing<Vec<u8>> {
    const STANDS: &[u8] = br"\0\0\0";
    let data = Zeroizing::new(data);
    let mut written = Zeroizing::new(Vec::with_capacity(data.len()));
    let mut rest = &data[..];
    while let Some((first, after)) = rest.split_first() {
        rest = match rest.strip_prefix(STANDS) {
            Some(after) => {
                written.extend_from_slice(b"\0*\0");
                after
            }
            None => {
                written.push(*first);
                after
            }
        };
    }
    written
}

fn client_id(client: JoomlaClient) -> i64 {
    match client {
        JoomlaClient::Site => 0,
        JoomlaClient::Administrator => 1,
    }
}

/// A session id as PHP makes them; nothing else reaches a statement, a key or a path.
fn session_id(token: &[u8]) -> Option<&str> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b',' | b'-');
    let whole = !token.is_empty() && token.len() <= LONGEST_ID && token.iter().all(plain);
    whole.then(|| std::str::from_utf8(token).ok()).flatten()
}

fn whole_seconds(now: SystemTime) -> SystemTime {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_row_holds_is_what_php_wrote() {
        for (stored, written) in [
            (
                &b"s:9:\"\\0\\0\\0_errors\";"[..],
                &b"s:9:\"\0*\0_errors\";"[..],
            ),
            (b"\\0\\0\\0\\0\\0\\0", b"\0*\0\0*\0"),
            (b"\\0\\0", b"\\0\\0"),
            (b"\0*\0", b"\0*\0"),
            (b"", b""),
        ] {
            assert_eq!(as_written(stored.to_vec()).as_slice(), written);
        }
    }
}
