//! Ends a site's own software, and words what it complained of.

use std::process::Child;

use super::plain;

/// How much of its complaints is shown, in bytes.
const COMPLAINTS: usize = 4096;

/// Ends `child`, if it has not, and all that it has started. It leads a process group.
pub fn end(child: &Child) {
    let group = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // Its processes may have ended.
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
}

/// The end of what was complained of, to follow a sentence.
pub fn words(complaints: &[u8]) -> String {
    let text = String::from_utf8_lossy(complaints);
    let text = text.trim_end();
    let mut start = text.len().saturating_sub(COMPLAINTS);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let mut words = String::new();
    for line in text.get(start..).unwrap_or_default().lines() {
        words.push_str("\n    ");
        words.push_str(&plain(line));
    }
    if words.is_empty() {
        words
    } else {
        format!(":{words}")
    }
}
