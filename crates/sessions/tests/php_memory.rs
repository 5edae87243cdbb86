//! No session of up to a megabyte takes more than 16 MiB to read.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use hallpass_sessions::php::{Handler, find, joomla};

#[path = "php_bombs/mod.rs"]
mod bombs;

/// What everything here may take at a time, beside the input.
const LIMIT: usize = 16 << 20;

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with a count of the bytes that are taken.
struct Counting;

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let taken = TAKEN.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        MOST.fetch_max(taken, Ordering::SeqCst);
        // SAFETY: the caller's promises are those that are asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: the caller's promises are those that are asked for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn measure(name: &str, what: &str, read: impl FnOnce()) -> usize {
    let before = TAKEN.load(Ordering::SeqCst);
    MOST.store(before, Ordering::SeqCst);
    read();
    let taken = MOST.load(Ordering::SeqCst) - before;
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
