//! Reads and writes datetimes as Django keeps them.

use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use hallpass_sessions::django::{DateTime as Pickled, Zone};
use hallpass_stores::sql::Value;
use jiff::civil::DateTime;
use jiff::tz::{Disambiguation, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// The beginning of Unix time.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

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
    /// What the clock on the wall shows then; `None` where the database knows the time itself.
    wall: Option<DateTime>,
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
        let time = match &self.zone {
            Some(zone) => zone.to_ambiguous_timestamp(wall).earlier().ok()?.into(),
            // Not by a timestamp of `jiff`: that has no room for the last day of 9999, which sites
            // mean "never" by.
            None => {
                let since = wall.duration_since(EPOCH).unsigned_abs();
                SystemTime::UNIX_EPOCH.checked_add(since)?
            }
        };
        Some(Moment {
            wall: Some(wall),
            time,
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
        let now = zone.to_datetime(Timestamp::try_from(now).ok()?);
        Some(wall.cmp(&now))
    }

    /// How many seconds the wall clock that wrote `moment` is ahead of the configured one, where
    /// `moment` was written at `written`, Unix seconds, as `later` seconds after that; `None` where
    /// the database knows the time itself.
    pub(super) fn ahead(&self, moment: &Moment, written: i64, later: i64) -> Option<i64> {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let wall = zone.to_datetime(Timestamp::from_second(written).ok()?);
        let expected = wall.checked_add(SignedDuration::from_secs(later)).ok()?;
        Some(moment.wall?.duration_since(expected).as_secs())
    }

    /// The zone, in words.
    pub(super) fn zone_name(&self) -> &str {
        let zone = self.zone.as_ref();
        zone.and_then(TimeZone::iana_name).unwrap_or("UTC")
    }

    /// How many seconds the configured wall clock is ahead of UTC at `time`, Unix seconds.
    pub(super) fn ahead_of_utc(&self, time: i64) -> Option<i64> {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let offset = zone.to_offset(Timestamp::from_second(time).ok()?);
        Some(offset.seconds().into())
    }

    /// When a datetime that is set in a session is; `None` where that is nowhere in time, or in
    /// a zone that this system does not know.
    pub(super) fn at(&self, set: &Pickled) -> Option<SystemTime> {
        let in_zone = |zone: &TimeZone, which| {
            let time = zone.to_ambiguous_timestamp(set.civil).disambiguate(which);
            time.ok().map(SystemTime::from)
        };
        match &set.zone {
            Zone::Site => {
                let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
                in_zone(&zone, Disambiguation::Compatible)
            }
            Zone::Offset(microseconds) => {
                let time = SystemTime::from(Offset::UTC.to_timestamp(set.civil).ok()?);
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

/// Reads `YYYY-MM-DD HH:MM:SS[.ffffff]`, as Django writes it into SQLite
/// (db/backends/sqlite3/operations.py `adapt_datetimefield_value`, 5.2). By hand, because the
/// parsers of `jiff` read more than that. Nothing before 1970, when no site was.
fn read(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    if year < 1970 || !digits || !(1..=9).contains(&fraction.len()) {
        return None;
    }
    let missing = u32::try_from(9 - fraction.len()).ok()?;
    let nanosecond = fraction.parse::<i32>().ok()? * 10_i32.pow(missing);
    let [month, day, hour, minute, second] =
        [month, day, hour, minute, second].map(|number| i8::try_from(number).unwrap_or(i8::MAX));
    DateTime::new(year, month, day, hour, minute, second, nanosecond).ok()
}

fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i16; N]> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<f64> {
        let moment = Clock::new(None).read(&text.into())?;
        let since = moment.time.duration_since(SystemTime::UNIX_EPOCH);
        Some(since.unwrap().as_secs_f64())
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
    fn clocks_that_are_ahead_are_told_from_those_that_change() {
        let warsaw = Clock::new(Some(TimeZone::get("Europe/Warsaw").unwrap()));
        // 2026-10-20 12:00 UTC is 14:00 in Warsaw, and two weeks later the wall shows 14:00 again,
        // though clocks were set back in between.
        let (written, later) = (1_792_497_600, 14 * 86_400);
        let end = warsaw.read(&"2026-11-03 14:00:00".into()).unwrap();
        assert_eq!(warsaw.ahead(&end, written, later), Some(0));
        assert_eq!(Clock::new(None).ahead(&end, written, later), Some(7200));
        assert_eq!(warsaw.ahead_of_utc(written), Some(7200));
        // PostgreSQL knows the time itself.
        let end = warsaw.read(&Value::Moment(SystemTime::UNIX_EPOCH)).unwrap();
        assert_eq!(warsaw.ahead(&end, written, later), None);
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
