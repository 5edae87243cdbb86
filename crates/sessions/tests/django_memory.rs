//! What reading holds at a time, measured: an allocator counts. On a small stack.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

mod django_bombs;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use django_bombs::Bomb;

const MOST: usize = 16 << 20;

/// The system's allocator with a count. Growing is counted as a second allocation beside the first.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_input_of_a_mebibyte_has_a_reader_hold_sixteen_or_recurse() {
    // A stack that no recursion goes far on.
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    thread.spawn(read_all).unwrap().join().unwrap();
}

fn read_all() {
    let bombs = django_bombs::bombs();
    let (mut worst, mut worst_name, mut logins) = (0, String::new(), 0);
    assert!(bombs.len() > 130, "{}", bombs.len());
    for Bomb { name, input, read } in bombs {
        let before = HELD.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        logins += read(&input);
        let held = PEAK.load(Ordering::Relaxed) - before;
        assert!(held <= MOST, "{name}: {held} bytes");
        if held > worst {
            (worst, worst_name) = (held, name);
        }
    }
    println!("at most {worst} bytes, for {worst_name}; {logins} logins");
    // The count works: something is inflated in whole. And some bombs are sessions after all.
    assert!(
        worst > 4 << 20 && logins > 3,
        "{worst} bytes, {logins} logins"
    );
}
