//! People, what they publish, who waits, and what applications say to each other.

use salon_core::event::{Track, TrackKind};
use salon_core::preset::Recorder;
use salon_core::session::{Broadcast, PeerView, Stage, WaitingView};
use salon_wire::signaling::media::{self, edge};
use salon_wire::signaling::socket::room;

pub fn peer_info(peer: &PeerView) -> room::PeerInfoResponse {
    room::PeerInfoResponse { peer: Some(self::peer(peer)) }
}

/// 0 would read as off stage (seen in web SDK 2.0.2).
pub fn stage_type(stage: Stage) -> i32 {
    let stage = match stage {
        Stage::On => room::StageType::OnStage,
        Stage::Approved => room::StageType::ApprovedStage,
        Stage::Requested => room::StageType::RequestedStage,
        Stage::Off => room::StageType::OffStage,
    };
    stage as i32
}

pub fn peer(peer: &PeerView) -> room::Peer {
    room::Peer {
        peer_id: peer.peer.to_string(),
        user_id: peer.participant.to_string(),
        display_name: peer.name.clone(),
        stage_type: Some(stage_type(peer.stage)),
        custom_participant_id: Some(peer.custom_participant_id.clone()),
        preset_id: Some(peer.preset.to_string()),
        display_picture_url: peer.picture.clone(),
        waitlisted: peer.waiting,
        flags: Some(room::PeerFlags {
            preset_name: peer.preset_name.clone(),
            recorder_type: recorder(peer.recorder).to_string(),
            hidden_participant: peer.hidden,
        }),
    }
}

fn recorder(recorder: Recorder) -> &'static str {
    match recorder {
        Recorder::None => "NONE",
        // Nobody is told of one that listens but itself.
        Recorder::Recorder | Recorder::Listener => "RECORDER",
        Recorder::Livestreamer => "LIVESTREAMER",
    }
}

pub fn media_participant(peer: &PeerView, tracks: &[Track]) -> edge::RoomParticipants {
    edge::RoomParticipants {
        peer_id: peer.peer.to_string(),
        producer_states: tracks.iter().map(producer_state).collect(),
        display_name: peer.name.clone(),
        user_id: Some(peer.participant.to_string()),
        capabilities: Some(said_to_take_and_send()),
    }
}

/// Cores before 2.0 send their camera once in each codec that is the best for somebody, and switch only some of these on
/// again: so that they send it once, all are said to take the one they begin with. And they pass over cameras in another codec
/// than the best that somebody is said to send: so nobody is said to send that one (seen in web SDK 1.2.0). Later ones do not
/// look.
fn said_to_take_and_send() -> media::PeerRtpCapabilitites {
    let codec = |mime_type: &str| media::Codec { mime_type: mime_type.to_owned(), clock_rate: 90_000, ..media::Codec::default() };
    let pictures = |codecs: &[&str]| {
        let codecs = codecs.iter().map(|name| codec(name)).collect();
        let video = Some(media::RtpCapability { codecs, header_extensions: Vec::new() });
        Some(media::RtpCapabilitites { audio: None, video })
    };
    media::PeerRtpCapabilitites { sender: pictures(&["video/VP8"]), receiver: pictures(&["video/VP9", "video/VP8"]) }
}

pub fn producer_state(track: &Track) -> media::ProducerState {
    let kind = match track.kind {
        TrackKind::Audio => media::ProducerKind::Audio,
        TrackKind::Video => media::ProducerKind::Video,
    };
    media::ProducerState {
        producer_id: track.id.to_string(),
        kind: kind as i32,
        pause: track.paused,
        screen_share: track.screen_share,
        app_data: Some(track.app_data.clone()),
        producing_transport_id: Some(track.transport.clone()),
        mime_type: Some(track.mime_type.clone()).filter(|mime| !mime.is_empty()),
        codec: None,
    }
}

pub fn waiting_list(waiting: &[WaitingView]) -> room::GetWaitingRoomRequests {
    let requests = waiting.iter().map(|waiting| room::WaitingRoomRequest {
        peer_id: waiting.peer.to_string(),
        user_id: waiting.participant.to_string(),
        display_name: waiting.name.clone(),
        picture: waiting.picture.clone(),
        custom_participant_id: Some(waiting.custom_participant_id.clone()),
        preset_name: Some(waiting.preset_name.clone()),
    });
    room::GetWaitingRoomRequests { requests: requests.collect() }
}

pub fn broadcast(broadcast: &Broadcast) -> room::BroadcastMessage {
    room::BroadcastMessage {
        r#type: broadcast.kind.clone(),
        payload: broadcast.payload.clone(),
        timestamp: broadcast.timestamp,
        ids: broadcast.ids.clone(),
        broadcast_type: None,
    }
}
