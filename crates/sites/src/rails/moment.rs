//! Reads times as Active Record keeps them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_stores::sql::Value;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The time that `value` is: a moment, Unix seconds, or what a clock in `zone` (`None` for UTC)
/// showed, as in `2026-11-29 21:07:28.123456`.
pub(super) fn moment(value: &Value, zone: Option<&TimeZone>) -> Option<SystemTime> {
    match value {
        Value::Moment(moment) => Some(*moment),
        Value::Text(text) => {
            let text = text.trim();
            let civil = text.strip_suffix(" UTC");
            let zone = match civil {
                Some(_) => TimeZone::UTC,
                None => zone.cloned().unwrap_or(TimeZone::UTC),
            };
            let civil: DateTime = civil.unwrap_or(text).parse().ok()?;
            // Where clocks were set back over it, the earlier one: what depends on it ends sooner.
            let time = zone.to_ambiguous_timestamp(civil).earlier().ok()?;
            Some(time.into())
        }
        Value::Integer(seconds) => {
            let seconds = u64::try_from(*seconds).ok()?;
            UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_sites_clock() {
        let warsaw = TimeZone::get("Europe/Warsaw").unwrap();
        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        for (text, zone, expected) in [
            ("2026-11-29 21:07:28", None, at(1_795_986_448)),
            ("2026-11-29 21:07:28 UTC", None, at(1_795_986_448)),
            ("2026-11-29 22:07:28", Some(&warsaw), at(1_795_986_448)),
            ("2026-11-29 21:07:28 UTC", Some(&warsaw), at(1_795_986_448)),
            // Clocks are set back over it.
            ("2026-10-25 02:30:00", Some(&warsaw), at(1_792_888_200)),
            ("2026-11-29", None, at(1_795_910_400)),
            ("", None, None),
            ("soon", None, None),
            ("0000-00-00 00:00:00", None, None),
            ("infinity", None, None),
        ] {
            assert_eq!(moment(&Value::from(text), zone), expected, "{text}");
        }
        let fraction = moment(&Value::from("2026-11-29 21:07:28.5"), None);
        assert_eq!(
            fraction,
            at(1_795_986_448).map(|it| it + Duration::from_millis(500))
        );
        assert_eq!(moment(&Value::Integer(7), Some(&warsaw)), at(7));
        assert_eq!(moment(&Value::Integer(-7), None), None);
        assert_eq!(moment(&Value::Null, None), None);
    }
}
