//! Keeps the memory of a program, passwords included, from other programs and off the disk.

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

/// Switches core dumps off, and keeps processes of the same user from reading this one's memory
/// (`ptrace`, `/proc/PID/mem`). Every program does so before anything else.
///
/// A limit of no bytes does not bind a core handler that is a program (core(5)); what is not
/// dumpable does. Both are gone in a program that this one becomes, but for the limit.
pub fn harden() {
    let none = Rlimit {
        current: Some(0),
        maximum: getrlimit(Resource::Core).maximum,
    };
    // A system that refuses either is no reason not to answer.
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
