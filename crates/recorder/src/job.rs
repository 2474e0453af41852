//! What a server and a recorder say to each other: a job, then orders one way and sayings the other, a line of JSON each.
//! Times are Unix milliseconds. Invariant: a word once used is read for ever, as a recorder may be of another version
//! than the server that finds it still running.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// In the job's folder: what the recorder has said, so that a server that was away can read it.
pub const SAID: &str = "said.jsonl";
/// In the job's folder: orders that are appended there count as those on standard input do.
pub const ORDERS: &str = "orders.jsonl";
/// In the job's folder: the recorder's process id.
pub const PID: &str = "pid";

/// What a recorder is to do: the first line on its standard input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The recording's id.
    pub id: String,
    /// Where the server is reached by plain HTTP: `http://HOST:PORT`.
    pub server: String,
    pub meeting_id: String,
    /// The token of a hidden participant whose preset makes it a robot.
    pub token: String,
    /// A folder of the job's own; it must exist.
    pub folder: PathBuf,
    /// The file's name without its ending; of tracks, the prefix of their files.
    pub name: String,
    pub kind: Kind,
    /// Of tracks and voices: whose are recorded, by participant ids or custom ids. Everybody's if there is none.
    #[serde(default)]
    pub user_ids: Option<Vec<String>>,
    /// Of composites: the file with pictures. There is none without.
    #[serde(default)]
    pub video: Option<Video>,
    /// Of composites: how the sound is. Without it, it is as `Audio::default` says, and no file of sound alone is made.
    #[serde(default)]
    pub audio: Option<Audio>,
    /// Of composites: it is watched while it is made. Segments are cut for that instead of files.
    #[serde(default)]
    pub live: bool,
    /// Of composites with pictures in H264: who is sent them while they are made.
    #[serde(default)]
    pub rtmp: Option<Rtmp>,
    /// Of what others stream to us: who was let in. Their connection is standard output.
    #[serde(default)]
    pub ingest: Option<Ingest>,
    /// The program that encodes; tracks need none.
    #[serde(default = "ffmpeg")]
    pub ffmpeg: PathBuf,
}

fn yes() -> bool {
    true
}

fn ffmpeg() -> PathBuf {
    Path::new("ffmpeg").to_path_buf()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One picture and one sound of everybody.
    Composite,
    /// A file for each voice, as it came.
    Track,
    /// Pieces of each voice, for whoever writes down what was said.
    Voices,
    /// What somebody streams to us, in segments to be watched.
    Ingest,
}

/// Somebody who streams to us.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingest {
    /// What was read of them before they were let in, in hexadecimal digits. With their key in it: it is in no log.
    pub read: String,
    /// Kilobits a second that they may send, in the mean of some seconds.
    pub kilobits: u32,
}

impl fmt::Debug for Ingest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ingest(…)")
    }
}

/// A receiver that speaks RTMP.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rtmp {
    /// With a key in it: it is in no log.
    pub url: String,
    /// Networks that it may lead into though they are private, such as `10.0.0.0/8`.
    #[serde(default)]
    pub open: Vec<String>,
}

impl fmt::Debug for Rtmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rtmp(…)")
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Video {
    pub codec: VideoCodec,
    /// Pixels, even numbers; higher than wide is portrait.
    pub width: u32,
    pub height: u32,
    /// Whether a file of them is made; without, they are for the receiver, and for the sound in a file of sound.
    #[serde(default = "yes")]
    pub file: bool,
    #[serde(default)]
    pub layout: Layout,
    #[serde(default)]
    pub watermark: Option<Watermark>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VideoCodec {
    /// With AAC in an MP4.
    H264,
    /// With Vorbis in a WebM.
    VP8,
}

/// Who is how large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Everybody the same, as long as nobody shows a screen.
    #[default]
    Grid,
    /// Who speaks large, the others small.
    Speaker,
}

/// A picture that lies over all pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watermark {
    /// The name of an image in the job's folder, in any format that ffmpeg reads.
    pub file: String,
    #[serde(default)]
    pub position: Position,
    /// Pixels; the image's own where there is none.
    #[serde(default)]
    pub width: Option<u32>,
    #[serde(default)]
    pub height: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    #[default]
    #[serde(rename = "left top")]
    LeftTop,
    #[serde(rename = "right top")]
    RightTop,
    #[serde(rename = "left bottom")]
    LeftBottom,
    #[serde(rename = "right bottom")]
    RightBottom,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audio {
    pub codec: AudioCodec,
    #[serde(default)]
    pub channel: Channel,
    /// Whether a file of sound alone is made, beside the one with pictures.
    #[serde(default)]
    pub file: bool,
}

impl Default for Audio {
    fn default() -> Self {
        Self { codec: AudioCodec::Aac, channel: Channel::Stereo, file: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AudioCodec {
    /// A file of it is an `.m4a`.
    #[serde(rename = "AAC")]
    Aac,
    #[serde(rename = "MP3")]
    Mp3,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Mono,
    #[default]
    Stereo,
}

/// What the server wants of a recorder that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// What happens until `Resume` is not recorded, and leaves no gap in composites.
    Pause,
    Resume,
    /// Record those of these participants or custom ids from now on; everybody's if there is no list.
    Of {
        user_ids: Option<Vec<String>>,
    },
    /// Finish the files.
    Stop,
}

/// What a recorder says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub enum Saying {
    /// It is in the meeting, and records from this moment on.
    Began {
        at_ms: u64,
    },
    Paused {
        at_ms: u64,
    },
    Resumed {
        at_ms: u64,
    },
    /// What is in files so far; of what others stream to us, what came of them.
    Progress {
        bytes: u64,
        /// Recorded milliseconds, without pauses.
        ms: u64,
    },
    /// Of a job that is `live`: these two seconds can be watched.
    Segment {
        name: String,
        /// The file that players need before it.
        head: String,
        /// What is in it, as RFC 6381 has it.
        codecs: String,
        /// When its first picture was made.
        at_ms: u64,
        /// How long it is.
        ms: u64,
    },
    /// Whether its receiver is sent it: if it is not, why, which may change.
    Streamed {
        why: Option<String>,
    },
    /// Something is missing: pictures of somebody cannot be shown, for this reason, or it ended before it was to. Said once of each.
    Unshown {
        why: String,
    },
    /// The last thing said: these files are whole, and change no more.
    Finished {
        at_ms: u64,
        /// Recorded milliseconds, without pauses.
        duration_ms: u64,
        files: Vec<File>,
    },
    /// The last thing said: there is nothing to play. Of what others stream to us: it ended otherwise than they said.
    Failed {
        why: String,
    },
}

/// A file in the job's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub name: String,
    pub bytes: u64,
    pub kind: FileKind,
    /// Whose voice a track is: the participant's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<String>,
    pub duration_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// Pictures and sound.
    Video,
    /// The sound of everybody.
    Audio,
    /// One voice.
    Track,
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    fn round<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(meant: T, written: &Value) {
        assert_eq!(&serde_json::to_value(&meant).unwrap(), written);
        assert_eq!(serde_json::from_value::<T>(written.clone()).unwrap(), meant);
    }

    fn job() -> Job {
        Job {
            id: "r".into(),
            server: "http://127.0.0.1:8787".into(),
            meeting_id: "m".into(),
            token: "t".into(),
            folder: "/jobs/r".into(),
            name: "standup_m_1".into(),
            kind: Kind::Composite,
            user_ids: None,
            video: Some(Video {
                codec: VideoCodec::H264,
                width: 1280,
                height: 720,
                file: true,
                layout: Layout::Speaker,
                watermark: Some(Watermark {
                    file: "mark.png".into(),
                    position: Position::RightTop,
                    width: Some(64),
                    height: None,
                }),
            }),
            audio: Some(Audio { codec: AudioCodec::Mp3, channel: Channel::Mono, file: true }),
            live: true,
            rtmp: Some(Rtmp { url: "rtmp://example.org/live/key".into(), open: vec!["10.0.0.0/8".into()] }),
            ingest: Some(Ingest { read: "03".into(), kilobits: 12_000 }),
            ffmpeg: "/usr/bin/ffmpeg".into(),
        }
    }

    #[test]
    fn a_job_is_written_and_read() {
        round(
            job(),
            &json!({
                "id": "r", "server": "http://127.0.0.1:8787", "meeting_id": "m", "token": "t", "folder": "/jobs/r",
                "name": "standup_m_1", "kind": "composite", "user_ids": null,
                "video": {
                    "codec": "H264", "width": 1280, "height": 720, "file": true, "layout": "speaker",
                    "watermark": {"file": "mark.png", "position": "right top", "width": 64, "height": null},
                },
                "audio": {"codec": "MP3", "channel": "mono", "file": true},
                "live": true, "rtmp": {"url": "rtmp://example.org/live/key", "open": ["10.0.0.0/8"]},
                "ingest": {"read": "03", "kilobits": 12000},
                "ffmpeg": "/usr/bin/ffmpeg",
            }),
        );
    }

    #[test]
    fn what_a_job_leaves_out_has_its_usual_value() {
        let written = json!({
            "id": "r", "server": "http://127.0.0.1:8787", "meeting_id": "m", "token": "t", "folder": "/jobs/r",
            "name": "default", "kind": "track", "user_ids": ["u"],
        });
        let read: Job = serde_json::from_value(written).unwrap();
        let wanted = Job {
            kind: Kind::Track,
            name: "default".into(),
            user_ids: Some(vec!["u".into()]),
            video: None,
            audio: None,
            live: false,
            rtmp: None,
            ingest: None,
            ffmpeg: "ffmpeg".into(),
            ..job()
        };
        assert_eq!(read, wanted);
    }

    #[test]
    fn orders_and_sayings_are_written_and_read() {
        round(Order::Pause, &json!({"order": "pause"}));
        round(Order::Resume, &json!({"order": "resume"}));
        round(Order::Stop, &json!({"order": "stop"}));
        round(Order::Of { user_ids: Some(vec!["u".into()]) }, &json!({"order": "of", "user_ids": ["u"]}));
        round(Order::Of { user_ids: None }, &json!({"order": "of", "user_ids": null}));
        round(Saying::Began { at_ms: 1 }, &json!({"said": "began", "at_ms": 1}));
        round(Saying::Paused { at_ms: 2 }, &json!({"said": "paused", "at_ms": 2}));
        round(Saying::Resumed { at_ms: 3 }, &json!({"said": "resumed", "at_ms": 3}));
        round(Saying::Progress { bytes: 4, ms: 5 }, &json!({"said": "progress", "bytes": 4, "ms": 5}));
        round(
            Saying::Segment { name: "1.m4s".into(), head: "1.mp4".into(), codecs: "avc1.64001f".into(), at_ms: 6, ms: 2_000 },
            &json!({"said": "segment", "name": "1.m4s", "head": "1.mp4", "codecs": "avc1.64001f", "at_ms": 6, "ms": 2_000}),
        );
        round(Saying::Streamed { why: Some("gone".into()) }, &json!({"said": "streamed", "why": "gone"}));
        round(Saying::Streamed { why: None }, &json!({"said": "streamed", "why": null}));
        round(Saying::Unshown { why: "no".into() }, &json!({"said": "unshown", "why": "no"}));
        assert!(!format!("{:?}", job()).contains("key"), "the address of a receiver is in no log");
        round(Saying::Failed { why: "no".into() }, &json!({"said": "failed", "why": "no"}));
        let track = File {
            name: "a.webm".into(),
            bytes: 1,
            kind: FileKind::Track,
            user_id: Some("u".into()),
            peer_id: Some("p".into()),
            duration_ms: 2,
        };
        let whole = File { name: "a.mp4".into(), kind: FileKind::Video, user_id: None, peer_id: None, ..track.clone() };
        round(
            Saying::Finished { at_ms: 6, duration_ms: 7, files: vec![track, whole] },
            &json!({"said": "finished", "at_ms": 6, "duration_ms": 7, "files": [
                {"name": "a.webm", "bytes": 1, "kind": "track", "user_id": "u", "peer_id": "p", "duration_ms": 2},
                {"name": "a.mp4", "bytes": 1, "kind": "video", "duration_ms": 2},
            ]}),
        );
    }
}
