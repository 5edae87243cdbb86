//! Writes datetimes as text: `YYYY-MM-DD HH:MM:SS[.ffffff]`, as Django writes them into SQLite
//! (db/backends/sqlite3/operations.py, 5.2).
//!
//! By hand, because PostgreSQL's dates reach the year 5874897, and those of `jiff` end with 9999.

use std::time::{SystemTime, UNIX_EPOCH};

/// The text of `moment` in UTC.
pub(super) fn utc(moment: SystemTime) -> String {
    let micros = match moment.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_micros()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_micros()).unwrap_or(i128::MAX),
    };
    text(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// The text of `micros` microseconds since the first of January 1970.
pub(super) fn text(micros: i64) -> String {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let mut text = date(days);
    text.push(' ');
    text.push_str(&time(second));
    text.push_str(&decimals(fraction));
    text
}

/// The date that is `days` past the first of January 1970, in the Gregorian calendar. Years are
/// counted from March, so that the leap day comes last.
pub(super) fn date(days: i64) -> String {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The time of day that is `seconds` past midnight.
pub(super) fn time(seconds: i64) -> String {
    let (hour, minute) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hour:02}:{minute:02}:{:02}", seconds % 60)
}

/// Writes `number` at the end of `text`, in `width` digits at least.
pub(super) fn write(text: &mut String, number: u32, width: u32) {
    let mut place = 10_u32.pow(width - 1);
    if number / place > 9 {
        text.push_str(&number.to_string());
        return;
    }
    while place > 0 {
        let digit = u8::try_from(number / place % 10).unwrap_or_default();
        text.push(char::from(b'0' + digit));
        place /= 10;
    }
}

/// A fraction of a second in six digits, or nothing where there is none.
pub(super) fn decimals(micros: i64) -> String {
    if micros == 0 {
        String::new()
    } else {
        format!(".{micros:06}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values by `date -u -d @… '+%F %T.%6N'`.
    #[test]
    fn datetimes_are_written() {
        for (micros, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_827_696_000_000, "2000-02-29 12:34:56"),
            (1_795_219_200_250_000, "2026-11-21 00:00:00.250000"),
            (253_402_300_799_999_999, "9999-12-31 23:59:59.999999"),
            (-1, "1969-12-31 23:59:59.999999"),
            (-2_203_891_200_000_000, "1900-03-01 00:00:00"),
            (4_107_542_399_000_000, "2100-02-28 23:59:59"),
        ] {
            assert_eq!(text(micros), expected);
        }
        let moment = UNIX_EPOCH + std::time::Duration::from_micros(951_827_696_000_001);
        assert_eq!(utc(moment), "2000-02-29 12:34:56.000001");
    }
}
