//! The forms of parameter values: how each type is read from a table, written to one, and scaled.

use std::time::Duration;

use serde_json::{Map, Value};
use undrop_text::{duration, size};

use crate::close_frame::CloseFrame;

/// The form of a value.
pub(crate) struct Form<T> {
    /// The name of the form in the documentation.
    pub(crate) name: &'static str,
    /// Reads a value, or returns the reason why it is invalid.
    pub(crate) read: fn(&Value) -> Result<T, String>,
    pub(crate) write: fn(&T) -> Value,
    /// Divides a duration by the speed; other values do not change.
    pub(crate) scale: fn(&mut T, f64),
}

/// A duration: a string such as `1.5s`, or a number of seconds.
pub(crate) const DURATION: Form<Duration> = Form {
    name: "duration",
    read: read_duration,
    write: |value| duration::write(*value).into(),
    scale: |value, speed| *value = scale(*value, speed),
};

/// A number of bytes: a string such as `64KiB`, or a whole number.
pub(crate) const SIZE: Form<u64> =
    Form { name: "size", read: read_size, write: |value| (*value).into(), scale: unscaled };

/// A number of bytes that is not 0.
pub(crate) const POSITIVE_SIZE: Form<u64> = Form {
    name: "size",
    read: |value| read_size(value).and_then(positive),
    write: |value| (*value).into(),
    scale: unscaled,
};

/// A whole number that is not 0.
pub(crate) const POSITIVE_COUNT: Form<u64> = Form {
    name: "whole number",
    read: |value| read_count(value).and_then(positive),
    write: |value| (*value).into(),
    scale: unscaled,
};

/// A number of 16 bits, such as a close code.
pub(crate) const CODE: Form<u16> = Form {
    name: "0 to 65535",
    read: |value| u16::try_from(read_count(value)?).map_err(|_| "must be between 0 and 65535".to_owned()),
    write: |value| (*value).into(),
    scale: unscaled,
};

/// A fraction between 0 and 1.
pub(crate) const FRACTION: Form<f64> = Form {
    name: "0 to 1",
    read: |value| {
        let fraction = value.as_f64().filter(|fraction| (0.0..=1.0).contains(fraction));
        fraction.ok_or_else(|| "must be between 0 and 1".to_owned())
    },
    write: |value| (*value).into(),
    scale: unscaled,
};

/// A string. A number counts as one, since the command line does not distinguish them.
pub(crate) const TEXT: Form<String> =
    Form { name: "string", read: read_text, write: |value| value.as_str().into(), scale: unscaled };

/// The reason of a Close frame.
pub(crate) const REASON: Form<String> = Form {
    name: "string, at most 123 bytes",
    read: |value| {
        let reason = read_text(value)?;
        match reason.len() {
            0..=CloseFrame::MAX_REASON => Ok(reason),
            _ => Err(format!("must have at most {} bytes", CloseFrame::MAX_REASON)),
        }
    },
    write: |value| value.as_str().into(),
    scale: unscaled,
};

/// A value that is true or false.
pub(crate) const FLAG: Form<bool> = Form {
    name: "`true` or `false`",
    read: |value| value.as_bool().ok_or_else(|| "must be true or false".to_owned()),
    write: |value| (*value).into(),
    scale: unscaled,
};

/// Header fields, as a table of names and values.
pub(crate) const HEADER_FIELDS: Form<Vec<(String, String)>> = Form {
    name: "table of names and values",
    read: |value| match value {
        Value::Object(fields) => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Ok(fields.iter().map(|(name, value)| (name.clone(), text(value))).collect())
        }
        _ => Err("must be a table of names and values".to_owned()),
    },
    write: |fields| {
        let field = |(name, value): &(String, String)| (name.clone(), Value::from(value.as_str()));
        Value::Object(fields.iter().map(field).collect::<Map<String, Value>>())
    },
    scale: unscaled,
};

/// Returns `time` divided by `speed`, never longer than every clock can represent.
pub(crate) fn scale(time: Duration, speed: f64) -> Duration {
    if speed == 1.0 {
        // Floating-point arithmetic would round.
        return time.min(duration::LONGEST);
    }
    Duration::try_from_secs_f64(time.as_secs_f64() / speed)
        .unwrap_or(duration::LONGEST)
        .min(duration::LONGEST)
}

/// Reads a duration in the form that every file and request of the proxy uses.
pub(crate) fn read_duration(value: &Value) -> Result<Duration, String> {
    let parsed = match value {
        Value::Number(number) => duration::from_seconds(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => duration::parse(text),
        other => duration::parse(&other.to_string()),
    };
    parsed.map_err(|error| error.to_string())
}

fn read_size(value: &Value) -> Result<u64, String> {
    let parsed = match value {
        Value::Number(number) => size::parse(&number.to_string()),
        Value::String(text) => size::parse(text),
        other => size::parse(&other.to_string()),
    };
    parsed.map_err(|error| error.to_string())
}

fn read_count(value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| "must be a whole number".to_owned())
}

fn positive(number: u64) -> Result<u64, String> {
    match number {
        0 => Err("must be at least 1".to_owned()),
        number => Ok(number),
    }
}

fn read_text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err("must be a string".to_owned()),
    }
}

fn unscaled<T>(_value: &mut T, _speed: f64) {}
