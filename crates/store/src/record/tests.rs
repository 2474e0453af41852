//! Every event, as it is kept for ever, and back.

use super::*;

fn peer() -> PeerId {
    PeerId::parse("p1").expect("a plain id")
}

fn message() -> ChatId {
    ChatId::parse("x1").expect("a plain id")
}

fn content(kind: ChatKind) -> ChatContent {
    ChatContent { kind, payload: "a\n\"b\"".into() }
}

fn recording() -> RecordingId {
    RecordingId::parse("r1").expect("a plain id")
}

fn invoked(kind: RecordingKind, by: RecordedBy) -> EventBody {
    EventBody::RecordingInvoked(RecordingInvoked { recording: recording(), kind, by, max_ms: 60_000 })
}

fn stopping(why: RecordingEnd) -> EventBody {
    EventBody::RecordingStopping { recording: recording(), why }
}

fn track_id() -> TrackId {
    TrackId::parse("t1").expect("a plain id")
}

/// An event of every kind with every kind of value, and how it is kept. Lines here may be added, never changed: they
/// are what databases hold.
fn kept() -> Vec<(EventBody, &'static str, &'static str)> {
    let joined = PeerJoined {
        peer: peer(),
        participant: ParticipantId::parse("u1").expect("a plain id"),
        custom_participant_id: "c\"1\"".into(),
        name: "Änn\0".into(),
        picture: None,
        preset: PresetId::parse("host").expect("a plain id"),
        preset_name: "Host".into(),
        hidden: false,
        recorder: Recorder::None,
        on_stage: true,
        origin: None,
    };
    let started = SessionStarted {
        session: SessionId::parse("s1").expect("a plain id"),
        meeting: MeetingId::parse("m1").expect("a plain id"),
        app: AppId::parse("a1").expect("a plain id"),
        title: "Plans".into(),
        keep_alive_ms: 60_000,
        started_at: Timestamp(1_750_000_000_000),
        parent: None,
    };
    let beside = |session: Option<&str>| {
        let session = session.map(|session| SessionId::parse(session).expect("a plain id"));
        let parent = Some(Parent { meeting: MeetingId::parse("m0").expect("a plain id"), session });
        EventBody::SessionStarted(SessionStarted { parent, ..started.clone() })
    };
    let track = Track {
        id: track_id(),
        kind: TrackKind::Audio,
        screen_share: false,
        paused: true,
        mime_type: "audio/opus".into(),
        app_data: r#"{"a":1}"#.into(),
        transport: "x".into(),
    };
    let left = |reason| EventBody::PeerLeft { peer: peer(), left_at: Timestamp(-5), reason };
    let ended = |reason| EventBody::SessionEnded { ended_at: Timestamp(9), reason };
    let joins = |recorder, picture: Option<&str>| {
        EventBody::PeerJoined(PeerJoined { recorder, picture: picture.map(str::to_owned), ..joined.clone() })
    };
    let publishes = |kind| EventBody::TrackPublished { peer: peer(), track: Track { kind, ..track.clone() } };
    let says = |kind, parties: &[&str]| {
        EventBody::ChatSent(ChatSent {
            message: message(),
            peer: peer(),
            author: ParticipantId::parse("u1").expect("a plain id"),
            name: "Änn".into(),
            parties: parties.iter().map(|party| ParticipantId::parse(party).expect("a plain id")).collect(),
            content: content(kind),
        })
    };
    let asks = |by: Option<&str>| {
        EventBody::PollCreated(PollCreated {
            poll: PollId::parse("q1").expect("a plain id"),
            question: "A or b?".into(),
            options: vec!["a".into(), "b".into()],
            anonymous: true,
            hide_votes: false,
            by_name: "Änn".into(),
            by: by.map(|by| ParticipantId::parse(by).expect("a plain id")),
        })
    };
    let renames = |by_other| EventBody::PeerRenamed { peer: peer(), name: "B\n".into(), by_other };
    let permits = |changes| {
        let participant = ParticipantId::parse("u1").expect("a plain id");
        EventBody::PermissionsChanged { participant, by: peer(), changes }
    };
    let sends = |source, leave| permits(Changes { media: [(source, leave)].into(), ..Changes::default() });
    let enters = |entry| permits(Changes { entry: Some(entry), ..Changes::default() });
    let all_flags = Changes { flags: Flag::ALL.iter().map(|flag| (*flag, true)).collect(), ..Changes::default() };
    let pauses = |by| EventBody::TrackPaused { peer: peer(), track: track_id(), paused: true, by };
    vec![
        (
            EventBody::SessionStarted(started.clone()),
            "session_started",
            r#"{"app":"a1","keep_alive_ms":60000,"meeting":"m1","session":"s1","started_ms":1750000000000,"title":"Plans"}"#,
        ),
        (
            beside(Some("s0")),
            "session_started",
            r#"{"app":"a1","keep_alive_ms":60000,"meeting":"m1","parent_meeting":"m0","parent_session":"s0","session":"s1","started_ms":1750000000000,"title":"Plans"}"#,
        ),
        (
            beside(None),
            "session_started",
            r#"{"app":"a1","keep_alive_ms":60000,"meeting":"m1","parent_meeting":"m0","parent_session":null,"session":"s1","started_ms":1750000000000,"title":"Plans"}"#,
        ),
        (
            EventBody::PeerJoined(PeerJoined { origin: Some(ParticipantId::parse("u0").expect("a plain id")), ..joined.clone() }),
            "peer_joined",
            r#"{"custom_participant_id":"c\"1\"","hidden":false,"name":"Änn\u0000","on_stage":true,"origin":"u0","participant":"u1","peer":"p1","picture":null,"preset":"host","preset_name":"Host","recorder":"none"}"#,
        ),
        (
            EventBody::Silenced { peer: peer(), source: Source::Camera, by: Actor::Api },
            "silenced",
            r#"{"by_peer":null,"peer":"p1","source":"media.video.can_produce"}"#,
        ),
        (
            EventBody::Silenced { peer: peer(), source: Source::Screen, by: Actor::Peer(peer()) },
            "silenced",
            r#"{"by_peer":"p1","peer":"p1","source":"media.screenshare.can_produce"}"#,
        ),
        (EventBody::StageWished { peer: peer(), wish: None }, "stage_wished", r#"{"peer":"p1","wish":null}"#),
        (EventBody::StageWished { peer: peer(), wish: Some(StageWish::Asks) }, "stage_wished", r#"{"peer":"p1","wish":"asks"}"#),
        (
            EventBody::StageWished { peer: peer(), wish: Some(StageWish::CalledUp) },
            "stage_wished",
            r#"{"peer":"p1","wish":"called_up"}"#,
        ),
        (EventBody::HeldOpen { held: true }, "held_open", r#"{"held":true}"#),
        (
            invoked(RecordingKind::Composite, RecordedBy::Api),
            "recording_invoked",
            r#"{"by":"api","kind":"composite","max_ms":60000,"recording":"r1"}"#,
        ),
        (
            invoked(RecordingKind::Livestream, RecordedBy::Api),
            "recording_invoked",
            r#"{"by":"api","kind":"livestream","max_ms":60000,"recording":"r1"}"#,
        ),
        (
            invoked(RecordingKind::Track, RecordedBy::Meeting),
            "recording_invoked",
            r#"{"by":"meeting","kind":"track","max_ms":60000,"recording":"r1"}"#,
        ),
        (
            invoked(RecordingKind::Track, RecordedBy::Participant(ParticipantId::parse("u1").expect("a plain id"))),
            "recording_invoked",
            r#"{"by":{"participant":"u1"},"kind":"track","max_ms":60000,"recording":"r1"}"#,
        ),
        (EventBody::RecordingBegan { recording: recording() }, "recording_began", r#"{"recording":"r1"}"#),
        (EventBody::RecordingPaused { recording: recording() }, "recording_paused", r#"{"recording":"r1"}"#),
        (EventBody::RecordingResumed { recording: recording() }, "recording_resumed", r#"{"recording":"r1"}"#),
        (stopping(RecordingEnd::Asked(RecordedBy::Api)), "recording_stopping", r#"{"recording":"r1","why":{"asked":"api"}}"#),
        (stopping(RecordingEnd::TimeIsUp), "recording_stopping", r#"{"recording":"r1","why":"time"}"#),
        (stopping(RecordingEnd::SessionOver), "recording_stopping", r#"{"recording":"r1","why":"session"}"#),
        (stopping(RecordingEnd::Failed), "recording_stopping", r#"{"recording":"r1","why":"failed"}"#),
        (
            EventBody::RecordingStopped { recording: recording(), why: RecordingEnd::TimeIsUp, error: None },
            "recording_stopped",
            r#"{"error":null,"recording":"r1","why":"time"}"#,
        ),
        (
            EventBody::RecordingStopped { recording: recording(), why: RecordingEnd::Failed, error: Some("it \"broke\"".into()) },
            "recording_stopped",
            r#"{"error":"it \"broke\"","recording":"r1","why":"failed"}"#,
        ),
        (EventBody::MeetingDeleted { leave_by: Timestamp(7) }, "meeting_deleted", r#"{"leave_by_ms":7}"#),
        (
            joins(Recorder::None, None),
            "peer_joined",
            r#"{"custom_participant_id":"c\"1\"","hidden":false,"name":"Änn\u0000","on_stage":true,"participant":"u1","peer":"p1","picture":null,"preset":"host","preset_name":"Host","recorder":"none"}"#,
        ),
        (
            joins(Recorder::Recorder, Some("https://x/y.png")),
            "peer_joined",
            r#"{"custom_participant_id":"c\"1\"","hidden":false,"name":"Änn\u0000","on_stage":true,"participant":"u1","peer":"p1","picture":"https://x/y.png","preset":"host","preset_name":"Host","recorder":"recorder"}"#,
        ),
        (
            joins(Recorder::Livestreamer, None),
            "peer_joined",
            r#"{"custom_participant_id":"c\"1\"","hidden":false,"name":"Änn\u0000","on_stage":true,"participant":"u1","peer":"p1","picture":null,"preset":"host","preset_name":"Host","recorder":"livestreamer"}"#,
        ),
        (
            joins(Recorder::Listener, None),
            "peer_joined",
            r#"{"custom_participant_id":"c\"1\"","hidden":false,"name":"Änn\u0000","on_stage":true,"participant":"u1","peer":"p1","picture":null,"preset":"host","preset_name":"Host","recorder":"listener"}"#,
        ),
        (EventBody::PeerDisconnected { peer: peer(), seen: Timestamp(7) }, "peer_disconnected", r#"{"peer":"p1","seen_ms":7}"#),
        (EventBody::PeerReconnected { peer: peer() }, "peer_reconnected", r#"{"peer":"p1"}"#),
        (left(LeaveReason::Left), "peer_left", r#"{"left_ms":-5,"peer":"p1","reason":"left"}"#),
        (left(LeaveReason::Lost), "peer_left", r#"{"left_ms":-5,"peer":"p1","reason":"lost"}"#),
        (left(LeaveReason::Kicked), "peer_left", r#"{"left_ms":-5,"peer":"p1","reason":"kicked"}"#),
        (left(LeaveReason::Deleted), "peer_left", r#"{"left_ms":-5,"peer":"p1","reason":"deleted"}"#),
        (left(LeaveReason::Ended), "peer_left", r#"{"left_ms":-5,"peer":"p1","reason":"ended"}"#),
        (renames(false), "peer_renamed", r#"{"name":"B\n","peer":"p1"}"#),
        (renames(true), "peer_renamed_by_other", r#"{"name":"B\n","peer":"p1"}"#),
        (
            publishes(TrackKind::Audio),
            "track_published",
            r#"{"peer":"p1","track":{"app_data":"{\"a\":1}","id":"t1","kind":"audio","mime_type":"audio/opus","paused":true,"screen_share":false,"transport":"x"}}"#,
        ),
        (
            publishes(TrackKind::Video),
            "track_published",
            r#"{"peer":"p1","track":{"app_data":"{\"a\":1}","id":"t1","kind":"video","mime_type":"audio/opus","paused":true,"screen_share":false,"transport":"x"}}"#,
        ),
        (pauses(Actor::Api), "track_paused", r#"{"by_peer":null,"paused":true,"peer":"p1","track":"t1"}"#),
        (pauses(Actor::Peer(peer())), "track_paused", r#"{"by_peer":"p1","paused":true,"peer":"p1","track":"t1"}"#),
        (EventBody::TrackUnpublished { peer: peer(), track: track_id() }, "track_unpublished", r#"{"peer":"p1","track":"t1"}"#),
        (EventBody::UnmuteForbidden { forbidden: true }, "unmute_forbidden", r#"{"forbidden":true}"#),
        (
            EventBody::ParticipantAdmitted { participant: ParticipantId::parse("u1").expect("a plain id") },
            "participant_admitted",
            r#"{"participant":"u1"}"#,
        ),
        (
            EventBody::ParticipantDismissed { participant: ParticipantId::parse("u1").expect("a plain id") },
            "participant_dismissed",
            r#"{"participant":"u1"}"#,
        ),
        (
            says(ChatKind::Text, &[]),
            "chat_sent",
            r#"{"author":"u1","content":{"kind":"text","payload":"a\n\"b\""},"message":"x1","name":"Änn","parties":[],"peer":"p1"}"#,
        ),
        (
            says(ChatKind::Image, &["u1", "u2"]),
            "chat_sent",
            r#"{"author":"u1","content":{"kind":"image","payload":"a\n\"b\""},"message":"x1","name":"Änn","parties":["u1","u2"],"peer":"p1"}"#,
        ),
        (
            says(ChatKind::File, &[]),
            "chat_sent",
            r#"{"author":"u1","content":{"kind":"file","payload":"a\n\"b\""},"message":"x1","name":"Änn","parties":[],"peer":"p1"}"#,
        ),
        (
            says(ChatKind::Custom, &[]),
            "chat_sent",
            r#"{"author":"u1","content":{"kind":"custom","payload":"a\n\"b\""},"message":"x1","name":"Änn","parties":[],"peer":"p1"}"#,
        ),
        (
            EventBody::ChatKept(ChatKept {
                sent: match says(ChatKind::Text, &["u1", "u2"]) {
                    EventBody::ChatSent(sent) => sent,
                    other => unreachable!("not {other:?}"),
                },
                said_in: SessionId::parse("s0").expect("a plain id"),
                said_at: Timestamp(7),
                pinned: true,
                edited: false,
            }),
            "chat_kept",
            r#"{"edited":false,"pinned":true,"said_ms":7,"sent":{"author":"u1","content":{"kind":"text","payload":"a\n\"b\""},"message":"x1","name":"Änn","parties":["u1","u2"],"peer":"p1"},"session":"s0"}"#,
        ),
        (
            EventBody::ChatEdited { message: message(), content: content(ChatKind::Text) },
            "chat_edited",
            r#"{"content":{"kind":"text","payload":"a\n\"b\""},"message":"x1"}"#,
        ),
        (
            EventBody::ChatPinned { message: message(), pinned: true, by: peer() },
            "chat_pinned",
            r#"{"by_peer":"p1","message":"x1","pinned":true}"#,
        ),
        (EventBody::ChatDeleted { message: message(), by: peer() }, "chat_deleted", r#"{"by_peer":"p1","message":"x1"}"#),
        (
            asks(Some("u1")),
            "poll_created",
            r#"{"anonymous":true,"by_name":"Änn","by_participant":"u1","hide_votes":false,"options":["a","b"],"poll":"q1","question":"A or b?"}"#,
        ),
        (
            asks(None),
            "poll_created",
            r#"{"anonymous":true,"by_name":"Änn","by_participant":null,"hide_votes":false,"options":["a","b"],"poll":"q1","question":"A or b?"}"#,
        ),
        (
            EventBody::PollVoted {
                poll: PollId::parse("q1").expect("a plain id"),
                participant: ParticipantId::parse("u1").expect("a plain id"),
                name: "Änn".into(),
                option: 1,
            },
            "poll_voted",
            r#"{"name":"Änn","option":1,"participant":"u1","poll":"q1"}"#,
        ),
        (
            EventBody::StoreSet {
                store: "s".into(),
                author: peer(),
                items: vec![StoreItem { key: "k\0".into(), payload: "{\"a\":1}".into() }],
            },
            "store_set",
            r#"{"by_peer":"p1","items":[{"key":"k\u0000","payload":"{\"a\":1}"}],"store":"s"}"#,
        ),
        (
            EventBody::StoreDeleted { store: "s".into(), keys: Some(vec!["k".into()]) },
            "store_deleted",
            r#"{"keys":["k"],"store":"s"}"#,
        ),
        (EventBody::StoreDeleted { store: "s".into(), keys: None }, "store_deleted", r#"{"keys":null,"store":"s"}"#),
        (EventBody::PeerPinned { peer: Some(peer()) }, "peer_pinned", r#"{"peer":"p1"}"#),
        (EventBody::PeerPinned { peer: None }, "peer_pinned", r#"{"peer":null}"#),
        (EventBody::StageChanged { peer: peer(), on_stage: true }, "stage_changed", r#"{"on_stage":true,"peer":"p1"}"#),
        (
            permits(all_flags),
            "permissions_changed",
            r#"{"by_peer":"p1","changes":{"accept_waiting_requests":true,"can_accept_production_requests":true,"can_change_participant_permissions":true,"can_edit_display_name":true,"can_livestream":true,"can_record":true,"can_spotlight":true,"chat.private.can_receive":true,"chat.private.can_send":true,"chat.private.files":true,"chat.private.text":true,"chat.public.can_send":true,"chat.public.files":true,"chat.public.text":true,"connected_meetings.can_alter_connected_meetings":true,"connected_meetings.can_switch_connected_meetings":true,"connected_meetings.can_switch_to_parent_meeting":true,"disable_participant_audio":true,"disable_participant_screensharing":true,"disable_participant_video":true,"kick_participant":true,"pin_participant":true,"plugins.can_close":true,"plugins.can_start":true,"polls.can_create":true,"polls.can_view":true,"polls.can_vote":true,"show_participant_list":true,"transcription_enabled":true},"participant":"u1"}"#,
        ),
        (
            sends(Source::Microphone, CanProduce::Allowed),
            "permissions_changed",
            r#"{"by_peer":"p1","changes":{"media.audio.can_produce":"ALLOWED"},"participant":"u1"}"#,
        ),
        (
            sends(Source::Camera, CanProduce::NotAllowed),
            "permissions_changed",
            r#"{"by_peer":"p1","changes":{"media.video.can_produce":"NOT_ALLOWED"},"participant":"u1"}"#,
        ),
        (
            sends(Source::Screen, CanProduce::CanRequest),
            "permissions_changed",
            r#"{"by_peer":"p1","changes":{"media.screenshare.can_produce":"CAN_REQUEST"},"participant":"u1"}"#,
        ),
        (
            enters(Entry::Skip),
            "permissions_changed",
            r#"{"by_peer":"p1","changes":{"waiting_room_type":"SKIP"},"participant":"u1"}"#,
        ),
        (
            enters(Entry::OnPrivilegedEntry),
            "permissions_changed",
            r#"{"by_peer":"p1","changes":{"waiting_room_type":"ON_PRIVILEGED_USER_ENTRY"},"participant":"u1"}"#,
        ),
        (
            enters(Entry::OnAccept),
            "permissions_changed",
            r#"{"by_peer":"p1","changes":{"waiting_room_type":"SKIP_ON_ACCEPT"},"participant":"u1"}"#,
        ),
        (ended(EndReason::AllLeft), "session_ended", r#"{"ended_ms":9,"reason":"all_left"}"#),
        (ended(EndReason::Closed), "session_ended", r#"{"ended_ms":9,"reason":"closed"}"#),
    ]
}

#[test]
fn events_are_kept_under_names_that_never_change() {
    for (event, kind, json) in kept() {
        assert_eq!(encode(&event), (kind, json.to_owned()));
        assert_eq!(decode(kind, json), Some(event));
    }
}

/// Fails to compile when core learns a new value, and to pass until `kept` shows it.
#[test]
fn every_value_is_shown() {
    let mut seen = std::collections::BTreeSet::new();
    for (event, ..) in kept() {
        seen.insert(match event {
            EventBody::SessionStarted(_) => 0,
            EventBody::PeerJoined(joined) => match joined.recorder {
                Recorder::None => 1,
                Recorder::Recorder => 2,
                Recorder::Livestreamer => 3,
                Recorder::Listener => 66,
            },
            EventBody::PeerDisconnected { .. } => 4,
            EventBody::PeerReconnected { .. } => 5,
            EventBody::PeerLeft { reason, .. } => match reason {
                LeaveReason::Left => 6,
                LeaveReason::Lost => 7,
                LeaveReason::Kicked => 8,
                LeaveReason::Deleted => 9,
                LeaveReason::Ended => 10,
            },
            EventBody::PeerRenamed { by_other: false, .. } => 11,
            EventBody::PeerRenamed { by_other: true, .. } => 37,
            EventBody::PermissionsChanged { changes, .. } => match (changes.media.values().next(), changes.entry) {
                (Some(CanProduce::Allowed), _) => 38,
                (Some(CanProduce::NotAllowed), _) => 39,
                (Some(CanProduce::CanRequest), _) => 40,
                (None, Some(Entry::Skip)) => 41,
                (None, Some(Entry::OnPrivilegedEntry)) => 42,
                (None, Some(Entry::OnAccept)) => 43,
                (None, None) => 44,
            },
            EventBody::TrackPublished { track, .. } => match track.kind {
                TrackKind::Audio => 12,
                TrackKind::Video => 13,
            },
            EventBody::TrackPaused { by: Actor::Api, .. } => 14,
            EventBody::TrackPaused { by: Actor::Peer(_), .. } => 15,
            EventBody::TrackUnpublished { .. } => 16,
            EventBody::UnmuteForbidden { .. } => 17,
            EventBody::ParticipantAdmitted { .. } => 18,
            EventBody::ParticipantDismissed { .. } => 48,
            EventBody::PollCreated(PollCreated { by: Some(_), .. }) => 28,
            EventBody::PollCreated(PollCreated { by: None, .. }) => 29,
            EventBody::PollVoted { .. } => 30,
            EventBody::StoreSet { .. } => 31,
            EventBody::StoreDeleted { keys: Some(_), .. } => 32,
            EventBody::StoreDeleted { keys: None, .. } => 33,
            EventBody::PeerPinned { peer: Some(_) } => 34,
            EventBody::PeerPinned { peer: None } => 35,
            EventBody::StageChanged { .. } => 36,
            EventBody::HeldOpen { .. } => 46,
            EventBody::MeetingDeleted { .. } => 47,
            EventBody::Silenced { by: Actor::Api, .. } => 49,
            EventBody::Silenced { by: Actor::Peer(_), .. } => 50,
            EventBody::StageWished { wish: None, .. } => 51,
            EventBody::StageWished { wish: Some(StageWish::Asks), .. } => 52,
            EventBody::StageWished { wish: Some(StageWish::CalledUp), .. } => 53,
            EventBody::RecordingInvoked(asked) => match (&asked.kind, &asked.by) {
                (RecordingKind::Composite, _) => 54,
                (_, RecordedBy::Meeting) => 55,
                (_, RecordedBy::Participant(_)) => 56,
                (_, RecordedBy::Api) => 54,
            },
            EventBody::RecordingBegan { .. } => 57,
            EventBody::RecordingPaused { .. } => 58,
            EventBody::RecordingResumed { .. } => 59,
            EventBody::RecordingStopping { why: RecordingEnd::Asked(_), .. } => 60,
            EventBody::RecordingStopping { why: RecordingEnd::TimeIsUp, .. } => 61,
            EventBody::RecordingStopping { why: RecordingEnd::SessionOver, .. } => 62,
            EventBody::RecordingStopping { why: RecordingEnd::Failed, .. } => 63,
            EventBody::RecordingStopped { error: None, .. } => 64,
            EventBody::RecordingStopped { error: Some(_), .. } => 65,
            EventBody::SessionEnded { reason: EndReason::AllLeft, .. } => 19,
            EventBody::SessionEnded { reason: EndReason::Closed, .. } => 20,
            EventBody::ChatSent(sent) => match sent.content.kind {
                ChatKind::Text => 21,
                ChatKind::Image => 22,
                ChatKind::File => 23,
                ChatKind::Custom => 24,
            },
            EventBody::ChatEdited { .. } => 25,
            EventBody::ChatKept(_) => 45,
            EventBody::ChatPinned { .. } => 26,
            EventBody::ChatDeleted { .. } => 27,
        });
    }
    assert!(seen.into_iter().eq(0..=66));
}

#[test]
fn fields_of_a_later_release_do_no_harm() {
    let event = EventBody::PeerReconnected { peer: peer() };
    assert_eq!(decode("peer_reconnected", r#"{"peer":"p1","via":"tunnel"}"#), Some(event));
}

/// Fields that older events of their kind do not have.
const YOUNGER: [&str; 3] = ["parent_meeting", "parent_session", "origin"];

#[test]
fn what_is_not_an_event_is_none() {
    assert_eq!(decode("unheard_of", "{}"), None);
    for (_, kind, json) in kept() {
        // Cut anywhere, and with any one field gone or of another type.
        for end in (0..json.len()).filter(|end| json.is_char_boundary(*end)) {
            assert_eq!(decode(kind, &json[..end]), None, "{kind} {}", &json[..end]);
        }
        let Ok(Value::Object(whole)) = serde_json::from_str(json) else { panic!("{json}") };
        for field in whole.keys() {
            let mut without = whole.clone();
            without.remove(field);
            let read = decode(kind, &Value::Object(without).to_string());
            assert_eq!(read.is_some(), YOUNGER.contains(&field.as_str()), "{kind} without {field}");
            let mut odd = whole.clone();
            odd.insert(field.clone(), json!([[]]));
            assert_eq!(decode(kind, &Value::Object(odd).to_string()), None, "{kind} with odd {field}");
        }
        for odd in ["", "null", "[]", "7", "{}"] {
            assert_eq!(decode(kind, odd), None, "{kind} {odd}");
        }
    }
    let unheard_of = r#"{"by_peer":"p1","changes":{"can_fly":true},"participant":"u1"}"#;
    assert_eq!(decode("permissions_changed", unheard_of), None, "half a set of permissions is no set of permissions");
    assert_eq!(decode("peer_reconnected", r#"{"peer":"not an id"}"#), None);
    assert_eq!(decode("peer_left", r#"{"left_ms":1.5,"peer":"p1","reason":"left"}"#), None);
}
