//! What webhooks are told, from what the record says. The same words wherever it is shown.
//! Invariant: the same notice gives the same bytes: compact, fields in one order, so that a receiver that reads and writes
//! them anew before it checks the signature gets the same.

use salon_core::Notice;
use salon_core::event::EndReason;
use salon_core::notice::{
    LivestreamReport, LivestreamStatus as Streamed, News, RecordingReport, RecordingStatus, Visit, Written,
};
use salon_core::{AppId, Timestamp};
use salon_store::DAY_MS;
use salon_wire::rest::recordings::{DownloadUrl, LayerFiles, RecordingStatus as Status, TrackFile};
use salon_wire::rest::sessions::{ChatFormat, TranscriptFormat};
use salon_wire::rest::webhooks as wire;

use crate::recording_links::Links;
use crate::rfc3339::rfc3339;
use crate::session_links::{Document, whole_seconds};

/// How long a link to a chat is good.
const CHAT_LINK_MS: i64 = 7 * DAY_MS;

/// The body of the request that tells `notice`.
pub fn body(notice: &Notice, app_name: &str, links: &Links) -> Vec<u8> {
    serde_json::to_vec(&payload(notice, app_name, links)).expect("a payload is plain data")
}

/// What is told of `notice`.
pub fn payload(notice: &Notice, app_name: &str, links: &Links) -> wire::WebhookPayload {
    use wire::WebhookEvent as Event;
    let payload = |event| wire::WebhookPayload {
        event,
        meeting: Some(meeting(notice, app_name)),
        participant: None,
        recording: None,
        livestream: None,
        reason: None,
        transcript_download_url: None,
        transcript_download_url_expiry: None,
        summary_download_url: None,
        summary_download_url_expiry: None,
        chat: None,
    };
    let document = |document: Document, written: &Written| {
        let expires = whole_seconds(written.expires_at);
        (Some(document.link(&links.tokens, &links.here, &notice.session, expires)), Some(rfc3339(expires)))
    };
    match &notice.news {
        News::Started => payload(Event::MeetingStarted),
        News::Joined(visit) => {
            wire::WebhookPayload { participant: Some(participant(visit, None)), ..payload(Event::ParticipantJoined) }
        }
        News::Left(visit, left_at) => {
            wire::WebhookPayload { participant: Some(participant(visit, Some(*left_at))), ..payload(Event::ParticipantLeft) }
        }
        News::Ended { reason, .. } => wire::WebhookPayload { reason: Some(why(*reason)), ..payload(Event::MeetingEnded) },
        News::ChatSynced { ended_at } => {
            let chat = Some(chat(notice, *ended_at, app_name, links));
            wire::WebhookPayload { meeting: None, chat, ..payload(Event::ChatSynced) }
        }
        News::Recording(report) => {
            wire::WebhookPayload { recording: Some(recording(notice, report, links)), ..payload(Event::RecordingStatus) }
        }
        News::Livestream(report) => {
            let mut meeting = meeting(notice, app_name);
            (meeting.session_id, meeting.created_at, meeting.started_at) = (None, None, None);
            let (meeting, livestream) = (report.is_of_meeting.then_some(meeting), Some(livestream(report)));
            wire::WebhookPayload { meeting, livestream, ..payload(Event::LivestreamingStatus) }
        }
        News::Transcript(written) => {
            let (url, expiry) = document(Document::Transcript(TranscriptFormat::Csv), written);
            let payload = payload(Event::Transcript);
            wire::WebhookPayload { transcript_download_url: url, transcript_download_url_expiry: expiry, ..payload }
        }
        News::Summary(written) => {
            let (url, expiry) = document(Document::Summary, written);
            wire::WebhookPayload { summary_download_url: url, summary_download_url_expiry: expiry, ..payload(Event::Summary) }
        }
    }
}

fn livestream(report: &LivestreamReport) -> wire::PayloadLivestream {
    let status = match report.status {
        Streamed::Invoked => "IDLE",
        Streamed::Live => "LIVE",
        // There is no word for one that failed.
        Streamed::Idle | Streamed::Errored => "OFFLINE",
    };
    wire::PayloadLivestream {
        stream_id: report.livestream.to_string(),
        status: status.to_owned(),
        manual_ingest: report.is_ingested,
        playback_url: report.playback_url.clone(),
    }
}

/// A link that whoever is told has a week to follow.
fn chat(notice: &Notice, ended_at: Timestamp, app_name: &str, links: &Links) -> wire::PayloadChat {
    let expires = whole_seconds(notice.at.plus_ms(CHAT_LINK_MS));
    wire::PayloadChat {
        session_id: notice.session.to_string(),
        meeting_id: notice.meeting.to_string(),
        title: notice.title.clone(),
        chat_download_url: Document::Chat(ChatFormat::Csv).link(&links.tokens, &links.here, &notice.session, expires),
        chat_download_url_expiry: rfc3339(expires),
        created_at: rfc3339(notice.created_at),
        started_at: rfc3339(notice.started_at),
        ended_at: rfc3339(ended_at),
        organized_by: app(&notice.app, app_name),
    }
}

fn recording(notice: &Notice, report: &RecordingReport, links: &Links) -> wire::PayloadRecording {
    let link = |name: &String| links.to(&report.recording, name, report.expires_at);
    let is_there = report.status == RecordingStatus::Uploaded;
    let download_url = match &report.video {
        Some(video) => Some(DownloadUrl::One(link(video))),
        None if report.tracks.is_empty() => None,
        None => {
            let one = |name: &String| (name.clone(), TrackFile { download_url: link(name) });
            let download_urls = report.tracks.iter().map(one).collect();
            Some(DownloadUrl::Layers(vec![LayerFiles { layer_name: "default".to_owned(), download_urls }]))
        }
    };
    wire::PayloadRecording {
        id: report.recording.to_string(),
        recording_id: report.recording.to_string(),
        meeting_id: notice.meeting.to_string(),
        organization_id: notice.app.to_string(),
        room_uuid: notice.session.to_string(),
        status: match report.status {
            RecordingStatus::Invoked => Status::Invoked,
            RecordingStatus::Recording => Status::Recording,
            RecordingStatus::Paused => Status::Paused,
            RecordingStatus::Uploading => Status::Uploading,
            RecordingStatus::Uploaded => Status::Uploaded,
            RecordingStatus::Errored => Status::Errored,
        },
        started_time: report.started_at.map(rfc3339),
        stopped_time: report.stopped_at.map(rfc3339),
        file_size: report.bytes.map(|bytes| bytes.to_string()),
        output_file_name: report.name.clone(),
        download_url: download_url.filter(|_| is_there),
        audio_download_url: report.audio.as_ref().filter(|_| is_there).map(link),
        download_url_expiry: report.expires_at.filter(|_| is_there).map(rfc3339),
        recording_duration: report.stopped_at.map(|_| report.recorded_ms / 1_000),
    }
}

fn meeting(notice: &Notice, app_name: &str) -> wire::PayloadMeeting {
    let ended_at = match notice.news {
        News::Ended { at, .. } => Some(rfc3339(at)),
        News::Transcript(Written { ended_at, .. }) | News::Summary(Written { ended_at, .. }) => Some(rfc3339(ended_at)),
        _ => None,
    };
    wire::PayloadMeeting {
        id: notice.meeting.to_string(),
        session_id: Some(notice.session.to_string()),
        title: notice.title.clone(),
        room_name: notice.meeting.to_string(),
        // Of every payload in the documentation, the end's too.
        status: "LIVE".to_owned(),
        created_at: Some(rfc3339(notice.created_at)),
        started_at: Some(rfc3339(notice.started_at)),
        ended_at,
        organized_by: app(&notice.app, app_name),
    }
}

fn app(id: &AppId, name: &str) -> wire::PayloadApp {
    wire::PayloadApp { id: id.to_string(), name: name.to_owned() }
}

fn participant(visit: &Visit, left_at: Option<Timestamp>) -> wire::PayloadParticipant {
    wire::PayloadParticipant {
        peer_id: visit.peer.to_string(),
        user_display_name: visit.name.clone(),
        custom_participant_id: visit.custom_participant_id.clone(),
        client_specific_id: visit.custom_participant_id.clone(),
        joined_at: rfc3339(visit.joined_at),
        left_at: left_at.map(rfc3339),
    }
}

fn why(reason: EndReason) -> wire::PayloadReason {
    match reason {
        EndReason::AllLeft => wire::PayloadReason::AllParticipantsLeft,
        EndReason::Closed => wire::PayloadReason::HostEndedMeeting,
    }
}

#[cfg(test)]
mod tests {
    use salon_core::{MeetingId, PeerId, SessionId};

    use super::*;

    #[test]
    fn bodies_are_the_documented_ones() {
        let visit = || Visit {
            peer: PeerId::parse("tab").expect("an id"),
            name: "Ann \"A\"".to_owned(),
            custom_participant_id: "c-1".to_owned(),
            joined_at: Timestamp(1_641_997_294_388),
        };
        let links = Links { tokens: crate::tokens::Tokens::new(b"secret", 1), here: "https://salon.example".into() };
        let said = |news| {
            let notice = Notice {
                session: SessionId::parse("s").expect("an id"),
                meeting: MeetingId::parse("m").expect("an id"),
                app: AppId::parse("a").expect("an id"),
                title: "Planning".to_owned(),
                started_at: Timestamp(0),
                created_at: Timestamp(1),
                seq: 3,
                at: Timestamp(2),
                news,
            };
            String::from_utf8(body(&notice, "First", &links)).expect("JSON is text")
        };
        let meeting = |ended: &str| {
            format!(
                r#""meeting":{{"id":"m","sessionId":"s","title":"Planning","roomName":"m","status":"LIVE","createdAt":"1970-01-01T00:00:00.001Z","startedAt":"1970-01-01T00:00:00.000Z",{ended}"organizedBy":{{"id":"a","name":"First"}}}}"#
            )
        };
        let who = r#""participant":{"peerId":"tab","userDisplayName":"Ann \"A\"","customParticipantId":"c-1","clientSpecificId":"c-1","joinedAt":"2022-01-12T14:21:34.388Z""#;
        for (news, expected) in [
            (News::Started, format!(r#"{{"event":"meeting.started",{}}}"#, meeting(""))),
            (News::Joined(visit()), format!(r#"{{"event":"meeting.participantJoined",{},{who}}}}}"#, meeting(""))),
            (
                News::Left(visit(), Timestamp(1_641_997_295_000)),
                format!(r#"{{"event":"meeting.participantLeft",{},{who},"leftAt":"2022-01-12T14:21:35.000Z"}}}}"#, meeting("")),
            ),
            (
                News::Ended { at: Timestamp(1_000), reason: EndReason::AllLeft },
                format!(
                    r#"{{"event":"meeting.ended",{},"reason":"ALL_PARTICIPANTS_LEFT"}}"#,
                    meeting(r#""endedAt":"1970-01-01T00:00:01.000Z","#)
                ),
            ),
            (
                News::Ended { at: Timestamp(1_000), reason: EndReason::Closed },
                format!(
                    r#"{{"event":"meeting.ended",{},"reason":"HOST_ENDED_MEETING"}}"#,
                    meeting(r#""endedAt":"1970-01-01T00:00:01.000Z","#)
                ),
            ),
        ] {
            assert_eq!(said(news), expected);
        }
        let written = Written { ended_at: Timestamp(1_000), expires_at: Timestamp(1_641_997_295_700) };
        let ended = r#""endedAt":"1970-01-01T00:00:01.000Z","#;
        for (news, event, key, file) in [
            (News::Transcript(written), "transcript", "transcriptDownloadUrl", "s.csv"),
            (News::Summary(written), "summary", "summaryDownloadUrl", "s.summary.txt"),
        ] {
            let said = said(news);
            let begins = format!(
                r#"{{"event":"meeting.{event}",{},"{key}":"https://salon.example/files/transcripts/{file}?expires=1641997295000&signature="#,
                meeting(ended)
            );
            let ends = format!(r#"","{key}Expiry":"2022-01-12T14:21:35.000Z"}}"#);
            assert!(said.starts_with(&begins) && said.ends_with(&ends), "{said}");
        }
        let chat = said(News::ChatSynced { ended_at: Timestamp(1_000) });
        let begins = r#"{"event":"meeting.chatSynced","sessionId":"s","meetingId":"m","title":"Planning","chatDownloadUrl":"https://salon.example/downloads/chat/s.csv?expires=604800000&signature="#;
        let ends = r#"","chatDownloadUrlExpiry":"1970-01-08T00:00:00.000Z","createdAt":"1970-01-01T00:00:00.001Z","startedAt":"1970-01-01T00:00:00.000Z","endedAt":"1970-01-01T00:00:01.000Z","organizedBy":{"id":"a","name":"First"}}"#;
        assert!(chat.starts_with(begins) && chat.ends_with(ends), "{chat}");
    }
}
