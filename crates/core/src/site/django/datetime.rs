//! Datetimes as Django keeps them.

use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use hallpass_sessions::django::{DateTime as Pickled, Zone};
use hallpass_stores::sql::Value;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Disambiguation, Offset, TimeZone};

/// The clock that a site's datetimes are read off.
#[derive(Debug)]
pub(super) struct Clock {
    /// The zone of datetimes without one; `None` for UTC, which is Django's choice with
    /// `USE_TZ = True`.
    zone: Option<TimeZone>,
}

/// A datetime from the database.
#[derive(Debug)]
pub(super) struct Moment {
    /// What the clock on the wall shows then, as if that were UTC; `None` where the database knows
    /// the time itself.
    wall: Option<SystemTime>,
    /// When that is: the first time where clocks are set back over it, and no later than its end
    /// where they are set forward over it.
    pub(super) time: SystemTime,
}

impl Clock {
    pub(super) fn new(zone: Option<TimeZone>) -> Self {
        Self { zone }
    }

    /// Reads a datetime of the database: PostgreSQL has a type for points in time, the others
    /// keep the text of a date and a time of day.
    pub(super) fn read(&self, value: &Value) -> Option<Moment> {
        match value {
            Value::Text(text) => self.read_text(text),
            Value::Moment(time) => Some(Moment {
                wall: None,
                time: *time,
            }),
            _ => None,
        }
    }

    fn read_text(&self, text: &str) -> Option<Moment> {
        let wall = read(text)?;
        let Some(zone) = &self.zone else {
            return Some(Moment {
                wall: Some(wall),
                time: wall,
            });
        };
        let civil: DateTime = TimeZone::UTC.to_datetime(Timestamp::try_from(wall).ok()?);
        let time = zone.to_ambiguous_timestamp(civil).earlier().ok()?;
        Some(Moment {
            wall: Some(wall),
            time: time.into(),
        })
    }

    /// `time` as a database without a type for points in time keeps it; `None` at the end of time.
    pub(super) fn write(&self, time: SystemTime) -> Option<String> {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let civil = zone.to_datetime(Timestamp::try_from(time).ok()?);
        Some(civil.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string())
    }

    /// Whether `moment` is not after `now`.
    pub(super) fn ended(&self, moment: &Moment, now: SystemTime) -> bool {
        self.order(moment, now) != Some(Ordering::Greater)
    }

    /// Whether `moment` is before `now`.
    pub(super) fn passed(&self, moment: &Moment, now: SystemTime) -> bool {
        !matches!(
            self.order(moment, now),
            Some(Ordering::Greater | Ordering::Equal)
        )
    }

    /// Django compares what the clock on the wall shows (`timezone.now()` with
    /// `USE_TZ = False`), and so does this. `None` at the end of time.
    fn order(&self, moment: &Moment, now: SystemTime) -> Option<Ordering> {
        let (Some(wall), Some(zone)) = (moment.wall, &self.zone) else {
            return Some(moment.time.cmp(&now));
        };
        let civil = zone.to_datetime(Timestamp::try_from(now).ok()?);
        let now: SystemTime = TimeZone::UTC.to_timestamp(civil).ok()?.into();
        Some(wall.cmp(&now))
    }

    /// When a datetime that is set in a session is; `None` where that is nowhere in time, or in
    /// a zone that this system does not know.
    pub(super) fn at(&self, set: &Pickled) -> Option<SystemTime> {
        let field = |number: u8| i8::try_from(number).ok();
        let civil = DateTime::new(
            i16::try_from(set.year).ok()?,
            field(set.month)?,
            field(set.day)?,
            field(set.hour)?,
            field(set.minute)?,
            field(set.second)?,
            i32::try_from(set.microsecond).ok()? * 1_000,
        )
        .ok()?;
        let in_zone = |zone: &TimeZone, which| {
            let time = zone.to_ambiguous_timestamp(civil).disambiguate(which);
            time.ok().map(SystemTime::from)
        };
        match &set.zone {
            Zone::Site => {
                let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
                in_zone(&zone, Disambiguation::Compatible)
            }
            Zone::Offset(microseconds) => {
                let time = SystemTime::from(Offset::UTC.to_timestamp(civil).ok()?);
                let offset = Duration::from_micros(microseconds.unsigned_abs());
                if *microseconds < 0 {
                    time.checked_add(offset)
                } else {
                    time.checked_sub(offset)
                }
            }
            Zone::Named { name, fold } => {
                let which = if *fold {
                    Disambiguation::Later
                } else {
                    Disambiguation::Earlier
                };
                in_zone(&TimeZone::get(name).ok()?, which)
            }
        }
    }
}

/// Reads `YYYY-MM-DD HH:MM:SS[.ffffff]`, in UTC, as Django writes it into SQLite
/// (db/backends/sqlite3/operations.py `adapt_datetimefield_value`, 5.2).
fn read(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if !(1970..=9999).contains(&year)
        || !(1..=days_in(year, month)?).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
        || !(1..=9).contains(&fraction.len())
        || !fraction.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let missing = u32::try_from(9 - fraction.len()).ok()?;
    let nanoseconds = fraction.parse::<u32>().ok()? * 10_u32.pow(missing);
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
}

fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn days_in(year: u64, month: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u64::from(leap),
        _ => return None,
    })
}

/// Days from the first of January 1970 to a date of the Gregorian calendar, counting years from
/// March so that the leap day comes last.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    days - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<f64> {
        Some(
            read(text)?
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs_f64(),
        )
    }

    /// Expected values by `date -u -d … +%s`.
    #[test]
    fn datetimes_are_read() {
        for (text, expected) in [
            ("1970-01-01 00:00:00", 0.0),
            ("2000-02-29 12:34:56", 951_827_696.0),
            ("2026-11-21 00:00:00.250000", 1_795_219_200.25),
            ("2033-05-18T03:33:20", 2_000_000_000.0),
            ("9999-12-31 23:59:59", 253_402_300_799.0),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    /// Expected values by `TZ=Europe/Warsaw date -d @…`.
    #[test]
    fn local_time_is_compared_with_local_time() {
        let clock = Clock::new(Some(TimeZone::get("Europe/Warsaw").unwrap()));
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let moment = clock.read(&"2033-05-18 05:33:20".into()).unwrap();
        assert_eq!(moment.time, at(2_000_000_000));
        assert!(!clock.ended(&moment, at(1_999_999_999)));
        assert!(clock.ended(&moment, at(2_000_000_000)));
        // 02:30 comes twice on the night that summer ends.
        let moment = clock.read(&"2026-10-25 02:30:00".into()).unwrap();
        assert_eq!(moment.time, at(1_792_888_200));
        assert!(clock.ended(&moment, at(1_792_888_200 + 1)));
        assert!(clock.ended(&moment, at(1_792_888_200 + 3_600)));
    }

    #[test]
    fn what_is_no_datetime_is_refused() {
        for text in [
            "",
            "2026-11-21",
            "12:00:00",
            "2026-11-21 12:00",
            "2026-13-01 00:00:00",
            "2026-00-01 00:00:00",
            "2026-02-29 00:00:00",
            "1900-02-29 00:00:00",
            "2026-11-31 00:00:00",
            "2026-11-00 00:00:00",
            "2026-11-21 24:00:00",
            "2026-11-21 12:60:00",
            "2026-11-21 12:00:60",
            "2026-11-21 12:00:00.",
            "2026-11-21 12:00:00.x",
            "2026-11-21 12:00:00.1234567890",
            "2026-11-21 12:00:00+00:00",
            "+026-11-21 12:00:00",
            "2026-1-21 12:00:00",
            "2026-11-21-01 12:00:00",
            "٢٠٢٦-11-21 0:0:0",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
