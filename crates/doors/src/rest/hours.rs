//! What an app was used for, by hour, day or week as the clocks of a place show them: Salon's own beside the contract.
//! Invariant: spans add up to what the list of sessions adds up to, at the same moment, as days do (`analytics.rs`).

use axum::extract::State;
use futures_util::FutureExt;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan, Unit, Zoned};
use salon_core::Timestamp;
use salon_store::{QUARTER_MS, Store, quarter_of};
use salon_wire::rest::analytics as wire;
use salon_wire::rest::envelope::{Envelope, ErrorBody};

use crate::rest::analytics::halves;
use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::query::Asked;
use crate::rest::reply::{Answer, data};
use crate::rest::sessions::current;
use crate::rfc3339::rfc3339;

/// Spans of one answer: 41 days of hours, ten years of weeks.
const MAX_SPANS: usize = 1_000;

/// Sessions and minutes by the hour, day or week in which the session was made.
#[utoipa::path(get, path = "/analytics/hours", tag = "analytics", description = "Salon's own; not in the contract.",
    params(wire::HoursQuery),
    responses((status = 200, body = Envelope<wire::Hours>), (status = 400, body = ErrorBody)))]
pub async fn show(State(store): State<Store>, State(teller): State<Teller>, caller: Caller, asked: Asked) -> Answer<wire::Hours> {
    let now = teller.clock.now();
    let group = asked.one_of::<wire::Group>("group")?.unwrap_or_default();
    let (zone, tz) = zone(asked.given("tz")?.unwrap_or("UTC"))?;
    let to = asked.instant("to")?.unwrap_or(now);
    let from = asked.instant("from")?;
    let begins = begins(&zone, group, from, to)?;
    let (first, end) = (quarter_of(begins[0].0), quarter_of(begins[begins.len() - 1].0));
    let (over, live) = halves(&store, &caller.app, || store.session_quarters(&caller.app, first, end).boxed()).await?;
    let mut spans = vec![(0_u64, 0.0_f64); begins.len() - 1];
    let place = |quarter: i64| begins.partition_point(|(at, _)| quarter_of(*at) <= quarter).checked_sub(1);
    for sum in over {
        if let Some(span) = place(sum.quarter).and_then(|place| spans.get_mut(place)) {
            *span = (span.0 + sum.sessions, span.1 + sum.settled_ms as f64 / 60_000.0);
        }
    }
    let live: Vec<_> = live.iter().filter(|row| (first..end).contains(&quarter_of(row.summary.created_at))).collect();
    for (row, told) in live.iter().zip(current(&teller, &live, now).await?) {
        if let Some(span) = place(quarter_of(row.summary.created_at)).and_then(|place| spans.get_mut(place)) {
            *span = (span.0 + 1, span.1 + told.session.minutes_consumed);
        }
    }
    data(wire::Hours {
        tz,
        group,
        from: rfc3339(begins[0].0),
        to: rfc3339(begins[begins.len() - 1].0),
        total_sessions: spans.iter().map(|(sessions, _)| sessions).sum(),
        total_session_minutes: spans.iter().map(|(_, minutes)| minutes).sum(),
        spans: begins
            .iter()
            .zip(&spans)
            .map(|((at, local), (sessions, minutes))| wire::Span {
                from: rfc3339(*at),
                local: local.clone(),
                sessions: *sessions,
                minutes: *minutes,
            })
            .collect(),
    })
}

/// A time zone, and its name.
fn zone(name: &str) -> Result<(TimeZone, String), ApiError> {
    let zone = TimeZone::get(name);
    let zone = zone.map_err(|_| ApiError::invalid("tz", "must be an IANA time zone, such as Europe/Berlin"))?;
    let name = zone.iana_name().unwrap_or(name).to_owned();
    Ok((zone, name))
}

/// Where each span begins, and as the clocks there show it, from the one in which `from` lies to the end of that in which
/// `to` lies: that end is the last.
fn begins(
    zone: &TimeZone,
    group: wire::Group,
    from: Option<Timestamp>,
    to: Timestamp,
) -> Result<Vec<(Timestamp, String)>, ApiError> {
    let far = |name: &str| ApiError::invalid(name, "is too far away");
    let zoned = |name: &str, at: Timestamp| {
        let at = jiff::Timestamp::from_millisecond(at.0).map_err(|_| far(name))?;
        Ok::<_, ApiError>(at.to_zoned(zone.clone()))
    };
    let last = zoned("to", to)?;
    let from = match from {
        Some(from) => zoned("from", from)?,
        None => last.checked_sub(usual(group)).map_err(|_| far("to"))?,
    };
    if from > last {
        return Err(ApiError::invalid("from", "must not be after \"to\""));
    }
    let mut at = begin(&from, group).ok_or_else(|| far("from"))?;
    let mut begins = Vec::new();
    loop {
        begins.push((quarter(&at), at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()));
        if at > last {
            return Ok(begins);
        }
        if begins.len() > MAX_SPANS {
            return Err(ApiError::invalid(
                "from",
                format_args!("makes more than {MAX_SPANS} spans; ask for less or for larger ones"),
            ));
        }
        at = next(&at, group).ok_or_else(|| far("to"))?;
    }
}

/// What is told of if nothing is said.
fn usual(group: wire::Group) -> Span {
    match group {
        wire::Group::Hour => 23.hours(),
        wire::Group::Day => 29.days(),
        wire::Group::Week => 11.weeks(),
    }
}

/// The span in which a moment lies.
fn begin(at: &Zoned, group: wire::Group) -> Option<Zoned> {
    match group {
        wire::Group::Hour => at.round(jiff::ZonedRound::new().smallest(Unit::Hour).mode(jiff::RoundMode::Trunc)).ok(),
        wire::Group::Day => at.start_of_day().ok(),
        wire::Group::Week => {
            let days = at.weekday().to_monday_zero_offset();
            at.checked_sub(i64::from(days).days()).ok()?.start_of_day().ok()
        }
    }
}

fn next(at: &Zoned, group: wire::Group) -> Option<Zoned> {
    match group {
        // An hour is an hour, whatever clocks do.
        wire::Group::Hour => at.checked_add(1.hour()).ok(),
        wire::Group::Day => at.checked_add(1.day()).ok()?.start_of_day().ok(),
        wire::Group::Week => at.checked_add(1.week()).ok()?.start_of_day().ok(),
    }
}

/// A moment, at a quarter of an hour: what is summed up begins at one, and zones do since they count in minutes.
fn quarter(at: &Zoned) -> Timestamp {
    Timestamp(at.timestamp().as_millisecond().div_euclid(QUARTER_MS) * QUARTER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rfc3339::parse_rfc3339;

    fn spans(tz: &str, group: wire::Group, from: &str, to: &str) -> Vec<String> {
        let (zone, _) = zone(tz).expect("a zone");
        let at = |text| parse_rfc3339(text).expect("a time");
        let begins = begins(&zone, group, Some(at(from)), at(to)).expect("they can be told");
        assert!(begins.is_sorted_by(|before, after| before.0 < after.0));
        begins.into_iter().map(|(_, local)| local).collect()
    }

    #[test]
    fn an_hour_that_clocks_show_twice_is_two() {
        let told = spans("Europe/Berlin", wire::Group::Hour, "2026-10-25T00:10:00Z", "2026-10-25T01:59:59Z");
        let local = ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"];
        assert_eq!(told, local);
        let told = spans("Europe/Berlin", wire::Group::Hour, "2026-03-29T00:10:00Z", "2026-03-29T01:10:00Z");
        assert_eq!(told, ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"]);
    }

    #[test]
    fn days_and_weeks_are_those_of_the_place() {
        let told = spans("Asia/Kathmandu", wire::Group::Day, "2026-11-29T20:00:00Z", "2026-11-29T20:00:00Z");
        assert_eq!(told, ["2026-11-30T00:00:00+05:45", "2026-12-01T00:00:00+05:45"]);
        let told = spans("America/New_York", wire::Group::Week, "2026-11-29T12:00:00Z", "2026-11-30T12:00:00Z");
        let mondays = ["2026-11-23T00:00:00-05:00", "2026-11-30T00:00:00-05:00", "2026-12-07T00:00:00-05:00"];
        assert_eq!(told, mondays);
        // Clocks there went on at midnight: that day begins at one.
        let told = spans("America/Sao_Paulo", wire::Group::Day, "2018-11-04T12:00:00Z", "2018-11-04T12:00:00Z");
        assert_eq!(told, ["2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"]);
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        let utc = TimeZone::UTC;
        let told = |group, from, to| begins(&utc, group, Some(Timestamp(from)), Timestamp(to)).map(|begins| begins.len());
        assert_eq!(told(wire::Group::Hour, 0, 999 * 3_600_000).ok(), Some(1_001));
        assert!(told(wire::Group::Hour, 0, 1_000 * 3_600_000).is_err());
        assert!(told(wire::Group::Day, 1, 0).is_err());
        assert!(told(wire::Group::Week, i64::MIN, i64::MIN).is_err());
        assert!(told(wire::Group::Week, i64::MAX, i64::MAX).is_err());
        let last = jiff::Timestamp::MAX.as_millisecond();
        assert!(told(wire::Group::Week, last, last).is_err());
        assert!(begins(&utc, wire::Group::Hour, None, Timestamp(0)).is_ok_and(|begins| begins.len() == 25));
        assert!(zone("Mars/Olympus").is_err() && zone("europe/berlin").is_ok_and(|(_, name)| name == "Europe/Berlin"));
    }
}
