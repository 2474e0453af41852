//! Recordings: `/recordings`. What is marked as ours is beside the contract.
//! Sources: the official SDKs, and the product's guides where the types say less.
//! Credentials of storage are taken and never given back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::meetings::Meeting;
use super::recording_config::{AudioConfig, BucketConfig, LiveStreamingConfig, StorageConfig, StorageConfigBody, VideoConfig};
use super::{SortOrder, nullable, number};

/// What has become of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordingStatus {
    Invoked,
    Recording,
    Uploading,
    Uploaded,
    Errored,
    Paused,
}

/// `POST recordings`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordingStartBody {
    /// The meeting whose live session is recorded.
    #[schema(format = "uuid")]
    pub meeting_id: String,
    /// Records beside others of the same meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = false, nullable = false)]
    pub allow_multiple_recordings: Option<bool>,
    /// Sound of the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub audio_config: Option<AudioConfig>,
    /// Beginning of the file name: letters, digits and `_`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file_name_prefix: Option<String>,
    /// A recording with timed metadata. Not available.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub interactive_config: Option<InteractiveConfig>,
    /// Longest recording, in seconds.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 86400, default = 86400, nullable = false)]
    pub max_seconds: Option<u32>,
    /// Storage of the product's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub realtimekit_bucket_config: Option<BucketConfig>,
    /// Where the recording is also streamed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rtmp_out_config: Option<LiveStreamingConfig>,
    /// Storage of the caller's own; null means none.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StorageConfigBody>)]
    pub storage_config: Option<Option<StorageConfigBody>>,
    /// A page that is recorded instead. Not available.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", nullable = false)]
    pub url: Option<String>,
    /// Picture of the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub video_config: Option<VideoConfig>,
}

/// Timed metadata in a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InteractiveConfig {
    /// The kind of metadata.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub interactive_type: Option<InteractiveType>,
}

/// Kinds of timed metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum InteractiveType {
    #[serde(rename = "ID3")]
    Id3,
}

/// `POST recordings/track`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrackStartBody {
    /// The meeting whose live session is recorded.
    #[schema(format = "uuid")]
    pub meeting_id: String,
    /// How; the one there is is called `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub layers: Option<BTreeMap<String, TrackLayer>>,
    /// Whose sound, by participant ids or custom ids; everybody's if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 100, nullable = false)]
    pub user_ids: Option<Vec<String>>,
}

/// How tracks are recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrackLayer {
    /// Beginning of the file names: letters, digits and `_`; `default` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file_name_prefix: Option<String>,
    /// Sound only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub media_kind: Option<TrackMedia>,
}

/// What of a track is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrackMedia {
    Audio,
}

/// `PUT recordings/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordingActionBody {
    /// What is to be done.
    pub action: RecordingAction,
}

/// What may be done with a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordingAction {
    Stop,
    Pause,
    Resume,
}

/// A recording, in details, in lists, and while it runs: what one answer has beside another is left out there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recording {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// Where its sound alone is, if there is such a file.
    #[schema(required = true, format = "uri")]
    pub audio_download_url: Option<String>,
    /// Where its file is. Of tracks a list, as their guide has it.
    #[schema(required = true, value_type = Option<String>, format = "uri")]
    pub download_url: Option<DownloadUrl>,
    /// Until when.
    #[schema(required = true, format = "date-time")]
    pub download_url_expiry: Option<String>,
    /// In bytes, all files.
    #[schema(required = true)]
    pub file_size: Option<u64>,
    /// When it was asked for.
    #[schema(format = "date-time")]
    pub invoked_time: String,
    /// The name of its file; of tracks the pattern of theirs.
    pub output_file_name: String,
    /// Of what it is.
    #[schema(required = true, format = "uuid")]
    pub session_id: Option<String>,
    /// When it began.
    #[schema(required = true, format = "date-time")]
    pub started_time: Option<String>,
    /// What has become of it.
    pub status: RecordingStatus,
    /// When its last moment was recorded.
    #[schema(required = true, format = "date-time")]
    pub stopped_time: Option<String>,
    /// In seconds, pauses left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub recording_duration: Option<i64>,
    /// In the guide to track recordings.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub recording_type: Option<RecordingType>,
    /// In the guide to track recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid", nullable = false)]
    pub meeting_id: Option<String>,
    /// Why it failed. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub err_message: Option<String>,
    /// Who had it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub start_reason: Option<StartReason>,
    /// Why it stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stop_reason: Option<StopReason>,
    /// Storage of the caller's own, without its credentials.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StorageConfig>)]
    pub storage_config: Option<Option<StorageConfig>>,
    /// Of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub meeting: Option<Meeting>,
}

/// What is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordingType {
    Composite,
    Track,
}

/// Where files are: one address, or those of tracks by layer and name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DownloadUrl {
    One(String),
    Layers(Vec<LayerFiles>),
}

/// The files of one layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerFiles {
    /// `default`.
    pub layer_name: String,
    /// By name.
    pub download_urls: BTreeMap<String, TrackFile>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackFile {
    /// Where it is.
    pub download_url: String,
}

/// Why a recording started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StartReason {
    /// Who had it started; none if the meeting did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub caller: Option<RecordingCaller>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<StartedBecause>,
}

/// Why a recording stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StopReason {
    /// Who had it stopped, if somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub caller: Option<RecordingCaller>,
    /// Why; absent when its time was up, which no word fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<StoppedBecause>,
}

/// Who started or stopped a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordingCaller {
    /// The participant's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    /// The app, or somebody in the meeting.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub caller_type: Option<CallerType>,
    /// The participant's id. The contract has a capital in it.
    #[serde(rename = "user_Id", skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid", nullable = false)]
    pub user_id: Option<String>,
}

/// Kinds of those who start and stop recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CallerType {
    Organization,
    User,
}

/// Why recordings start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartedBecause {
    ApiCall,
    RecordOnStart,
}

/// Why recordings stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StoppedBecause {
    ApiCall,
    InternalError,
    AllPeersLeft,
}

/// Answer to `POST recordings/track`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrackStarted {
    /// What was started.
    pub recording: Recording,
}

/// What a list of recordings is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum RecordingSortBy {
    #[serde(rename = "invokedTime")]
    InvokedTime,
}

/// `GET recordings`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RecordingsQuery {
    /// Asked for at this time or earlier.
    #[param(format = "date-time")]
    pub end_time: Option<String>,
    /// Only those whose files are gone, or are not.
    pub expired: Option<bool>,
    /// Only those of this meeting.
    #[param(format = "uuid")]
    pub meeting_id: Option<String>,
    /// Pages count from 1.
    #[param(minimum = 0)]
    pub page_no: Option<f64>,
    /// How many items a page holds.
    #[param(minimum = 0)]
    pub per_page: Option<f64>,
    /// Part of an id, a meeting's id or a file name, in any case.
    pub search: Option<String>,
    /// What to sort by.
    #[param(inline)]
    pub sort_by: Option<RecordingSortBy>,
    /// The direction.
    #[param(inline)]
    pub sort_order: Option<SortOrder>,
    /// Asked for at this time or later.
    #[param(format = "date-time")]
    pub start_time: Option<String>,
    /// Only those of one of these.
    #[param(inline)]
    pub status: Option<Vec<RecordingStatus>>,
}
