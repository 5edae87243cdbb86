//! Counts what the daemon does, and writes it as OpenMetrics 1.0.

mod process;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_core::{CacheStatistics, Verdict};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use self::process::ProcessMetrics;
use crate::engine::Waiting;
use crate::watch::{ENDED, Statistics};

/// The content type of what [`Metrics::text`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The results of a reload, as the metrics name them.
const DONE: &str = "done";
const REFUSED: &str = "refused";

/// The upper bounds of the buckets of durations, in seconds: from a hit in a cache to more than any
/// host waits.
const BUCKETS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 4.0,
];

/// The metrics of all sites.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    of_process: Registry,
    process: ProcessMetrics,
    families: Families,
    names: Mutex<BTreeSet<&'static str>>,
    reloads: Family<OfResult, Counter>,
    loaded: Gauge<f64, AtomicU64>,
}

#[derive(Clone, Debug)]
struct Families {
    questions: Family<OfVerdict, Counter>,
    durations: Family<OfDoor, Histogram, fn() -> Histogram>,
    waiting: Family<OfQueue, Gauge>,
    most_waiting: Family<OfQueue, Gauge>,
    remembered: Family<OfSite, Gauge>,
    hits: Family<OfSite, Counter>,
    misses: Family<OfSite, Counter>,
    shared: Family<OfSite, Gauge>,
    lag: Family<OfSite, Gauge<f64, AtomicU64>>,
    most_lag: Family<OfSite, Gauge<f64, AtomicU64>>,
    stores: Family<OfStore, Gauge<u64, AtomicU64>>,
    answers: Family<OfStore, Gauge<f64, AtomicU64>>,
    watched: Family<OfSite, Gauge>,
    streams: Family<OfSite, Gauge>,
    rounds: Family<OfSite, Gauge<f64, AtomicU64>>,
    ended: Family<OfEnd, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSite {
    site: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEnd {
    site: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfResult {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfQueue {
    site: &'static str,
    queue: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStore {
    site: &'static str,
    store: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDoor {
    site: &'static str,
    door: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfVerdict {
    site: &'static str,
    door: &'static str,
    verdict: &'static str,
    reason: &'static str,
}

/// The metrics of one site.
#[derive(Clone, Debug)]
pub struct SiteMetrics {
    site: &'static str,
    families: Families,
}

impl Metrics {
    /// Metrics that have counted nothing yet, of a process that started at the time `now`.
    pub fn new(now: SystemTime) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let families = Families {
            questions: Family::default(),
            durations: Family::new_with_constructor(histogram),
            waiting: Family::default(),
            most_waiting: Family::default(),
            remembered: Family::default(),
            hits: Family::default(),
            misses: Family::default(),
            shared: Family::default(),
            lag: Family::default(),
            most_lag: Family::default(),
            stores: Family::default(),
            answers: Family::default(),
            watched: Family::default(),
            streams: Family::default(),
            rounds: Family::default(),
            ended: Family::default(),
        };
        let mut registry = Registry::with_prefix("hallpass");
        registry.register(
            "program",
            "The program that answers",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register(
            "questions",
            "Requests answered, by door, verdict and reason",
            families.questions.clone(),
        );
        registry.register_with_unit(
            "question_duration",
            "Time from a request to its verdict",
            Unit::Seconds,
            families.durations.clone(),
        );
        registry.register(
            "queue_length",
            "Requests and password checks that wait for a thread",
            families.waiting.clone(),
        );
        registry.register(
            "queue_limit",
            "The most that may wait for a thread",
            families.most_waiting.clone(),
        );
        registry.register(
            "cache_entries",
            "Verified passwords in the cache",
            families.remembered.clone(),
        );
        registry.register(
            "cache_hits",
            "Password checks answered from the cache",
            families.hits.clone(),
        );
        registry.register(
            "cache_misses",
            "Password checks not answered from the cache",
            families.misses.clone(),
        );
        registry.register(
            "limits_shared",
            "Whether wrong passwords are counted together with other machines now",
            families.shared.clone(),
        );
        registry.register_with_unit(
            "database_lag",
            "How far the database server that is asked is behind its primary",
            Unit::Seconds,
            families.lag.clone(),
        );
        registry.register_with_unit(
            "database_max_lag",
            "How far a database server may be behind its primary to be asked",
            Unit::Seconds,
            families.most_lag.clone(),
        );
        registry.register(
            "store_up",
            "Whether the store answered just now",
            families.stores.clone(),
        );
        registry.register_with_unit(
            "store_answer_duration",
            "Time that the store took to answer just now",
            Unit::Seconds,
            families.answers.clone(),
        );
        registry.register(
            "watched_sessions",
            "Sessions that are watched until they end",
            families.watched.clone(),
        );
        registry.register(
            "watch_streams",
            "Streams of events that are open",
            families.streams.clone(),
        );
        registry.register_with_unit(
            "watch_round",
            "Time that looking at all watched sessions took the last time",
            Unit::Seconds,
            families.rounds.clone(),
        );
        registry.register(
            "watch_ended",
            "Watched sessions that have ended, by reason",
            families.ended.clone(),
        );
        let reloads = Family::<OfResult, Counter>::default();
        // Prometheus sees no increase of a counter that appears with its first count.
        for result in [DONE, REFUSED] {
            drop(reloads.get_or_create(&OfResult { result }));
        }
        registry.register(
            "configuration_reloads",
            "Times that the configuration was read again, by result",
            reloads.clone(),
        );
        let loaded = Gauge::<f64, AtomicU64>::default();
        registry.register_with_unit(
            "configuration_loaded_timestamp",
            "When the configuration in force was read, as Unix time",
            Unit::Seconds,
            loaded.clone(),
        );
        let mut of_process = Registry::default();
        let process = ProcessMetrics::register(&mut of_process, now);
        Self {
            registry,
            of_process,
            process,
            families,
            names: Mutex::default(),
            reloads,
            loaded,
        }
    }

    /// The metrics of the site called `name`, which is kept as long as the program lives.
    pub fn of(&self, name: &str) -> SiteMetrics {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let site = names.get(name).copied().unwrap_or_else(|| {
            let site = &*name.to_owned().leak();
            names.insert(site);
            site
        });
        SiteMetrics {
            site,
            families: self.families.clone(),
        }
    }

    /// Takes note that the configuration in force was read at the time `now`.
    pub fn loaded(&self, now: SystemTime) {
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.loaded.set(since_epoch.as_secs_f64());
    }

    /// Counts that the configuration was read again, and whether it is in force.
    pub fn reloaded(&self, good: bool) {
        let result = if good { DONE } else { REFUSED };
        self.reloads.get_or_create(&OfResult { result }).inc();
    }

    /// All of them, as text; those of the process are measured now.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        self.process.measure();
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &self.of_process)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

impl SiteMetrics {
    /// Counts a verdict that took so long, at the endpoint or path with this stable word.
    pub fn count(&self, door: &'static str, verdict: &Verdict, took: Duration) {
        let site = self.site;
        let labels = OfVerdict {
            site,
            door,
            verdict: verdict.word(),
            reason: verdict.reason().unwrap_or_default(),
        };
        self.families.questions.get_or_create(&labels).inc();
        let durations = self
            .families
            .durations
            .get_or_create(&OfDoor { site, door });
        durations.observe(took.as_secs_f64());
    }

    /// Sets the lengths of the queues and the statistics of the cache.
    pub fn engine(&self, waiting: Waiting, cache: CacheStatistics) {
        let (site, families) = (self.site, &self.families);
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        for (queue, length) in [("questions", waiting.requests), ("checks", waiting.checks)] {
            let queue = OfQueue { site, queue };
            families.waiting.get_or_create(&queue).set(gauge(length));
            let most = families.most_waiting.get_or_create(&queue);
            most.set(gauge(waiting.limit));
        }
        let of_site = OfSite { site };
        let remembered = families.remembered.get_or_create(&of_site);
        remembered.set(gauge(cache.entries));
        for (family, count) in [
            (&families.hits, cache.hits),
            (&families.misses, cache.misses),
        ] {
            let counter = family.get_or_create(&of_site);
            counter.inner().store(count, Ordering::Relaxed);
        }
    }

    /// Sets whether counts of wrong passwords are shared now; `None` where they are not to be.
    pub fn shares_counts(&self, shares: Option<bool>) {
        let (site, families) = (self.site, &self.families);
        match shares {
            Some(shares) => {
                let shared = families.shared.get_or_create(&OfSite { site });
                shared.set(i64::from(shares));
            }
            None => _ = families.shared.remove(&OfSite { site }),
        }
    }

    /// Sets how far the database is behind its primary, `None` where that is not measured or known, and
    /// how far it may be.
    pub fn lag(&self, lag: Option<Duration>, most: Option<Duration>) {
        let (site, families) = (self.site, &self.families);
        for (family, time) in [(&families.lag, lag), (&families.most_lag, most)] {
            match time {
                Some(time) => {
                    let gauge = family.get_or_create(&OfSite { site });
                    gauge.set(time.as_secs_f64());
                }
                None => _ = family.remove(&OfSite { site }),
            }
        }
    }

    /// Sets whether `store` answers, and how long that took.
    pub fn store(&self, store: &'static str, up: bool, took: Duration) {
        let (families, site) = (&self.families, self.site);
        let store = OfStore { site, store };
        families.stores.get_or_create(&store).set(u64::from(up));
        let answer = families.answers.get_or_create(&store);
        answer.set(took.as_secs_f64());
    }

    /// Sets what is watched and has ended.
    pub fn watch(&self, statistics: &Statistics) {
        let (site, families) = (self.site, &self.families);
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let of_site = OfSite { site };
        for (family, count) in [
            (&families.watched, statistics.watched),
            (&families.streams, statistics.subscriptions),
        ] {
            family.get_or_create(&of_site).set(gauge(count));
        }
        let round = families.rounds.get_or_create(&of_site);
        round.set(statistics.round.as_secs_f64());
        for (ended, count) in ENDED.iter().zip(statistics.ended) {
            let reason = ended.word();
            let counter = families.ended.get_or_create(&OfEnd { site, reason });
            counter.inner().store(count, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use hallpass_core::{Reason, Unavailable};

    use super::*;

    #[test]
    fn what_was_counted_can_be_read() {
        let metrics = Metrics::new(UNIX_EPOCH);
        let shop = metrics.of("shop");
        let denied = Verdict::Denied(Reason::WrongPassword);
        shop.count("auth", &denied, Duration::from_millis(3));
        shop.count("auth", &denied, Duration::from_millis(300));
        let unavailable = Verdict::from(Unavailable::new("away"));
        shop.count("check", &unavailable, Duration::from_secs(5));
        let waiting = Waiting {
            requests: 2,
            checks: 3,
            limit: 1024,
        };
        let cache = CacheStatistics {
            entries: 4,
            limit: 10,
            hits: 5,
            misses: 6,
        };
        shop.engine(waiting, cache);
        shop.shares_counts(Some(false));
        let forum = metrics.of("forum");
        forum.shares_counts(Some(true));
        forum.shares_counts(None);
        let most = Some(Duration::from_secs(5));
        shop.lag(Some(Duration::from_millis(2500)), most);
        forum.lag(Some(Duration::ZERO), most);
        forum.lag(None, None);
        shop.store("database", false, Duration::from_millis(1500));
        let text = metrics.text().unwrap();
        for line in [
            "hallpass_questions_total{site=\"shop\",door=\"auth\",verdict=\"denied\",\
             reason=\"wrong-password\"} 2",
            "hallpass_question_duration_seconds_count{site=\"shop\",door=\"auth\"} 2",
            "hallpass_question_duration_seconds_bucket{le=\"0.005\",site=\"shop\",door=\"auth\"} 1",
            "hallpass_queue_length{site=\"shop\",queue=\"questions\"} 2",
            "hallpass_queue_length{site=\"shop\",queue=\"checks\"} 3",
            "hallpass_queue_limit{site=\"shop\",queue=\"checks\"} 1024",
            "hallpass_cache_entries{site=\"shop\"} 4",
            "hallpass_cache_hits_total{site=\"shop\"} 5",
            "hallpass_cache_misses_total{site=\"shop\"} 6",
            "hallpass_limits_shared{site=\"shop\"} 0",
            "hallpass_database_lag_seconds{site=\"shop\"} 2.5",
            "hallpass_database_max_lag_seconds{site=\"shop\"} 5.0",
            "hallpass_store_up{site=\"shop\",store=\"database\"} 0",
            "hallpass_store_answer_duration_seconds{site=\"shop\",store=\"database\"} 1.5",
            "process_start_time_seconds 0.0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert!(!text.contains("site=\"forum\""), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
