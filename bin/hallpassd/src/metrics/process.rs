//! Measures the process, under the names that Prometheus's client libraries give these metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rustix::param::page_size;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The metrics of this process. What the system does not tell is 0.
#[derive(Debug)]
pub struct ProcessMetrics {
    cpu: Counter<f64, AtomicU64>,
    resident: Gauge<u64, AtomicU64>,
    virtual_memory: Gauge<u64, AtomicU64>,
    open_files: Gauge<u64, AtomicU64>,
    most_files: Gauge<u64, AtomicU64>,
}

impl ProcessMetrics {
    /// Adds them to `registry`. The process started at the time `now`.
    pub fn register(registry: &mut Registry, now: SystemTime) -> Self {
        let metrics = Self {
            cpu: Counter::default(),
            resident: Gauge::default(),
            virtual_memory: Gauge::default(),
            open_files: Gauge::default(),
            most_files: Gauge::default(),
        };
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(since_epoch.as_secs_f64());
        registry.register_with_unit(
            "process_cpu",
            "Processor time used",
            Unit::Seconds,
            metrics.cpu.clone(),
        );
        registry.register_with_unit(
            "process_resident_memory",
            "Memory in use, as far as it is not swapped out",
            Unit::Bytes,
            metrics.resident.clone(),
        );
        registry.register_with_unit(
            "process_virtual_memory",
            "Address space in use",
            Unit::Bytes,
            metrics.virtual_memory.clone(),
        );
        registry.register(
            "process_open_fds",
            "Open files and connections",
            metrics.open_files.clone(),
        );
        registry.register(
            "process_max_fds",
            "The most files and connections that may be open",
            metrics.most_files.clone(),
        );
        registry.register_with_unit(
            "process_start_time",
            "When the process started, as Unix time",
            Unit::Seconds,
            started,
        );
        metrics
    }

    /// Measures them now.
    pub fn measure(&self) {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        self.cpu.inner().store(seconds.to_bits(), Ordering::Relaxed);
        // Size and resident size, in pages (proc_pid_statm(5)).
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let mut pages = statm.split(' ').map(|number| number.parse().unwrap_or(0));
        let mut bytes = || pages.next().unwrap_or(0) * page_size() as u64;
        self.virtual_memory.set(bytes());
        self.resident.set(bytes());
        let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        self.open_files.set(open as u64);
        let most = getrlimit(Resource::Nofile).current;
        self.most_files.set(most.unwrap_or(u64::MAX));
    }
}
