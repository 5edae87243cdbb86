//! Has the linker put side by side what one question goes through, where the program is linked
//! statically for Apache to start it anew for each request. Constants and code are then one piece for
//! the kernel to map, not three.

fn main() {
    println!("cargo::rerun-if-changed=start_up.ld");
    if std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("musl") {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/start_up.ld");
        println!("cargo::rustc-link-arg-bins=-Wl,-z,noseparate-code,--script={script}");
    }
}
