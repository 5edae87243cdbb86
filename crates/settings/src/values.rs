//! Reads durations, sizes, bounded numbers, and other values with rules of their own.

use std::fmt::{self, Formatter};
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DAY: u64 = 86_400;

/// What a request waits for: an hour at most, since a wait of days is a mistake.
pub type Wait = Span<3_600>;
/// Of what a program remembers, and of what stands for something else: 31 days at most.
pub type Memory = Span<{ 31 * DAY }>;
/// Of what the site itself says how long it lives: 36500 days at most. May be whole seconds.
pub type Life = Span<LIFE>;

const LIFE: u64 = 36_500 * DAY;

/// A duration of at most `MOST` seconds, as in `"500ms"`, `"5s"`, `"10m"`, `"2h"` or `"14d"`.
///
/// Each kind has its own longest: clocks and libraries overflow long before a [`Duration`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<const MOST: u64>(Duration);

impl<const MOST: u64> Span<MOST> {
    /// A duration of `seconds`, for defaults.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Whether whole seconds may be given as a number, as a site's own settings have them.
    pub(crate) const fn takes_numbers() -> bool {
        MOST == LIFE
    }

    fn within<E: serde::de::Error>(duration: Duration) -> Result<Self, E> {
        if duration > Duration::from_secs(MOST) {
            let longest = written(Duration::from_secs(MOST), MOST.is_multiple_of(DAY));
            return Err(E::custom(format_args!("is longer than \"{longest}\"")));
        }
        Ok(Self(duration))
    }
}

impl<'de, const MOST: u64> Deserialize<'de> for Span<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Spans<const MOST: u64>;
        impl<const MOST: u64> Visitor<'_> for Spans<MOST> {
            type Value = Span<MOST>;

            fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "is not a duration, as in \"500ms\", \"5s\", \"10m\", \"2h\" or \"14d\"",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let unexpected = Unexpected::Other("text");
                let duration = duration(text).ok_or_else(|| E::invalid_value(unexpected, &self))?;
                Span::within(duration)
            }

            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Self::Value, E> {
                if !Span::<MOST>::takes_numbers() {
                    let unexpected = Unexpected::Unsigned(seconds);
                    return Err(E::invalid_type(unexpected, &self));
                }
                if seconds >= u64::from(u32::MAX) {
                    return out_of_range(0, u64::from(u32::MAX) - 1);
                }
                Span::within(Duration::from_secs(seconds))
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
                if !Span::<MOST>::takes_numbers() {
                    return Err(E::invalid_type(Unexpected::Signed(0), &self));
                }
                out_of_range(0, u64::from(u32::MAX) - 1)
            }
        }
        deserializer.deserialize_any(Spans)
    }
}

impl<const MOST: u64> Serialize for Span<MOST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&written(self.0, self.0.as_secs() >= 2 * DAY))
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
        "d" => seconds(DAY),
        _ => None,
    }
}

/// `duration` as it is written in a file, in the largest unit that is exact.
fn written(duration: Duration, in_days: bool) -> String {
    let seconds = duration.as_secs();
    if duration.subsec_nanos() > 0 {
        return format!("{}ms", duration.as_millis());
    }
    match seconds {
        _ if in_days && seconds.is_multiple_of(DAY) => format!("{}d", seconds / DAY),
        3_600.. if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        60.. if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// A number of bytes, as in `"64KiB"`, `"512MiB"` or `"1GiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sizes;
        impl Visitor<'_> for Sizes {
            type Value = Size;

            fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
                formatter.write_str("is not a size, as in \"64KiB\", \"512MiB\" or \"1GiB\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                let unexpected = Unexpected::Other("text");
                size(text)
                    .map(Size)
                    .ok_or_else(|| E::invalid_value(unexpected, &self))
            }
        }
        deserializer.deserialize_any(Sizes)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (unit, shift) = UNITS
            .into_iter()
            .find(|(_, shift)| self.0.is_multiple_of(1 << shift))
            .unwrap_or(("KiB", 10));
        serializer.serialize_str(&format!("{}{unit}", self.0 >> shift))
    }
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let (_, shift) = UNITS.into_iter().find(|(known, _)| *known == unit)?;
    number.checked_mul(1 << shift)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

/// A whole number from `LEAST` to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<const LEAST: u32, const MOST: u32>(pub u32);

impl<const LEAST: u32, const MOST: u32> Number<LEAST, MOST> {
    /// The number, as the type that lengths and counts have.
    #[must_use]
    pub fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<'de, const LEAST: u32, const MOST: u32> Deserialize<'de> for Number<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers<const LEAST: u32, const MOST: u32>;
        impl<const LEAST: u32, const MOST: u32> Visitor<'_> for Numbers<LEAST, MOST> {
            type Value = Number<LEAST, MOST>;

            fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
                formatter.write_str("is not a whole number")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
                match u32::try_from(number) {
                    Ok(number) if (LEAST..=MOST).contains(&number) => Ok(Number(number)),
                    _ => out_of_range(LEAST.into(), MOST.into()),
                }
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
                out_of_range(LEAST.into(), MOST.into())
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}

impl<const LEAST: u32, const MOST: u32> Serialize for Number<LEAST, MOST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

fn out_of_range<T, E: serde::de::Error>(least: u64, most: u64) -> Result<T, E> {
    Err(E::custom(format_args!("is not from {least} to {most}")))
}

/// Text that may be written as a whole number or a boolean, as PHP makes text of these: true is
/// `1`, false is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LooseText(String);

impl LooseText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, where it is not empty.
    #[must_use]
    pub fn filled(&self) -> Option<&str> {
        Some(self.as_str()).filter(|text| !text.is_empty())
    }

    /// Whether PHP takes it for true.
    #[must_use]
    pub fn is_true(&self) -> bool {
        !self.0.is_empty() && self.0 != "0"
    }
}

impl<'de> Deserialize<'de> for LooseText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl Visitor<'_> for Texts {
            type Value = LooseText;

            fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
                formatter.write_str("is not a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<LooseText, E> {
                Ok(LooseText(text.to_owned()))
            }

            fn visit_bool<E>(self, truth: bool) -> Result<LooseText, E> {
                Ok(LooseText(if truth { "1" } else { "" }.to_owned()))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<LooseText, E> {
                if number >= u64::from(u32::MAX) {
                    return out_of_range(0, u64::from(u32::MAX) - 1);
                }
                Ok(LooseText(number.to_string()))
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<LooseText, E> {
                out_of_range(0, u64::from(u32::MAX) - 1)
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<LooseText, E> {
                match std::str::from_utf8(bytes) {
                    Ok(text) => Ok(LooseText(text.to_owned())),
                    Err(_) => self.visit_none(),
                }
            }

            // What another file says, and cannot be written as text.
            fn visit_none<E: serde::de::Error>(self) -> Result<LooseText, E> {
                Err(E::custom("is not text in the site's own file"))
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

/// A struct with a key `url`, which may be written as that URL alone.
#[derive(Clone, Debug)]
pub struct UrlOr<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for UrlOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UrlOrTable<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for UrlOrTable<T> {
            type Value = UrlOr<T>;

            fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
                formatter.write_str("is neither a URL nor a table with one")
            }

            fn visit_str<E: serde::de::Error>(self, url: &str) -> Result<Self::Value, E> {
                let entries = std::iter::once(("url", url));
                T::deserialize(MapDeserializer::new(entries)).map(UrlOr)
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(table)).map(UrlOr)
            }
        }
        deserializer.deserialize_any(UrlOrTable(PhantomData))
    }
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
    fn durations_are_written_as_they_are_read() {
        for text in [
            "0s", "500ms", "60s", "5m", "90s", "1h", "24h", "14d", "36500d",
        ] {
            let read = duration(text).unwrap_or_default();
            let again = written(read, read.as_secs() >= 2 * DAY);
            assert_eq!(duration(&again), Some(read), "{text}");
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("512MiB"), Some(512 << 20));
        for wrong in ["", "512", "512MB", "18446744073709551615GiB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }
}
