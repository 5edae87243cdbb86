//! Python's `datetime`, as it is pickled and as `isoformat` writes it.

/// A date and a time of day as Python keeps them, not yet a point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to the month's last.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59: Python has no leap seconds.
    pub second: u8,
    /// 0 to 999 999.
    pub microsecond: u32,
    /// Where the clock hangs that shows this.
    pub zone: Zone,
}

/// What a [`DateTime`] says of its zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Nothing (a naive datetime): Django's `TIME_ZONE`.
    Site,
    /// So many microseconds ahead of UTC. Zero is UTC.
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
        let moment = Self {
            year: u16::from_be_bytes([high, low]),
            month: month & 0x7f,
            day,
            hour,
            minute,
            second,
            microsecond: u32::from_be_bytes([0, high_micro, middle, low_micro]),
            zone,
        };
        moment.is_sound().then_some((moment, month & 0x80 != 0))
    }

    /// Reads what `datetime.isoformat` writes:
    /// `YYYY-MM-DDTHH:MM:SS[.ffffff][+HH:MM[:SS[.ffffff]]]`.
    pub(crate) fn from_iso(text: &str) -> Option<Self> {
        let mut reader = Iso(text.as_bytes());
        let year = u16::try_from(reader.digits(4)?).ok()?;
        let month = reader.after(b'-')?;
        let day = reader.after(b'-')?;
        let hour = reader.after(b'T')?;
        let minute = reader.after(b':')?;
        let second = reader.after(b':')?;
        let microsecond = reader.fraction()?;
        let zone = reader.zone()?;
        let moment = Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            microsecond,
            zone,
        };
        moment.is_sound().then_some(moment)
    }

    fn is_sound(&self) -> bool {
        let leap = self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(leap),
            _ => return false,
        };
        (1..=9999).contains(&self.year)
            && (1..=days).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.microsecond < 1_000_000
    }
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

    fn after(&mut self, separator: u8) -> Option<u8> {
        if !self.take(separator) {
            return None;
        }
        u8::try_from(self.digits(2)?).ok()
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
        assert_eq!((noon.year, noon.month, noon.day), (2033, 5, 18));
        assert_eq!((noon.hour, noon.second, noon.microsecond), (12, 1, 0));
        assert_eq!(noon.zone, Zone::Site);
        assert_eq!(read("2033-05-18T12:00:01.000042").microsecond, 42);
        let zone = |text: &str| read(&format!("2033-05-18T12:00:01{text}")).zone;
        assert_eq!(zone("+00:00"), Zone::Offset(0));
        assert_eq!(zone("-03:30"), Zone::Offset(-12_600_000_000));
        assert_eq!(zone("+01:24:30.000001"), Zone::Offset(5_070_000_001));
        assert_eq!(zone(".500000-00:00:30"), Zone::Offset(-30_000_000));
        assert_eq!(read("2032-02-29T00:00:00").day, 29);
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
