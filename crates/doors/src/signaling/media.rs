//! The media service: transports, publishing, subscribing, muting.
//! Invariant: the session is asked before the media server, and a transport must be the caller's own.
//! Next: `salon_media::Owners`, who owns which transport.

use std::time::Duration;

use prost::bytes::Bytes;
use salon_core::event::{Track, TrackKind};
use salon_core::session::{Act, Mute, Refusal};
use salon_core::{Session, TrackId};
use salon_sfu::{Consume, ConsumeError, Kind, Produce, ProducerId, Role, TransportId};
use salon_store::acting;
use salon_wire::signaling::media::{self as wire, Target, edge};

use crate::ids::random_id;
use crate::signaling::caller::{Answer, Caller, answer};
use crate::signaling::from_wire::peer_id;
use crate::signaling::to_wire::people;
use crate::signaling::trouble::Trouble;
use salon_media::{Wanted, cap};

/// Tracks asked for, closed or re-layered in one message at most; the SDK asks for up to 35 (read in web SDK 2.0.2).
const MAX_TRACKS_PER_MESSAGE: usize = 64;

/// Videos the server suggests that a client shows at once; the client has its own limit from its preset.
const MAX_PREFERRED_STREAMS: i32 = 6;

impl Caller {
    fn own(&self, role: Role, name: Option<&str>) -> Result<TransportId, Trouble> {
        self.media.own(&self.meeting, &self.peer, role, name).ok_or(Trouble::UnknownTransport)
    }
}

fn description(description: Option<wire::SessionDescription>) -> Result<String, Trouble> {
    description.map(|description| description.sdp).ok_or(Trouble::Malformed("it has no session description"))
}

fn described(target: Target, kind: &str, sdp: String) -> Option<wire::SessionDescription> {
    Some(wire::SessionDescription { target: target as i32, r#type: kind.to_string(), sdp })
}

/// Opens a connection, also before the caller has joined: clients do so while people look at themselves in the setup
/// screen. Nothing can be published or received on it until they have.
pub async fn open_transport(caller: &Caller, request: wire::CreateTransportRequest) -> Result<Answer, Trouble> {
    let (role, target) = if request.consuming { (Role::Receive, Target::Subscriber) } else { (Role::Send, Target::Publisher) };
    let offer = description(request.description)?;
    let participant = caller.participant.clone();
    let inside = caller
        .handle
        .call(move |session, now| {
            session.ask_of(now, &participant, Act::MediaConnect)?;
            Ok::<_, Refusal>(session.is_inside(&participant))
        })
        .await??;
    let Caller { meeting, peer, participant, reached, .. } = caller;
    let wanted = Wanted { meeting, peer, participant, inside, reached: reached.as_deref() };
    let opened = caller.media.open(wanted, role, offer).await?;
    answer(&wire::CreateTransportResponse {
        transport_id: opened.transport.to_string(),
        description: described(target, "answer", opened.answer),
        transcription_enabled: None,
        producer_ids: Vec::new(),
    })
}

pub async fn complete_join(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    let (facts, session, others, selections, pinned) = caller
        .handle
        .call(move |session, now| {
            let others = session.complete_join(now, &peer)?;
            let id = session.summary().map(|summary| summary.session.to_string()).unwrap_or_default();
            let pinned = session.pinned().map(ToString::to_string);
            let selections = session.selections(&peer);
            Ok::<_, Refusal>((session.facts().clone(), id, others, selections, pinned))
        })
        .await??;
    let completed = edge::PeerJoinCompleteResponse {
        room_state: Some(edge::GetRoomStateResponse {
            display_title: facts.title.clone(),
            locked_mode: false,
            room_uuid: session,
            room_name: facts.meeting.to_string(),
            current_peer_id: caller.peer.to_string(),
            is_recording: None,
            recorder_participant_id: None,
            pinned_peer_ids: pinned.into_iter().collect(),
        }),
        participants: others.iter().map(|(peer, tracks)| people::media_participant(peer, tracks)).collect(),
        selected_peers: Some(edge::SelectedPeersResponse {
            audio_peers: selections.speakers.iter().map(ToString::to_string).collect(),
            compulsory_peers: selections.compulsory.iter().map(ToString::to_string).collect(),
        }),
        max_preferred_streams: MAX_PREFERRED_STREAMS,
    };
    // Clients ask for the connected meetings once, however often they come back (read in web SDK 2.0.2).
    let Some(parent) = caller.hub.family_of(&facts) else { return answer(&completed) };
    // Nobody stays out because another meeting cannot be asked.
    let Ok(view) = caller.hub.connected_view(&parent).await else { return answer(&completed) };
    let peer = caller.peer.clone();
    Ok(Answer::then(&completed, Duration::ZERO, move |session, _| session.tell_rooms(&peer, &view)))
}

/// Pins a peer for everyone; an empty id unpins.
pub async fn pin(caller: &Caller, request: edge::GlobalPeerPinningRequest) -> Result<Answer, Trouble> {
    let wanted = Some(request.participant_id).filter(|id| !id.is_empty());
    let wanted = wanted.map(|id| peer_id(&id)).transpose()?;
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.pin(now, &peer, wanted.as_ref())).await??;
    answer(&edge::GlobalPeerPinningResponse {})
}

pub async fn leave(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    // Someone who never joined gives up its setup screen's connections.
    let _ = caller.handle.call(move |session, now| session.leave_media(now, &peer)).await?;
    caller.media.close_peer(&caller.meeting, &caller.peer);
    answer(&edge::PeerLeaveResponse { closed: false })
}

pub async fn produce(caller: &Caller, request: edge::ProducerCreateRequest) -> Result<Answer, Trouble> {
    let (kind, media_kind) = match request.kind.as_str() {
        "audio" => (TrackKind::Audio, Kind::Audio),
        "video" => (TrackKind::Video, Kind::Video),
        _ => return Err(Trouble::Malformed("the kind of a track is audio or video")),
    };
    let screen_share = request.screen_share;
    let peer = caller.peer.clone();
    let was_cut_off = caller.media.was_cut_off(&caller.meeting, &caller.peer);
    let transport = caller.own(Role::Send, request.producing_transport_id.as_deref());
    let offer = description(request.description);
    let is_sound = transport.is_ok() && offer.is_ok();
    let (allowed, before) = caller
        .handle
        .call(move |session, now| {
            match session.may_publish(&peer, kind, screen_share) {
                // It has replaced its connections before its join was answered, and goes on as if it had been here all along.
                Err(Refusal::NotJoined) if was_cut_off => {
                    session.complete_join(now, &peer)?;
                    session.may_publish(&peer, kind, screen_share)
                }
                judged => judged,
            }?;
            let before = if is_sound { session.take_leftover(now, &peer, kind, screen_share) } else { None };
            Ok::<_, Refusal>((session.media_quality(&peer)?, before))
        })
        .await??;
    let transport = transport?;
    let app_data = request.app_data.unwrap_or_default();
    let id: TrackId = random_id();
    let new = Produce {
        transport: transport.clone(),
        producer: ProducerId::from(id.as_str()),
        goes_on: false,
        kind: media_kind,
        screen_share,
        cap: cap::of(&allowed, kind, screen_share),
        paused: request.paused,
        msid: request.msid,
        mid: mid_of(&app_data),
        offer: offer?,
    };
    let again = match before {
        Some(before) => go_on(caller, before, new.clone()).await?,
        None => None,
    };
    let goes_on = again.is_some();
    let (id, sdp) = match again {
        Some(again) => again,
        None => (id, caller.media.produce(&caller.meeting, &caller.peer, new).await?),
    };
    let track = Track {
        id: id.clone(),
        kind,
        screen_share,
        paused: request.paused,
        mime_type: request.mime_type.unwrap_or_default(),
        app_data,
        transport: transport.to_string(),
    };
    let peer = caller.peer.clone();
    let publish = if goes_on { Session::go_on } else { Session::publish };
    let published = caller.handle.call(move |session, now| publish(session, now, &peer, track)).await;
    if !matches!(published, Ok(Ok(_))) {
        // Somebody muted, kicked or ended everything in between: what was just taken in goes again.
        caller.media.drop_producer(&ProducerId::from(id.as_str()));
    }
    let published = published??;
    let created = edge::ProducerCreateResponse {
        status: true,
        producer_id: id.to_string(),
        description: described(Target::Publisher, "answer", sdp),
    };
    if published.paused == request.paused {
        return answer(&created);
    }
    let peer = caller.peer.clone();
    Ok(Answer::then(&created, Duration::ZERO, move |session, _| session.tell_silenced(&peer, &id)))
}

/// Takes in what comes anew of a track of before the caller's connection broke; answers with its id and the server's SDP
/// answer. None if that cannot be: then the track has ended, and this is another.
async fn go_on(caller: &Caller, before: TrackId, new: Produce) -> Result<Option<(TrackId, String)>, Trouble> {
    let again = Produce { producer: ProducerId::from(before.as_str()), goes_on: true, ..new };
    match caller.media.produce(&caller.meeting, &caller.peer, again).await {
        Ok(sdp) => Ok(Some((before, sdp))),
        Err(_) => {
            let peer = caller.peer.clone();
            caller.handle.call(move |session, now| session.unpublish(now, &peer, &before)).await??;
            Ok(None)
        }
    }
}

/// The m-line the client speaks of, as its own JSON says.
fn mid_of(app_data: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(app_data).ok()?;
    match value.get("mid")? {
        serde_json::Value::String(mid) => Some(mid.clone()),
        serde_json::Value::Number(mid) => Some(mid.to_string()),
        _ => None,
    }
}

/// The answer is the push to everyone, the owner included.
pub async fn toggle(caller: &Caller, request: edge::ProducerToggleRequest) -> Result<Answer, Trouble> {
    let track = track_id(&request.producer_id)?;
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.set_paused(now, &peer, &track, request.pause)).await??;
    Ok(Answer::None)
}

pub async fn close_producer(caller: &Caller, request: edge::ProducerCloseRequest) -> Result<Answer, Trouble> {
    let track = track_id(&request.producer_id)?;
    let producer = ProducerId::from(track.as_str());
    let peer = caller.peer.clone();
    // First, because the others must not wait for a track whose transport or description turns out to be bad.
    caller.handle.call(move |session, now| session.unpublish(now, &peer, &track)).await??;
    let transport = caller.own(Role::Send, request.producing_transport_id.as_deref())?;
    let sdp = caller.media.close_producer(transport, producer, Some(description(request.description)?)).await?;
    answer(&edge::ProducerClosingResponse { description: described(Target::Publisher, "answer", sdp.unwrap_or_default()) })
}

pub async fn consume(caller: &Caller, request: edge::ConsumePeersRequest) -> Result<Answer, Trouble> {
    if request.requests.len() > MAX_TRACKS_PER_MESSAGE {
        return Err(Refusal::TooLarge.into());
    }
    let mut wanted = Vec::with_capacity(request.requests.len());
    for request in request.requests {
        let rid = request.simulcast.and_then(|simulcast| simulcast.preferred_rid);
        wanted.push((peer_id(&request.producing_peer_id)?, track_id(&request.producer_id.unwrap_or_default())?, rid));
    }
    let peer = caller.peer.clone();
    let found = caller
        .handle
        .call(move |session, now| {
            session.ask(now, &peer, Act::Subscribe)?;
            let judged = wanted.into_iter().map(|(of, track, rid)| {
                let found = session.may_subscribe(&peer, &of, &track);
                (track, found, rid)
            });
            Ok::<_, Refusal>(judged.collect::<Vec<_>>())
        })
        .await??;
    let transport = caller.own(Role::Receive, request.consuming_transport_id.as_deref())?;
    let consume = found
        .iter()
        .filter(|(_, judged, _)| judged.is_ok())
        .map(|(track, _, rid)| Consume { producer: ProducerId::from(track.as_str()), preferred_rid: rid.clone() })
        .collect();
    let consumed = caller.media.consume(&caller.meeting, transport, consume).await?;
    let map = found.into_iter().map(|(track, judged, _)| {
        let taken = consumed.consumers.iter().find(|(producer, _)| producer.as_str() == track.as_str());
        let state = match (judged, taken) {
            (Ok(track), Some((_, Ok(mid)))) => wire::ConsumerState {
                consumer_id: track.id.to_string(),
                producer_track: Some(wire::ProducerTrack {
                    track_id: track.id.to_string(),
                    producer_id: track.id.to_string(),
                    stream_id: mid.clone(),
                }),
                producer_state: Some(people::producer_state(&track)),
                error_code: None,
            },
            (Ok(_), Some((_, Err(ConsumeError::Backend)))) => failed("backend_error"),
            _ => failed("not_found_track_error"),
        };
        (track.to_string(), state)
    });
    let map = map.collect();
    answer(&edge::ConsumePeerResponse {
        status: true,
        consumer_ids_map: Some(wire::ProducerIdToConsumerMap { map }),
        description: consumed.offer.and_then(|sdp| described(Target::Subscriber, "offer", sdp)),
    })
}

fn failed(code: &str) -> wire::ConsumerState {
    wire::ConsumerState { error_code: Some(code.to_string()), ..wire::ConsumerState::default() }
}

pub async fn renegotiate(caller: &Caller, request: wire::RenegotiateRequest) -> Result<Answer, Trouble> {
    let transport = caller.own(Role::Receive, Some(&request.transport_id))?;
    caller.media.accept_answer(transport, description(request.description)?).await?;
    answer(&wire::RenegotiateResponse { transport_id: request.transport_id, description: None })
}

/// The ids in this message are the m-lines' (seen in web SDK 2.0.2).
pub async fn close_consumers(caller: &Caller, request: edge::ConsumerCloseRequest) -> Result<Answer, Trouble> {
    let transport = caller.own(Role::Receive, request.consuming_transport_id.as_deref())?;
    let offer = description(request.description)?;
    let sdp = caller.media.close_consumers(transport, request.consumer_ids, offer).await?;
    answer(&edge::ConsumerClosingResponse { description: described(Target::Subscriber, "answer", sdp) })
}

/// Layers for subscriptions that may have ended meanwhile: those are passed over.
pub async fn set_layers(caller: &Caller, request: edge::UpdateConsumersSimulcastConfigRequest) -> Result<Answer, Trouble> {
    let transport = caller.own(Role::Receive, request.consuming_transport_id.as_deref())?;
    for wanted in request.requests.into_iter().take(MAX_TRACKS_PER_MESSAGE) {
        let Some(rid) = wanted.simulcast.and_then(|simulcast| simulcast.preferred_rid) else { continue };
        let producer = ProducerId::from(track_id(&wanted.producer_id)?.as_str());
        let mid = Some(wanted.mid).filter(|mid| !mid.is_empty());
        let _ = caller.media.set_layer(transport.clone(), producer, mid, rid).await;
    }
    Ok(Answer::Payload(Bytes::new()))
}

pub async fn rename(caller: &Caller, request: edge::PeerDisplayNameEditRequest) -> Result<Answer, Trouble> {
    let target = peer_id(&request.participant_id)?;
    if target == caller.peer {
        acting::never_mind();
    }
    acting::about("peer", target.as_str());
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.rename(now, &peer, &target, &request.display_name)).await??;
    answer(&edge::PeerDisplayNameEditResponse { status: "success".to_string() })
}

pub async fn mute_peer(caller: &Caller, request: edge::HostMediaControlForPeerRequest) -> Result<Answer, Trouble> {
    let target = peer_id(&request.participant_id)?;
    let mute = Mute { audio: request.audio, video: request.video, screen_share: request.scree_share };
    acting::about("peer", target.as_str());
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.host_mute(now, &peer, Some(&target), mute)).await??;
    answer(&edge::HostMediaControlForPeerResponse { status: "success".to_string() })
}

pub async fn mute_all(caller: &Caller, request: edge::HostMediaControlForAllPeerRequest) -> Result<Answer, Trouble> {
    let mute = Mute { audio: request.audio, video: request.video, screen_share: request.screen_share };
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.host_mute(now, &peer, None, mute)).await??;
    answer(&edge::HostMediaControlForAllPeerResponse { status: "success".to_string() })
}

fn track_id(id: &str) -> Result<TrackId, Trouble> {
    TrackId::parse(id).map_err(|_| Trouble::Malformed("a producer id is not an id"))
}
