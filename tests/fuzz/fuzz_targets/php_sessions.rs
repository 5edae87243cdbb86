//! A session of PHP's and the way to a value in it, both hostile, by every handler.
//!
//! The input is a path, a line feed, and the session. Nothing may panic, and what is found
//! without a handler is what one of them finds.

#![no_main]

use hallpass_sessions::php::Handler;
use hallpass_sessions::php::Path;
use hallpass_sessions::php::find;
use hallpass_sessions::php::joomla;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (path, session) = (&input[..end], &input[end + 1..]);
    let Ok(path) = String::from_utf8_lossy(path).parse::<Path>() else {
        return;
    };
    let _ = joomla::read(session, None);
    let by_one = Handler::ALL.map(|handler| find(session, Some(handler), &path));
    if let Ok(found @ Some(_)) = find(session, None, &path) {
        // Not equality: a float that is not a number does not equal itself.
        let shown = format!("{:?}", Ok::<_, ()>(found));
        assert!(by_one.iter().any(|one| format!("{one:?}") == shown));
    }
});
