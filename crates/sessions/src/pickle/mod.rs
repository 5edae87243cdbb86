//! Reads Python's pickles, protocols 0 to 5, as data. By hand, because `serde-pickle` fails on
//! shared objects and overflows the stack.
//!
//! A pickle is a program for a small stack machine (Lib/pickletools.py, Python 3.13; opcodes by
//! Lib/pickle.py and Modules/_pickle.c). Django pickles sessions with `PickleSerializer`, and every
//! cache pickles what it keeps. This reader runs the machine, but builds nothing: a value on its
//! stack is eight bytes, mostly the place in the stream where the value is written. No opcode
//! imports or calls anything: what a global, a reduction or an instance would be is opaque.
//!
//! The machine is a loop over the stream with no recursion, so nesting costs no more than the
//! stream itself; what it holds is bounded by the constants in `machine` and `object`. What would have Python itself fail, with one exception, fails here: opcodes unknown
//! or cut short, an empty stack, a memo never filled. The exception is what is not asked for: text
//! in no encoding, keys that cannot be hashed, classes that are not there.

mod machine;
mod object;
mod scalar;

use crate::{Invalid, LONGEST_TEXT, MAX_PAYLOAD, NONE, Value};

use self::machine::Machine;
use self::object::{Objects, Slot};
use self::scalar::{Scalar, text};

/// Reads the members called `wanted` of the dict that `stream` pickles. As in Python, the last of
/// several entries under equal keys counts, and bytes after the end are ignored.
///
/// # Errors
/// [`Invalid`] when `stream` is malformed or not a dict, or needs more than this reader holds.
pub(crate) fn members<const N: usize>(
    stream: &[u8],
    wanted: [&str; N],
) -> Result<[Option<Value>; N], Invalid> {
    let (top, machine) = run(stream, &wanted)?;
    let Slot::Dict(dict) = top else {
        return Err(match value(stream, &machine.objects, top) {
            Value::Null => NONE,
            _ => Invalid::Kind("the pickle is not a dict"),
        });
    };
    let mut found = [const { None }; N];
    for (name, slot) in found.iter_mut().enumerate() {
        let member = machine.member(dict, name);
        *slot = member.map(|member| value(stream, &machine.objects, member));
    }
    Ok(found)
}

/// The entry of the dict `stream` that `names` lead to; `None` when there is none.
///
/// # Errors
/// As [`members`].
pub(crate) fn at(stream: &[u8], names: &[String]) -> Result<Option<Value>, Invalid> {
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let (top, machine) = run(stream, &wanted)?;
    if !matches!(top, Slot::Dict(_)) {
        return Err(Invalid::Kind("the pickle is not a dict"));
    }
    let mut place = top;
    for name in &wanted {
        let Slot::Dict(dict) = place else {
            return Ok(None);
        };
        // A name that comes twice has the number of the first.
        let number = wanted.iter().position(|wanted| wanted == name);
        match number.and_then(|number| machine.member(dict, number)) {
            Some(member) => place = member,
            None => return Ok(None),
        }
    }
    Ok(Some(value(stream, &machine.objects, place)))
}

/// Reads the one value that `stream` pickles, and gives what follows it.
///
/// # Errors
/// As [`members`].
pub(crate) fn scalar(stream: &[u8]) -> Result<(Value, &[u8]), Invalid> {
    let (top, machine) = run(stream, &[])?;
    let rest = stream.get(machine.read()..).unwrap_or_default();
    Ok((value(stream, &machine.objects, top), rest))
}

fn run<'a>(stream: &'a [u8], wanted: &'a [&'a str]) -> Result<(Slot, Machine<'a>), Invalid> {
    if stream.len() > MAX_PAYLOAD {
        return Err(Invalid::TooLarge(MAX_PAYLOAD));
    }
    let mut machine = Machine::new(stream, wanted);
    let top = machine.run()?;
    Ok((top, machine))
}

fn value(stream: &[u8], objects: &Objects, slot: Slot) -> Value {
    let Slot::Scalar(at) = slot else {
        let moment = objects.datetime(stream, slot);
        return moment.map_or(Value::Other, Value::DateTime);
    };
    match Scalar::at(stream, at, LONGEST_TEXT) {
        Some(Scalar::Null) => Value::Null,
        Some(Scalar::Boolean(truth)) => Value::Boolean(truth),
        Some(Scalar::Integer(number)) => Value::Integer(number),
        Some(Scalar::Fraction(number)) => Value::Fraction(number),
        Some(written) => text(written).map_or(Value::Other, Value::Text),
        None => Value::Other,
    }
}

#[cfg(test)]
mod tests;
