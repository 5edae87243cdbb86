//! Runs `hallpass bench`: measures how many checks a second this machine does.

use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use hallpass_core::{Authenticator, Configuration, Deadline};
use hallpass_passwords::{Algorithm, Context as HashContext, Encoded, Limits, make};
use hallpass_pbkdf2::{Engine, Kernels};
use hallpass_runtime::CommandLine;
use serde_json::json;

use crate::hash::LIKELY_RULES;
use crate::terminal::{self, line};

/// The shortest time of a measurement.
const LONG_ENOUGH: Duration = Duration::from_secs(1);
/// The checks that an engine gets at a time: more than it has lanes.
const AT_ONCE: usize = 64;
/// The users that log in at once when a chat server restarts.
const PEOPLE: f64 = 10_000.0;

/// Measures checks of `hash`, else of the site's costliest hash if there is a configuration, else
/// of what Django 5.2 makes.
pub fn run(common: &CommandLine, hash: Option<String>, as_json: bool) -> anyhow::Result<ExitCode> {
    let parse = |encoded: &str| {
        Encoded::parse_any(&LIKELY_RULES, encoded)
            .map(Arc::new)
            .map_err(|_| anyhow!("this is not a hash of a known algorithm"))
    };
    let hash = match hash {
        Some(encoded) => parse(&encoded)?,
        None if common.config.is_some() || common.path().exists() => {
            of_site(&common.configuration()?)?
        }
        None => parse(&new()?)?,
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let one = rate(LONG_ENOUGH, || {
        hash.verify(b"benchmark", &HashContext::default(), &Limits::default());
        1
    });
    let many = together(cores, &hash)?;
    let (algorithm, cost) = (hash.algorithm(), hash.parameters());
    let openssl = openssl(algorithm, hash.as_str());
    let logins = PEOPLE / many;
    if as_json {
        let object = json!({
            "algorithm": algorithm,
            "cost": cost,
            "cores": cores,
            "one_at_a_time": one,
            "many_at_a_time": many,
            "openssl_one_at_a_time": openssl,
            "seconds_for_10000": logins,
        });
        line(&object.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    line(&format!("{algorithm}, {cost}: checks a second"));
    line(&format!("  one at a time, on one core       {one:>12.1}"));
    line(&format!(
        "  many at a time, on {cores:>2} cores      {many:>12.1}"
    ));
    match openssl {
        Some(openssl) => {
            line(&format!(
                "  OpenSSL, on one core             {openssl:>12.1}"
            ));
            let (one, many) = (one / openssl, many / openssl / cores as f64);
            line(&format!(
                "On one core, {one:.1} times OpenSSL; many at a time, {many:.1} times."
            ));
        }
        None if algorithm.starts_with("pbkdf2") => line("  (openssl is not installed)"),
        None => {}
    }
    line(&format!(
        "10,000 people who log in at once wait for {}.",
        duration(logins)
    ));
    Ok(ExitCode::SUCCESS)
}

fn of_site(configuration: &Configuration) -> anyhow::Result<Arc<Encoded>> {
    let deadline = Deadline::after(configuration.limits.deadline);
    let mut authenticator = Authenticator::new(configuration);
    let costliest = authenticator.denial_cost(deadline)?;
    costliest.context("no account of the site has a password that costs anything to check")
}

fn new() -> anyhow::Result<String> {
    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    make(Algorithm::Pbkdf2Sha256, b"", None, &mut random).map_err(|error| anyhow!("{error}"))
}

/// How many times a second `work` is done; it returns how often it did it.
fn rate(long_enough: Duration, mut work: impl FnMut() -> usize) -> f64 {
    let started = Instant::now();
    let mut done = 0;
    while started.elapsed() < long_enough {
        done += work();
    }
    done as f64 / started.elapsed().as_secs_f64()
}

/// Checks on all cores: of PBKDF2, on all lanes of each.
fn together(cores: usize, hash: &Encoded) -> anyhow::Result<f64> {
    let limits = Limits::default();
    let started = Instant::now();
    let kernels = Kernels::measure(|| started.elapsed());
    let work = || match hash.derivation(&limits) {
        Some(derivation) => rate(LONG_ENOUGH, || {
            let mut engine = Engine::with_kernels(&kernels);
            for _ in 0..AT_ONCE {
                engine.submit(derivation.request(b"benchmark"));
            }
            let mut done = 0;
            while !engine.is_empty() {
                done += engine.step().len();
            }
            done
        }),
        None => rate(LONG_ENOUGH, || {
            hash.verify(b"benchmark", &HashContext::default(), &limits);
            1
        }),
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut sum = 0.0;
        for thread in threads {
            match thread.join() {
                Ok(rate) => sum += rate,
                Err(_) => bail!("a measurement failed"),
            }
        }
        Ok(sum)
    })
}

/// The rate of `openssl kdf` for the same; `None` for algorithms that it lacks, or where it is not
/// installed.
fn openssl(algorithm: &str, encoded: &str) -> Option<f64> {
    let digest = match algorithm {
        "pbkdf2_sha256" => "digest:SHA256",
        "pbkdf2_sha1" => "digest:SHA1",
        _ => return None,
    };
    let iterations: u32 = encoded.split('$').nth(1)?.parse().ok()?;
    let seconds = |iterations: u32| -> Option<f64> {
        let started = Instant::now();
        let status = Command::new("openssl")
            .args([
                "kdf",
                "-keylen",
                "32",
                "-kdfopt",
                digest,
                "-kdfopt",
                "pass:benchmark",
            ])
            .args([
                "-kdfopt",
                "salt:benchmark",
                "-kdfopt",
                &format!("iter:{iterations}"),
            ])
            .arg("PBKDF2")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status
            .ok()?
            .success()
            .then(|| started.elapsed().as_secs_f64())
    };
    // The best of three, less the program's start-up time.
    let best = |iterations| {
        (0..3)
            .map(|_| seconds(iterations))
            .try_fold(f64::INFINITY, |best, next| next.map(|next| best.min(next)))
    };
    let net = best(iterations.max(100_000))? - best(1)?;
    let each = net / f64::from(iterations.max(100_000)) * f64::from(iterations);
    (each > 0.0).then(|| 1.0 / each)
}

fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        return "less than a second".to_owned();
    }
    terminal::duration(Duration::from_secs(seconds.ceil() as u64))
}
