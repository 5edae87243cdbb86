//! How long one check takes beside Python's libraries, the ones that Django calls, in one run.
//!
//!     cargo bench -p hallpass-passwords
//!
//! `PYTHON` names the interpreter (default `python3`); what it lacks is left out and said so.
//! Each figure is the least of a few runs, in milliseconds of processor time and of wall time; ours
//! runs on one thread, Python's argon2 on one for each lane.

use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use hallpass_passwords::Context;
use hallpass_passwords::Encoded;
use hallpass_passwords::Limits;
use hallpass_passwords::Outcome;
use hallpass_passwords::Rules;

const PASSWORD: &str = "correct horse battery staple";

const RUNS: usize = 5;

/// Name, Python that defines `make` (an encoded hash as Django's) and `check` (its work).
const CASES: [(&str, &str); 7] = [
    (
        "pbkdf2_sha256, 1000000 iterations",
        "import hashlib, base64
def check(): return hashlib.pbkdf2_hmac('sha256', password, b'seasalt', 1000000)
def make(): return 'pbkdf2_sha256$1000000$seasalt$' + base64.b64encode(check()).decode()",
    ),
    (
        "pbkdf2_sha1, 1000000 iterations",
        "import hashlib, base64
def check(): return hashlib.pbkdf2_hmac('sha1', password, b'seasalt', 1000000)
def make(): return 'pbkdf2_sha1$1000000$seasalt$' + base64.b64encode(check()).decode()",
    ),
    (
        "scrypt, N=16384 r=8 p=5",
        "import hashlib, base64
def check(): return hashlib.scrypt(password, salt=b'seasalt', n=16384, r=8, p=5, dklen=64)
def make(): return 'scrypt$16384$seasalt$8$5$' + base64.b64encode(check()).decode()",
    ),
    (
        "bcrypt, cost 12",
        "import bcrypt
def check(): return bcrypt.hashpw(password, b'$2b$12$abcdefghijklmnopqrstuu')
def make(): return 'bcrypt$' + check().decode()",
    ),
    (
        "argon2id, 100 MiB t=2 p=8",
        "from argon2 import low_level
def check(): return low_level.hash_secret(password, b'seasaltseasalt', time_cost=2, memory_cost=102400, parallelism=8, hash_len=32, type=low_level.Type.ID)
def make(): return 'argon2' + check().decode()",
    ),
    (
        "argon2id, 64 MiB t=4 p=1",
        "from argon2 import low_level
def check(): return low_level.hash_secret(password, b'seasaltseasalt', time_cost=4, memory_cost=65536, parallelism=1, hash_len=32, type=low_level.Type.ID)
def make(): return 'argon2' + check().decode()",
    ),
    (
        "md5, salted",
        "import hashlib
def check(): return hashlib.md5(b'seasalt' + password).hexdigest()
def make(): return 'md5$seasalt$' + check()",
    ),
];

fn main() {
    let titles = ["our cpu", "our wall", "py cpu", "py wall"];
    println!(
        "{:34} {} {:>7} {:>7}",
        "ms",
        titles.map(|title| format!("{title:>9}")).join(" "),
        "cpu",
        "wall"
    );
    for (name, python) in CASES {
        match peer(python) {
            Ok((encoded, peer_cpu, peer_wall)) => {
                let (cpu, wall) = ours(&encoded);
                let figures =
                    [cpu, wall, peer_cpu, peer_wall].map(|figure| format!("{figure:9.3}"));
                let ratios =
                    [cpu / peer_cpu, wall / peer_wall].map(|ratio| format!("{ratio:6.2}x"));
                println!("{name:34} {} {}", figures.join(" "), ratios.join(" "));
            }
            Err(reason) => println!("{name:34} left out: {reason}"),
        }
    }
}

/// The least processor and wall time of a check; the hash is Python's own, so that both do the
/// same.
fn ours(encoded: &str) -> (f64, f64) {
    let (mut least_cpu, mut least_wall) = (Duration::MAX, Duration::MAX);
    for _ in 0..RUNS {
        let (start_cpu, start) = (processor_time(), Instant::now());
        let outcome = Encoded::parse(Rules::Django, encoded)
            .map(|it| it.verify(PASSWORD.as_bytes(), &Context::default(), &Limits::default()));
        assert_eq!(outcome, Ok(Outcome::Match), "{encoded}");
        least_wall = least_wall.min(start.elapsed());
        least_cpu = least_cpu.min(processor_time().saturating_sub(start_cpu));
    }
    (
        least_cpu.as_secs_f64() * 1e3,
        least_wall.as_secs_f64() * 1e3,
    )
}

/// What this thread has used of a processor, as Linux counts it.
fn processor_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = statistics
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// The encoded hash, and the least processor and wall time of making it.
fn peer(python: &str) -> Result<(String, f64, f64), String> {
    let script = format!(
        "password = {PASSWORD:?}.encode()
{python}
import time
print(make())
cpu = wall = 1e9
for _ in range({RUNS}):
    c, w = time.process_time(), time.perf_counter()
    check()
    cpu, wall = min(cpu, time.process_time() - c), min(wall, time.perf_counter() - w)
print(cpu * 1e3, wall * 1e3)"
    );
    let interpreter = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(&interpreter)
        .args(["-c", &script])
        .output()
        .map_err(|error| format!("{interpreter}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        let errors = text(&output.stderr);
        return Err(errors.lines().last().unwrap_or("Python failed").to_owned());
    }
    let answer = text(&output.stdout);
    let mut words = answer.split_whitespace();
    let encoded = words.next().unwrap_or_default().to_owned();
    let mut figure = || {
        words
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or(f64::NAN)
    };
    Ok((encoded, figure(), figure()))
}
