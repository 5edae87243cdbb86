//! How fast keys are derived, as a ratio to OpenSSL, which Python's hashlib calls:
//!
//! ```text
//! cargo bench -p hallpass-pbkdf2
//! ```
//!
//! Both are measured in one run, by turns, in short repeats, in CPU time of the thread; the best of
//! each is what is compared. `PYTHON` names another interpreter than `python3`.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use hallpass_pbkdf2::{Engine, Kernel, Kernels, Request, hmac_sha1, hmac_sha256};
use rustix::time::{ClockId, clock_gettime};

/// Repeats of each measurement.
const ROUNDS: usize = 40;

/// Iterations of one key by itself: some milliseconds.
const ALONE: u32 = 20_000;

/// Iterations of each key of a batch.
const TOGETHER: u32 = 3_000;

/// How many requests are waiting in the second table.
const WAITING: [usize; 15] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 21, 24, 32, 64];

fn main() -> io::Result<()> {
    let mut hashlib = Hashlib::start()?;
    println!("{}", hashlib.version);
    for hash in [Hash::Sha256, Hash::Sha1] {
        compare(&mut hashlib, hash)?;
    }
    hashlib.stop()
}

#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha256,
}

/// What is measured, in the order of the tables.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Subject {
    Hashlib,
    /// The crates pbkdf2 and sha2 or sha1, as anybody would call them.
    RustCrypto,
    OneCall,
    Batch(Kernel),
    Waiting(usize),
}

fn compare(hashlib: &mut Hashlib, hash: Hash) -> io::Result<()> {
    let measured = Kernels::measure(|| Duration::from_nanos(cpu_time() as u64));
    let mut subjects = vec![Subject::Hashlib, Subject::RustCrypto, Subject::OneCall];
    subjects.extend(Kernel::available().map(Subject::Batch));
    subjects.extend(WAITING.map(Subject::Waiting));

    // The least CPU time of an iteration of each, in nanoseconds.
    let mut best = BTreeMap::new();
    for _ in 0..ROUNDS {
        for subject in &subjects {
            let time = match subject {
                Subject::Hashlib => hashlib.time(hash)?,
                Subject::RustCrypto => time_rust_crypto(hash),
                Subject::OneCall => time_one_call(hash),
                Subject::Batch(kernel) => {
                    let Some(kernels) = Kernels::only(*kernel) else {
                        continue;
                    };
                    time_batch(&kernels, hash, kernel.lanes())
                }
                Subject::Waiting(requests) => time_batch(&measured, hash, *requests),
            };
            let least = best.entry(*subject).or_insert(time);
            *least = least.min(time);
        }
    }

    let name = hash.name();
    let peer = best.get(&Subject::Hashlib).copied().unwrap_or(f64::NAN);
    println!("\nPBKDF2-HMAC-{name}, nanoseconds of CPU time an iteration (best of {ROUNDS})");
    println!(
        "{:<28}{:>9}{:>11}{:>13}{:>13}",
        "", "all", "each key", "of hashlib", "keys/second"
    );
    for (subject, time) in best {
        let (label, keys) = match subject {
            Subject::Hashlib => ("hashlib".to_owned(), 1),
            Subject::RustCrypto => ("RustCrypto".to_owned(), 1),
            Subject::OneCall => (format!("hmac_{}", name.to_lowercase()), 1),
            Subject::Batch(kernel) => (format!("Engine, {kernel:?}"), kernel.lanes()),
            Subject::Waiting(keys) => (format!("Engine, {keys} waiting"), keys),
        };
        let all = time * keys as f64;
        println!(
            "{label:<28}{all:>9.1}{time:>11.2}{:>12.3}x{:>12.2}x",
            time / peer,
            peer / time
        );
    }
    Ok(())
}

/// The CPU time of an iteration of RustCrypto's, in nanoseconds.
fn time_rust_crypto(hash: Hash) -> f64 {
    let mut key = [0; 32];
    let start = cpu_time();
    match hash {
        Hash::Sha1 => pbkdf2::pbkdf2_hmac::<sha1::Sha1>(PASSWORD, SALT, ALONE, &mut key[..20]),
        Hash::Sha256 => pbkdf2::pbkdf2_hmac::<sha2::Sha256>(PASSWORD, SALT, ALONE, &mut key),
    }
    let time = cpu_time() - start;
    std::hint::black_box(key);
    time / f64::from(ALONE)
}

/// The CPU time of an iteration of one key derived by itself, in nanoseconds.
fn time_one_call(hash: Hash) -> f64 {
    let mut key = [0; 32];
    let start = cpu_time();
    match hash {
        Hash::Sha1 => hmac_sha1(PASSWORD, SALT, ALONE, &mut key[..20]),
        Hash::Sha256 => hmac_sha256(PASSWORD, SALT, ALONE, &mut key),
    }
    let time = cpu_time() - start;
    std::hint::black_box(key);
    time / f64::from(ALONE)
}

/// The CPU time of an iteration of one of `requests` keys derived together, in nanoseconds.
fn time_batch(kernels: &Kernels, hash: Hash, requests: usize) -> f64 {
    let mut engine = Engine::with_kernels(kernels);
    let start = cpu_time();
    for _ in 0..requests {
        engine.submit(match hash {
            Hash::Sha1 => Request::hmac_sha1(PASSWORD, SALT, TOGETHER, 20),
            Hash::Sha256 => Request::hmac_sha256(PASSWORD, SALT, TOGETHER, 32),
        });
    }
    while !engine.is_empty() {
        std::hint::black_box(engine.step());
    }
    (cpu_time() - start) / f64::from(TOGETHER) / requests as f64
}

/// The CPU time of this thread so far, in nanoseconds.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }
}

/// A Python process that derives a key for each line it gets and answers with the time it took.
struct Hashlib {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    version: String,
}

impl Hashlib {
    fn start() -> io::Result<Self> {
        let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        let mut process = Command::new(python)
            .args(["-I", "-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(questions), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("no pipes to python3"));
        };
        let mut hashlib = Self {
            process,
            questions,
            answers: BufReader::new(answers),
            version: String::new(),
        };
        hashlib.version = hashlib.line()?;
        Ok(hashlib)
    }

    /// The CPU time of an iteration, in nanoseconds.
    fn time(&mut self, hash: Hash) -> io::Result<f64> {
        writeln!(self.questions, "{} {ALONE}", hash.name())?;
        let answer = self.line()?;
        let time: f64 = answer.parse().map_err(|_| io::Error::other(answer))?;
        Ok(time / f64::from(ALONE))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn stop(mut self) -> io::Result<()> {
        drop(self.questions);
        self.process.wait().map(drop)
    }
}

const PASSWORD: &[u8] = b"correct horse battery staple";

const SALT: &[u8] = b"0123456789abcdef";

const SCRIPT: &str = r#"
import hashlib, ssl, sys, time
print("Python", sys.version.split()[0], "with", ssl.OPENSSL_VERSION, flush=True)
password, salt = b"correct horse battery staple", b"0123456789abcdef"
for line in sys.stdin:
    name, iterations = line.split()
    start = time.thread_time_ns()
    hashlib.pbkdf2_hmac(name, password, salt, int(iterations))
    print(time.thread_time_ns() - start, flush=True)
"#;
