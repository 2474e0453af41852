//! Every permission that presets have, and what a client that ignores it is refused: once with a preset that never had
//! it, and once when a host takes it away in the middle of a call.
//! The table is in the order of the documentation; `ELSEWHERE` says where the rest is tested, or why it cannot be broken.

use prost::Message as _;
use salon_wire::event_id::{chat as c, media as m, plugins, polls as pl, presets, room as r};
use salon_wire::signaling::media::edge;
use salon_wire::signaling::socket::preset::{self, PresetUpdates, StreamPermissionType};
use salon_wire::signaling::socket::room::{self, AcceptWaitingRoomRequests, DenyWaitingRoomRequests};
use salon_wire::signaling::socket::{chat, livestreaming, plugin, polls};
use serde_json::{Value, json};

use crate::client::{Client, NOTHING};
use crate::house::{House, dev, fresh};

const FORBIDDEN: &str = "the preset does not allow this";

/// What somebody tries: an event and its payload.
type Try = fn(&Scene) -> (u32, Vec<u8>);

/// A part of a preset's permissions, and what it says.
type Said = (&'static str, fn() -> Value);

struct Permission {
    /// Where presets have it, below `permissions`.
    path: &'static str,
    /// What refuses it in a preset.
    refused: fn() -> Value,
    /// What else the preset must say for the permission to matter.
    with: &'static [Said],
    /// How a host changes it in a call; none if the protocol has no field for it.
    change: Option<fn(&mut PresetUpdates, bool)>,
    tries: &'static [Try],
}

/// Mallory, who tries, and Bob, on whom.
struct Scene {
    mallory: String,
    bob: String,
    bob_user: String,
}

const PLAIN: Permission = Permission { path: "", refused: || json!(false), with: &[], change: None, tries: &[] };

/// A stage, and no other way to decide about it.
const ON_A_STAGE: &[Said] = &[
    ("stage_enabled", || json!(true)),
    ("accept_stage_requests", || json!(false)),
    ("can_accept_production_requests", || json!(false)),
];

const TABLE: &[Permission] = &[
    // Entry and moderation.
    Permission {
        path: "accept_waiting_requests",
        change: Some(|patch, value| patch.accept_waiting_requests = Some(value)),
        tries: &[
            |_| (r::GET_WAITING_ROOM_REQUESTS, Vec::new()),
            |scene| (r::ACCEPT_WAITING_ROOM_REQUESTS, AcceptWaitingRoomRequests { user_ids: scene.bobs() }.encode_to_vec()),
            |scene| (r::DENY_WAITING_ROOM_REQUESTS, DenyWaitingRoomRequests { user_ids: scene.bobs() }.encode_to_vec()),
        ],
        ..PLAIN
    },
    Permission {
        path: "kick_participant",
        change: Some(|patch, value| patch.kick_participant = Some(value)),
        tries: &[
            |_| (r::KICK, room::RemoveParticipantsRequest { peer_ids: vec!["nobody".to_owned()] }.encode_to_vec()),
            |scene| (r::KICK, room::RemoveParticipantsRequest { peer_ids: vec![scene.bob.clone()] }.encode_to_vec()),
            |_| (r::KICK_ALL, edge::KickAllPeersRequest { propagate_kick_across_rooms: true }.encode_to_vec()),
        ],
        ..PLAIN
    },
    Permission {
        path: "pin_participant",
        change: Some(|patch, value| patch.pin_participant = Some(value)),
        tries: &[
            |scene| (m::GLOBAL_PIN_PEER, edge::GlobalPeerPinningRequest { participant_id: scene.bob.clone() }.encode_to_vec()),
            |scene| {
                (m::GLOBAL_PIN_PEER, edge::GlobalPeerPinningRequest { participant_id: scene.mallory.clone() }.encode_to_vec())
            },
            |_| (m::GLOBAL_PIN_PEER, edge::GlobalPeerPinningRequest::default().encode_to_vec()),
        ],
        ..PLAIN
    },
    Permission {
        path: "can_spotlight",
        change: Some(|patch, value| patch.can_spotlight = Some(value)),
        tries: &[
            |_| (r::BROADCAST_MESSAGE, spotlight(Vec::new())),
            |scene| (r::BROADCAST_TO_ENTITY, spotlight(vec![scene.bob.clone()])),
        ],
        ..PLAIN
    },
    Permission {
        path: "disable_participant_audio",
        change: Some(|patch, value| patch.disable_participant_audio = Some(value)),
        tries: &[|scene| stop_one(scene, true, false, false), |_| stop_all(true, false, false), |_| stop_all(true, true, true)],
        ..PLAIN
    },
    Permission {
        path: "disable_participant_video",
        change: Some(|patch, value| patch.disable_participant_video = Some(value)),
        tries: &[|scene| stop_one(scene, false, true, false), |_| stop_all(false, true, false), |_| stop_all(true, true, true)],
        ..PLAIN
    },
    Permission {
        path: "disable_participant_screensharing",
        change: Some(|patch, value| patch.disable_participant_screensharing = Some(value)),
        tries: &[|scene| stop_one(scene, false, false, true), |_| stop_all(false, false, true), |_| stop_all(true, true, true)],
        ..PLAIN
    },
    Permission {
        path: "can_change_participant_permissions",
        change: Some(|patch, value| patch.can_change_participant_permissions = Some(value)),
        tries: &[
            |scene| (presets::UPDATE_USER_PRESET, update(&scene.bob_user, |patch| patch.can_record = Some(true)).encode_to_vec()),
            |scene| (m::CHANGE_DISPLAY_NAME, rename(&scene.bob)),
        ],
        ..PLAIN
    },
    Permission {
        path: "can_edit_display_name",
        change: Some(|patch, value| patch.can_edit_display_name = Some(value)),
        tries: &[|scene| (m::CHANGE_DISPLAY_NAME, rename(&scene.mallory))],
        ..PLAIN
    },
    // Media and stage. Without a transport, one who may publish is told so.
    Permission {
        path: "media.audio.can_produce",
        refused: || json!("NOT_ALLOWED"),
        change: Some(|patch, value| media(patch).audio = leave(value)),
        tries: &[|_| produce("audio", false)],
        ..PLAIN
    },
    Permission {
        path: "media.video.can_produce",
        refused: || json!("NOT_ALLOWED"),
        change: Some(|patch, value| media(patch).video = leave(value)),
        tries: &[|_| produce("video", false)],
        ..PLAIN
    },
    Permission {
        path: "media.screenshare.can_produce",
        refused: || json!("NOT_ALLOWED"),
        change: Some(|patch, value| media(patch).screenshare = leave(value)),
        tries: &[|_| produce("video", true), |_| produce("audio", true)],
        ..PLAIN
    },
    Permission {
        path: "can_accept_production_requests",
        with: ON_A_STAGE,
        change: Some(|patch, value| patch.can_accept_production_requests = Some(value)),
        tries: DECIDING_ABOUT_THE_STAGE,
        ..PLAIN
    },
    Permission { path: "accept_stage_requests", with: ON_A_STAGE, tries: DECIDING_ABOUT_THE_STAGE, ..PLAIN },
    Permission {
        path: "stage_enabled",
        tries: &[|_| (r::REQUEST_STAGE_ACCESS, Vec::new()), |scene| (r::GRANT_STAGE_ACCESS, grant(scene))],
        ..PLAIN
    },
    Permission {
        path: "stage_access",
        refused: || json!("NOT_ALLOWED"),
        with: ON_A_STAGE,
        tries: &[|_| (r::JOIN_STAGE, Vec::new()), |_| (r::REQUEST_STAGE_ACCESS, Vec::new())],
        ..PLAIN
    },
    // Features.
    Permission {
        path: "chat.public.can_send",
        change: Some(|patch, value| public(patch).can_send = Some(value)),
        tries: &[|_| say(0, "hello"), |_| say(1, "https://example.org/cat.png")],
        ..PLAIN
    },
    Permission {
        path: "chat.public.text",
        change: Some(|patch, value| public(patch).text = Some(value)),
        tries: &[|_| say(0, "hello")],
        ..PLAIN
    },
    Permission {
        path: "chat.public.files",
        change: Some(|patch, value| public(patch).files = Some(value)),
        tries: &[|_| say(1, "https://example.org/cat.png")],
        ..PLAIN
    },
    Permission {
        path: "chat.private.can_send",
        change: Some(|patch, value| private(patch).can_send = Some(value)),
        tries: &[|scene| whisper(scene, 0, "hello"), |scene| whisper(scene, 1, "https://example.org/cat.png")],
        ..PLAIN
    },
    Permission {
        path: "chat.private.text",
        change: Some(|patch, value| private(patch).text = Some(value)),
        tries: &[|scene| whisper(scene, 0, "hello")],
        ..PLAIN
    },
    Permission {
        path: "chat.private.files",
        change: Some(|patch, value| private(patch).files = Some(value)),
        tries: &[|scene| whisper(scene, 1, "https://example.org/cat.png")],
        ..PLAIN
    },
    Permission {
        path: "polls.can_create",
        change: Some(|patch, value| patch.polls.get_or_insert_default().can_create = Some(value)),
        tries: &[|_| (pl::CREATE_POLL, poll())],
        ..PLAIN
    },
    Permission {
        path: "polls.can_vote",
        change: Some(|patch, value| patch.polls.get_or_insert_default().can_vote = Some(value)),
        tries: &[|_| (pl::VOTE_POLL, polls::VotePollRequest { poll_id: "none".to_owned(), index: 0 }.encode_to_vec())],
        ..PLAIN
    },
    Permission {
        path: "polls.can_view",
        change: Some(|patch, value| patch.polls.get_or_insert_default().can_view = Some(value)),
        tries: &[
            |_| (pl::GET_POLLS, Vec::new()),
            |_| (pl::VOTE_POLL, polls::VotePollRequest { poll_id: "none".to_owned(), index: 0 }.encode_to_vec()),
        ],
        ..PLAIN
    },
    Permission {
        path: "plugins.can_start",
        change: Some(|patch, value| patch.plugins.get_or_insert_default().can_start = Some(value)),
        tries: &[|_| plugin(Some(br#"{"active":true}"#))],
        ..PLAIN
    },
    Permission {
        path: "plugins.can_close",
        change: Some(|patch, value| patch.plugins.get_or_insert_default().can_close = Some(value)),
        tries: &[|_| plugin(Some(b"null")), |_| plugin(None)],
        ..PLAIN
    },
];

const DECIDING_ABOUT_THE_STAGE: &[Try] = &[
    |scene| (r::GRANT_STAGE_ACCESS, grant(scene)),
    |scene| (r::DENY_STAGE_ACCESS, grant(scene)),
    |scene| (r::LEAVE_STAGE, grant(scene)),
];

/// The permissions that are not in the table.
const ELSEWHERE: &[(&str, &str)] = &[
    ("waiting_room_type", "waiting.rs: who has to wait is not in, whatever it asks for"),
    ("chat.private.can_receive", "chat.rs: it is the addressee's"),
    ("hidden_participant", "permissions.rs and chat.rs: it is about being seen; nobody is hidden or shown in a call"),
    ("show_participant_list", "the client's: whoever is in a call must know the others to hear them"),
    ("can_record", "recordings.rs of the REST tests: recordings are started over REST"),
    ("can_livestream", "livestreams.rs of the REST tests: livestreams are started over REST"),
    ("transcription_enabled", "recorder/transcripts.rs: it is about being heard by a robot"),
    ("plugins.can_edit_config", "plugins are configured by the client alone"),
    ("plugins.config", "plugins are configured by the client alone"),
    ("recorder_type", "permissions.rs: it is about being a robot"),
    ("is_recorder", "the older form of recorder_type"),
    ("connected_meetings.can_alter_connected_meetings", "connected.rs: it takes several meetings"),
    ("connected_meetings.can_switch_connected_meetings", "connected.rs: it takes several meetings"),
    ("connected_meetings.can_switch_to_parent_meeting", "connected.rs: it takes several meetings"),
];

impl Scene {
    fn of(mallory: &Client, bob: &Client) -> Self {
        Self { mallory: mallory.peer(), bob: bob.peer(), bob_user: bob.user() }
    }

    fn bobs(&self) -> Vec<String> {
        vec![self.bob_user.clone()]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lacks_a_permission_is_refused() {
    let house = House::open().await;
    for permission in TABLE {
        let meeting = house.meeting().await;
        let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
        let changes: Vec<(String, Value)> = permission
            .with
            .iter()
            .map(|(path, value)| (*path, value()))
            .chain([(permission.path, (permission.refused)())])
            .map(|(path, value)| (format!("/permissions/{}", path.replace('.', "/")), value))
            .collect();
        let changes: Vec<(&str, Value)> = changes.iter().map(|(path, value)| (path.as_str(), value.clone())).collect();
        let mut mallory = house.add_changed(&meeting, "Mallory", &changes).await.join_with_media().await;
        let scene = Scene::of(&mallory, &bob);
        bob.forget().await;
        for (number, attempt) in permission.tries.iter().enumerate() {
            let (event, payload) = attempt(&scene);
            assert_eq!(mallory.verdict(event, &payload).await, Err(FORBIDDEN.to_owned()), "{} {number}", permission.path);
        }
        assert_eq!(bob.told_of_by_now().await, Vec::<&str>::new(), "{}", permission.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_takes_away_is_gone_for_the_next_message_and_what_it_gives_is_there() {
    let house = House::open().await;
    for permission in TABLE {
        let Some(change) = permission.change else { continue };
        let meeting = house.meeting().await;
        let mut hana = house.host(&meeting, "Hana").await.join_with_media().await;
        let bob = house.guest(&meeting, "Bob").await.join_with_media().await;
        let with: Vec<(String, Value)> =
            permission.with.iter().map(|(path, value)| (format!("/permissions/{path}"), value())).collect();
        let with: Vec<(&str, Value)> = with.iter().map(|(path, value)| (path.as_str(), value.clone())).collect();
        let mut mallory = house.add_changed(&meeting, "Mallory", &with).await.join_with_media().await;
        let scene = Scene::of(&mallory, &bob);
        let (path, user) = (permission.path, mallory.user());
        for allowed in [false, true, false] {
            let request = update(&user, |patch| change(patch, allowed));
            hana.ask::<preset::UpdatePeersPresetResponse>(presets::UPDATE_USER_PRESET, &request).await.unwrap();
            let told: preset::UpdatePeersPresetResponse = mallory.hear(presets::UPDATE_USER_PRESET).await;
            assert_eq!(told.update_peers_presets[0].user_ids, user);
            let tries = if allowed { &permission.tries[..1] } else { permission.tries };
            for (number, attempt) in tries.iter().enumerate() {
                let (event, payload) = attempt(&scene);
                let refused = mallory.verdict(event, &payload).await == Err(FORBIDDEN.to_owned());
                assert_eq!(refused, !allowed, "{path} {number}");
            }
        }
    }
}

/// Fails when presets learn a permission that nobody has thought of here.
#[tokio::test(flavor = "multi_thread")]
async fn every_permission_is_accounted_for() {
    let house = House::open().await;
    let preset = house.doors.store.preset_named(&dev(), "webinar_presenter").await.unwrap().unwrap();
    let mut paths = Vec::new();
    leaves(&preset.body["permissions"], "", &mut paths);
    let known: Vec<&str> = TABLE.iter().map(|row| row.path).chain(ELSEWHERE.iter().map(|(path, _)| *path)).collect();
    let unknown: Vec<&String> = paths.iter().filter(|path| !known.contains(&path.as_str())).collect();
    assert!(unknown.is_empty() && paths.len() > 35, "{unknown:?} of {paths:?}");
}

fn leaves(json: &Value, path: &str, found: &mut Vec<String>) {
    match json.as_object() {
        Some(object) if path != "plugins.config" => {
            for (key, value) in object {
                leaves(value, format!("{path}.{key}").trim_start_matches('.'), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// What is said of a robot or of being hidden is not changed in a call, and neither is anything by way of the events
/// that no client has.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_changed_is_refused_in_words() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hana = house.host(&meeting, "Hana").await.join().await;
    let bob = house.guest(&meeting, "Bob").await.join().await;
    let settled = "who is hidden or a robot stays so while in the meeting";
    type Change = fn(&mut PresetUpdates);
    let cases: [(Change, &str); 4] = [
        (|patch| patch.hidden_participant = Some(true), settled),
        (|patch| patch.is_recorder = Some(true), settled),
        (|patch| patch.recorder_type = Some(1), settled),
        (|patch| patch.waiting_room_type = Some(77), "the message cannot be read: waiting_room_type has no such value"),
    ];
    for (change, why) in cases {
        assert_eq!(hana.refused(presets::UPDATE_USER_PRESET, &update(&bob.user(), change)).await, why);
    }
    let nobody = update(&fresh(), |patch| patch.can_record = Some(true));
    assert_eq!(hana.refused(presets::UPDATE_USER_PRESET, &nobody).await, "no such participant in this session");
    let many = preset::UpdatePeersPresetRequest { update_peers_presets: vec![nobody.update_peers_presets[0].clone(); 1_001] };
    assert_eq!(hana.refused(presets::UPDATE_USER_PRESET, &many).await, "the message is too large");
    let read = preset::ReadPeersPresetRequest { user_ids: vec![bob.user(); 1_001] };
    assert_eq!(hana.refused(presets::GET_USER_PRESETS, &read).await, "the message is too large");
    assert!(hana.refused(presets::UPDATE_USER_PRESET + 1, NOTHING).await.contains("does not know event"), "in bulk");
}

/// A request that changes one participant.
pub fn update(user: &str, change: impl FnOnce(&mut PresetUpdates)) -> preset::UpdatePeersPresetRequest {
    let mut patch = PresetUpdates::default();
    change(&mut patch);
    let update = preset::UpdatePeerPreset { user_ids: user.to_owned(), patch: Some(patch) };
    preset::UpdatePeersPresetRequest { update_peers_presets: vec![update] }
}

pub fn media(patch: &mut PresetUpdates) -> &mut preset::MediaPermissionUpdate {
    patch.media.get_or_insert_default()
}

pub fn leave(allowed: bool) -> Option<preset::StreamPermission> {
    let can_produce = if allowed { StreamPermissionType::Allowed } else { StreamPermissionType::NotAllowed };
    Some(preset::StreamPermission { can_produce: Some(can_produce as i32), can_consume: None })
}

fn public(patch: &mut PresetUpdates) -> &mut preset::PublicChatPermission {
    patch.chat.get_or_insert_default().public.get_or_insert_default()
}

fn private(patch: &mut PresetUpdates) -> &mut preset::PrivateChatPermission {
    patch.chat.get_or_insert_default().private.get_or_insert_default()
}

fn spotlight(ids: Vec<String>) -> Vec<u8> {
    let message = room::BroadcastMessage {
        r#type: "spotlight".to_owned(),
        payload: b"{}".to_vec(),
        ids,
        ..room::BroadcastMessage::default()
    };
    message.encode_to_vec()
}

fn stop_one(scene: &Scene, audio: bool, video: bool, scree_share: bool) -> (u32, Vec<u8>) {
    let request = edge::HostMediaControlForPeerRequest { participant_id: scene.bob.clone(), audio, video, scree_share };
    (m::HOST_CONTROL_PEER, request.encode_to_vec())
}

fn stop_all(audio: bool, video: bool, screen_share: bool) -> (u32, Vec<u8>) {
    (m::HOST_CONTROL_ALL_PEERS, edge::HostMediaControlForAllPeerRequest { audio, video, screen_share }.encode_to_vec())
}

fn rename(peer: &str) -> Vec<u8> {
    let request = edge::PeerDisplayNameEditRequest { participant_id: peer.to_owned(), display_name: "Somebody".to_owned() };
    request.encode_to_vec()
}

fn produce(kind: &str, screen_share: bool) -> (u32, Vec<u8>) {
    let request = edge::ProducerCreateRequest { kind: kind.to_owned(), screen_share, ..edge::ProducerCreateRequest::default() };
    (m::PRODUCE, request.encode_to_vec())
}

fn grant(scene: &Scene) -> Vec<u8> {
    livestreaming::GrantStageAccessRequest { user_ids: scene.bobs() }.encode_to_vec()
}

fn say(payload_type: i32, payload: &str) -> (u32, Vec<u8>) {
    let request = chat::SendChatMessageToRoomRequest { payload_type, payload: payload.to_owned() };
    (c::SEND_MESSAGE_TO_ROOM, request.encode_to_vec())
}

fn whisper(scene: &Scene, payload_type: i32, payload: &str) -> (u32, Vec<u8>) {
    let peer_ids = vec![scene.bob.clone(), scene.mallory.clone()];
    let request = chat::SendChatMessageToPeersRequest { peer_ids, payload_type, payload: payload.to_owned() };
    (c::SEND_MESSAGE_TO_PEERS, request.encode_to_vec())
}

fn poll() -> Vec<u8> {
    let options = ["yes", "no"].map(str::to_owned).to_vec();
    polls::NewPollRequest { question: "Tea?".to_owned(), options, ..polls::NewPollRequest::default() }.encode_to_vec()
}

fn plugin(payload: Option<&[u8]>) -> (u32, Vec<u8>) {
    let key = plugin::StoreKeys { store_key: "whiteboard".to_owned(), payload: payload.map(<[u8]>::to_vec) };
    let request = plugin::PluginStoreInsertKeysRequest {
        plugin_id: String::new(),
        store_name: "__rtk_plugins__".to_owned(),
        insert_keys: vec![key],
    };
    (plugins::STORE_INSERT_KEYS, request.encode_to_vec())
}
