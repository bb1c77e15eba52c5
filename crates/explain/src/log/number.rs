//! Parses numbers and times from bytes without copies.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Parses an unsigned integer. Returns `None` for anything else.
pub(super) fn whole(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 18 {
        return None;
    }
    bytes.iter().try_fold(0u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// Parses two digits at a position.
fn pair(bytes: &[u8], at: usize) -> Option<i64> {
    whole(bytes.get(at..at + 2)?).map(|number| number as i64)
}

/// Parses a decimal number and multiplies it by `unit`, rounded down: `60.001` with 1,000,000 is 60,001,000.
pub(super) fn scaled(bytes: &[u8], unit: u64) -> Option<u64> {
    let (front, back) = match memchr::memchr(b'.', bytes) {
        Some(dot) => (&bytes[..dot], &bytes[dot + 1..]),
        None => (bytes, &[][..]),
    };
    let mut sum = whole(front)?.checked_mul(unit)?;
    let mut unit = unit;
    for byte in back {
        unit /= 10;
        sum = sum.checked_add(u64::from(byte.is_ascii_digit().then(|| byte - b'0')?).checked_mul(unit)?)?;
    }
    Some(sum)
}

/// Parses a duration of Go, such as `1m0.5s` or `350ms`, to microseconds.
pub(super) fn go_duration(bytes: &[u8]) -> Option<u64> {
    let (mut rest, mut sum) = (bytes, 0u64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
        let (number, behind) = rest.split_at(end);
        let end = behind.iter().position(|byte| byte.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let part = match unit {
            b"ns" => scaled(number, 1)? / 1000,
            b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => scaled(number, 1)?,
            b"ms" => scaled(number, 1000)?,
            b"s" => scaled(number, 1_000_000)?,
            b"m" => scaled(number, 60_000_000)?,
            b"h" => scaled(number, 3_600_000_000)?,
            _ => return None,
        };
        sum = sum.checked_add(part)?;
        rest = behind;
    }
    Some(sum)
}

/// A point in time with its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// The microseconds since 1970 in UTC; a time without a zone counts as UTC.
    pub(super) unix_us: i64,
    /// The offset of the time in the log from UTC, in seconds.
    pub(super) offset_s: i32,
}

/// Parses a time in any of the formats of access logs.
pub(super) fn moment(bytes: &[u8]) -> Option<Moment> {
    match bytes.get(2)? {
        b'/' => common(bytes),
        _ if matches!(bytes.get(4), Some(b'-' | b'/')) => iso(bytes),
        _ => epoch(bytes),
    }
}

/// Parses `06/Feb/2026:12:14:14 +0100`, also with a fraction and without a zone.
fn common(bytes: &[u8]) -> Option<Moment> {
    let month = match bytes.get(3..6)? {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    let year = whole(bytes.get(7..11)?)? as i64;
    let day = days(year, month, pair(bytes, 0)?)?;
    let seconds = clock(bytes.get(12..20)?)?;
    rest(day * 86_400 + seconds, bytes.get(20..)?)
}

/// Parses `2026-02-06T12:14:14.123Z`, also with a space and with slashes.
fn iso(bytes: &[u8]) -> Option<Moment> {
    let year = whole(bytes.get(..4)?)? as i64;
    let day = days(year, pair(bytes, 5)?, pair(bytes, 8)?)?;
    let seconds = clock(bytes.get(11..19)?)?;
    rest(day * 86_400 + seconds, bytes.get(19..)?)
}

/// Parses seconds since 1970 with a fraction; thirteen digits without a fraction are milliseconds.
fn epoch(bytes: &[u8]) -> Option<Moment> {
    let unit = if bytes.len() == 13 && !bytes.contains(&b'.') { 1000 } else { 1_000_000 };
    // Some encoders write a float with an exponent.
    let us = match scaled(bytes, unit) {
        Some(us) => us,
        None => {
            let seconds: f64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
            (0.0..1e11).contains(&seconds).then_some((seconds * 1e6) as u64)?
        }
    };
    Some(Moment { unix_us: i64::try_from(us).ok()?, offset_s: 0 })
}

fn clock(bytes: &[u8]) -> Option<i64> {
    let (hours, minutes, seconds) = (pair(bytes, 0)?, pair(bytes, 3)?, pair(bytes, 6)?);
    (hours < 24 && minutes < 60 && seconds < 61).then_some(hours * 3600 + minutes * 60 + seconds)
}

/// Parses what follows the seconds: a fraction and a zone.
fn rest(seconds: i64, bytes: &[u8]) -> Option<Moment> {
    let (mut us, mut at) = (0i64, 0);
    if matches!(bytes.first(), Some(b'.' | b',')) {
        let digits = bytes[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        us = scaled(&[b"0.", bytes.get(1..1 + digits.min(6))?].concat(), 1_000_000)? as i64;
        at = 1 + digits;
    }
    let zone = bytes.get(at..)?;
    let zone = if zone.first() == Some(&b' ') { &zone[1..] } else { zone };
    let offset_s = match zone.first() {
        Some(sign @ (b'+' | b'-')) => {
            let minutes = if zone.get(3) == Some(&b':') { 4 } else { 3 };
            let ahead = pair(zone, 1)? * 3600 + pair(zone, minutes)? * 60;
            if *sign == b'-' { -ahead } else { ahead }
        }
        _ => 0,
    };
    let unix_us = (seconds - offset_s).checked_mul(1_000_000)?.checked_add(us)?;
    Some(Moment { unix_us, offset_s: offset_s as i32 })
}

/// Returns the days since 1970 of a date.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1970..=9999).contains(&year) {
        return None;
    }
    let date =
        Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    Some(i64::from(EPOCH.until(date).ok()?.get_days()))
}

/// Formats seconds since 1970 as `2026-02-06 12:14:14`.
pub(super) fn written(unix_s: i64) -> String {
    match Timestamp::from_second(unix_s) {
        Ok(time) => TimeZone::UTC.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => format!("{unix_s} s after 1970"),
    }
}

/// The first day of 1970.
const EPOCH: Date = Date::constant(1970, 1, 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_and_nonsense_is_none() {
        assert_eq!(scaled(b"60.001", 1_000_000), Some(60_001_000));
        assert_eq!(scaled(b"60", 1000), Some(60_000));
        assert_eq!(scaled(b"0.0000009", 1_000_000), Some(0));
        for bad in ["", "-", "-1", "1.2.3", "1,5", "99999999999999999999", "999999999999999999", "\u{fffd}"] {
            assert_eq!(scaled(bad.as_bytes(), 1_000_000), None, "{bad}");
        }
        assert_eq!(go_duration(b"1m0.5s"), Some(60_500_000));
        assert_eq!(go_duration(b"350ms"), Some(350_000));
        assert_eq!(go_duration("12.5µs".as_bytes()), Some(12));
        assert!(["", "5", "s", "1x", "1.s.", "1h2"].iter().all(|bad| go_duration(bad.as_bytes()).is_none()));
    }

    #[test]
    fn times_in_every_form_are_the_same_moment() {
        let wanted = 1_770_376_454; // 2026-02-06 11:14:14 UTC
        for (text, us, offset) in [
            ("06/Feb/2026:12:14:14 +0100", 0, 3600),
            ("06/Feb/2026:11:14:14.655", 655_000, 0),
            ("2026-02-06T11:14:14.123456Z", 123_456, 0),
            ("2026-02-06T11:14:14Z", 0, 0),
            ("2026-02-06T06:14:14-05:00", 0, -18_000),
            ("2026/02/06 11:14:14.5", 500_000, 0),
            ("1770376454.250", 250_000, 0),
            ("1770376454", 0, 0),
            ("1770376454250", 250_000, 0),
            ("1.770376454e9", 0, 0),
        ] {
            assert_eq!(
                moment(text.as_bytes()),
                Some(Moment { unix_us: wanted * 1_000_000 + us, offset_s: offset }),
                "{text}"
            );
        }
        for bad in [
            "",
            "-",
            "06/Feb",
            "99/Feb/2026:12:14:14 +0100",
            "06/Fub/2026:12:14:14",
            "2026-02-06T25:14:14Z",
            "abc",
        ] {
            assert_eq!(moment(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn written_and_read_again() {
        for day in (0..40_000).map(|day| day * 86_400 + 86_399) {
            let text = written(day);
            assert_eq!(moment(text.as_bytes()).map(|moment| moment.unix_us), Some(day * 1_000_000), "{text}");
        }
    }
}
