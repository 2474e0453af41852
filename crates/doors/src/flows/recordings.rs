//! What is to be recorded of a meeting, and where it goes: from what the call says, then the meeting.
//! Invariant: what cannot be recorded is refused before anything begins; secrets are in one place of the row only, and go from
//! there once they are used.
//! Next: `salon_recordings`, which records it.

use salon_core::event::{RecordedBy, RecordingKind};
use salon_core::notice::RecordingStatus;
use salon_core::{SessionId, Timestamp};
use salon_live::{Clock, Handle};
use salon_recordings::{Recordings, not_streamed};
use salon_store::{Meeting, Recording};
use salon_wire::rest::recording_config::{
    AudioChannel, AudioCodec, AudioConfig, LiveStreamingConfig, RecordingConfigBody, StorageConfig, StorageConfigBody,
    StorageType, VideoCodec, VideoConfig, Watermark, WatermarkPosition,
};
use serde_json::{Value, json};

use crate::ids::fresh_id;

/// Seconds that a recording may run unless something else is said: a day.
const MAX_SECONDS: u32 = 86_400;

/// Pixels of a recording unless others are said.
const WIDTH: u32 = 1_280;
const HEIGHT: u32 = 720;

/// A recording to be started.
pub struct Wanted {
    pub recording: Recording,
    pub max_ms: i64,
    pub beside_others: bool,
}

/// Why something cannot be recorded so: a sentence without a full stop.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Impossible(pub String);

fn impossible<T>(why: &str) -> Result<T, Impossible> {
    Err(Impossible(why.to_owned()))
}

/// A picture and the sound of a meeting, by this configuration.
///
/// # Errors
/// What of it cannot be done here.
pub fn composite(
    recordings: &Recordings,
    meeting: &Meeting,
    (config, beside_others): (RecordingConfigBody, bool),
    by: RecordedBy,
    now: Timestamp,
) -> Result<Wanted, Impossible> {
    let receiver = config.live_streaming_config.as_ref().and_then(LiveStreamingConfig::address);
    let (receiver, refused) = match receiver.map(|url| recordings.may_stream_to(url).map(|()| url)) {
        // There is nobody to tell, and better a recording than none.
        Some(Err(why)) if by == RecordedBy::Meeting => (None, Some(why)),
        Some(Err(why)) => return Err(Impossible(format!("\"rtmp_url\" {why}"))),
        Some(Ok(url)) => (Some(url), None),
        None => (None, None),
    };
    recordings.can(RecordingKind::Composite).map_err(|why| Impossible(why.to_owned()))?;
    let video = config.video_config.as_ref().filter(|video| video.export_file != Some(false)).map(video).transpose()?;
    let has_no_video = config.video_config.as_ref().is_some_and(|video| video.export_file == Some(false));
    let usual = || json!({ "codec": "H264", "width": WIDTH, "height": HEIGHT, "layout": "grid" });
    let video = match (video, receiver) {
        (None, _) if !has_no_video => Some(usual()),
        // Made for the receiver alone.
        (None, Some(_)) => {
            let mut video = config.video_config.as_ref().map(self::video).transpose()?.unwrap_or_else(usual);
            video["file"] = false.into();
            Some(video)
        }
        (video, _) => video,
    };
    if receiver.is_some() && video.as_ref().is_some_and(|video| video["codec"] != "H264") {
        return impossible("what is streamed to RTMP is H264; leave \"codec\" out, or the RTMP address");
    }
    let audio = config.audio_config.as_ref().map(audio);
    let has_sound = audio.as_ref().is_some_and(|audio| audio["file"] == true);
    if video.is_none() && !has_sound {
        return impossible("nothing is to be recorded: neither a file with pictures nor one of sound");
    }
    let stem = name(config.file_name_prefix.as_deref(), meeting, now);
    let ending = match &video {
        Some(video) if video["codec"] == "VP8" => "webm",
        Some(_) => "mp4",
        None if audio.as_ref().is_some_and(|audio| audio["codec"] == "MP3") => "mp3",
        None => "m4a",
    };
    let mut wanted = wanted(recordings, meeting, RecordingKind::Composite, (by, now));
    wanted.recording.name = format!("{stem}.{ending}");
    wanted.max_ms = i64::from(config.max_seconds.unwrap_or(MAX_SECONDS)) * 1_000;
    wanted.beside_others = beside_others;
    wanted.recording.config = json!({ "name": stem, "video": video, "audio": audio });
    store_in(recordings, &mut wanted.recording, &config)?;
    receiver.into_iter().for_each(|url| wanted.recording.stream_to(url));
    wanted.recording.error = refused.map(|why| not_streamed(&why));
    Ok(wanted)
}

/// The sounds of a meeting, a file for each; of these people only, if some are named.
pub fn tracks(
    recordings: &Recordings,
    meeting: &Meeting,
    (prefix, user_ids): (Option<&str>, Option<Vec<String>>),
    by: RecordedBy,
    now: Timestamp,
) -> Wanted {
    let prefix = plain(prefix.unwrap_or("default"));
    let mut wanted = wanted(recordings, meeting, RecordingKind::Track, (by, now));
    // The pattern as the guide has it, braces and all.
    wanted.recording.name = format!("{prefix}_{{user_id}}_{{peer_id}}_{{stream_kind}}_{{media_kind}}_{{timestamp}}.webm");
    wanted.recording.config = json!({ "name": prefix, "user_ids": user_ids, "bucket": true });
    wanted
}

/// Begins the recording that a meeting wants to begin with, unless it had it: the person who came first is in, whatever
/// comes of this.
pub async fn begin_with_meeting(recordings: &Recordings, handle: &Handle, meeting: &Meeting, clock: &Clock) {
    if !handle.call(|session, _| session.is_yet_to_be_recorded(RecordingKind::Composite)).await.unwrap_or(false) {
        return;
    }
    let config = meeting.recording_config.clone().map(serde_json::from_value::<RecordingConfigBody>).transpose();
    let config = match config {
        Ok(config) => config.unwrap_or_else(nothing_said),
        Err(error) => {
            tracing::error!(meeting.id = %meeting.id, %error, "the recording configuration of a meeting cannot be read");
            return;
        }
    };
    let failed = match composite(recordings, meeting, (config, true), RecordedBy::Meeting, clock.now()) {
        Ok(Wanted { recording, max_ms, beside_others }) => {
            recordings.start(handle, recording, (max_ms, beside_others)).await.err().map(|failed| failed.to_string())
        }
        Err(Impossible(why)) => Some(why),
    };
    if let Some(why) = failed {
        tracing::warn!(meeting.id = %meeting.id, why, "a meeting that wants to be recorded from its start is not");
    }
}

/// A configuration in which nothing is said.
pub fn nothing_said() -> RecordingConfigBody {
    serde_json::from_value(json!({})).expect("everything in it may be left out")
}

/// The configuration of the storage that was asked for, as it may be shown.
pub fn shown_storage(recording: &Recording) -> Option<StorageConfig> {
    serde_json::from_value(recording.config.get("storage")?.clone()).ok()
}

fn wanted(recordings: &Recordings, meeting: &Meeting, kind: RecordingKind, (by, now): (RecordedBy, Timestamp)) -> Wanted {
    let recording = Recording {
        id: fresh_id(),
        app: meeting.app.clone(),
        meeting: meeting.id.clone(),
        // Of which it is, the session says.
        session: fresh_id::<SessionId>(),
        kind,
        status: RecordingStatus::Invoked,
        config: Value::Null,
        storage: None,
        name: String::new(),
        invoked_at: now,
        started_at: None,
        stopped_at: None,
        paused_ms: 0,
        paused_since: None,
        started_by: by,
        stopped_by: None,
        error: None,
        files: Vec::new(),
        is_kept: false,
        expires_at: None,
        node: recordings.node().to_owned(),
        version: 0,
    };
    Wanted { recording, max_ms: i64::from(MAX_SECONDS) * 1_000, beside_others: false }
}

fn video(config: &VideoConfig) -> Result<Value, Impossible> {
    let codec = match config.codec.unwrap_or(VideoCodec::H264) {
        VideoCodec::H264 => "H264",
        VideoCodec::Vp8 => "VP8",
        VideoCodec::Vp9 => return impossible("this server records H264 and VP8, not VP9"),
    };
    // Pictures of these codecs have even sides.
    let even = |side: Option<u32>, usual: u32| (side.unwrap_or(usual) / 2 * 2).max(2);
    Ok(json!({
        "codec": codec, "width": even(config.width, WIDTH), "height": even(config.height, HEIGHT), "layout": "grid",
        "watermark": config.watermark.as_ref().and_then(watermark),
    }))
}

/// Nothing where there is no image.
fn watermark(mark: &Watermark) -> Option<Value> {
    let (url, size) = (mark.url.as_ref()?, mark.size.as_ref());
    let position = mark.position.unwrap_or(WatermarkPosition::LeftTop);
    let (width, height) = (size.and_then(|size| size.width), size.and_then(|size| size.height));
    Some(json!({ "url": url, "position": position, "width": width, "height": height }))
}

fn audio(config: &AudioConfig) -> Value {
    let codec = match config.codec.unwrap_or(AudioCodec::Aac) {
        AudioCodec::Aac => "AAC",
        AudioCodec::Mp3 => "MP3",
    };
    let channel = match config.channel.unwrap_or(AudioChannel::Stereo) {
        AudioChannel::Stereo => "stereo",
        AudioChannel::Mono => "mono",
    };
    json!({ "codec": codec, "channel": channel, "file": config.export_file != Some(false) })
}

/// Where its files go.
fn store_in(recordings: &Recordings, recording: &mut Recording, config: &RecordingConfigBody) -> Result<(), Impossible> {
    let is_kept = config.realtimekit_bucket_config.as_ref().is_none_or(|bucket| bucket.enabled);
    recording.config["bucket"] = is_kept.into();
    let Some(own) = config.storage_config.as_ref().and_then(Option::as_ref) else { return Ok(()) };
    recording.storage = Some(bucket(recordings, own)?);
    let shown = serde_json::to_value(own).and_then(serde_json::from_value::<StorageConfig>);
    recording.config["storage"] = shown.and_then(serde_json::to_value).unwrap_or_default();
    Ok(())
}

/// Storage of the S3 kind, as the job reads it.
fn bucket(recordings: &Recordings, own: &StorageConfigBody) -> Result<Value, Impossible> {
    let needed = |name: &str, value: Option<&str>| {
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        value.map(str::to_owned).ok_or_else(|| Impossible(format!("storage_config.{name} is needed for storage of this type")))
    };
    let region = own.region.as_deref().unwrap_or_default().trim().to_owned();
    let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let host = own.host.as_deref().map(str::trim).filter(|host| !host.is_empty());
    let endpoint = match (own.storage_type, host) {
        (Some(StorageType::Aws | StorageType::DigitalOcean | StorageType::Cloudflare), Some(host)) => {
            // It could be any machine that this one reaches.
            if !recordings.takes_storage_host(host) {
                return impossible("this server stores on no such host; whoever runs it may add it to recording.storage_hosts");
            }
            format!("https://{host}")
        }
        (Some(StorageType::Aws), None) if word(&region) => String::new(),
        (Some(StorageType::DigitalOcean), None) if word(&region) => format!("https://{region}.digitaloceanspaces.com"),
        (Some(StorageType::Aws | StorageType::DigitalOcean), None) => {
            return impossible("storage_config.region is needed for storage of this type: letters, digits and hyphens");
        }
        (Some(StorageType::Cloudflare), None) => {
            return impossible("storage_config.host is needed for storage of this type, and must be in recording.storage_hosts");
        }
        (None, _) => return impossible("storage_config.type is needed"),
        (Some(StorageType::Azure | StorageType::Gcs | StorageType::Sftp), _) => {
            return impossible("this server stores on aws, digitalocean and servers of the same kind, not on this type");
        }
    };
    let bucket = needed("bucket", own.bucket.as_deref())?;
    if !bucket.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return impossible("storage_config.bucket must be letters, digits, '-', '_' and '.'");
    }
    Ok(json!({
        "name": bucket,
        "endpoint": endpoint,
        "region": if region.is_empty() { "auto" } else { &region },
        "access_key": needed("access_key", own.access_key.as_ref().map(|key| key.0.as_str()))?,
        "secret_key": needed("secret", own.secret.as_ref().map(|key| key.0.as_str()))?,
        "path": own.path.as_deref().unwrap_or_default(),
    }))
}

/// The name of a file without its ending.
fn name(prefix: Option<&str>, meeting: &Meeting, now: Timestamp) -> String {
    let prefix = prefix.map(plain).filter(|prefix| !prefix.is_empty());
    let prefix = prefix.map(|prefix| prefix + "_").unwrap_or_default();
    format!("{prefix}{}_{}", meeting.id, now.0)
}

/// Only what file names are made of, and no longer than fits a meeting and a time beside it; what a meeting says of it was
/// never asked to be.
fn plain(prefix: &str) -> String {
    prefix.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(48).collect()
}
