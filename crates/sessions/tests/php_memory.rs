//! No session of up to a megabyte takes more than 16 MiB to read.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

mod allocations;

use allocations::most_at_a_time;
use hallpass_sessions::php::{Handler, find, joomla};

#[path = "php_bombs/mod.rs"]
mod bombs;

/// What everything here may take at a time, beside the input.
const LIMIT: usize = 16 << 20;

fn measure(name: &str, what: &str, read: impl FnOnce()) -> usize {
    let taken = most_at_a_time(read);
    assert!(taken <= LIMIT, "{name}, {what}: {taken} bytes");
    taken
}

// One test alone: the count is of the whole process.
#[test]
fn no_session_takes_more_than_16_mib() {
    let paths = ["user.user", "0.0.0", "_security_main"];
    let paths = paths.map(|path| (path, path.parse().unwrap()));
    let mut most = (0, "");
    for (name, bomb) in bombs::all() {
        for handler in Handler::ALL.map(Some).into_iter().chain([None]) {
            for (text, path) in &paths {
                let taken = measure(name, text, || drop(find(&bomb, handler, path)));
                most = most.max((taken, name));
            }
            let taken = measure(name, "joomla", || {
                let _ = joomla::read(&bomb, handler);
            });
            most = most.max((taken, name));
        }
    }
    println!("the most: {most:?}");
    assert!(most.0 > 1 << 20, "nothing was counted");
}
