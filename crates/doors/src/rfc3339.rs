//! Times as the REST wire has them.

use salon_core::Timestamp;

/// RFC 3339 in UTC with milliseconds and `Z`, as every time on the REST wire is written.
pub fn rfc3339(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

/// Reads an ISO 8601 instant. A time without `Z` or an offset is in UTC, and a date is its first moment: the official Python
/// SDK writes both (seen in `cloudflare` 5.9.0).
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let local = |text: &str| {
        let at: jiff::civil::DateTime = text.parse().ok()?;
        let told = at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp());
        // The end of 9999, by which many mean for ever, is later than the last moment there is a word for.
        told.or((at.year() > 0).then_some(jiff::Timestamp::MAX))
    };
    let at = text.parse::<jiff::Timestamp>().ok().or_else(|| local(text.strip_suffix('Z').unwrap_or(text)))?;
    Some(Timestamp(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_milliseconds_and_z() {
        let at = Timestamp(1_641_997_294_388);
        assert_eq!(rfc3339(at), "2022-01-12T14:21:34.388Z");
        assert_eq!(rfc3339(Timestamp(1_641_997_294_000)), "2022-01-12T14:21:34.000Z");
        assert_eq!(parse_rfc3339("2022-01-12T14:21:34.388Z"), Some(at));
        assert_eq!(parse_rfc3339("2022-01-12T15:21:34.388+01:00"), Some(at));
        assert_eq!(parse_rfc3339("2022-01-12T14:21:34.388"), Some(at), "as Python writes a time without a zone");
        assert_eq!(parse_rfc3339("2022-01-12 14:21:34.388"), Some(at));
        assert_eq!(parse_rfc3339("2022-01-12"), Some(Timestamp(1_641_945_600_000)));
        let last = Timestamp(jiff::Timestamp::MAX.as_millisecond());
        assert_eq!(parse_rfc3339("9999-12-31T23:59:59.999Z"), Some(last), "for ever");
        assert_eq!(parse_rfc3339("9999-12-31"), Some(last));
        for bad in [
            "yesterday",
            "",
            "2022-13-01",
            "2022-01-12T25:00:00",
            "1641997294",
            "2022-01-12T14:21:34 01:00",
            "9999-12-31T23:59:59ZZ",
        ] {
            assert_eq!(parse_rfc3339(bad), None, "{bad}");
        }
    }
}
