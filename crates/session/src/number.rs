//! The wire form of counters: base36, below 2^53.

/// The limit of counters, so that JavaScript holds them exactly.
pub const COUNTER_LIMIT: u64 = 1 << 53;

/// Writes `value` in lower-case base36 and returns the used tail of `buf`.
pub(crate) fn base36(mut value: u64, buf: &mut [u8; 13]) -> &str {
    let mut at = buf.len();
    loop {
        at -= 1;
        buf[at] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(value % 36) as usize];
        value /= 36;
        if value == 0 {
            break;
        }
    }
    std::str::from_utf8(&buf[at..]).unwrap_or("0")
}

/// Parses the form that [`base36`] writes: no sign, no capital, no leading zero, below [`COUNTER_LIMIT`].
pub(crate) fn parse_base36(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    if text.is_empty() || !canonical || !text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()) {
        return None;
    }
    u64::from_str_radix(text, 36).ok().filter(|value| *value < COUNTER_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_rejects() {
        for value in [0, 1, 35, 36, 1295, 1296, COUNTER_LIMIT - 1] {
            assert_eq!(parse_base36(base36(value, &mut [0; 13])), Some(value));
        }
        assert_eq!(base36(u64::MAX, &mut [0; 13]), "3w5e11264sgsf");
        for bad in
            ["", "00", "01", "A", "+1", "-1", " 1", "1 ", "2gosa7pa2gw", "zzzzzzzzzzzzz", "zzzzzzzzzzzzzz"]
        {
            assert_eq!(parse_base36(bad), None, "{bad}");
        }
        assert_eq!(parse_base36("2gosa7pa2gv"), Some(COUNTER_LIMIT - 1));
    }
}
