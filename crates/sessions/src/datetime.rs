//! Reads Python's `datetime`, as it is pickled and as `isoformat` writes it.

use jiff::civil;

/// A date and a time of day as Python keeps them, not yet a point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// The date and time, to the microsecond, in the years 1 to 9999. Python has no leap seconds.
    pub civil: civil::DateTime,
    /// Where the clock is that shows this.
    pub zone: Zone,
}

/// The zone of a [`DateTime`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Nothing (a naive datetime): Django's `TIME_ZONE`.
    Site,
    /// So many microseconds ahead of UTC, which is finer than the offsets of `jiff`. Zero is UTC.
    Offset(i64),
    /// A zone of the IANA database, by name (`zoneinfo`).
    Named {
        /// As in `Europe/Warsaw`.
        name: String,
        /// Whether the second of the two times is meant where clocks are set back (PEP 495).
        fold: bool,
    },
}

impl DateTime {
    /// Reads the ten bytes of `datetime.__reduce_ex__` (PEP 495; Lib/_pydatetime.py `_getstate`,
    /// Python 3.12), and whether they are the second of two such times.
    pub(crate) fn from_state(state: &[u8], zone: Zone) -> Option<(Self, bool)> {
        let [high, low, month, day, hour, minute, second, micro @ ..] =
            *<&[u8; 10]>::try_from(state).ok()?;
        let [high_micro, middle, low_micro] = micro;
        let year = u32::from(u16::from_be_bytes([high, low]));
        let microsecond = u32::from_be_bytes([0, high_micro, middle, low_micro]);
        let fields = [month & 0x7f, day, hour, minute, second].map(u32::from);
        let civil = civil(year, fields, microsecond)?;
        Some((Self { civil, zone }, month & 0x80 != 0))
    }

    /// Reads what `datetime.isoformat` writes:
    /// `YYYY-MM-DDTHH:MM:SS[.ffffff][+HH:MM[:SS[.ffffff]]]`. By hand, because the parsers of
    /// `jiff` read far more than that, at which Django raises.
    pub(crate) fn from_iso(text: &str) -> Option<Self> {
        let mut reader = Iso(text.as_bytes());
        let year = reader.digits(4)?;
        let month = reader.after(b'-')?;
        let day = reader.after(b'-')?;
        let hour = reader.after(b'T')?;
        let minute = reader.after(b':')?;
        let second = reader.after(b':')?;
        let civil = civil(year, [month, day, hour, minute, second], reader.fraction()?)?;
        let zone = reader.zone()?;
        Some(Self { civil, zone })
    }
}

/// The date and the time of day of these numbers, if there is one in Python.
fn civil(year: u32, fields: [u32; 5], microsecond: u32) -> Option<civil::DateTime> {
    let year = i16::try_from(year).ok().filter(|year| *year > 0)?;
    // No field of a clock comes near 127.
    let fields = fields.map(|field| i8::try_from(field).unwrap_or(i8::MAX));
    let [month, day, hour, minute, second] = fields;
    let nanosecond = i32::try_from(microsecond).ok()?.checked_mul(1000)?;
    civil::DateTime::new(year, month, day, hour, minute, second, nanosecond).ok()
}

struct Iso<'a>(&'a [u8]);

impl Iso<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0_u32, |number, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            number.checked_mul(10)?.checked_add(digit)
        })
    }

    fn after(&mut self, separator: u8) -> Option<u32> {
        if !self.take(separator) {
            return None;
        }
        self.digits(2)
    }

    fn fraction(&mut self) -> Option<u32> {
        if self.take(b'.') {
            self.digits(6)
        } else {
            Some(0)
        }
    }

    fn zone(&mut self) -> Option<Zone> {
        let sign = match self.0.first() {
            None => return Some(Zone::Site),
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return None,
        };
        self.0 = self.0.get(1..)?;
        let hours = i64::from(self.digits(2)?);
        let minutes = i64::from(self.after(b':')?);
        let (seconds, microseconds) = match self.0 {
            [] => (0, 0),
            _ => (i64::from(self.after(b':')?), i64::from(self.fraction()?)),
        };
        if !self.0.is_empty() || hours >= 24 || minutes >= 60 || seconds >= 60 {
            return None;
        }
        let seconds = (hours * 60 + minutes) * 60 + seconds;
        Some(Zone::Offset(sign * (seconds * 1_000_000 + microseconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_isoformat_writes_is_read() {
        let read = |text: &str| DateTime::from_iso(text).unwrap();
        let noon = read("2033-05-18T12:00:01");
        assert_eq!(noon.civil, civil::date(2033, 5, 18).at(12, 0, 1, 0));
        assert_eq!(noon.zone, Zone::Site);
        let later = read("2033-05-18T12:00:01.000042").civil;
        assert_eq!(later.subsec_nanosecond(), 42_000);
        let zone = |text: &str| read(&format!("2033-05-18T12:00:01{text}")).zone;
        assert_eq!(zone("+00:00"), Zone::Offset(0));
        assert_eq!(zone("-03:30"), Zone::Offset(-12_600_000_000));
        assert_eq!(zone("+01:24:30.000001"), Zone::Offset(5_070_000_001));
        assert_eq!(zone(".500000-00:00:30"), Zone::Offset(-30_000_000));
        assert_eq!(read("2032-02-29T00:00:00").civil.day(), 29);
    }

    #[test]
    fn what_isoformat_never_writes_is_refused() {
        for text in [
            "",
            "2033",
            "2033-05-18",
            "2033-05-18T12:00",
            "2033-05-18T12:00:01.5",
            "2033-05-18T12:00:01Z",
            "2033-05-18T12:00:01+1:00",
            "2033-05-18T12:00:01+24:00",
            "2033-05-18T12:00:01+00:60",
            "2033-05-18T12:00:01+00:00 ",
            "2033-05-18T24:00:00",
            "2033-05-18T12:60:00",
            "2033-05-18T12:00:60",
            "2033-13-18T12:00:00",
            "2033-00-18T12:00:00",
            "2033-02-29T12:00:00",
            "0000-01-01T12:00:00",
            "+033-01-01T12:00:00",
            "2033-05-18T12:00:0٣",
        ] {
            assert_eq!(DateTime::from_iso(text), None, "{text}");
        }
    }
}
