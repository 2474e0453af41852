//! What an app was used for, by day: `/analytics/daywise`; and by hour, day and week of a time zone: `/analytics/hours`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::number;

/// Answer to `GET analytics/daywise`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrgAnalytics {
    pub session_stats: SessionStats,
    pub recording_stats: RecordingStats,
}

/// Sessions made in the time asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionStats {
    /// How many.
    pub sessions_count: u64,
    /// Sum of the peers' time in them, in minutes with fractions.
    #[serde(with = "number")]
    pub sessions_minutes_consumed: f64,
    /// The same by day; days without sessions are left out.
    pub day_stats: Vec<SessionDayStats>,
}

/// The sessions made on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionDayStats {
    /// Midnight of the day, UTC.
    pub day: String,
    /// How many.
    pub total_sessions: u64,
    /// Sum of the peers' time in them, in minutes with fractions.
    #[serde(with = "number")]
    pub total_session_minutes: f64,
}

/// Recordings made in the time asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordingStats {
    /// How many.
    pub recording_count: u64,
    /// Their length together, in minutes.
    #[serde(with = "number")]
    pub recording_minutes_consumed: f64,
    /// The same by day; days without recordings are left out.
    pub day_stats: Vec<RecordingDayStats>,
}

/// The recordings made on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordingDayStats {
    /// Midnight of the day, UTC.
    pub day: String,
    /// How many.
    pub total_recordings: u64,
    /// Their length together, in minutes.
    pub total_recording_minutes: u64,
}

/// `GET analytics/daywise`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DaywiseQuery {
    /// The first day, `YYYY-MM-DD` in UTC; thirty days before the last if absent.
    #[param(format = "date", example = "2022-09-01")]
    pub start_date: Option<String>,
    /// The last day, `YYYY-MM-DD` in UTC; today if absent.
    #[param(format = "date", example = "2022-09-01")]
    pub end_date: Option<String>,
}

/// What spans of time analytics are told by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    #[default]
    Hour,
    Day,
    /// From Monday on.
    Week,
}

/// Answer to `GET analytics/hours`: Salon's own beside the contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hours {
    /// The time zone that hours, days and weeks are those of.
    pub tz: String,
    pub group: Group,
    /// The first moment that is told of, and the first that is not any more: whole spans.
    #[schema(format = "date-time")]
    pub from: String,
    #[schema(format = "date-time")]
    pub to: String,
    /// Sessions made in that time, live ones among them.
    pub total_sessions: u64,
    /// Sum of the peers' time in them, in minutes with fractions.
    #[serde(with = "number")]
    pub total_session_minutes: f64,
    /// All spans, in order, those without sessions too.
    pub spans: Vec<Span>,
}

/// One hour, day or week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Span {
    /// Its first moment.
    #[schema(format = "date-time")]
    pub from: String,
    /// The same by the clock of the time zone, with its offset, which tells the two hours apart that a clock shows twice.
    #[schema(format = "date-time")]
    pub local: String,
    /// Sessions made in it.
    pub sessions: u64,
    /// Sum of the peers' time in them, in minutes with fractions.
    #[serde(with = "number")]
    pub minutes: f64,
}

/// `GET analytics/hours`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HoursQuery {
    /// Told from the span on in which this lies; of the last day, 30 days or 12 weeks if absent.
    #[param(format = "date-time")]
    pub from: Option<String>,
    /// Up to the end of the span in which this lies; now if absent.
    #[param(format = "date-time")]
    pub to: Option<String>,
    /// An IANA time zone, such as `Europe/Berlin`; UTC if absent.
    #[param(example = "Europe/Berlin")]
    pub tz: Option<String>,
    #[param(inline)]
    pub group: Option<Group>,
}
