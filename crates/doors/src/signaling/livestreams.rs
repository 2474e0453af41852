//! What people in a meeting see of its livestream. It is started and stopped over REST.
//! Clients wait for the end of one that they stop, or that fails to start, and do nothing else meanwhile (seen in web SDK 2.0.2).
//! Next: `rest/livestreams.rs`.

use prost::Message as _;
use salon_core::session::{LivestreamNews, MeetingFacts};
use salon_wire::event_id::room as r;
use salon_wire::signaling::socket::{livestreaming as wire, room};

/// The push that tells of it.
pub fn push(news: &LivestreamNews, facts: &MeetingFacts) -> (u32, Vec<u8>) {
    let about = wire::LiveStreamingEvent { meeting_id: facts.meeting.to_string(), ..wire::LiveStreamingEvent::default() };
    let (event, told) = match news {
        LivestreamNews::Viewers(count) => {
            return (r::ROOM_PEER_COUNT, room::RoomPeerCountResponse { count: *count }.encode_to_vec());
        }
        LivestreamNews::Awaited { livestream } => {
            // Clients pass it over without the last.
            let (livestream_id, status) = (livestream.to_string(), "INVOKED".to_owned());
            (r::LIVESTREAMING_INVOKED, wire::LiveStreamingEvent { livestream_id, status, manual_ingest: Some(true), ..about })
        }
        LivestreamNews::Live { livestream, playback_url } => {
            let (livestream_id, playback_url) = (livestream.to_string(), playback_url.clone());
            let told = wire::LiveStreamingEvent { livestream_id, playback_url, status: "LIVE".to_owned(), ..about };
            (r::STARTED_LIVESTREAM, told)
        }
        LivestreamNews::Stopped { livestream } => {
            let livestream_id = livestream.as_ref().map(ToString::to_string).unwrap_or_default();
            (r::STOPPED_LIVESTREAM, wire::LiveStreamingEvent { livestream_id, status: "IDLE".to_owned(), ..about })
        }
        LivestreamNews::Failed { livestream, error } => {
            let (livestream_id, err_message) = (livestream.to_string(), error.clone());
            let told = wire::LiveStreamingEvent { livestream_id, err_message, status: "ERRORED".to_owned(), ..about };
            (r::ERRORED_LIVESTREAM, told)
        }
    };
    (event, told.encode_to_vec())
}
