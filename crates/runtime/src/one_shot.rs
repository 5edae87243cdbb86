//! Starts a program that a host runs for one request.

use std::mem::ManuallyDrop;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use hallpass_core::configuration;
use hallpass_core::{Authenticator, Configuration, Deadline, Request, Verdict};

use crate::log::Decision;
use crate::via::Daemon;
use crate::{CommandLine, Log, exit_after, print_usage};

/// The exit codes by which a program's host distinguishes failures.
#[derive(Clone, Copy, Debug)]
pub struct ExitCodes {
    /// The command line is wrong.
    pub usage: u8,
    /// The configuration is wrong, or the system lacks a timer.
    pub configuration: u8,
    /// No answer came by the deadline.
    pub unavailable: u8,
}

/// A program with a configuration, a log and a deadline.
#[derive(Debug)]
pub struct OneShot {
    program: &'static str,
    started: Instant,
    /// The site's configuration.
    pub configuration: Configuration,
    /// The log.
    pub log: Log,
    /// The deadline of the answer. Reading the request counts, because the host may never finish
    /// it.
    pub deadline: Deadline,
}

impl OneShot {
    /// Reads the command line of `program`, and then as [`OneShot::with`].
    ///
    /// # Errors
    /// The exit code with which the program ends: of an error, which has been reported, or of
    /// `--help`, `--version` or `--check-config`.
    pub fn start<O: clap::Parser>(
        program: &'static str,
        common: fn(&O) -> &CommandLine,
        codes: ExitCodes,
    ) -> Result<(O, Self), ExitCode> {
        let started = Instant::now();
        let options = O::try_parse().map_err(|error| print_usage(&error, codes.usage))?;
        let this = Self::with(program, common(&options), codes, started)?;
        Ok((options, this))
    }

    /// Reads the configuration, opens the log, and sets the alarm that ends the program if it
    /// misses its deadline.
    ///
    /// # Errors
    /// As [`OneShot::start`].
    pub fn with(
        program: &'static str,
        common: &CommandLine,
        codes: ExitCodes,
        started: Instant,
    ) -> Result<Self, ExitCode> {
        if common.check_config {
            return Err(common.check(codes.configuration));
        }
        let configuration = common.configuration().map_err(|error| {
            Log::new(program, configuration::Log::default()).error(&error.to_string());
            ExitCode::from(codes.configuration)
        })?;
        let log = Log::new(program, configuration.log);
        for warning in &configuration.warnings {
            log.warning(warning);
        }
        let deadline = Deadline::after(configuration.limits.deadline);
        if let Err(error) = exit_after(deadline, codes.unavailable) {
            log.error(&format!("cannot set an alarm: {error}"));
            return Err(codes.configuration.into());
        }
        Ok(Self {
            program,
            started,
            configuration,
            log,
            deadline,
        })
    }

    /// The verdict on `request`: of hallpassd where the configuration names it, else of the stores.
    /// The stores give up at the deadline; a hash that has been started is finished.
    #[must_use]
    pub fn ask(&self, request: &Request) -> Verdict {
        let daemon = Daemon::of(&self.configuration, self.program);
        let verdict = daemon.and_then(|daemon| daemon.verdict(request, false, self.deadline));
        verdict.unwrap_or_else(|| {
            // Connections end with the process; to close them first takes time.
            let mut authenticator = ManuallyDrop::new(Authenticator::new(&self.configuration));
            authenticator.answer(request, SystemTime::now(), self.deadline)
        })
    }

    /// Logs `verdict` on `user`, as the host names the account, at the address `client`.
    pub fn log_decision(&self, user: Option<&str>, client: Option<IpAddr>, verdict: &Verdict) {
        self.log.decision(&Decision {
            user,
            client,
            verdict,
            took: self.started.elapsed(),
        });
    }
}
