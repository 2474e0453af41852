//! Signaling messages as bytes: what we write, we and the SDKs read back alike.
//! Byte strings are worked out by hand from the field numbers and protobuf's encoding rules.

use std::collections::BTreeMap;
use std::fmt::Debug;

use salon_wire::signaling::media::edge::{ConsumePeerResponse, ErrorResponse};
use salon_wire::signaling::media::{
    ConsumerState, ProducerIdToConsumerMap, ProducerKind, ProducerState, SessionDescription, Target,
};
use salon_wire::signaling::message::v1::SocketMessage;
use salon_wire::signaling::socket::chat::{GetPaginatedChatMessageFilters, get_paginated_chat_message_filters::Filters};
use salon_wire::signaling::socket::plugin::{PluginStoreItem, PluginStoreResponse};
use salon_wire::signaling::socket::polls::{Poll, PollOption, PollVote, UpdatePollResponse};
use salon_wire::signaling::socket::preset::{MediaPermissionUpdate, PresetUpdates, StreamPermission, StreamPermissionType};
use salon_wire::signaling::socket::room::{Peer, PeerFlags, PeerInfoResponse, StageType};
use salon_wire::{Bytes, Message, event_id};

/// Written and read again, a message is the same.
fn check<M: Message + Default + PartialEq + Debug>(message: M) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    assert_eq!(M::decode(bytes.as_slice()).expect("our own bytes"), message);
    bytes
}

#[test]
fn an_envelope_carries_event_id_and_payload() {
    let refusal = ErrorResponse { error_message: "no".to_owned(), event_id: event_id::room::KICK as i32 };
    let payload = check(refusal);
    assert_eq!(payload, [0x0a, 2, b'n', b'o', 0x10, 30]);
    let bytes = check(SocketMessage {
        event: event_id::ERROR,
        id: Some("a-1".to_owned()),
        payload: Some(Bytes::from(payload)),
        metadata: None,
    });
    let by_hand = [0x08, 0xff, 0xff, 0x03, 0x12, 3, b'a', b'-', b'1', 0x1a, 6, 0x0a, 2, b'n', b'o', 0x10, 30];
    assert_eq!(bytes, by_hand);
}

#[test]
fn an_empty_payload_differs_from_none() {
    let message = |payload| SocketMessage { event: 5, payload, ..SocketMessage::default() };
    assert_eq!(check(message(None)), [0x08, 5]);
    assert_eq!(check(message(Some(Bytes::new()))), [0x08, 5, 0x1a, 0]);
}

#[test]
fn a_peer_keeps_its_stage_type() {
    let peer = Peer {
        peer_id: "peer".to_owned(),
        user_id: "user".to_owned(),
        display_name: "Ada".to_owned(),
        stage_type: Some(StageType::OnStage as i32),
        custom_participant_id: Some("ada-1".to_owned()),
        preset_id: None,
        display_picture_url: None,
        waitlisted: true,
        flags: Some(PeerFlags {
            preset_name: "group_call_host".to_owned(),
            recorder_type: "NONE".to_owned(),
            hidden_participant: false,
        }),
    };
    assert_eq!(peer.stage_type(), StageType::OnStage);
    check(PeerInfoResponse { peer: Some(peer) });
}

#[test]
fn consumers_travel_by_producer() {
    let consumer = ConsumerState {
        consumer_id: "c".to_owned(),
        producer_state: Some(ProducerState {
            producer_id: "p".to_owned(),
            kind: ProducerKind::Video as i32,
            ..ProducerState::default()
        }),
        producer_track: None,
        error_code: None,
    };
    check(ConsumePeerResponse {
        status: true,
        consumer_ids_map: Some(ProducerIdToConsumerMap { map: BTreeMap::from([("p".to_owned(), consumer)]) }),
        description: Some(SessionDescription {
            target: Target::Subscriber as i32,
            r#type: "offer".to_owned(),
            sdp: "v=0\r\n".to_owned(),
        }),
    });
}

#[test]
fn a_filter_of_false_is_still_a_filter() {
    let bytes = check(GetPaginatedChatMessageFilters { filters: Some(Filters::Pinned(false)) });
    assert_eq!(bytes, [0x08, 0]);
}

#[test]
fn stores_polls_and_permissions_come_back() {
    check(PluginStoreResponse {
        plugin_id: "plugin".to_owned(),
        store_name: "store".to_owned(),
        store_items: vec![PluginStoreItem {
            timestamp: "1700000000000".to_owned(),
            peer_id: "peer".to_owned(),
            store_key: "key".to_owned(),
            payload: vec![0, 159, 146, 150],
        }],
    });
    check(UpdatePollResponse {
        poll: Some(Poll {
            poll_id: "poll".to_owned(),
            question: "Tea?".to_owned(),
            options: vec![PollOption {
                text: "Yes".to_owned(),
                count: Some(1),
                votes: vec![PollVote { user_id: "user".to_owned(), name: "Ada".to_owned() }],
            }],
            ..Poll::default()
        }),
    });
    check(PresetUpdates {
        can_record: Some(false),
        media: Some(MediaPermissionUpdate {
            video: Some(StreamPermission { can_produce: Some(StreamPermissionType::NotAllowed as i32), can_consume: None }),
            ..MediaPermissionUpdate::default()
        }),
        ..PresetUpdates::default()
    });
}
