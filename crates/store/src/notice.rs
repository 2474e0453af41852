//! How a notice is kept: the name of its event and a JSON object, under names that never change.
//! Invariant: what was written once can be read for ever, as with events (`record.rs`).
//! What cannot be read is `None`, never a panic and never a guess.

use salon_core::event::EndReason;
use salon_core::notice::{LivestreamReport, LivestreamStatus, News, RecordingReport, RecordingStatus, Visit, Written};
use salon_core::{AppId, MeetingId, Notice, PeerId, RecordingId, SessionId, Timestamp};
use serde_json::{Value, json};

use crate::record::{RECORDING_KINDS, Words};

const STARTED: &str = "meeting.started";
pub(crate) const JOINED: &str = "meeting.participantJoined";
pub(crate) const LEFT: &str = "meeting.participantLeft";
const ENDED: &str = "meeting.ended";
const CHAT: &str = "meeting.chatSynced";
const RECORDING: &str = "recording.statusUpdate";
const TRANSCRIPT: &str = "meeting.transcript";
const SUMMARY: &str = "meeting.summary";
const LIVESTREAM: &str = "livestreaming.statusUpdate";

const STATUSES: Words<RecordingStatus> = Words(&[
    (RecordingStatus::Invoked, "invoked"),
    (RecordingStatus::Recording, "recording"),
    (RecordingStatus::Paused, "paused"),
    (RecordingStatus::Uploading, "uploading"),
    (RecordingStatus::Uploaded, "uploaded"),
    (RecordingStatus::Errored, "errored"),
]);

const STREAMS: Words<LivestreamStatus> = Words(&[
    (LivestreamStatus::Invoked, "invoked"),
    (LivestreamStatus::Live, "live"),
    (LivestreamStatus::Idle, "idle"),
    (LivestreamStatus::Errored, "errored"),
]);

/// The event's name, by which webhooks ask for it.
pub(crate) fn name(notice: &Notice) -> &'static str {
    match notice.news {
        News::Started => STARTED,
        News::Joined(_) => JOINED,
        News::Left(..) => LEFT,
        News::Ended { .. } => ENDED,
        News::ChatSynced { .. } => CHAT,
        News::Recording(_) => RECORDING,
        News::Transcript(_) => TRANSCRIPT,
        News::Summary(_) => SUMMARY,
        News::Livestream(_) => LIVESTREAM,
    }
}

pub(crate) fn encode(notice: &Notice) -> String {
    let mut json = json!({
        "session": notice.session.as_str(), "meeting": notice.meeting.as_str(), "app": notice.app.as_str(),
        "title": notice.title, "started_ms": notice.started_at.0, "created_ms": notice.created_at.0,
        "seq": notice.seq, "at_ms": notice.at.0,
    });
    match &notice.news {
        News::Started => {}
        News::Joined(visit) => json["visit"] = encode_visit(visit),
        News::Left(visit, left_at) => {
            json["visit"] = encode_visit(visit);
            json["left_ms"] = left_at.0.into();
        }
        News::Ended { at, reason } => {
            json["ended_ms"] = at.0.into();
            json["reason"] = match reason {
                EndReason::AllLeft => "all_left",
                EndReason::Closed => "closed",
            }
            .into();
        }
        News::ChatSynced { ended_at } => json["ended_ms"] = ended_at.0.into(),
        News::Recording(report) => json["recording"] = encode_report(report),
        News::Transcript(written) | News::Summary(written) => {
            json["ended_ms"] = written.ended_at.0.into();
            json["expires_ms"] = written.expires_at.0.into();
        }
        News::Livestream(report) => {
            json["livestream"] = json!({
                "id": report.livestream.as_str(), "status": STREAMS.name(report.status), "playback_url": report.playback_url,
                "ingested": report.is_ingested, "of_meeting": report.is_of_meeting,
            });
        }
    }
    json.to_string()
}

fn encode_report(report: &RecordingReport) -> Value {
    let ms = |at: Option<Timestamp>| at.map(|at| at.0);
    json!({
        "id": report.recording.as_str(), "kind": RECORDING_KINDS.name(report.kind), "status": STATUSES.name(report.status),
        "name": report.name, "started_ms": ms(report.started_at), "stopped_ms": ms(report.stopped_at),
        "bytes": report.bytes, "recorded_ms": report.recorded_ms, "video": report.video, "audio": report.audio,
        "tracks": report.tracks, "expires_ms": ms(report.expires_at),
    })
}

fn decode_report(json: &Value) -> Option<RecordingReport> {
    let maybe_time = |field: &str| json[field].as_i64().map(Timestamp);
    let maybe_text = |field: &str| json[field].as_str().map(str::to_owned);
    Some(RecordingReport {
        recording: RecordingId::parse(json["id"].as_str()?).ok()?,
        kind: RECORDING_KINDS.value(json["kind"].as_str()?)?,
        status: STATUSES.value(json["status"].as_str()?)?,
        name: maybe_text("name")?,
        started_at: maybe_time("started_ms"),
        stopped_at: maybe_time("stopped_ms"),
        bytes: json["bytes"].as_u64(),
        recorded_ms: json["recorded_ms"].as_i64()?,
        video: maybe_text("video"),
        audio: maybe_text("audio"),
        tracks: json["tracks"].as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        expires_at: maybe_time("expires_ms"),
    })
}

fn encode_visit(visit: &Visit) -> Value {
    json!({
        "peer": visit.peer.as_str(), "name": visit.name, "custom_participant_id": visit.custom_participant_id,
        "joined_ms": visit.joined_at.0,
    })
}

/// Reads a notice back; `None` if the event is unknown or the JSON is not what it needs.
pub(crate) fn decode(name: &str, json: &str) -> Option<Notice> {
    let json: Value = serde_json::from_str(json).ok()?;
    let time = |field: &str| json[field].as_i64().map(Timestamp);
    let written = || Some(Written { ended_at: time("ended_ms")?, expires_at: time("expires_ms")? });
    let news = match name {
        STARTED => News::Started,
        JOINED => News::Joined(decode_visit(&json["visit"])?),
        LEFT => News::Left(decode_visit(&json["visit"])?, time("left_ms")?),
        ENDED => {
            let reason = match json["reason"].as_str()? {
                "all_left" => EndReason::AllLeft,
                "closed" => EndReason::Closed,
                _ => return None,
            };
            News::Ended { at: time("ended_ms")?, reason }
        }
        CHAT => News::ChatSynced { ended_at: time("ended_ms")? },
        RECORDING => News::Recording(Box::new(decode_report(&json["recording"])?)),
        TRANSCRIPT => News::Transcript(written()?),
        SUMMARY => News::Summary(written()?),
        LIVESTREAM => {
            let report = &json["livestream"];
            News::Livestream(LivestreamReport {
                livestream: RecordingId::parse(report["id"].as_str()?).ok()?,
                status: STREAMS.value(report["status"].as_str()?)?,
                playback_url: report["playback_url"].as_str()?.to_owned(),
                // Once all were of meetings, and none came from elsewhere.
                is_ingested: report["ingested"].as_bool().unwrap_or(false),
                is_of_meeting: report["of_meeting"].as_bool().unwrap_or(true),
            })
        }
        _ => return None,
    };
    Some(Notice {
        session: SessionId::parse(json["session"].as_str()?).ok()?,
        meeting: MeetingId::parse(json["meeting"].as_str()?).ok()?,
        app: AppId::parse(json["app"].as_str()?).ok()?,
        title: json["title"].as_str()?.to_owned(),
        started_at: time("started_ms")?,
        created_at: time("created_ms")?,
        seq: json["seq"].as_u64()?,
        at: time("at_ms")?,
        news,
    })
}

fn decode_visit(json: &Value) -> Option<Visit> {
    let text = |field: &str| json[field].as_str();
    Some(Visit {
        peer: PeerId::parse(text("peer")?).ok()?,
        name: text("name")?.to_owned(),
        custom_participant_id: text("custom_participant_id")?.to_owned(),
        joined_at: Timestamp(json["joined_ms"].as_i64()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(news: News) -> Notice {
        Notice {
            session: SessionId::parse("s").expect("an id"),
            meeting: MeetingId::parse("m").expect("an id"),
            app: AppId::parse("a").expect("an id"),
            title: "Pl\"anning\" \u{fffd}".to_owned(),
            started_at: Timestamp(1),
            created_at: Timestamp(2),
            seq: 7,
            at: Timestamp(9),
            news,
        }
    }

    #[test]
    fn notices_come_back_as_they_were() {
        let visit = || Visit {
            peer: PeerId::parse("tab-1").expect("an id"),
            name: "Ann O'Neil".to_owned(),
            custom_participant_id: String::new(),
            joined_at: Timestamp(3),
        };
        let report = |status, known: bool| {
            News::Recording(Box::new(RecordingReport {
                recording: RecordingId::parse("r").expect("an id"),
                kind: salon_core::event::RecordingKind::Track,
                status,
                name: "a_{user_id}.webm".to_owned(),
                started_at: known.then_some(Timestamp(4)),
                stopped_at: known.then_some(Timestamp(5)),
                bytes: known.then_some(6),
                recorded_ms: 1,
                video: known.then(|| "a.mp4".to_owned()),
                audio: known.then(|| "a.m4a".to_owned()),
                tracks: vec!["a_1.webm".to_owned()],
                expires_at: known.then_some(Timestamp(7)),
            }))
        };
        let stream = |status| {
            News::Livestream(LivestreamReport {
                livestream: RecordingId::parse("l").expect("an id"),
                status,
                playback_url: "https://x/live/0".to_owned(),
                is_ingested: status == LivestreamStatus::Live,
                is_of_meeting: status != LivestreamStatus::Live,
            })
        };
        for news in [
            report(RecordingStatus::Invoked, false),
            report(RecordingStatus::Recording, false),
            report(RecordingStatus::Paused, false),
            report(RecordingStatus::Uploading, true),
            report(RecordingStatus::Uploaded, true),
            report(RecordingStatus::Errored, true),
            stream(LivestreamStatus::Invoked),
            stream(LivestreamStatus::Live),
            stream(LivestreamStatus::Idle),
            stream(LivestreamStatus::Errored),
            News::Started,
            News::Joined(visit()),
            News::Left(visit(), Timestamp(8)),
            News::Ended { at: Timestamp(8), reason: EndReason::AllLeft },
            News::Ended { at: Timestamp(8), reason: EndReason::Closed },
            News::ChatSynced { ended_at: Timestamp(8) },
            News::Transcript(Written { ended_at: Timestamp(8), expires_at: Timestamp(9) }),
            News::Summary(Written { ended_at: Timestamp(8), expires_at: Timestamp(9) }),
        ] {
            let notice = notice(news);
            assert_eq!(decode(name(&notice), &encode(&notice)), Some(notice));
        }
        assert_eq!(decode(JOINED, &encode(&notice(News::Started))), None);
        assert_eq!(decode("meeting.sang", "{}"), None);
    }
}
