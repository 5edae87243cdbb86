//! Durations and sizes.

use std::time::Duration;

use toml::de::DeValue;

use super::Error;
use super::section::Section;

const DURATION: &str = "is not a duration, as in \"500ms\", \"5s\", \"10m\", \"2h\" or \"14d\"";

/// The longest that a key may say. Each kind has its own: a wait of days is a mistake, and clocks
/// and libraries overflow long before a [`Duration`] does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Most {
    /// What a request waits for.
    Wait,
    /// Of what a program remembers, and of what stands for something else.
    Memory,
    /// Of what the site itself says how long it lives.
    Life,
}

impl Most {
    fn duration(self) -> Duration {
        const HOUR: u64 = 3_600;
        const DAY: u64 = 24 * HOUR;
        Duration::from_secs(match self {
            Self::Wait => HOUR,
            Self::Memory => 31 * DAY,
            Self::Life => 36_500 * DAY,
        })
    }

    fn words(self) -> &'static str {
        match self {
            Self::Wait => "is longer than \"1h\"",
            Self::Memory => "is longer than \"31d\"",
            Self::Life => "is longer than \"36500d\"",
        }
    }
}

impl Section<'_> {
    /// A duration of at most `most`: a string of a whole number and `ms`, `s`, `m`, `h` or `d`.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        most: Most,
    ) -> Result<Option<Duration>, Error> {
        let Some(text) = self.string(key).map_err(|_| self.wrong(key, DURATION))? else {
            return Ok(None);
        };
        let duration = duration(&text).ok_or_else(|| self.wrong(key, DURATION))?;
        self.within(key, duration, most).map(Some)
    }

    /// A duration of at most `most`, or a whole number of seconds.
    pub(super) fn seconds(
        &mut self,
        key: &'static str,
        most: Most,
    ) -> Result<Option<Duration>, Error> {
        let Some(DeValue::Integer(_)) = self.value(key) else {
            return self.duration(key, most);
        };
        let seconds = self.integer(key, 0..u64::from(u32::MAX))?;
        let duration = seconds.map(|seconds| self.within(key, Duration::from_secs(seconds), most));
        duration.transpose()
    }

    fn within(&self, key: &str, duration: Duration, most: Most) -> Result<Duration, Error> {
        if duration > most.duration() {
            return Err(self.wrong(key, most.words()));
        }
        Ok(duration)
    }

    /// A number of bytes: a string of a whole number and `KiB`, `MiB` or `GiB`.
    pub(super) fn bytes(&mut self, key: &'static str) -> Result<Option<u64>, Error> {
        let message = "is not a size, as in \"64KiB\", \"512MiB\" or \"1GiB\"";
        let Some(text) = self.string(key).map_err(|_| self.wrong(key, message))? else {
            return Ok(None);
        };
        Ok(Some(size(&text).ok_or_else(|| self.wrong(key, message))?))
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        _ => None,
    }
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let shift = match unit {
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("10m"), Some(Duration::from_secs(600)));
        assert_eq!(duration("14d"), Some(Duration::from_secs(1_209_600)));
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "5.5s",
            "5S",
            "99999999999999999999s",
            "1e3s",
        ] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        assert_eq!(duration("18446744073709551615d"), None);
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("512MiB"), Some(512 << 20));
        for wrong in ["", "512", "512MB", "18446744073709551615GiB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }
}
