//! What an app was used for, by day: `/analytics/daywise`.

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
