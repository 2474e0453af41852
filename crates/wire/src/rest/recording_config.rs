//! A meeting's recording settings. Requests may carry storage credentials; answers never do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::secret::Secret;
use super::{nullable, number};

/// Recording settings as sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordingConfigBody {
    /// Sound of the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub audio_config: Option<AudioConfig>,
    /// Beginning of the file name; a meeting and a time follow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file_name_prefix: Option<String>,
    /// Where the recording is also streamed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub live_streaming_config: Option<LiveStreamingConfig>,
    /// Longest recording, in seconds.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 86400, default = 86400, nullable = false)]
    pub max_seconds: Option<u32>,
    /// Storage of the product's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub realtimekit_bucket_config: Option<BucketConfig>,
    /// Storage of the caller's own; null means none.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StorageConfigBody>)]
    pub storage_config: Option<Option<StorageConfigBody>>,
    /// Picture of the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub video_config: Option<VideoConfig>,
}

/// Recording settings as answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordingConfig {
    /// Sound of the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub audio_config: Option<AudioConfig>,
    /// Beginning of the file name; a meeting and a time follow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file_name_prefix: Option<String>,
    /// Where the recording is also streamed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub live_streaming_config: Option<LiveStreamingConfig>,
    /// Longest recording, in seconds.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 86400, nullable = false)]
    pub max_seconds: Option<u32>,
    /// Storage of the product's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub realtimekit_bucket_config: Option<BucketConfig>,
    /// Storage of the caller's own; null means none.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StorageConfig>)]
    pub storage_config: Option<Option<StorageConfig>>,
    /// Picture of the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub video_config: Option<VideoConfig>,
}

/// Sound of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AudioConfig {
    /// `stereo` unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub channel: Option<AudioChannel>,
    /// `AAC` unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub codec: Option<AudioCodec>,
    /// Whether a file of the sound alone is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = true, nullable = false)]
    pub export_file: Option<bool>,
}

/// Channels of recorded sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AudioChannel {
    Mono,
    Stereo,
}

/// Codecs of recorded sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AudioCodec {
    Mp3,
    Aac,
}

/// Picture of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VideoConfig {
    /// `H264` unless said otherwise; it decides the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub codec: Option<VideoCodec>,
    /// Whether a file with the picture is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = true, nullable = false)]
    pub export_file: Option<bool>,
    /// In pixels.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1920, default = 720, nullable = false)]
    pub height: Option<u32>,
    /// In pixels.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1920, default = 1280, nullable = false)]
    pub width: Option<u32>,
    /// An image laid over the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub watermark: Option<Watermark>,
}

/// Codecs of a recorded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum VideoCodec {
    H264,
    Vp8,
    Vp9,
}

/// An image laid over a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Watermark {
    /// `left top` unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub position: Option<WatermarkPosition>,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub size: Option<WatermarkSize>,
    /// Where the image is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", nullable = false)]
    pub url: Option<String>,
}

/// The corner of a watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum WatermarkPosition {
    #[serde(rename = "left top")]
    LeftTop,
    #[serde(rename = "right top")]
    RightTop,
    #[serde(rename = "left bottom")]
    LeftBottom,
    #[serde(rename = "right bottom")]
    RightBottom,
}

/// The size of a watermark, in pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WatermarkSize {
    /// In pixels.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, nullable = false)]
    pub height: Option<u32>,
    /// In pixels.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, nullable = false)]
    pub width: Option<u32>,
}

/// A second destination for the recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveStreamingConfig {
    /// An RTMP address, usually with a key in it.
    #[serde(alias = "rtmpUrl", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = "uri", nullable = false)]
    pub rtmp_url: Option<Secret>,
}

impl LiveStreamingConfig {
    /// The address without blanks around it; none if there is nothing in it.
    pub fn address(&self) -> Option<&str> {
        self.rtmp_url.as_ref().map(|url| url.0.trim()).filter(|url| !url.is_empty())
    }
}

/// Whether recordings are kept in the product's own storage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BucketConfig {
    /// Switched off and with no storage of the caller's own, nothing is kept.
    pub enabled: bool,
}

/// Storage of the caller's own, with credentials. Which fields belong together depends on the type:
/// object stores take key and secret, SFTP a host with a password or private key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StorageConfigBody {
    /// The kind of storage.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub storage_type: Option<StorageType>,
    /// Key id of an object store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false)]
    pub access_key: Option<Secret>,
    /// Secret of an object store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false)]
    pub secret: Option<Secret>,
    /// Bucket or container.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub bucket: Option<String>,
    /// Region of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub region: Option<String>,
    /// Folder the files go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub path: Option<String>,
    /// How an SFTP host is entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub auth_method: Option<StorageAuthMethod>,
    /// Account on an SFTP host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub username: Option<String>,
    /// Password on an SFTP host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false)]
    pub password: Option<Secret>,
    /// Name or address of an SFTP host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub host: Option<String>,
    /// Port of an SFTP host.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub port: Option<u32>,
    /// Private key for an SFTP host, or of an object store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false)]
    pub private_key: Option<Secret>,
}

/// Storage of the caller's own, without its credentials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StorageConfig {
    /// The kind of storage.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub storage_type: Option<StorageType>,
    /// Bucket or container.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub bucket: Option<String>,
    /// Region of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub region: Option<String>,
    /// Folder the files go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub path: Option<String>,
    /// How an SFTP host is entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub auth_method: Option<StorageAuthMethod>,
    /// Account on an SFTP host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub username: Option<String>,
    /// Name or address of an SFTP host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub host: Option<String>,
    /// Port of an SFTP host.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub port: Option<u32>,
}

/// Kinds of storage. `cloudflare` is in the product's recording guide, not in the SDK types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StorageType {
    Aws,
    Azure,
    Cloudflare,
    DigitalOcean,
    Gcs,
    Sftp,
}

/// How an SFTP host is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum StorageAuthMethod {
    Key,
    Password,
}
