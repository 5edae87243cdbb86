//! Answers `/readyz`, `/metrics` and the cache's paths with the state of the daemon.

use std::fmt::Write;
use std::sync::Arc;

use hallpass_core::CacheStatistics;
use hyper::StatusCode;
use serde_json::json;

use super::answer::{self, Answer};
use crate::engine::StoreHealth;
use crate::metrics::{CONTENT_TYPE, Metrics};
use crate::site::{Age, ServedSite};
use crate::sites::Sites;

/// Whether the stores of all of `sites` answer, and how lately that was asked: a line for each. Their errors are in the log.
pub async fn ready(sites: &[Arc<ServedSite>], age: Age) -> Answer {
    let mut lines = String::new();
    let mut good = true;
    for site in sites {
        let health = site.health(age).await;
        for StoreHealth { store, answer, .. } in health.stores() {
            good &= answer.is_ok();
            let word = if answer.is_ok() { "ok" } else { "unavailable" };
            let slash = if site.name().is_empty() { "" } else { "/" };
            // Writing into a string cannot fail.
            let _ = writeln!(lines, "{}{slash}{store}: {word}", site.name());
        }
    }
    let status = if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer::text(status, "text/plain; charset=utf-8", lines)
}

/// The statistics of the cache of verified passwords of `site`.
pub fn cache(site: &ServedSite) -> Answer {
    let CacheStatistics {
        entries,
        limit,
        hits,
        misses,
    } = site.engine.cache();
    let told = json!({ "entries": entries, "limit": limit, "hits": hits, "misses": misses });
    answer::json(StatusCode::OK, &told)
}

/// Forgets the verified passwords of `site`.
pub fn flush_cache(site: &ServedSite) -> Answer {
    let count = site.engine.flush_cache();
    site.log.info(&format!("forgot {count} verified passwords"));
    answer::json(StatusCode::OK, &json!({ "flushed": count }))
}

/// All metrics; gauges are measured now.
pub async fn metrics(sites: &Sites, metrics: &Metrics, age: Age) -> Answer {
    for site in sites.all() {
        let engine = &site.engine;
        site.metrics.engine(engine.waiting(), engine.cache());
        site.metrics.watch(&site.watch.statistics());
        site.metrics.shares_counts(engine.shares_counts());
        let health = site.health(age).await;
        let most = site.configuration.database.max_lag;
        site.metrics.lag(health.lag, most);
        for health in health.stores() {
            let up = health.answer.is_ok();
            site.metrics.store(health.store, up, health.took);
        }
    }
    match metrics.text() {
        Ok(text) => answer::text(StatusCode::OK, CONTENT_TYPE, text),
        Err(_) => answer::plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "cannot write the metrics\n",
        ),
    }
}
